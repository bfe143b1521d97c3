"""The ledger of outputs: once to each target, whatever fails, hangs or dies, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from fakes import THURSDAY, FakeClock, digest, paper, render, sighting
from outbox import people
from sqlalchemy import select

from digestmail.delivery import restore
from digestmail.delivery.epoch import EpochFile
from digestmail.editions.cadence import with_cadence
from digestmail.editions.publish import dry_run_publish, publish, publish_one
from digestmail.errors import OutputError, OutputGoneError, OutputUnknownError, StorageError
from digestmail.model.deliveries import Attempted, DeliveryState
from digestmail.model.digests import Cadence, Digest, OutputTarget
from digestmail.model.outputs import OutputsReport
from digestmail.outputs import admin, attempt, worker
from digestmail.outputs.base import OutputMessage
from digestmail.outputs.outcomes import OutputRules
from digestmail.outputs.worker import LEASE, OutputWorker
from digestmail.storage import outputs, papers, schema, settings
from digestmail.storage.database import Database

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HOOK, ROOM, HALL = OutputTarget(output="hook"), *(OutputTarget(output="chat", destination=name) for name in "ab")
RULES = OutputRules(give_up=timedelta(hours=24), max_lateness=timedelta(hours=48))


class FakeOutput:
    """Keeps what arrived; raises its script first."""

    def __init__(self, *says: Exception, repeatable: bool = True, timeout: float = 20.0) -> None:
        self.says = list(says)
        self.repeatable = repeatable
        self.timeout = timeout
        self.arrived: list[OutputMessage] = []
        self.on_send: Callable[[], object] = lambda: None

    def send(self, message: OutputMessage) -> str:
        self.on_send()
        if self.says:
            raise self.says.pop(0)
        self.arrived.append(message)
        return "ok"

    def problems(self) -> tuple[str, ...]:
        return ()

    @property
    def slots(self) -> list[str]:
        return [message.edition.slot.key for message in self.arrived]


class Stage:
    """A database, a clock, and outputs."""

    def __init__(self, database: Database, path: Path) -> None:
        self.database = database
        self.clock = FakeClock()
        self.epoch = EpochFile(path / "epoch", "secret")
        self.known: dict[OutputTarget, FakeOutput] = {HOOK: FakeOutput()}
        self._papers = 0

    def publish(self, targets: tuple[OutputTarget, ...] | None = None, **fields) -> None:
        """Publish today's edition with one new paper."""
        self._papers += 1
        now = self.clock.now()
        with self.database.begin() as connection:
            papers.add_sightings(connection, [sighting(self._papers, day=now.date())], now)
        report = publish(self.database, [self.digest(targets, **fields)], render, now)
        assert [one.status for one in report.digests][:1] == ["published"]

    def digest(self, targets: tuple[OutputTarget, ...] | None = None, **fields) -> Digest:
        return replace(digest(**fields), outputs=tuple(self.known) if targets is None else targets)

    def run(self, clock: FakeClock | None = None) -> OutputsReport:
        """Send what is due."""
        return self.worker(clock).run()

    def worker(self, clock: FakeClock | None = None) -> OutputWorker:
        return OutputWorker(
            self.database, self.known, clock or self.clock, RULES, self.epoch, random=Random(1), stop=lambda: False
        )

    def states(self) -> list[str]:
        d = schema.output_deliveries.c
        with self.database.connect() as connection:
            return list(connection.execute(select(d.state).order_by(d.id)).scalars())


@pytest.fixture
def stage(database, tmp_path) -> Stage:
    return Stage(database, tmp_path)


def test_an_edition_is_queued_with_its_publication_and_sent_once(stage):
    stage.publish()
    assert stage.states() == ["queued"]

    assert stage.run() == OutputsReport(sent=1)
    assert stage.run() == OutputsReport()
    assert stage.known[HOOK].slots == ["2026-04-02"]
    assert stage.known[HOOK].arrived[0].edition.entries[0].paper.title == "Paper 1"


