"""One fault at one step of the dialogue, over several pipelined connections: nobody else is hurt, nothing is lost."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from crash_worker import PlainMessages
from fakes import FakeClock
from sqlalchemy import select
from worker_fixture import both, fill, listed, smtp, standing, until_empty, worker

from digestmail.delivery.pacing import DomainLimit, DomainLimits
from digestmail.model.reports import ASKED_TO_STOP
from digestmail.storage import schema

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import Act, Farewell, scripted

PEOPLE = 12
FAULTS = {
    "drop": Act.DROP,
    "reset": Act.RESET,
    "stall": Act.STALL,
    "shutting down": Farewell("421 4.3.2 shutting down"),
    "transient": "451 4.3.0 try again later",
    "permanent": "550 5.1.1 no such user",
    "garbage": b"\x00\xff what?\r\n",
    "no code": b"99 bottles\r\n",
    "split": b"250-one\r\n250 two\r\n",
}
STEPS = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "END", "RSET", "QUIT")
BLAMES = {("RCPT", "permanent"), ("DATA", "permanent"), ("END", "permanent")}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", STEPS)
def test_a_fault_at_any_step_costs_nobody_else_their_mail(sqlite, tmp_path, step, fault):
    fill(sqlite, PEOPLE)
    answers = {step: [FAULTS[fault]]}
    if step == "RSET":
        answers["RCPT"] = ["451 4.2.1 later"]
    with scripted(answers, extensions=["PIPELINING"]) as server:
        until_empty(sqlite, [smtp(server.port, timeout=0.5)], tmp_path / "epoch", FakeClock())
        arrived = Counter(recipient for one in server.messages for recipient in one.recipients)
    doubted = listed(sqlite)
    failed = 1 if (step, fault) in BLAMES else 0
    expected = {"sent": PEOPLE - failed} | ({"failed": failed} if failed else {})
    assert standing(sqlite) == expected
    assert len(arrived) == PEOPLE - failed
    assert all(count <= 1 + doubted[address] for address, count in arrived.items())
    assert sum(doubted.values()) <= (1 if step == "END" else 0)


def test_one_bad_recipient_in_ten_hurts_nobody_else(sqlite, tmp_path):
    fill(sqlite, 40)
    with scripted({"RCPT": ["550 5.1.1 no such user"] * 4}, extensions=["PIPELINING"]) as server:
        until_empty(sqlite, [smtp(server.port)], tmp_path / "epoch", FakeClock())
        assert len({one.recipients for one in server.messages}) == len(server.messages) == 36
    assert standing(sqlite) == {"sent": 36, "failed": 4}


@pytest.mark.parametrize(
    "refusal",
    [
        {"RCPT": "550 5.7.26 unauthenticated mail is not accepted"},
        {"END": "550 5.7.1 blocked by our spam policy"},
        {"RCPT": "554 5.7.1 Relay access denied"},
        {"MAIL": "530 5.7.0 authentication required"},
        {"MAIL": "452 4.3.1 quota of the sender exceeded"},
    ],
    ids=str,
)
def test_a_refusal_of_the_sender_pauses_the_relay_over_restarts_and_blames_nobody(sqlite, tmp_path, refusal):
    fill(sqlite, PEOPLE)
    clock = FakeClock()
    with scripted({step: [reply] * PEOPLE for step, reply in refusal.items()}) as server:
        relay = smtp(server.port)
        report = worker(sqlite, [relay], clock, tmp_path / "epoch").deliver()
        (reply,) = refusal.values()
        assert reply[4:20] in report.stopped
        assert (report.sent, report.failed) == (0, 0)
        talked = server.connections
        again = worker(sqlite, [smtp(server.port)], clock, tmp_path / "epoch").deliver()
        assert "paused until" in again.stopped
        assert server.connections == talked
        server.answers.clear()
        until_empty(sqlite, [relay], tmp_path / "epoch", clock)
    assert standing(sqlite) == {"sent": PEOPLE}


def test_the_second_relay_takes_over_what_the_first_refuses(sqlite, tmp_path):
    fill(sqlite, PEOPLE)
    with scripted({"GREETING": ["554 5.3.2 not today"] * 9}) as broken, scripted() as spare:
        relays = [smtp(broken.port, name="first"), smtp(spare.port, name="second")]
        report = worker(sqlite, relays, FakeClock(), tmp_path / "epoch").deliver()
        assert (report.sent, report.stopped) == (PEOPLE, "")
        assert len(spare.messages) == PEOPLE
    assert standing(sqlite) == {"sent": PEOPLE}


def test_a_server_that_turns_further_connections_away_is_used_over_those_it_took(sqlite, tmp_path):
    fill(sqlite, 60)
    full = Farewell("421 4.7.0 too many connections")
    with scripted({"GREETING": ["220 ready", full, full]}) as server:
        until_empty(sqlite, [smtp(server.port)], tmp_path / "epoch", FakeClock())
        assert len(server.messages) == 60
    assert standing(sqlite) == {"sent": 60}


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("said", ["rate limit exceeded, slow down", "too many concurrent connections"])
def test_a_server_that_closes_connections_because_it_takes_less_is_not_broken(sqlite, tmp_path, step, said):
    fill(sqlite, 60)
    clock = FakeClock()
    with scripted({step: [Farewell(f"421 4.7.0 {said}")] * 20}, extensions=["PIPELINING"]) as server:
        report = until_empty(sqlite, [smtp(server.port)], tmp_path / "epoch", clock)
        assert len(server.messages) == len({one.recipients for one in server.messages}) == 60
    assert (report.stopped, standing(sqlite)) == ("", {"sent": 60})
    with sqlite.connect() as connection:
        waits = connection.execute(select(schema.attempts.c.code)).scalars().all()
    assert set(waits) == {421}, "none was put off because a connection was lost"


def test_what_no_connection_has_is_released_as_soon_as_the_run_is_to_stop(sqlite, tmp_path):
    fill(sqlite, 40)
    stop, answer = Event(), Event()
    with ThreadPoolExecutor(1) as pool:
        with scripted({"GREETING": [Act.STALL]}) as server:
            relay = smtp(server.port, connections=1, timeout=5)
            running = pool.submit(worker(sqlite, [relay], FakeClock(), tmp_path / "epoch", stop=stop.is_set).deliver)
            while "sending" not in standing(sqlite):
                assert not answer.wait(0.02)
            stop.set()
            while standing(sqlite) != {"queued": 40}:
                assert not answer.wait(0.02)
            assert not running.done(), "its connection waits for the greeting"
        assert running.result().stopped == ASKED_TO_STOP


def test_the_report_counts_no_reader_as_suppressed_whose_domain_blocks_us(sqlite, tmp_path):
    fill(sqlite, 40)
    with scripted({"RCPT": ["550 5.1.1 no such user"] * 20}, extensions=["PIPELINING"]) as server:
        report = worker(sqlite, [smtp(server.port)], FakeClock(), tmp_path / "epoch").deliver()
    assert (report.failed, report.suppressed, len(report.blocks)) == (20, 0, 1)


def test_a_message_over_the_size_that_the_server_announced_is_no_bounce(sqlite, tmp_path):
    fill(sqlite, 2)
    with scripted(extensions=["SIZE 100"]) as server:
        report = worker(sqlite, [smtp(server.port)], FakeClock(), tmp_path / "epoch").deliver()
        assert server.messages == []
    assert (report.failed, report.suppressed) == (2, 0)
    with sqlite.connect() as connection:
        assert connection.execute(select(schema.bounces)).all() == []


def test_a_reply_that_comes_before_the_message_is_not_taken_for_its_answer(sqlite, tmp_path):
    fill(sqlite, 2)
    clock = FakeClock()
    with scripted({"DATA": [b"354 go ahead\r\n250 2.0.0 queued\r\n"]}, extensions=["PIPELINING"]) as server:
        report = worker(sqlite, [smtp(server.port, connections=1)], clock, tmp_path / "epoch").deliver()
        assert "nobody asked" in report.stopped
        assert (report.sent, report.failed, server.messages) == (0, 0, [])
        until_empty(sqlite, [smtp(server.port)], tmp_path / "epoch", clock)
        assert len(server.messages) == 2
    assert standing(sqlite) == {"sent": 2}


def test_a_domain_s_limit_does_not_arm_more_than_a_crash_may_leave(sqlite, tmp_path):
    fill(sqlite, 60)
    intended = []

    class Watching(PlainMessages):
        def write(self, delivery, now):
            intended.append(standing(sqlite).get("sending", 0))
            return super().write(delivery, now)

    limits = DomainLimits(domains={"example.org": DomainLimit(connections=1)})
    with scripted(extensions=["PIPELINING"]) as server:
        relay = smtp(server.port)
        worker(sqlite, [relay], FakeClock(), tmp_path / "epoch", limits=limits, composers=both(Watching(520))).deliver()
    assert standing(sqlite) == {"sent": 60}
    assert max(intended) == 1
