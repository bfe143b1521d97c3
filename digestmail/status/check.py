"""What needs the operator: everything that can be looked at without sending mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING

from digestmail.collect.collector import list_health
from digestmail.config.mail import SmtpTable
from digestmail.config.output_problems import output_secrets
from digestmail.config.servers import secrets_of
from digestmail.editions.cadence import chosen
from digestmail.editions.publish import is_waiting
from digestmail.editions.topic_report import unlearned
from digestmail.errors import DigestmailError
from digestmail.model.digests import Digest
from digestmail.model.history import RunOutcome
from digestmail.model.papers import SourceHealth
from digestmail.model.reports import DeliverReport
from digestmail.model.subscribers import ChoiceCount
from digestmail.schedule.cron import next_fire
from digestmail.schedule.times import common_zone
from digestmail.status import fetching, files, moments, outbox, outputs, rules, sources
from digestmail.storage import history
from digestmail.storage.maintenance import write_problem
from digestmail.subscribers.admin import count_choices
from digestmail.text.counts import counted
from digestmail.text.credentials import weaknesses
from digestmail.transports.single import try_connection
from digestmail.wiring.oauth import sign_in_problems
from digestmail.wiring.places import place_problems
from digestmail.wiring.profile import file_notes, file_problems
from digestmail.wiring.reading_lists import list_problems

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
    waiting: tuple[str, ...]
    """Digests that the next run publishes at once, because their slot has begun."""
    zones: dict[str, str]
    """Each digest's time zone."""
    zone: str
    """The time zone of all other times that are shown."""
    outbox: DeliverReport


def check(app: App, *, connect: bool, thorough: bool = True) -> CheckReport:
    """Look at everything that can be looked at without sending mail.

    With `connect` it asks servers. Unless it is `thorough`, it leaves out what takes seconds: it renders no edition,
    and counts no delivery that ended.
    """
    problems = list(_unrenderable(app)) if thorough else []
    if connect:
        problems += [*_connections(app), *list_problems(app.config, app.database, app.wall_clock)]
    problems += [*_unwritable(app), *place_problems(app.config, app.base), *file_problems(app.config, app.base)]
    problems += weaknesses(secrets_of(app.config) | output_secrets(app.config))
    problems += [*_unused(app), *sign_in_problems(app.config, app.database, app.wall_clock)]
    problems += outbox.problems(app, thorough=thorough)
    problems += [*outputs.problems(app), *_last_run(app)]
    configured = [table.name for table in app.config.sources]
    health = tuple(row for row in list_health(app.database) if row.source in configured)
    problems += _orphans(app, wanted := count_choices(app.database))
    problems += _without_readers(app, wanted)
    problems += sources.problems(app, health)
    problems += [*moments.problems(app), *rules.problems(app)]
    editions = [one for digest in app.digests for one in (digest, *chosen(app.database, digest, app.horizon()))]
    unread = tuple(name for name in configured if name not in {row.source for row in health})
    return CheckReport(
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(_notes(app, health, unread, editions, connect=connect, thorough=thorough)),
        health=health,
        unread=unread,
        waiting=tuple(one.name for one in editions if is_waiting(app.database, one, app.clock.now(), app.horizon())),
        next_due={one.name: next_fire(one.schedule, app.clock.now()) for one in editions},
        zones={one.name: one.schedule.timezone for one in editions},
        zone=common_zone(app.digests),
        outbox=app.outbox(complete=thorough),
    )


def _notes(
    app: App,
    health: Sequence[SourceHealth],
    unread: Sequence[str],
    editions: Sequence[Digest],
    *,
    connect: bool,
    thorough: bool,
) -> Iterator[str]:
    """Yield what the operator should know about, but what is no problem."""
    yield from outbox.ahead(app, thorough=thorough)
    yield from outbox.at_work(app)
    yield from _ways_out(app)
    yield from moments.notes(app, editions)
    yield from fetching.notes(app, health)
    yield from rules.notes(app)
    yield from _not_learned(app)
    yield from files.notes(app, connect=connect)
    yield from file_notes(app.config, app.base)
    yield from _unread(unread)


def _last_run(app: App) -> Iterator[str]:
    """Say that an error ended the last run."""
    with app.database.connect() as connection:
        for run in history.last_runs(connection, 1):
            if run.outcome is RunOutcome.FAILED:
                yield f"an error ended the last run: {run.detail}; `digestmail run` tries again"


def _unwritable(app: App) -> Iterator[str]:
    """Say that the database can be read, but not written."""
    if problem := write_problem(app.database):
        yield f"database: {problem}"


def _unrenderable(app: App) -> Iterator[str]:
    """Name digests whose next edition cannot be composed or rendered."""
    for digest in app.digests:
        try:
            app.mail.page(app.upcoming(digest).edition)
        except DigestmailError as error:
            yield f"digest {digest.name}: {error}"


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
            certificate = "certificate" in str(error).lower() and "ca_file" not in str(error)
            hint = "; ca_file trusts a self-signed certificate or your own authority" if certificate else ""
            yield f"transport: {error}{hint}"


def _unused(app: App) -> Iterator[str]:
    """Name secrets that are never sent, and token files that are empty."""
    mail = app.config.mail
    tables: dict[str, SmtpTable | None] = {"mail.smtp": mail.smtp, "mail.fallback": mail.fallback}
    for key, table in tables.items():
        if table is None:
            continue
        if table.username is None and (table.password or table.oauth):
            yield f"{key}.username is missing: the password or token beside it is never used"
        file = table.oauth and table.oauth.token_file and app.base / table.oauth.token_file
        if file and not (file.is_file() and file.read_bytes().strip()):
            yield f"{key}.oauth.token_file: there is no access token in {file}"


def _not_learned(app: App) -> Iterator[str]:
    rare, due = unlearned(app.database, app.digests)
    if due:
        yield f"not learned yet: {', '.join(due)}; `digestmail collect` learns them, or says why it cannot"
    for name in rare:
        command = f"digestmail topics test {quote(name)}"
        yield f"topic {name} could not be learned, so only its words count: `{command}` says why"


def _unread(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"not read yet: {', '.join(names)}; `digestmail collect` reads all sources"


def _without_readers(app: App, choices: Sequence[ChoiceCount]) -> Iterator[str]:
    """Name the digests that have no readers."""
    wanted = {choice.digest for choice in choices}
    for digest in app.digests:
        if digest.name not in wanted:
            yield (
                f"digest {digest.name} has no subscribers: "
                f"`digestmail subscribers add ADDRESS --digest {digest.name}` adds one"
            )


def _orphans(app: App, choices: Sequence[ChoiceCount]) -> Iterator[str]:
    """Name what people subscribed to and the configuration no longer has: a renamed digest or topic loses them."""
    topics = {digest.name: {topic.name for topic in digest.topics} for digest in app.digests}
    for one in choices:
        if one.digest not in topics:
            yield (
                f"{counted(one.people, 'person')} subscribed to the digest {one.digest!r}, which is not configured: "
                f"give a digest in [[digests]] that name again; `digestmail subscribers list --digest {one.digest}` "
                "lists them"
            )
            continue
        for topic in one.topics:
            if topic not in topics[one.digest]:
                yield (
                    f"{counted(one.people, 'person')} chose the topic {topic!r}, which digest {one.digest!r} does "
                    "not have: give it a topic of that name again, or change their topics with "
                    "`digestmail subscribers add`"
                )
