"""Bounces: read what came back, find out whose it is, count it, and stop sending where it is enough."""

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
from digestmail.bounces.parsing.report import Blame, FailedRecipient, InboundReport, Kind, RecipientProof
from digestmail.bounces.score import Scoring
from digestmail.clock import Clock
from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.addresses import normalised
from digestmail.mail.tokens import Tokens, digest_number
from digestmail.model.subscribers import BounceEvent, BounceKind, DomainBlock
from digestmail.storage import bounces, subscribers
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.bounces")

_ADDRESSED = re.compile(r"[^@+]+\+([0-9A-Fa-f]{40})@[^@]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncesReport:
    """What was found in a mailbox, or told by a provider; each counts in one line of it, `suppressed` beside."""

    read: int = 0
    hard: int = 0
    soft: int = 0
    complaints: int = 0
    ours: int = 0
    """Refusals of us, our server or the mail: they weigh nothing, but the operator should look at them."""
    repeated: int = 0
    unmatched: int = 0
    """Bounces and complaints about nobody we know: without a token of ours, or of somebody who is gone."""
    delayed: int = 0
    delivered: int = 0
    not_spam: int = 0
    feedback: int = 0
    auto_replies: int = 0
    unsubscribed: int = 0
    """Mails by which a reader left."""
    other: int = 0
    suppressed: int = 0
    """Subscribers nothing is sent to any more because of what was read."""
    blocked: int = 0
    """Hard and soft bounces that weigh nothing, because their domain refused so many readers alike."""
    blocks: tuple[DomainBlock, ...] = ()
    """Domains that block us, as the last day's bounces show."""
    said: tuple[str, ...] = ()
    """What the servers said that refused us, the last few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A mail to unsubscribe, proved by its token."""

    subscriber_id: int
    digest: str | None
    """The digest to leave; None stands for all of them."""
    report: str
    """The same for the same mail however often it is read."""


Leave = Callable[[Request], Recorded]
"""Carries out a request in one transaction: COUNTED if somebody left, else REPEATED or UNKNOWN."""


def request_of(returned: InboundReport, tokens: Tokens, digests: Sequence[str]) -> Request | None:
    """Return what a mail asks to leave, by the address it was sent to or by its subject; None if it does not. Pure.

    `digests` are the names a token may stand for.
    """
    for token in returned.evidence.addressed:
        try:
            subscriber_id, number = tokens.read_leave(token)
        except TokenError:
            continue
        for name in ("", *digests):
            if digest_number(name) == number:
                return Request(subscriber_id=subscriber_id, digest=name or None, report=returned.identity)
    for token in returned.evidence.subjects:
        try:
            subscriber_id, name = tokens.read_unsubscribe(token)
        except TokenError:
            continue
        return Request(subscriber_id=subscriber_id, digest=name or None, report=returned.identity)
    return None


def record_event(database: Database, event: BounceEvent, now: datetime, scoring: Scoring = Scoring()) -> Recorded:  # noqa: B008 - frozen
    """Count one report about a subscriber in one transaction, and suppress their address if it is enough.

    For every door: mailboxes, the listener, and providers' webhooks, whose caller has made sure that the report is the
    provider's. Raises StorageError.
    """
    with database.begin() as connection:
        return count(connection, event, now, scoring)


def who(evidence: RecipientProof, tokens: Tokens) -> tuple[int, int | None] | None:
    """Return (subscriber id, edition id if known) a mail is about; None without a token that proves it. Pure."""
    for token in evidence.return_paths:
        try:
            edition_id, subscriber_id = tokens.read_verp(token)
        except TokenError:
            continue
        return subscriber_id, edition_id or None
    for proof, prove in (
        *((message_id, tokens.read_message_id) for message_id in evidence.message_ids),
        *((token, lambda found: tokens.read_unsubscribe(found)[0]) for token in evidence.unsubscribes),
    ):
        try:
            return prove(proof), None
        except TokenError:
            continue
    return None


def against(failures: Sequence[FailedRecipient], address: str) -> FailedRecipient | None:
    """Return the failure that counts against the owner of `address`; None if none does. Pure.

    A mail goes to one recipient, but a list behind it may report several: then the one that names the address; else
    the mildest of them, for who reads behind a list still gets mail by the others.
    """
    named = [failure for failure in failures if failure.recipient.casefold() == address.casefold()]
    order = (Blame.OURS, Blame.SOFT, Blame.HARD)
    return min(named or failures, key=lambda failure: order.index(failure.verdict), default=None)


class BounceProcessor:
    """Takes one mail after the other, from a mailbox or from several threads of a listener, or a provider's events."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        scoring: Scoring,
        clock: Clock,
        *,
        address: str | None = None,
        leave: Leave,
        digests: Sequence[str] = (),
    ) -> None:
        """Read nothing yet. `address` is the one for bounces without a token: feedback reports come to it.

        `leave` is called for every mail that unsubscribes its reader from one of `digests`.
        """
        self._database = database
        self._tokens = tokens
        self._scoring = scoring
        self._clock = clock
        self._address = address
        self._leave = leave
        self._digests = tuple(digests)
        self._lock = threading.Lock()
        self._tally: Counter[str] = Counter()
        self._said: list[str] = []

    def wants(self, address: str) -> bool:
        """Return whether mail for `address` is taken: the bare one, or a true return path or unsubscribe address."""
        if self._address is not None and address.casefold() == self._address.casefold():
            return True
        found = _ADDRESSED.fullmatch(address)
        if found is None:
            return False
        for prove in (self._tokens.read_verp, self._tokens.read_leave):
            try:
                prove(found[1])
            except TokenError:
                continue
            return True
        return False

    def read(self, mailbox: Mailbox, *, stop: Callable[[], bool]) -> BouncesReport:
        """Read a mailbox to its end, or until `stop` says so. Raises MailboxError or StorageError."""
        for mail in mailbox.mails():
            if stop():
                break
            self.take(mail.raw)
            mailbox.done(mail)
        return self.finish()

    def take(self, raw: bytes, recipients: Sequence[str] = ()) -> None:
        """Count what one mail says; when it returns, that is committed. Raises StorageError."""
        self.count(read(raw, recipients))

    def count(self, returned: InboundReport) -> None:
        """Count what was read; when it returns, that is committed. Raises StorageError."""
        outcome, subscriber_id, status = self._count(returned)
        with self._lock:
            self._tally.update((*outcome, "read"))
        log.info(
            "report=%s kind=%s outcome=%s subscriber=%s status=%s",
            returned.identity,
            returned.kind,
            "+".join(outcome),
            subscriber_id or "-",
            status or "-",
        )

    def count_all(self, events: Iterable[InboundReport]) -> BouncesReport:
        """Count a provider's events and return the report. Raises StorageError."""
        for event in events:
            self.count(event)
        return self.report()

    def finish(self) -> BouncesReport:
        """Look for blocks among all that was counted, and return the report. Raises StorageError."""
        with self._database.begin() as connection:
            blocks = hold_blocks(connection, self._clock.now(), self._scoring)
        return replace(self.report(), blocks=blocks)

    def report(self) -> BouncesReport:
        """Return what was counted until now."""
        with self._lock:
            counts: dict[str, Any] = dict(self._tally)
            return BouncesReport(**counts, said=tuple(self._said[-5:]))

    def _count(self, returned: InboundReport) -> tuple[tuple[str, ...], int | None, str | None]:
        """Return the lines of the report a mail counts in, the subscriber it is about, and the status."""
        if request := request_of(returned, self._tokens, self._digests):
            return (_LEFT[self._leave(request)],), request.subscriber_id, None
        if returned.kind not in {Kind.BOUNCE, Kind.COMPLAINT}:
            return (_LINES[returned.kind],), None, None
        found = who(returned.evidence, self._tokens) or self._named(returned.recipient)
        if found is None:
            return ("unmatched",), None, None
        subscriber_id, edition_id = found
        failure = self._failure(returned, subscriber_id)
        if failure is not None and failure.verdict is Blame.OURS:
            with self._lock:
                self._said.append(failure.text)
        event = BounceEvent(
            report=returned.identity,
            subscriber_id=subscriber_id,
            edition_id=edition_id,
            kind=BounceKind.COMPLAINT if failure is None else BounceKind(failure.verdict.value),
            status=failure.status if failure else None,
            detail=failure.text if failure else returned.detail,
        )
        recorded = record_event(self._database, event, self._clock.now(), self._scoring)
        return _outcome(event.kind, recorded), subscriber_id, event.status

    def _named(self, recipient: str) -> tuple[int, None] | None:
        """Return whose address a provider names, without an edition; None if it is nobody's here."""
        try:
            address = normalised(recipient)
        except SubscriptionError:
            return None
        with self._database.connect() as connection:
            found = subscribers.find(connection, address)
        return (found.id, None) if found else None

    def _failure(self, returned: InboundReport, subscriber_id: int) -> FailedRecipient | None:
        if returned.kind is Kind.COMPLAINT:
            return None
        with self._database.connect() as connection:
            return against(returned.failures, bounces.whose(connection, subscriber_id) or "")


_LINES = {
    Kind.DELAYED: "delayed",
    Kind.DELIVERED: "delivered",
    Kind.NOT_SPAM: "not_spam",
    Kind.FEEDBACK: "feedback",
    Kind.AUTO_REPLY: "auto_replies",
    Kind.OTHER: "other",
}


_LEFT = {Recorded.COUNTED: "unsubscribed", Recorded.REPEATED: "repeated", Recorded.UNKNOWN: "unmatched"}


def _outcome(kind: BounceKind, recorded: Recorded) -> tuple[str, ...]:
    if recorded is Recorded.UNKNOWN:
        return ("unmatched",)
    if recorded is Recorded.REPEATED:
        return ("repeated",)
    line = "complaints" if kind is BounceKind.COMPLAINT else kind.value
    return (line, recorded.value) if recorded in {Recorded.SUPPRESSED, Recorded.BLOCKED} else (line,)
