"""What `digestmail check` looks at."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digestmail.cli import check_fetching, check_files, printing
from digestmail.collect.collector import list_health
from digestmail.config.mail import SmtpTable
from digestmail.config.servers import secrets_of
from digestmail.delivery import admin
from digestmail.errors import DigestmailError
from digestmail.model.deliveries import DeliveryState
from digestmail.model.papers import Health, SourceHealth
from digestmail.model.reports import WELL, DeliverReport
from digestmail.model.subscribers import ChoiceCount
from digestmail.schedule.cron import next_fire
from digestmail.subscribers.admin import wishes
from digestmail.text.credentials import weaknesses
from digestmail.transports.single import try_connection

if TYPE_CHECKING:
    from digestmail.app import App


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """How the installation stands; `problems` is empty when all is well."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    """What you should know about, but what is no problem."""
    health: tuple[SourceHealth, ...]
    unread: tuple[str, ...]
    """Configured sources that were never read."""
    next_due: dict[str, datetime]
    """When each digest's next slot begins."""
    outbox: DeliverReport


def check(app: App, *, connect: bool) -> CheckReport:
    """Look at everything that can be looked at without sending mail."""
    problems = []
    for digest in app.digests:
        try:
            app.mail.page(app.upcoming(digest).edition)
        except DigestmailError as error:
            problems.append(f"digest {digest.name}: {error}")
    if connect:
        problems += _connections(app)
    problems += weaknesses(secrets_of(app.config))
    problems += _unused(app)
    problems += _ledger(app)
    problems += _beyond(app)
    configured = [table.name for table in app.config.sources]
    health = tuple(row for row in list_health(app.database) if row.source in configured)
    problems += _orphans(app, wishes(app.database))
    problems += [
        f"source {row.source}: {row.health}: {row.detail}"
        for row in health
        if not row.category and row.health not in WELL and row.health is not Health.PARKED
    ]
    return CheckReport(
        problems=tuple(problems),
        notes=(
            *_ahead(app),
            *_ways_out(app),
            *check_fetching.notes(app, health),
            *check_files.notes(app, connect=connect),
        ),
        health=health,
        unread=tuple(name for name in configured if name not in {row.source for row in health}),
        next_due={digest.name: next_fire(digest.schedule, app.clock.now()) for digest in app.digests},
        outbox=app.outbox(),
    )


def _ways_out(app: App) -> Iterator[str]:
    """Name what readers need to leave by themselves: pages, or a mailbox that digestmail reads."""
    config = app.config
    if config.base_url is None and config.mail.bounce_address is None and not config.bounces.model_fields_set:
        yield (
            "subscribers cannot unsubscribe by themselves: unsubscribe emails go to "
            f"{config.mail.reply_to or config.mail.sender}, which digestmail does not read; set base_url and run "
            "`digestmail web`, or set mail.bounce_address and [bounces] and run `digestmail bounces`"
        )


def _connections(app: App) -> Iterator[str]:
    """Knock at every mail server."""
    for transport in app.transports():
        try:
            try_connection(transport)
        except DigestmailError as error:
            yield f"transport: {error}"


def _unused(app: App) -> Iterator[str]:
    """Name secrets that are never sent, and token files there is nothing in."""
    mail = app.config.mail
    tables: dict[str, SmtpTable | None] = {"mail.smtp": mail.smtp, "mail.fallback": mail.fallback}
    for key, table in tables.items():
        if table is None:
            continue
        if table.username is None and (table.password or table.oauth_token_file):
            yield f"{key}.username is missing: the password or token beside it is never used"
        file = table.oauth_token_file and app.base / table.oauth_token_file
        if file and not (file.is_file() and file.read_bytes().strip()):
            yield f"{key}.oauth_token_file: there is no access token in {file}"


def _beyond(app: App) -> Iterator[str]:
    """Name the deliveries that are due later than any may be."""
    give_up = timedelta(hours=app.config.mail.give_up_hours)
    late = admin.due_too_late(app.database, app.horizon(), give_up)
    if late is not None:
        yield (
            f"{late.count} deliveries are due later than give_up_hours allows, up to {late.farthest:%Y-%m-%d %H:%M} "
            "UTC; the next run sends them immediately"
        )


def _ahead(app: App) -> Iterator[str]:
    """Name what only a clock that was ahead, or is behind now, explains."""
    for one in admin.future_dates(app.database, app.horizon()):
        yield (
            f"{one.column} is in the future in {one.count} rows, up to {one.farthest:%Y-%m-%d %H:%M} UTC: this "
            "machine's clock was ahead when they were written, or is behind now (docs/flow.md, when a clock jumps)"
        )


def _ledger(app: App) -> Iterator[str]:
    """Name what in the outbox needs an operator."""
    yield from map(str, admin.blocks(app.database, app.clock.now()))
    try:
        app.epoch().check_database(app.database)
    except DigestmailError as error:
        yield f"{error}; `digestmail deliveries adopt` accepts this database"
    for pause in admin.pauses(app.database, app.clock.now()):
        yield f"{pause.key} is paused until {pause.until:%Y-%m-%d %H:%M} UTC: {pause.reason}"
    outbox = app.outbox()
    if held := outbox.outbox.get(DeliveryState.AMBIGUOUS):
        yield f"{held} deliveries are ambiguous: `digestmail deliveries list --state ambiguous`"
    yield from (f"the delivery counts of an edition do not add up: {edition}" for edition in outbox.unbalanced)


def _health_row(row: SourceHealth) -> tuple[object, ...]:
    said = f"{row.detail} (read {row.read_at:%a %d %b %H:%M} UTC)"
    return f"source {row.source} {row.category}".rstrip(), row.health, said


def _orphans(app: App, wishes: Iterable[ChoiceCount]) -> Iterator[str]:
    """Name what people subscribed to and the configuration no longer has: a renamed digest or topic loses them."""
    topics = {digest.name: {topic.name for topic in digest.topics} for digest in app.digests}
    for wish in wishes:
        if wish.digest not in topics:
            yield f"{wish.people} subscribed to the digest {wish.digest!r}, which is not configured"
            continue
        for topic in wish.topics:
            if topic not in topics[wish.digest]:
                yield f"{wish.people} chose the topic {topic!r}, which digest {wish.digest!r} does not have"


def show(result: CheckReport) -> None:
    """Print the report."""
    printing.table(
        [
            *(_health_row(row) for row in result.health),
            *((f"source {name}", "-", "not read yet") for name in result.unread),
            *((f"digest {name}", "due", f"{at:%a %Y-%m-%d %H:%M} UTC") for name, at in result.next_due.items()),
            *((f"outbox {state}", count, "") for state, count in result.outbox.outbox.items() if count),
        ]
    )
    for note in result.notes:
        sys.stdout.write(f"note: {note}\n")
    for problem in result.problems:
        sys.stdout.write(f"problem: {problem}\n")
    if not result.problems:
        sys.stdout.write("all well\n")
