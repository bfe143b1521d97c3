"""`BounceProcessor`: reads bounces, finds their subscriber, counts them, and suppresses addresses."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from digestmail.bounces.counting import Recorded, count, hold_blocks
from digestmail.bounces.identify import Request, failure_for, identify, request_of
from digestmail.bounces.mailboxes.base import Mailbox, MailboxError, ReceivedMessage
from digestmail.bounces.parsing.parse import read, where
from digestmail.bounces.parsing.report import BounceClass, FailedRecipient, InboundReport, Kind
from digestmail.bounces.score import Scoring
from digestmail.clock import Clock
from digestmail.errors import RejectedValueError, StorageError, SubscriptionError, TokenError
from digestmail.mail.tokens import Tokens
from digestmail.model.subscribers import BounceEvent, BounceKind, DomainBlock
from digestmail.storage import bounces, subscribers
from digestmail.storage.database import Database
from digestmail.text.addresses import is_same_address, normalize_address

log = logging.getLogger("digestmail.bounces")

_MAX_LISTED = 5
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
    failed: int = 0
    """Messages that could not be processed and were put into quarantine, and events that could not be processed."""
    suppressed: int = 0
    """Subscribers whose address was suppressed because of these events."""
    blocked: int = 0
    """Hard and soft bounces that do not count, because their domain blocks us."""
    blocks: tuple[DomainBlock, ...] = ()
    """Domains that block us, according to the bounces of the last day."""
    said: tuple[str, ...] = ()
    """The last few replies of servers that refused us."""
    problems: tuple[str, ...] = ()
    """Why the last few of `failed` could not be processed."""


Unsubscribe = Callable[[Request], Recorded]
"""Handles a request in one transaction. Returns COUNTED if it unsubscribed someone, else REPEATED or UNKNOWN."""


def record_event(database: Database, event: BounceEvent, now: datetime, scoring: Scoring = Scoring()) -> Recorded:  # noqa: B008 - frozen
    """Count one report about a subscriber in one transaction, and suppress their address if necessary.

    Callers must have authenticated the report if it comes from a webhook. Raises StorageError.
    """
    with database.begin() as connection:
        return count(connection, event, now, scoring)


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
        self._refusals: deque[str] = deque(maxlen=_MAX_LISTED)
        self._problems: deque[str] = deque(maxlen=_MAX_LISTED)

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
        """Read a mailbox to its end or until `stop` returns true. Raises MailboxError or StorageError.

        A message that cannot be processed is put into quarantine, and the next one is read.
        """
        refused: MailboxError | None = None
        marked = 0
        for message in mailbox.messages():
            if stop():
                break
            problem = message.problem or self.process(message.raw)
            if problem is not None:
                self._quarantine(mailbox, message, problem)
                continue
            try:
                mailbox.mark_done(message)
                marked += 1
            except MailboxError as error:
                refused = error
                log.warning("not marked as done: %s", error)
        if refused is not None and not marked:
            raise refused
        return self.finish()

    def process(self, raw: bytes, recipients: Sequence[str] = ()) -> str | None:
        """Parse one message, count it, and commit. Return why it cannot be processed, or None. Raises StorageError."""
        report = read(raw, recipients)
        return report.detail if report.kind is Kind.UNREADABLE else self._try_count(report)

    def quarantine(self, key: str, problem: str, store: Callable[[], bool]) -> None:
        """Count a message that cannot be processed. `store` puts it aside; it returns False if it was there already."""
        try:
            counter = "failed" if store() else "repeated"
        except MailboxError as error:
            counter, problem = "failed", f"{problem}; it could not be put into quarantine: {error}"
        self._add_problem(counter, f"{key}: {problem}")

    def _quarantine(self, mailbox: Mailbox, message: ReceivedMessage, problem: str) -> None:
        self.quarantine(message.key, problem, lambda: mailbox.quarantine(message))

    def _add_problem(self, counter: str, text: str) -> None:
        text = text.encode("utf-8", "backslashreplace").decode()  # a log or a terminal takes no lone surrogates
        with self._lock:
            self._tally.update((counter, "read"))
            if counter == "failed":
                self._problems.append(text)
        # An mbox is read again at every run, and cron sends an email for every warning.
        log.log(logging.WARNING if counter == "failed" else logging.INFO, "outcome=%s %s", counter, text)

    def _try_count(self, report: InboundReport) -> str | None:
        """Count a report. Return why that is impossible for this one, or None. Raises StorageError for all others."""
        try:
            self.count(report)
        except RejectedValueError as error:
            return where(error)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - one message must never stop the others
            return where(error)
        return None

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
        """Count a provider's events, each in a transaction of its own, and return the totals. Raises StorageError."""
        for event in events:
            problem = self._try_count(event)
            if problem is not None:
                self._add_problem("failed", f"event {event.identity}: {problem}")
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
            return BouncesReport(**counts, said=tuple(self._refusals), problems=tuple(self._problems))

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