def test_nothing_is_queued_by_a_dry_run_or_an_edition_that_was_rolled_back(stage):
    with stage.database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
    with stage.database.begin_dry_run() as connection:
        dry_run_publish(connection, [stage.digest()], render, THURSDAY)
    assert stage.states() == []


def test_a_variant_for_readers_with_another_cadence_goes_nowhere_else(stage):
    with stage.database.begin() as connection:
        people(connection, 1)
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
    weekly = with_cadence(stage.digest(), Cadence.WEEKLY)
    assert weekly.outputs == (HOOK,)
    with stage.database.begin() as connection:
        publish_one(connection, weekly, render, THURSDAY, THURSDAY)
    assert stage.states() == []


def test_a_failure_at_one_destination_is_repeated_there_only(stage):
    stage.known = {ROOM: FakeOutput(), HALL: FakeOutput(OutputError("no"), OutputError("no"))}
    stage.publish()

    first = stage.run()
    assert (first.sent, first.deferred) == (1, 1)
    for _ in range(3):
        stage.clock.sleep(3600)
        stage.run()
    assert len(stage.known[ROOM].arrived) == len(stage.known[HALL].arrived) == 1
    assert stage.states() == ["sent", "sent"]


def test_every_attempt_has_the_same_token_and_is_kept(stage):
    seen: list[str] = []
    stage.known[HOOK].says = [OutputError("busy", status=503)] * 2
    stage.publish()
    for _ in range(3):
        stage.run()
        stage.clock.sleep(3600)

    with stage.database.connect() as connection:
        d, a = schema.output_deliveries, schema.output_attempts
        row = connection.execute(select(d)).one()
        kept = connection.execute(select(a.c.number, a.c.state, a.c.code, a.c.text).order_by(a.c.number)).all()
    seen += [message.token for message in stage.known[HOOK].arrived]
    assert seen == [row.token]
    assert (row.state, row.attempts) == ("sent", 3)
    assert [tuple(one) for one in kept] == [(1, "deferred", 503, "busy"), (2, "deferred", 503, "busy")]


def test_retry_after_postpones_the_next_attempt(stage):
    stage.known[HOOK].says = [OutputError("slow down", status=429, retry_after=7200.0)]
    stage.publish()
    stage.run()

    stage.clock.sleep(7100)
    assert stage.run() == OutputsReport()
    stage.clock.sleep(200)
    assert stage.run().sent == 1


def test_an_edition_is_given_up_after_a_day_and_then_shown(stage):
    stage.known[HOOK].says = [OutputError("down", status=500)] * 1000
    stage.publish()
    reports = []
    for _ in range(30):
        reports.append(stage.run())
        stage.clock.sleep(3600)

    assert sum(report.failed for report in reports) == 1
    assert [report.went_wrong for report in reports].count(True) == 1
    assert stage.states() == ["failed"]
    (row,) = admin.unfinished(stage.database, stage.clock.now())
    assert (row.output, row.code, row.text) == ("hook", 500, "down")
    assert admin.retry(stage.database, "hook", stage.clock.now()) == (0, 1)
    stage.known[HOOK].says = []
    assert stage.run().sent == 1


def test_a_permanent_failure_is_not_repeated(stage):
    stage.known[HOOK].says = [OutputError("no such service", permanent=True)]
    stage.publish()

    assert stage.run().failed == 1
    assert stage.run() == OutputsReport()


def test_a_receiver_that_is_gone_gets_no_more_editions_until_it_is_resumed(stage):
    stage.known[HOOK].says = [OutputError("down")]
    stage.publish()
    stage.run()
    stage.clock.sleep(DAY.total_seconds())
    stage.publish()
    stage.known[HOOK].says = [OutputGoneError("gone", status=410)]

    report = stage.run()
    assert (report.failed, report.sent) == (2, 0)
    stage.clock.sleep(DAY.total_seconds())
    stage.publish()
    assert stage.states() == ["failed", "failed"]
    assert [one.reason for one in admin.stopped(stage.database, stage.known)] == ["gone"]

    assert admin.retry(stage.database, "hook", stage.clock.now()) == (1, 2)
    assert admin.stopped(stage.database, stage.known) == ()
    assert stage.run().sent == 2


