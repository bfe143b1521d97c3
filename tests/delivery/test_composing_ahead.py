"""Messages are composed in a row, or in threads: each arrives once, and only a few wait in memory."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from crash_worker import PlainMessages
from fakes import THURSDAY, FakeClock, FakeTransport
from receiving import receiver
from sqlalchemy import select
from worker_fixture import fill, smtp, standing, worker

from digestmail.delivery import composing_ahead
from digestmail.delivery.composers import Composers
from digestmail.delivery.lead import Lead
from digestmail.errors import DeliveryError, RenderError
from digestmail.model.deliveries import NoticeKind
from digestmail.storage import notices
from digestmail.storage.schema import subscribers

PEOPLE = 150
AT_ONCE = 8


class Composer(PlainMessages):
    """Composes in any thread, notes in which, and may fail for one reader."""

    def __init__(self, *failing: Exception) -> None:
        super().__init__(520)
        self.failing = list(failing)
        self.threads: Counter[str] = Counter()
        self.composed: list[str] = []

    def write(self, claimed, now):
        self.threads[threading.current_thread().name] += 1
        if self.failing and claimed.subscriber_id == 3:
            raise self.failing.pop()
        self.composed.append(claimed.address)
        return super().write(claimed, now)


@pytest.fixture(params=[0, 2], ids=["in a row", "in threads"])
def composers(request, monkeypatch):
    """Return what composes with a composer, several messages at once."""
    monkeypatch.setattr(Lead, "at_once", AT_ONCE)
    return lambda composer: Composers(editions=composer, notices=composer, threads=request.param)


def test_each_message_arrives_once_and_was_composed_once(database, tmp_path, composers):
    fill(database, PEOPLE)
    composer = Composer()
    with receiver("body", "dot") as server:
        relay = smtp(server.port, connections=4)
        report = worker(database, [relay], FakeClock(), tmp_path / "epoch", composers=composers(composer)).deliver()
    assert report.sent == PEOPLE
    assert set(server.arrived.values()) == {1}
    assert len(server.arrived) == PEOPLE
    assert len(composer.composed) == len(set(composer.composed)) == PEOPLE
    in_threads = sum(count for name, count in composer.threads.items() if name.startswith("composer"))
    assert in_threads == (PEOPLE if composers(composer).threads else 0)


@pytest.mark.parametrize("at_once", [1, AT_ONCE], ids=["slow server", "fast server"])
def test_without_threads_the_next_messages_are_composed_in_a_row(sqlite, tmp_path, monkeypatch, at_once):
    """A slow server gets each message composed when it is sent."""
    monkeypatch.setattr(Lead, "at_once", at_once)
    fill(sqlite, PEOPLE)
    composer = Composer()
    transport = FakeTransport(lambda _: ahead.append(len(composer.composed) - len(transport.sent)))
    ahead: list[int] = []
    both = Composers(editions=composer, notices=composer)
    worker(sqlite, [transport], FakeClock(), tmp_path / "epoch", composers=both).deliver()
    assert len(ahead) == PEOPLE
    assert max(ahead) == at_once


def test_a_notice_is_composed_alone(sqlite, tmp_path, monkeypatch):
    monkeypatch.setattr(Lead, "at_once", AT_ONCE)
    fill(sqlite, 20)
    with sqlite.begin() as connection:
        for subscriber_id in connection.scalars(select(subscribers.c.id)).all():
            notices.enqueue(connection, subscriber_id, NoticeKind.WELCOME, {}, THURSDAY)
    composer = Composer()
    transport = FakeTransport(lambda _: ahead.append(len(composer.composed) - len(transport.sent)))
    ahead: list[int] = []
    both = Composers(editions=composer, notices=composer)
    report = worker(sqlite, [transport], FakeClock(), tmp_path / "epoch", composers=both).deliver()
    assert (report.sent, report.notices) == (20, {"sent": 20})
    assert ahead[:20] == [1] * 20
    assert max(ahead[20:]) == AT_ONCE


@pytest.mark.parametrize(
    ("error", "state", "sent"),
    [
        (DeliveryError("the address is malformed", code=None, permanent=True), "failed", PEOPLE - 1),
        (ValueError("a bug"), "deferred", PEOPLE - 1),
    ],
    ids=["this message", "a bug"],
)
def test_what_fails_concerns_its_message_only(sqlite, tmp_path, error, state, sent, composers):
    fill(sqlite, PEOPLE)
    transport = FakeTransport()
    options = {"composers": composers(Composer(error))}
    report = worker(sqlite, [transport], FakeClock(), tmp_path / "epoch", **options).deliver()
    assert report.sent == len(set(transport.recipients)) == sent
    assert standing(sqlite)[state] == 1


def test_a_broken_template_ends_the_run_and_loses_nothing(sqlite, tmp_path, composers):
    fill(sqlite, PEOPLE)
    transport = FakeTransport()
    options = {"composers": composers(Composer(RenderError("cannot render")))}
    report = worker(sqlite, [transport], FakeClock(), tmp_path / "epoch", **options).deliver()
    assert "cannot render" in report.stopped
    assert report.sent == len(transport.sent) < PEOPLE
    found = standing(sqlite)
    assert found["sent"] + found["queued"] + found["deferred"] == PEOPLE


def test_only_a_few_are_composed_before_they_are_needed(sqlite, tmp_path, composers):
    """They are in memory until a connection takes them."""
    fill(sqlite, PEOPLE)
    composer = Composer()
    most = composing_ahead._AHEAD + composing_ahead._BATCH

    def check(_: str) -> None:
        behind.append(len(composer.composed) - len(transport.sent))

    behind: list[int] = []
    transport = FakeTransport(check)
    worker(sqlite, [transport], FakeClock(), tmp_path / "epoch", composers=composers(composer)).deliver()
    assert len(behind) == PEOPLE
    assert max(behind) <= most


def test_a_run_that_is_stopped_composes_no_more(sqlite, tmp_path, composers):
    fill(sqlite, PEOPLE)
    composer, transport = Composer(), FakeTransport()
    options = {"composers": composers(composer), "stop": lambda: len(transport.sent) >= 5}
    report = worker(sqlite, [transport], FakeClock(), tmp_path / "epoch", **options).deliver()
    assert report.stopped == "asked to stop"
    assert len(composer.composed) < PEOPLE / 2
    assert standing(sqlite) == {"sent": report.sent, "queued": PEOPLE - report.sent}
