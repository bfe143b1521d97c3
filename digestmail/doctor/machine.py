"""The machine that digestmail runs on: its clock, time zones, disk and database."""

from __future__ import annotations

import os
import re
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from pathlib import Path
from typing import Final

from digestmail.doctor.findings import ProbeFinding, fail, ok, skip, warn
from digestmail.doctor.pages import HttpClient
from digestmail.errors import SourceError
from digestmail.storage import settings
from digestmail.storage.database import Database

CLOCK, ZONES, DISK, DATABASE = "clock", "time-zones", "disk", "database"
_TOLERATED: Final = timedelta(minutes=1)
_TOO_FAR: Final = timedelta(minutes=5)
"""DKIM, TLS and most login systems refuse times that differ by more."""
_OLDEST_ZONES: Final = 2
"""Years after which time zone data is said to be old; several countries change theirs each year."""
_LITTLE, _TOO_LITTLE = 1_000_000_000, 100_000_000
_FEWEST_FILES: Final = 1000


def probe_clock(http: HttpClient, url: str | None, now: Callable[[], datetime]) -> Iterator[ProbeFinding]:
    """Yield whether this machine's clock agrees with that of the web server at `url` (Date, RFC 9110 section 6.6.1)."""
    if url is None:
        yield skip(CLOCK, "no source is on the web, so there is no clock to compare with")
        return
    before = now()
    try:
        response = http.send("HEAD", url)
    except SourceError as error:
        yield skip(CLOCK, f"no server can be asked for the time: {error}")
        return
    after = now()
    try:
        theirs = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        yield skip(CLOCK, f"the server of {url.partition('?')[0]} tells no time")
        return
    yield judge_clock(before, theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC), after)


def judge_clock(before: datetime, theirs: datetime, after: datetime) -> ProbeFinding:
    """Compare a server's time, in whole seconds, with ours before the request and after the response."""
    ahead = max(before - theirs - timedelta(seconds=1), theirs - after, timedelta(0))
    if ahead <= _TOLERATED:
        return ok(CLOCK, "the clock is right")
    side = "ahead" if before > theirs else "behind"
    text = f"the clock is {ahead.total_seconds():.0f} seconds {side}"
    return (fail if ahead > _TOO_FAR else warn)(CLOCK, text, "set up time synchronization (timedatectl set-ntp true)")


def probe_zones(names: tuple[str, ...], today: datetime) -> Iterator[ProbeFinding]:
    """Yield whether the data of the time zones `names` is there, and recent enough."""
    for name in dict.fromkeys(names):
        try:
            zoneinfo.ZoneInfo(name)
        except (KeyError, OSError, ValueError) as error:
            yield fail(ZONES, f"there is no data for the time zone {name}: {error}", "install tzdata")
            return
    yield judge_zones(zone_version(), today)


def judge_zones(version: str, today: datetime) -> ProbeFinding:
    """Judge the version of time zone data, such as "2026a"."""
    if not re.fullmatch(r"\d{4}[a-z]+", version):
        return skip(ZONES, "the time zone data does not tell its version")
    if today.year - int(version[:4]) >= _OLDEST_ZONES:
        return warn(ZONES, f"the time zone data is of {version}", "update the package tzdata of the system")
    return ok(ZONES, f"the time zone data is of {version}")


def zone_version(paths: tuple[str, ...] | None = None) -> str:
    """Return the version of the data that Python uses: the system's, else that of the package tzdata; else ""."""
    for path in zoneinfo.TZPATH if paths is None else paths:
        for file in ("tzdata.zi", "+VERSION"):
            with suppress(OSError), (Path(path) / file).open(encoding="utf-8") as data:
                found = re.search(r"\d{4}[a-z]+", data.readline())
                if found:
                    return found[0]
        if (Path(path) / "UTC").exists():
            return ""
    with suppress(ImportError):
        return str(getattr(import_module("tzdata"), "IANA_VERSION", ""))
    return ""


def probe_disk(folders: tuple[Path, ...]) -> Iterator[ProbeFinding]:
    """Yield how much space is left where the data is."""
    seen: set[int] = set()
    for folder in folders:
        device = folder.stat().st_dev
        if device not in seen:
            seen.add(device)
            usage = os.statvfs(folder)
            yield judge_space(folder, usage.f_bavail * usage.f_frsize, usage.f_favail if usage.f_files else None)


def judge_space(folder: Path, free: int, files: int | None) -> ProbeFinding:
    """Judge free octets and free inodes; None: the file system has no limit of them."""
    text = f"{folder} has {free / 1e9:.1f} GB left"
    if files is not None and files < _FEWEST_FILES:
        return fail(DISK, f"{folder} has room for only {files} more files", "delete files that you do not need")
    if free < _TOO_LITTLE:
        return fail(DISK, text, "free some space: without it, nothing can be recorded, and nothing is sent")
    return warn(DISK, text, "free some space soon") if free < _LITTLE else ok(DISK, text)


def probe_database(database: Database) -> Iterator[ProbeFinding]:
    """Yield whether the database can be written, and whether its tables are those of this version."""
    database.upgrade()
    with database.begin_dry_run() as connection:
        settings.bump_epoch(connection)
    yield ok(DATABASE, f"the {database.dialect} database can be written, and its schema is current")
