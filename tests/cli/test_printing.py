"""What people read: times in the zone of their digests, counts that agree, progress against a total."""

from __future__ import annotations

from datetime import UTC, datetime

from fakes import THURSDAY
from websites import open_app
from worker_fixture import fill

from digestmail.cli import printing
from digestmail.model.digests import Digest, Schedule
from digestmail.model.reports import DeliverReport, DigestReport, PublishReport, no_progress
from digestmail.schedule.times import common_zone, written
from digestmail.wiring.progress import deliver_progress

SUMMER = datetime(2026, 7, 14, 23, 30, tzinfo=UTC)


def digest(name: str, zone: str) -> Digest:
    return Digest(name=name, title=name, schedule=Schedule(cron="0 7 * * *", timezone=zone), sources=())


def test_a_time_is_written_in_the_zone_that_is_named_with_it():
    assert written(SUMMER) == "Tue 2026-07-14 23:30 UTC"
    assert written(SUMMER, "Europe/Berlin") == "Wed 2026-07-15 01:30 Europe/Berlin"


def test_digests_of_one_zone_share_it_and_others_meet_in_utc():
    assert common_zone([digest("a", "Asia/Tokyo"), digest("b", "Asia/Tokyo")]) == "Asia/Tokyo"
    assert common_zone([digest("a", "Asia/Tokyo"), digest("b", "Europe/Berlin")]) == "UTC"


def test_the_next_delivery_is_given_in_the_zone_of_the_digests():
    (line,) = printing.lines(DeliverReport(sent=1, next_due_at=SUMMER), "Europe/Berlin")
    assert line == "deliver  1 sent; next due Wed 2026-07-15 01:30 Europe/Berlin"


def test_a_run_with_nothing_due_says_when_the_next_edition_is():
    report = PublishReport(digests=(DigestReport(digest="d", status="not-due", next_at=SUMMER),))
    (line,) = printing.lines(report, "Europe/Berlin")
    assert line == "publish  d: not-due; next edition due Wed 2026-07-15 01:30 Europe/Berlin"


def test_a_run_that_stopped_names_the_command_that_tries_again_and_one_that_was_stopped_does_not():
    assert "`digestmail deliveries resume`" in "\n".join(printing.lines(DeliverReport(stopped="login refused")))
    assert "resume" not in "\n".join(printing.lines(DeliverReport(stopped="asked to stop")))


def test_one_is_not_many():
    report = PublishReport(
        digests=(DigestReport(digest="d", status="published", papers=1, considered=1, recipients=1),)
    )
    assert list(printing.lines(report)) == ["publish  d: published, 1 of 1 paper, 1 recipient"]


def test_progress_is_measured_against_what_is_due(sqlite):
    fill(sqlite, 3)
    told = []
    tell = deliver_progress(sqlite, lambda *words: told.append(words), THURSDAY)
    for done in (1, 3, 4):
        tell(done)
    assert told == [("deliver", 1, 3), ("deliver", 3, 3), ("deliver", 4, 4)]


def test_nobody_who_is_quiet_is_counted_for(tmp_path):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        deliver_progress(app.database, no_progress, THURSDAY)(1)
