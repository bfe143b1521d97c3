"""Emails that are stuck, as the operator sees them and gives them back. One transaction for each verb."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from digestmail.delivery import takeover
from digestmail.errors import DigestmailError
from digestmail.storage import rates, stuck, workers
from digestmail.storage.database import Database
from digestmail.storage.stuck import Held, Overdue, UnsentNotices

LATE = timedelta(hours=2)
"""Cron calls once an hour; what is due for longer is in nobody's hands."""
_SLOW_NOTICE = timedelta(minutes=15)
_REMEMBERED = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """What is stuck; `held` and `overdue` are None if nothing is."""

    held: Held | None
    """What a worker has claimed that is not at work any more."""
    at_work: bool
    """Whether a worker is alive."""
    claimed: int
    """How many emails are claimed, by whomever."""
    overdue: Overdue | None
    unsent: tuple[UnsentNotices, ...]


def look(database: Database, now: datetime) -> Stuck:
    """Return what is stuck."""
    with database.connect() as connection:
        at_work = bool(takeover.living(connection, now))
        held = stuck.held(connection, now)
        is_gone = not at_work and not rates.pauses(connection, now)  # what a pause put off looks claimed, too
        return Stuck(
            held=held if is_gone and (held.deliveries or held.notices) else None,
            at_work=at_work,
            claimed=held.deliveries + held.notices,
            overdue=None if at_work else stuck.overdue(connection, now - LATE),
            unsent=stuck.unsent_notices(
                connection,
                tried_before=now - _SLOW_NOTICE,
                due_before=now - LATE,
                failed_since=now - _REMEMBERED,
            ),
        )


def release(database: Database, now: datetime, *, force: bool) -> Held:
    """Give back what a worker that is gone had claimed, due at once; return what that was.

    Raises DigestmailError while a worker may be at work, unless `force` says that it is not.
    """
    with database.begin() as connection:
        if not force and (alive := takeover.living(connection, now)):
            named = ", ".join(f"process {one.process.pid} on {one.process.machine.split()[0]}" for one in alive)
            raise DigestmailError(
                f"a worker may still be sending ({named}): stop it first, or use --force if you know that it is gone"
            )
        workers.end(connection, *(one.name for one in workers.list_all(connection)))
        return stuck.release(connection, now)
