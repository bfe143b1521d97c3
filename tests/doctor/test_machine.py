"""Clock, time zones, disk and database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY
from sqlalchemy import select

from digestmail.doctor.findings import Severity
from digestmail.doctor.machine import (
    judge_clock,
    judge_space,
    judge_zones,
    probe_clock,
    probe_database,
    probe_disk,
    probe_zones,
    zone_version,
)
from digestmail.errors import SourceUnavailableError
from digestmail.sources.http.exchange import HttpResponse
from digestmail.storage import schema

SECOND = timedelta(seconds=1)


class Http:
    def __init__(self, date: str | None) -> None:
        self.date = date

    def send(self, method: str, url: str, *, form: bytes | None = None) -> HttpResponse:
        if self.date is None:
            raise SourceUnavailableError("no route")
        return HttpResponse(status=405, headers={"date": self.date}, body=b"")


@pytest.mark.parametrize(
    ("ours", "took", "severity", "text"),
    [
        (0, 0, Severity.OK, "right"),
        (30, 0, Severity.OK, "right"),
        (-30, 0, Severity.OK, "right"),
        (62, 0, Severity.WARN, "61 seconds ahead"),
        (-62, 0, Severity.WARN, "62 seconds behind"),
        (-120, 90, Severity.OK, "right"),
        (3600, 0, Severity.FAIL, "3599 seconds ahead"),
        (-3600, 5, Severity.FAIL, "3595 seconds behind"),
    ],
)
def test_a_clock_is_compared_with_that_of_a_server(ours, took, severity, text):
    before = THURSDAY + ours * SECOND
    finding = judge_clock(before, THURSDAY, before + took * SECOND)
    assert finding.severity is severity
    assert text in finding.text


@pytest.mark.parametrize(
    ("date", "severity"),
    [
        ("Thu, 02 Apr 2026 08:00:00 GMT", Severity.OK),
        ("Thu, 02 Apr 2026 08:00:00 -0000", Severity.OK),
        ("Thu, 02 Apr 2026 09:00:00 GMT", Severity.FAIL),
        ("yesterday", Severity.SKIP),
        ("", Severity.SKIP),
        (None, Severity.SKIP),
    ],
)
def test_the_time_comes_from_a_header_of_any_response(date, severity):
    (finding,) = probe_clock(Http(date), "https://example.org/", lambda: THURSDAY)
    assert finding.severity is severity


def test_without_a_web_server_there_is_no_time():
    (finding,) = probe_clock(Http(None), None, lambda: THURSDAY)
    assert finding.severity is Severity.SKIP


@pytest.mark.parametrize(
    ("version", "severity"),
    [("2026a", Severity.OK), ("2025c", Severity.OK), ("2024a", Severity.WARN), ("", Severity.SKIP)],
)
def test_old_zone_data_is_a_warning(version, severity):
    assert judge_zones(version, THURSDAY).severity is severity


def test_a_zone_without_data_is_named():
    (finding,) = probe_zones(("UTC", "Europe/Nowhere"), THURSDAY)
    assert finding.severity is Severity.FAIL
    assert "Europe/Nowhere" in finding.text


def test_the_version_is_that_of_the_data_in_use(tmp_path):
    (tmp_path / "tzdata.zi").write_text("# version 2025b\n# more")
    assert zone_version((str(tmp_path / "gone"), str(tmp_path))) == "2025b"
    (tmp_path / "tzdata.zi").unlink()
    (tmp_path / "UTC").write_text("")
    assert zone_version((str(tmp_path),)) == "", "the system's data is used, of whatever version"
    assert zone_version(()) >= "2024a", "the package's"


@pytest.mark.parametrize(
    ("free", "files", "severity"),
    [
        (5e9, 10**6, Severity.OK),
        (5e9, None, Severity.OK),
        (5e8, 10**6, Severity.WARN),
        (5e7, 10**6, Severity.FAIL),
        (5e9, 10, Severity.FAIL),
    ],
)
def test_space_runs_out_in_octets_or_in_files(free, files, severity):
    assert judge_space(Path("/srv"), int(free), files).severity is severity


def test_each_file_system_is_named_once(tmp_path):
    (tmp_path / "a").mkdir()
    assert len(list(probe_disk((tmp_path, tmp_path / "a")))) == 1


def test_the_database_is_written_and_left_as_it_was(database):
    (finding,) = probe_database(database)
    assert finding.severity is Severity.OK
    assert database.dialect in finding.text
    with database.connect() as connection:
        assert connection.execute(select(schema.settings.c.value).where(schema.settings.c.name == "epoch")).all() == []
