"""`BounceProcessor`: reads bounces, finds their subscriber, counts them, and suppresses addresses."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from digestmail.bounces.counting import Recorded, count, hold_blocks
from digestmail.bounces.mailboxes.base import Mailbox
from digestmail.bounces.parsing.parse import read
from digestmail.bounces.parsing.report import BounceClass, FailedRecipient, InboundReport, Kind, RecipientProof
from digestmail.bounces.score import Scoring
from digestmail.clock import Clock
from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.tokens import Tokens, digest_number
from digestmail.model.subscribers import BounceEvent, BounceKind, DomainBlock
from digestmail.storage import bounces, subscribers
from digestmail.storage.database import Database
from digestmail.text.addresses import is_same_address, normalize_address

log = logging.getLogger("digestmail.bounces")

_WITH_TOKEN = re.compile(r"[^@+]+\+([0-9A-Fa-f]{40})@[^@]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncesReport:
    """Totals of a mailbox or a provider's events. Each event counts once, except in `suppressed` and `blocked`."""

    read: int = 0
    hard: int = 0
    soft: int = 0
    complaints: int = 0
    sender_fault: int = 0
    """Refusals of our server or the message. They do not count against addresses, but need the operator's attention."""
    repeated: int = 0
    unmatched: int = 0
    """Bounces and complaints without a valid token, or about a subscriber who no longer exists."""
    delayed: int = 0
    delivered: int = 0
    not_spam: int = 0
    feedback: int = 0
    auto_replies: int = 0
    unsubscribed: int = 0
    """Emails with which subscribers unsubscribed."""
    other: int = 0
    suppressed: int = 0
    """Subscribers whose address was suppressed because of these events."""
    blocked: int = 0
    """Hard and soft bounces that do not count, because their domain blocks us."""
    blocks: tuple[DomainBlock, ...] = ()
    """Domains that block us, according to the bounces of the last day."""
    said: tuple[str, ...] = ()
    """The last few replies of servers that refused us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An unsubscribe email with a valid token."""

    subscriber_id: int
    digest: str | None
    """The digest; None means all of them."""
    report: str
    """Identifies the email, so that reading it twice has no second effect."""


Unsubscribe = Callable[[Request], Recorded]
"""Handles a request in one transaction. Returns COUNTED if it unsubscribed someone, else REPEATED or UNKNOWN."""


def request_of(report: InboundReport, tokens: Tokens, digests: Sequence[str]) -> Request | None:
    """Return the unsubscribe request in an email, from its recipient address or its subject, or None. Pure.

    `digests` are the names that a token can refer to.
    """
    for token in report.proof.addressed:
        try:
            subscriber_id, number = tokens.read_mailto_token(token)
        except TokenError:
            continue
        for name in ("", *digests):
            if digest_number(name) == number:
                return Request(subscriber_id=subscriber_id, digest=name or None, report=report.identity)
    for token in report.proof.subjects:
        try:
            subscriber_id, name = tokens.read_unsubscribe(token)
        except TokenError:
            continue
        return Request(subscriber_id=subscriber_id, digest=name or None, report=report.identity)
    return None


def record_event(database: Database, event: BounceEvent, now: datetime, scoring: Scoring = Scoring()) -> Recorded:  # noqa: B008 - frozen
    """Count one report about a subscriber in one transaction, and suppress their address if necessary.

    Callers must have authenticated the report if it comes from a webhook. Raises StorageError.
    """
    with database.begin() as connection:
        return count(connection, event, now, scoring)


def identify(proof: RecipientProof, tokens: Tokens) -> tuple[int, int | None] | None:
    """Return (subscriber id, edition id if known) from the first valid token, or None. Pure."""
    for token in proof.return_paths:
        try:
            edition_id, subscriber_id = tokens.read_verp(token)
        except TokenError:
            continue
        return subscriber_id, edition_id or None
    for token, read_token in (
        *((found, tokens.read_message_id) for found in proof.message_ids),
        *((found, lambda token: tokens.read_unsubscribe(token)[0]) for found in proof.unsubscribes),
    ):
        try:
            return read_token(token), None
        except TokenError:
            continue
    return None


def failure_for(failures: Sequence[FailedRecipient], address: str) -> FailedRecipient | None:
    """Return the failure that counts against `address`, or None. Pure.

    A message has one recipient, but a mailing list at that address may report several. Then the failure that names the
    address counts, or else the mildest one, because the other members of the list still get the message.
    """
    named = [failure for failure in failures if is_same_address(failure.recipient, address)]
    order = (BounceClass.SENDER_FAULT, BounceClass.SOFT, BounceClass.HARD)
    return min(named or failures, key=lambda failure: order.index(failure.verdict), default=None)


