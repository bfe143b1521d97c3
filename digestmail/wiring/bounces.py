"""Bounces: creates the processor and the mailbox from the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from digestmail.bounces.mailboxes.base import Mailbox
from digestmail.bounces.mailboxes.factory import make_mailbox
from digestmail.bounces.mailboxes.quarantine import FOLDER, QuarantineFolder
from digestmail.bounces.processor import BounceProcessor, BouncesReport
from digestmail.clock import Clock
from digestmail.config.bounces import BouncesTable
from digestmail.config.settings import Config
from digestmail.mail.tokens import Tokens
from digestmail.storage.database import Database
from digestmail.subscribers.preferences import unsubscribe_by_email
from digestmail.wiring.oauth import access_tokens


def processor(config: Config, database: Database, tokens: Tokens, clock: Clock) -> BounceProcessor:
    """Return the processor of bounces, complaints and unsubscribe emails."""
    return BounceProcessor(
        database,
        tokens,
        config.bounces.scoring(),
        clock,
        address=config.mail.bounce_address,
        unsubscribe=lambda request: unsubscribe_by_email(database, request, clock.now()),
        digests=[digest.name for digest in config.digests],
    )


def receive(
    config: Config,
    base: Path,
    database: Database,
    signed: Tokens,
    clock: Clock,
    *,
    unsubscribed: Callable[[], object],
    stop: Callable[[], bool],
) -> BouncesReport:
    """Read the mailbox to its end, or listen until `stop` returns true; return the totals.

    `unsubscribed` is called when someone unsubscribed by email. Raises MailboxError.
    """
    table, counter = config.bounces, processor(config, database, signed, clock)
    if table.kind != "listen":
        report = counter.read(open_mailbox(config, base, database, clock), stop=stop)
        if report.unsubscribed:
            unsubscribed()
        return report
    from digestmail.bounces.listen import listen

    return listen(
        counter,
        clock,
        host=table.host,
        port=table.port,
        protocol=table.protocol,
        max_bytes=table.max_bytes,
        timeout=table.timeout,
        quarantine=_listener_quarantine(table, base),
        unsubscribed=unsubscribed,
        stop=stop,
    )


def count_quarantined(
    config: Config, base: Path, database: Database, clock: Clock, *, connect: bool
) -> tuple[str, int]:
    """Return where unreadable messages are put aside, and how many there are.

    An IMAP server is only asked if `connect` is true; else the number is 0. Raises MailboxError.
    """
    table = config.bounces
    if table.kind == "listen":
        folder = _listener_quarantine(table, base)
        return str(folder.path), folder.count()
    if table.kind == "imap":
        folder_name = f"{table.folder}/quarantine at {table.host}"
        if not connect:
            return folder_name, 0
        return folder_name, open_mailbox(config, base, database, clock).count_quarantined()
    path = base / table.path
    path = path / FOLDER if table.kind == "maildir" else path.with_name(f"{path.name}.quarantine")
    return str(path), QuarantineFolder(path).count()


def _listener_quarantine(table: BouncesTable, base: Path) -> QuarantineFolder:
    return QuarantineFolder(base / table.path / FOLDER)


def open_mailbox(config: Config, base: Path, database: Database, clock: Clock) -> Mailbox:
    """Return the mailbox of [bounces]; nothing is connected yet. Its kind must not be "listen"."""
    table = config.bounces
    if table.kind == "listen":
        raise ValueError("a listener is no mailbox")
    return make_mailbox(
        table.kind,
        base / table.path,
        host=table.host,
        port=table.port,
        security=table.security,
        ca_file=base / table.ca_file if table.ca_file else None,
        username=table.username or "",
        password=table.password.get_secret_value() if table.password else "",
        tokens=access_tokens(config, base, database, clock, "bounces"),
        folder=table.folder,
        timeout=table.timeout,
        max_bytes=table.max_bytes,
    )