def test_what_a_dead_process_was_sending_is_sent_again_with_the_same_token(stage):
    stage.publish()
    died = FakeOutput()
    stage.known = {HOOK: died}
    _die_while_sending(stage)
    assert stage.states() == ["sending"]
    assert stage.run() == OutputsReport(), "the lease lasts"

    stage.clock.sleep(LEASE.total_seconds() + 1)
    assert stage.run().sent == 1
    assert len({message.token for message in died.arrived}) == 1
    assert len(died.arrived) == 2


def test_what_a_dead_process_was_sending_to_a_chat_waits_for_the_operator(stage):
    stage.known = {ROOM: FakeOutput(repeatable=False)}
    stage.publish()
    _die_while_sending(stage)
    stage.clock.sleep(LEASE.total_seconds() + 1)

    report = stage.run()
    assert (report.ambiguous, report.went_wrong) == (1, True)
    assert len(stage.known[ROOM].arrived) == 1
    assert admin.retry(stage.database, "chat", stage.clock.now()) == (0, 1)
    assert stage.run().sent == 1


def _die_while_sending(stage: Stage) -> None:
    """Send what is due, and record nothing: what a process does that is killed in between."""
    dying = stage.worker()
    dying._result(dying._claim())


def test_an_unknown_outcome_is_held(stage):
    stage.known = {ROOM: FakeOutput(OutputUnknownError("may have arrived"), repeatable=False)}
    stage.publish()

    assert stage.run().ambiguous == 1
    assert stage.run() == OutputsReport()


def test_a_worker_that_was_only_slow_cannot_overwrite_what_its_successor_recorded(stage):
    stage.publish()
    with stage.database.begin() as connection:
        slow = outputs.claim(connection, stage.clock.now(), LEASE)
    stage.clock.sleep(LEASE.total_seconds() + 1)
    assert stage.run().sent == 1

    late = Attempted(state=DeliveryState.DEFERRED, due_at=stage.clock.now(), kept=DeliveryState.DEFERRED)
    with stage.database.begin() as connection:
        assert not outputs.record(connection, slow, late, stage.clock.now())
    assert stage.states() == ["sent"]


def test_two_workers_never_claim_the_same_row(stage):
    stage.known = {target: FakeOutput() for target in (HOOK, ROOM, HALL)}
    stage.publish()
    with stage.database.begin() as connection:
        claimed = [outputs.claim(connection, THURSDAY, LEASE) for _ in range(4)]

    assert len({one.id for one in claimed if one}) == 3
    assert claimed[3] is None


def test_a_process_with_an_older_configuration_leaves_a_new_output_to_the_others(stage):
    older = OutputWorker(
        stage.database, {ROOM: FakeOutput()}, stage.clock, RULES, stage.epoch, random=Random(1), stop=lambda: False
    )
    stage.clock.sleep(60)
    stage.publish()

    assert older.run() == OutputsReport()
    assert stage.states() == ["queued"]
    assert stage.run() == OutputsReport(sent=1)


def test_a_new_output_gets_no_old_editions_and_a_removed_one_none_at_all(stage):
    stage.known[HOOK].says = [OutputError("down")]
    stage.publish()
    stage.run()
    new = FakeOutput()
    stage.known = {ROOM: new}

    stage.clock.sleep(3600)
    assert stage.run().cancelled == 1
    assert stage.states() == ["cancelled"]
    assert new.arrived == []
    stage.clock.sleep(DAY.total_seconds())
    stage.publish()
    assert stage.run().sent == 1


def test_without_any_output_everything_that_waits_is_cancelled(stage):
    stage.publish()
    stage.known = {}

    assert stage.run().cancelled == 1


def test_an_output_that_hangs_is_left_and_the_others_get_theirs(stage, monkeypatch):
    over = threading.Event()
    hanging, other = FakeOutput(timeout=0.01), FakeOutput()
    hanging.on_send = lambda: over.wait(10)
    monkeypatch.setattr(attempt, "GRACE", 0.0)
    stage.known = {HOOK: hanging, ROOM: other}
    stage.publish()
    try:
        report = stage.run()
    finally:
        over.set()
    assert (report.sent, report.deferred) == (1, 1)
    assert "no result after" in report.problems[0]
    assert len(other.arrived) == 1


