"""Replies that come an octet at a time, as late as they may and later; the time they take passes at once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path
from threading import Event

import pytest
import uvloop
from fakes import FakeClock
from worker_fixture import fill, listed, smtp, standing, until_empty, worker

from digestmail.model.deliveries import AmbiguousPolicy
from digestmail.transports.smtp.manners import Manners

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import Pieces, scripted

PEOPLE = 8
PATIENCE = 60.0
AFTER_THE_DOT = 10 * PATIENCE
REPLIES = {
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 go ahead",
    "END": "250 2.0.0 queued",
}


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time can be put forward."""

    ahead = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.jumped = Event()

    def time(self) -> float:
        return super().time() + self.ahead

    def close(self) -> None:
        super().close()
        self.jumped.set()


class Time:
    """The time of the deliverer's event loop, as the server's thread sees it."""

    def __init__(self) -> None:
        self.loop = Loop()

    def new_event_loop(self) -> Loop:
        self.loop.close()
        self.loop = Loop()
        return self.loop

    def passes(self, seconds: float) -> None:
        """Return when `seconds` have passed for whoever waits in the loop, and the timers that were due have run."""
        loop = self.loop

        def jump() -> None:
            loop.ahead += seconds
            loop.call_soon(loop.call_soon, loop.jumped.set)

        loop.jumped.clear()
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(jump)
            assert loop.jumped.wait(10)


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(uvloop, "new_event_loop", time.new_event_loop)
    yield time
    time.loop.close()


def recipients(server) -> Counter[str]:
    return Counter(recipient for one in server.messages for recipient in one.recipients)


def dripping(time: Time, step: str, share: float) -> Pieces:
    """Return the usual reply to `step`, whose octets take together this share of what one waits for it."""
    reply, patience = REPLIES[step], AFTER_THE_DOT if step == "END" else PATIENCE
    return Pieces(reply, lambda: time.passes(share * patience / len(f"{reply}\r\n")))


@pytest.mark.parametrize("extensions", [["PIPELINING"], []], ids=str)
def test_replies_that_take_nearly_all_of_the_patience_and_come_in_octets_are_waited_for(
    sqlite, tmp_path, time, extensions
):
    fill(sqlite, PEOPLE)
    answers = {step: [dripping(time, step, 0.9)] * PEOPLE for step in REPLIES}
    with scripted(answers, extensions=extensions) as server:
        relay = smtp(server.port, connections=1, timeout=PATIENCE, manners=Manners())
        report = worker(sqlite, [relay], FakeClock(), tmp_path / "epoch").deliver()
        assert sorted(recipients(server).values()) == [1] * PEOPLE
        assert server.connections == 1
    assert time.loop.ahead > 0.9 * PEOPLE * (3 * PATIENCE + AFTER_THE_DOT) * 0.99
    assert (report.sent, report.stopped) == (PEOPLE, "")
    assert (standing(sqlite), listed(sqlite)) == ({"sent": PEOPLE}, {})


def test_a_reply_to_the_final_dot_that_waits_for_all_the_others_holds_nobody_up(sqlite, tmp_path):
    people = 60
    fill(sqlite, people)
    others = Event()

    def progress(finished: int) -> None:
        # What lies behind the one that waits goes with its connection.
        if finished >= people - 5:
            others.set()

    def wait() -> None:
        assert others.wait(10)

    with scripted({"END": [Pieces(REPLIES["END"], wait)]}, extensions=["PIPELINING"]) as server:
        report = worker(sqlite, [smtp(server.port)], FakeClock(), tmp_path / "epoch", progress=progress).deliver()
        assert sorted(recipients(server).values()) == [1] * people
    assert others.is_set()
    assert (report.sent, standing(sqlite)) == (people, {"sent": people})


LATE = {
    "later than one waits": lambda time: chain([AFTER_THE_DOT + 1], repeat(0)),
    "an octet now and then": lambda time: repeat(0.3 * AFTER_THE_DOT),
    "begun and never ended": lambda time: chain(repeat(0, 10), [AFTER_THE_DOT + 1], repeat(0)),
}


@pytest.mark.parametrize("policy", AmbiguousPolicy)
@pytest.mark.parametrize("late", LATE)
def test_a_reply_to_the_final_dot_that_comes_too_late_is_ambiguous(sqlite, tmp_path, time, late, policy):
    fill(sqlite, PEOPLE)
    clock, waits = FakeClock(), LATE[late](time)
    pieces = Pieces(REPLIES["END"], lambda: time.passes(next(waits)))
    with scripted({"END": [pieces]}, extensions=["PIPELINING"]) as server:
        relay = smtp(server.port, connections=1, timeout=PATIENCE, manners=Manners())
        report = worker(sqlite, [relay], clock, tmp_path / "epoch", policy=policy).deliver()
        assert "outcome is unknown" in report.trouble
        assert "did not answer in time" in report.trouble
        (doubted,) = listed(sqlite)
        until_empty(sqlite, [relay], tmp_path / "epoch", clock)
        arrived = recipients(server)
    if policy is AmbiguousPolicy.HOLD:
        assert standing(sqlite) == {"sent": PEOPLE - 1, "ambiguous": 1}
        assert arrived[doubted] == 1
    else:
        assert standing(sqlite) == {"sent": PEOPLE}
        assert arrived[doubted] == 2
    assert len(arrived) == PEOPLE
    assert sum(arrived.values()) == PEOPLE - 1 + arrived[doubted]


@pytest.mark.parametrize("extensions", [["PIPELINING"], []], ids=str)
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_reply_to_the_envelope_that_comes_too_late_blames_nobody_and_sends_nothing_twice(
    sqlite, tmp_path, time, step, extensions
):
    fill(sqlite, PEOPLE)
    clock = FakeClock()
    with scripted({step: [dripping(time, step, 1.2)]}, extensions=extensions) as server:
        relay = smtp(server.port, connections=1, timeout=PATIENCE, manners=Manners())
        report = worker(sqlite, [relay], clock, tmp_path / "epoch").deliver()
        assert (report.failed, report.ambiguous) == (0, 0)
        if extensions and step != "MAIL":
            # It went ahead of the reply before it, which may be why: it is sent again at once, step by step.
            assert (report.sent, report.stopped) == (PEOPLE, "")
        else:
            assert "did not answer in time" in report.stopped
        until_empty(sqlite, [relay], tmp_path / "epoch", clock)
        assert sorted(recipients(server).values()) == [1] * PEOPLE
    assert (standing(sqlite), listed(sqlite)) == ({"sent": PEOPLE}, {})