class BounceProcessor:
    """Processes messages from a mailbox or a listener (from several threads), and events of a provider."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        scoring: Scoring,
        clock: Clock,
        *,
        address: str | None = None,
        unsubscribe: Unsubscribe,
        digests: Sequence[str] = (),
    ) -> None:
        """Create a processor. `address` also accepts mail without a token, such as feedback reports.

        `unsubscribe` is called for every email that unsubscribes its sender from one of `digests`.
        """
        self._database = database
        self._tokens = tokens
        self._scoring = scoring
        self._clock = clock
        self._address = address
        self._unsubscribe = unsubscribe
        self._digests = tuple(digests)
        self._lock = threading.Lock()
        self._tally: Counter[str] = Counter()
        self._refusals: list[str] = []

    def accepts(self, address: str) -> bool:
        """Return whether `address` is the bounce address, or one with a valid return-path or unsubscribe token."""
        if self._address is not None and is_same_address(address, self._address):
            return True
        found = _WITH_TOKEN.fullmatch(address)
        if found is None:
            return False
        for read_token in (self._tokens.read_verp, self._tokens.read_mailto_token):
            try:
                read_token(found[1])
            except TokenError:
                continue
            return True
        return False

    def read(self, mailbox: Mailbox, *, stop: Callable[[], bool]) -> BouncesReport:
        """Read a mailbox to its end or until `stop` returns true. Raises MailboxError or StorageError."""
        for message in mailbox.messages():
            if stop():
                break
            self.process(message.raw)
            mailbox.mark_done(message)
        return self.finish()

    def process(self, raw: bytes, recipients: Sequence[str] = ()) -> None:
        """Parse one message, count it, and commit. Raises StorageError."""
        self.count(read(raw, recipients))

    def count(self, report: InboundReport) -> None:
        """Count a report and commit. Raises StorageError."""
        outcome, subscriber_id, status = self._count(report)
        with self._lock:
            self._tally.update((*outcome, "read"))
        log.info(
            "report=%s kind=%s outcome=%s subscriber=%s status=%s",
            report.identity,
            report.kind,
            "+".join(outcome),
            subscriber_id or "-",
            status or "-",
        )

    def count_all(self, events: Iterable[InboundReport]) -> BouncesReport:
        """Count a provider's events and return the totals. Raises StorageError."""
        for event in events:
            self.count(event)
        return self.report()

    def finish(self) -> BouncesReport:
        """Check the counted bounces for blocks, and return the totals. Raises StorageError."""
        with self._database.begin() as connection:
            blocks = hold_blocks(connection, self._clock.now(), self._scoring)
        return replace(self.report(), blocks=blocks)

    def report(self) -> BouncesReport:
        """Return the totals so far."""
        with self._lock:
            counts: dict[str, Any] = dict(self._tally)
            return BouncesReport(**counts, said=tuple(self._refusals[-5:]))

    def _count(self, report: InboundReport) -> tuple[tuple[str, ...], int | None, str | None]:
        """Return the counters that a report belongs to, its subscriber, and its status."""
        if request := request_of(report, self._tokens, self._digests):
            return (_UNSUBSCRIBE_COUNTERS[self._unsubscribe(request)],), request.subscriber_id, None
        if report.kind not in {Kind.BOUNCE, Kind.COMPLAINT}:
            return (_COUNTERS[report.kind],), None, None
        found = identify(report.proof, self._tokens) or self._find_by_address(report.recipient)
        if found is None:
            return ("unmatched",), None, None
        subscriber_id, edition_id = found
        failure = self._failure(report, subscriber_id)
        if failure is not None and failure.verdict is BounceClass.SENDER_FAULT:
            with self._lock:
                self._refusals.append(failure.text)
        event = BounceEvent(
            report=report.identity,
            subscriber_id=subscriber_id,
            edition_id=edition_id,
            kind=BounceKind.COMPLAINT if failure is None else BounceKind(failure.verdict.value),
            status=failure.status if failure else None,
            detail=failure.text if failure else report.detail,
        )
        recorded = record_event(self._database, event, self._clock.now(), self._scoring)
        return _outcome(event.kind, recorded), subscriber_id, event.status

    def _find_by_address(self, recipient: str) -> tuple[int, None] | None:
        """Return (subscriber id, None) of the address that a provider reports, or None if it is unknown."""
        try:
            address = normalize_address(recipient)
        except SubscriptionError:
            return None
        with self._database.connect() as connection:
            found = subscribers.find(connection, address)
        return (found.id, None) if found else None

    def _failure(self, report: InboundReport, subscriber_id: int) -> FailedRecipient | None:
        if report.kind is Kind.COMPLAINT:
            return None
        with self._database.connect() as connection:
            return failure_for(report.failures, bounces.address_key(connection, subscriber_id) or "")


_COUNTERS = {
    Kind.DELAYED: "delayed",
    Kind.DELIVERED: "delivered",
    Kind.NOT_SPAM: "not_spam",
    Kind.FEEDBACK: "feedback",
    Kind.AUTO_REPLY: "auto_replies",
    Kind.OTHER: "other",
}
_UNSUBSCRIBE_COUNTERS = {Recorded.COUNTED: "unsubscribed", Recorded.REPEATED: "repeated", Recorded.UNKNOWN: "unmatched"}


def _outcome(kind: BounceKind, recorded: Recorded) -> tuple[str, ...]:
    if recorded is Recorded.UNKNOWN:
        return ("unmatched",)
    if recorded is Recorded.REPEATED:
        return ("repeated",)
    counter = "complaints" if kind is BounceKind.COMPLAINT else kind.value
    return (counter, recorded.value) if recorded in {Recorded.SUPPRESSED, Recorded.BLOCKED} else (counter,)
