"""What `digestmail check` says about the outbox: what waits, what is stuck, and the command that helps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digestmail.delivery import admin, stuck
from digestmail.errors import DigestmailError
from digestmail.model.deliveries import DeliveryState, NoticeKind
from digestmail.schedule.times import common_zone, written
from digestmail.text.counts import counted

if TYPE_CHECKING:
    from digestmail.app import App

_KINDS = {
    NoticeKind.CONFIRM: "email to confirm a subscription",
    NoticeKind.WELCOME: "email of welcome",
    NoticeKind.ALREADY: "email about an existing subscription",
    NoticeKind.CHANGED: "notice of a change",
    NoticeKind.GOODBYE: "email of goodbye",
    NoticeKind.ADDRESS: "email to confirm a new address",
    NoticeKind.ERASE: "email to confirm an erasure",
}


def problems(app: App, *, thorough: bool) -> Iterator[str]:
    """Yield what in the outbox needs an operator. Only if `thorough`, all deliveries are counted."""
    now = app.wall_clock.now()
    zone = common_zone(app.digests)
    yield from map(str, admin.blocks(app.database, now))
    try:
        app.epoch().check_database(app.database)
    except DigestmailError as error:
        yield f"{error}; `digestmail deliveries adopt` accepts this database"
    pauses = admin.pauses(app.database, now)
    for pause in pauses:
        yield (
            f"{pause.key} is paused until {written(pause.until, zone)}: {pause.reason}; when it is fixed, "
            "`digestmail deliveries resume` tries again at once"
        )
    yield from _stuck(stuck.look(app.database, now), zone, paused=bool(pauses))
    outbox = app.outbox(complete=thorough)
    if held := outbox.outbox.get(DeliveryState.AMBIGUOUS):
        yield (
            f"the result of {counted(held, 'delivery')} is unknown: `digestmail deliveries list --state ambiguous` "
            "lists them, `deliveries resolve` or `deliveries retry` settles them"
        )
    yield from (f"the delivery counts of an edition do not add up: {edition}" for edition in outbox.unbalanced)
    yield from _beyond(app, zone)


def _stuck(found: stuck.Stuck, zone: str, *, paused: bool) -> Iterator[str]:
    held = found.held
    # What waits for a paused server looks like what was claimed and not begun.
    waiting = 0 if held is None else held.notices + (held.begun if paused else held.deliveries)
    if held is not None and held.until is not None and waiting:
        maybe = f", of which {held.begun} may have been sent" if held.begun else ""
        yield (
            f"{counted(waiting, 'email')}{maybe}, held by a process that is gone until {written(held.until, zone)}: "
            "`digestmail deliveries release` gives them back at once"
        )
    if found.overdue is not None and not paused:
        yield (
            f"{counted(found.overdue.count, 'delivery')} due since {written(found.overdue.since, zone)} and not sent: "
            "call `digestmail run` from cron, or start `digestmail up`; `digestmail deliver` sends now"
        )
    for row in found.unsent:
        said = f": {row.text}" if row.text else ""
        if row.state is DeliveryState.FAILED:
            yield (
                f"{_notices(row.count, row.kind)} failed in the last 7 days{said}; "
                "correct the cause, and ask those people to try again"
            )
        else:
            yield (
                f"{_notices(row.count, row.kind)} not sent yet{said}; `digestmail check --connect` asks the "
                "mail server, `digestmail deliveries resume` and `digestmail deliver` send"
            )


def _notices(count: int, kind: NoticeKind) -> str:
    """Return "2 emails to confirm a subscription"."""
    noun, _, purpose = _KINDS[kind].partition(" ")
    return f"{counted(count, noun)} {purpose}"


def _beyond(app: App, zone: str) -> Iterator[str]:
    """Name the deliveries that are due later than any may be."""
    give_up = timedelta(hours=app.config.mail.give_up_hours)
    late = admin.due_too_late(app.database, app.horizon(), give_up)
    if late is not None:
        yield (
            f"{counted(late.count, 'delivery')} due later than give_up_hours allows, up to "
            f"{written(late.farthest, zone)}; the next run sends immediately"
        )


def at_work(app: App) -> Iterator[str]:
    """Name what a process is sending now, as far as anybody knows."""
    found = stuck.look(app.database, app.wall_clock.now())
    if found.at_work and found.claimed:
        yield (
            f"{counted(found.claimed, 'email')} in the hands of a process that sends now; if it was killed, "
            "`digestmail deliveries release --force` gives them back"
        )


def ahead(app: App, *, thorough: bool) -> Iterator[str]:
    """Name what only a clock that was ahead, or is behind now, explains. Only if `thorough`, all tables are read."""
    columns = admin.future_dates(app.database, app.horizon(), thorough=thorough)
    if columns:
        yield (
            f"times in the future, up to {_utc(max(one.farthest for one in columns))}: this machine's clock (or --now) "
            "was ahead when they were written, or is behind now; see docs/flow.md, when a clock jumps. They are in "
            + ", ".join(f"{one.column} ({counted(one.count, 'row')})" for one in columns)
        )


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
