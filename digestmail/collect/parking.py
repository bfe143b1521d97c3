"""Sources that fail for long: said once, and those that are gone are parked. Pure.

A source is gone if its server says so (410), or if its address does not exist (404, unknown host) for days while other
sources can be read. A parked source is read once a week, until it answers, its address changes, or you say so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from http import HTTPStatus

from digestmail.errors import SourceError, SourceHostUnknownError
from digestmail.model.papers import Health, SourceHealth
from digestmail.model.reports import WELL
from digestmail.schedule.moments import is_recent

GONE_AFTER = timedelta(days=3)
"""How long an address must be missing before its source is parked."""
READ_EVERY = timedelta(days=7)
"""How often a parked source is read."""
OTHERS_READ_WITHIN = timedelta(days=2)
"""Another source must have been read in this time, or the fault may be this machine's own network."""
REMIND_EVERY = timedelta(days=7)
"""How often a run fails because of a source that still fails."""


class Absence(StrEnum):
    """How a server, or the DNS, said that an address does not exist."""

    GONE = "gone"
    """For ever (RFC 9110 section 15.5.11)."""
    MISSING = "missing"
    """It may come back, or the fault may be on this side."""


def absence_of(error: SourceError) -> Absence | None:
    """Return whether `error` says that the address does not exist."""
    if error.status == HTTPStatus.GONE:
        return Absence.GONE
    if error.status == HTTPStatus.NOT_FOUND or isinstance(error, SourceHostUnknownError):
        return Absence.MISSING
    return None


def fingerprint(address: str) -> str:
    """Return what tells whether an address changed; the address itself may contain a password."""
    return sha256(address.encode()).hexdigest()[:16]


def is_resting(row: SourceHealth | None, address: str, now: datetime) -> bool:
    """Return whether a source is parked at this address, and it is not yet time to read it."""
    if row is None or row.health is not Health.PARKED or row.parked_address != fingerprint(address):
        return False
    return is_recent(row.read_at, now, READ_EVERY)


def follow(
    row: SourceHealth,
    previous: SourceHealth | None,
    now: datetime,
    *,
    absence: Absence | None,
    address: str,
    others_are_read: bool,
) -> tuple[SourceHealth, bool]:
    """Return the health of a source with what it has in common with the previous one, and whether it is news.

    A failure is news when it begins, when the source is parked, and once a week if it is not.
    """
    if row.health in WELL:
        return row, False
    absent_since = None
    if absence is not None:
        before = previous.absent_since if previous else None
        absent_since = now if before is None else min(before, now)
    was_parked = previous is not None and previous.health is Health.PARKED
    missing = absent_since is not None and absent_since <= now - GONE_AFTER and others_are_read
    parked = absence is Absence.GONE or (absence is Absence.MISSING and (was_parked or missing))
    said = previous.reported_at if previous else None
    remind_every = None if parked else REMIND_EVERY
    known = said is not None and (remind_every is None or is_recent(said, now, remind_every))
    news = not known or (parked and not was_parked)
    row = replace(row, absent_since=absent_since, reported_at=now if news else said)
    return (_parked(row, address, now) if parked else row), news


def _parked(row: SourceHealth, address: str, now: datetime) -> SourceHealth:
    again = f"{now + READ_EVERY:%a %d %b}"
    detail = f"{row.detail}; read again on {again}, or after `digestmail sources retry {row.source}`"
    return replace(row, health=Health.PARKED, detail=detail, parked_address=fingerprint(address))
