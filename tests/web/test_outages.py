"""What visitors cause while the database does not answer fills no log."""

from __future__ import annotations

from fakes import FakeClock

from digestmail.web.errors import Outages


def test_the_same_reason_is_logged_once_a_minute_with_the_requests_left_out(caplog):
    clock = FakeClock()
    outages = Outages(clock.monotonic)
    for _ in range(61):
        outages.add("/daily", "the database is locked")
        clock.sleep(1)
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "path=/daily error='the database is locked'"
    assert second == f"{first} (59 more requests failed since the last line)"


def test_another_reason_is_logged_at_once(caplog):
    outages = Outages(FakeClock().monotonic)
    for reason in ("locked", "full", "full", "locked"):
        outages.add("/", reason)
    assert [record.getMessage().split("'")[1] for record in caplog.records] == ["locked", "full", "locked"]