def test_an_output_that_took_all_its_time_is_not_asked_again_in_the_same_run(stage):
    slow, other = FakeOutput(OutputError("no answer")), FakeOutput()
    slow.on_send = lambda: stage.clock.sleep(slow.timeout)
    stage.known = {ROOM: slow, HALL: other}
    stage.publish()

    assert stage.run() == OutputsReport(deferred=1, problems=("chat: deferred: no answer",))
    assert stage.run().sent == 1


def test_a_run_begins_no_attempt_after_two_minutes(stage):
    stage.known = {OutputTarget(output=f"o{n}"): FakeOutput(timeout=60.0) for n in range(9)}
    for one in stage.known.values():
        one.on_send = lambda: stage.clock.sleep(50)
    stage.publish()

    report = stage.run()
    assert report.sent == 3
    assert "the next run continues" in report.stopped
    assert stage.run().sent == 3


def test_whatever_an_output_raises_concerns_its_row_only(stage):
    stage.known = {HOOK: FakeOutput(RuntimeError("bug with made-up-secret")), ROOM: FakeOutput()}
    stage.publish()

    report = stage.run()
    assert (report.sent, report.deferred) == (1, 1)
    assert report.problems == ("hook: deferred: unexpected RuntimeError",)


def test_a_row_that_was_never_attempted_is_cancelled_when_it_is_too_late(stage):
    stage.publish()
    stage.clock.sleep(timedelta(hours=49).total_seconds())

    assert stage.run().cancelled == 1
    assert admin.retry(stage.database, "hook", stage.clock.now()) == (0, 0)
    assert admin.retry(stage.database, "hook", stage.clock.now(), digest="daily", slot="2026-04-02") == (0, 1)
    assert stage.run().sent == 1


def test_a_database_that_was_put_back_sends_nothing_until_it_is_adopted(stage):
    stage.publish()
    stage.run()
    stage.clock.sleep(DAY.total_seconds())
    stage.publish()
    with stage.database.begin() as connection:
        settings.bump_epoch(connection, 0)  # as in the backup
    with pytest.raises(StorageError, match="put back"):
        stage.run()

    restore.adopt(stage.database, stage.epoch, stage.clock.now())
    assert stage.run() == OutputsReport()
    assert stage.states() == ["sent", "cancelled"]


def test_a_row_that_a_clock_ahead_put_off_for_years_is_due(stage):
    stage.known[HOOK].says = [OutputError("down")]
    stage.publish()
    ahead = FakeClock(THURSDAY + 400 * DAY)
    d = schema.output_deliveries
    with stage.database.begin() as connection:
        connection.execute(d.update().values(due_at=ahead.now(), attempts=1, state="deferred"))

    assert stage.run().deferred == 1


def test_the_state_is_stored_before_anything_is_sent(stage):
    seen: list[list[str]] = []
    stage.known[HOOK].on_send = lambda: seen.append(stage.states())
    stage.publish()
    stage.run()

    assert seen == [["sending"]]


def test_a_stop_leaves_the_rest_for_the_next_run(stage):
    stage.known = {HOOK: FakeOutput(), ROOM: FakeOutput()}
    stage.publish()
    asked = iter([False, True, True])
    stopping = OutputWorker(
        stage.database, stage.known, stage.clock, RULES, stage.epoch, random=Random(1), stop=lambda: next(asked)
    )

    assert stopping.run().sent == 1
    assert stage.run().sent == 1
    assert LEASE.total_seconds() > worker.LONGEST_RUN


def test_texts_of_a_server_are_stored_whatever_they_contain(stage):
    stage.known[HOOK].says = [OutputError("nul \0 and \ud800 " + "x" * 9000)]
    stage.publish()

    assert stage.run().deferred == 1
    (row,) = admin.list_rows(stage.database)
    assert len(row.text) <= 2000
    assert paper(1).title not in row.text
