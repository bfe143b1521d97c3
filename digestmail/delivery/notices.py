"""Notices: write and send the mails of no edition. Few, and before the editions: somebody waits for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from sqlalchemy import Connection

from digestmail.clock import Clock
from digestmail.delivery.backoff import next_attempt
from digestmail.errors import DeliveryError, RenderError, TransportError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.message import MessageTemplate
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Attempted, DeliveryState, Envelope, Notice, NoticeKind, Rendered
from digestmail.model.differences import differences
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Subscriber, SubscriberState, Subscription
from digestmail.storage import address_changes, changes, confirmations, notices, subscribers
from digestmail.storage.database import Database
from digestmail.transports.base import Session, Transport

mail_log = logging.getLogger("digestmail.mail")
log = logging.getLogger("digestmail.notices")

LEASE = timedelta(minutes=15)
_BATCH = 20
_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReport:
    """What was sent in this run. `stopped` says why it ended before nothing was due."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    cancelled: int = 0
    stopped: str = ""


class RenderNotice(Protocol):
    """Turns what a notice says into the words of a mail."""

    def __call__(
        self,
        kind: NoticeKind,
        *,
        title: str,
        digests: tuple[str, ...],
        action_url: str | None,
        preferences_url: str | None,
        language: str | None,
        steps: tuple[tuple[str, str], ...],
    ) -> Rendered:
        """Render a notice; `title` and `digests` are titles from the configuration.

        `steps` are what changed, as (`differences.Changed`, title of the digest). Raises RenderError.
        """
        ...


class NoticeMessages(Protocol):
    """Writes the message of one notice."""

    def write(self, notice: Notice, now: datetime) -> tuple[Envelope, bytes] | None:
        """Return the envelope and the message; None when it says nothing any more. Raises RenderError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOrigin:
    """Where notices come from and lead to."""

    base_url: str | None
    """Where the web pages are, without a slash at the end; None when there are none."""
    sender: str
    """The envelope's return path."""
    domain: str
    """The right side of every Message-ID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Says:
    """What a notice says."""

    action_url: str | None
    preferences_url: str | None
    subscriptions: tuple[Subscription, ...]
    language: str | None
    steps: tuple[tuple[str, str], ...] = ()


class NoticeComposer:
    """Writes notices from what is stored when they go out. Nothing in them was written by who filled in a form."""

    def __init__(
        self,
        database: Database,
        digests: Sequence[Digest],
        render: RenderNotice,
        message_template: Callable[[Rendered, str], MessageTemplate],
        tokens: Tokens,
        links: LinkTokens,
        *,
        place: NoticeOrigin,
    ) -> None:
        """`message_template` makes a message of rendered words and a title."""
        self._database = database
        self._titles = {digest.name: digest.title for digest in digests}
        self._render = render
        self._mould = message_template
        self._tokens = tokens
        self._links = links
        self._place = place

    def write(self, notice: Notice, now: datetime) -> tuple[Envelope, bytes] | None:
        """Return the envelope and the message; None when it says nothing any more.

        That is a confirmation that was given, or asked for anew, and a change that was undone.
        """
        with self._database.connect() as connection:
            person = subscribers.get(connection, notice.subscriber_id)
            says = self._says(connection, notice, person) if person is not None else None
        if says is None:
            return None
        titles = [self._titles[one.digest] for one in says.subscriptions if one.digest in self._titles]
        title = (titles or [*self._titles.values()])[0]
        rendered = self._render(
            notice.kind,
            title=title,
            digests=tuple(titles),
            action_url=says.action_url,
            preferences_url=says.preferences_url,
            language=says.language,
            steps=says.steps,
        )
        recipient = notice.content.get("to", notice.address)
        message = self._mould(rendered, title).cast(
            recipient=recipient,
            message_id=self._tokens.message_id("notice", str(notice.id), notice.subscriber_id, self._place.domain),
            date=now,
        )
        return Envelope(sender=self._place.sender, recipient=recipient), message

    def _says(self, connection: Connection, notice: Notice, person: Subscriber) -> _Says | None:
        token = self._tokens.unsubscribe(person.id, "")
        usual = _Says(
            action_url=self._place.base_url,
            preferences_url=self._url("preferences", token),
            subscriptions=person.subscriptions,
            language=person.language,
        )
        match notice.kind:
            case NoticeKind.CONFIRM:
                return self._confirm(connection, notice)
            case NoticeKind.ADDRESS:
                return self._address(connection, notice, usual)
            case NoticeKind.ERASE:
                asked_at = datetime.fromisoformat(notice.content["asked_at"])
                return replace(usual, action_url=self._url("erase", self._links.erase(person.id, asked_at)))
            case NoticeKind.CHANGED | NoticeKind.GOODBYE:
                return self._changed(connection, notice, person, usual)
            case _:
                return usual

    def _confirm(self, connection: Connection, notice: Notice) -> _Says | None:
        pending = confirmations.find(connection, notice.subscriber_id)
        if pending is None or pending.nonce != notice.content.get("nonce"):
            return None
        # Dated from the asking: every attempt carries the same link.
        confirm = self._links.confirm(notice.subscriber_id, pending.nonce, pending.asked_at)
        return _Says(
            action_url=self._url("confirm", confirm),
            preferences_url=None,
            subscriptions=pending.choices.subscriptions,
            language=pending.choices.language,
        )

    def _address(self, connection: Connection, notice: Notice, usual: _Says) -> _Says | None:
        """Say nothing of the person: the address may be a stranger's, typed by whoever had the link."""
        wanted = address_changes.find(connection, notice.subscriber_id)
        if wanted is None or wanted.nonce != notice.content.get("nonce"):
            return None
        token = self._links.address(notice.subscriber_id, wanted.nonce, wanted.asked_at)
        return replace(usual, action_url=self._url("address", token), preferences_url=None)

    def _changed(self, connection: Connection, notice: Notice, person: Subscriber, usual: _Says) -> _Says | None:
        change = changes.find(connection, int(notice.content["change"]))
        if change is None or change.undone_at is not None:
            return None
        found = differences(change.before, person)
        if not found or (notice.kind is NoticeKind.GOODBYE and person.state is SubscriberState.ACTIVE):
            return None
        moved = notice.content.get("to", person.address) != person.address
        return replace(
            usual,
            action_url=self._url("undo", self._links.undo(change.id, change.made_at)),
            # A mail to an address that was left must not hold the key to what is now another mailbox's.
            preferences_url=None if moved else usual.preferences_url,
            subscriptions=change.before.subscriptions,
            language=change.before.language,
            steps=tuple((one.what.value, self._titles.get(one.digest, one.digest)) for one in found),
        )

    def _url(self, kind: str, token: str) -> str | None:
        return f"{self._place.base_url}/{kind}/{token}" if self._place.base_url else None


def send_notices(
    database: Database,
    transport: Transport,
    letters: NoticeMessages,
    clock: Clock,
    *,
    give_up: timedelta,
    random: Random,
    stop: Callable[[], bool] = lambda: False,
) -> NoticeReport:
    """Send every notice that is due. Safe beside others that do the same: a claim is never handed out twice."""
    with database.connect() as connection:
        if not notices.is_due(connection, clock.now()):
            return NoticeReport()
    return _Run(database, transport, letters, clock, give_up, random, stop).send()


@dataclass(slots=True)
class _Run:
    database: Database
    transport: Transport
    letters: NoticeMessages
    clock: Clock
    give_up: timedelta
    random: Random
    stop: Callable[[], bool]

    def send(self) -> NoticeReport:
        tally: Counter[DeliveryState] = Counter()
        stopped = ""
        with ExitStack() as stack:
            session: Session | None = None
            while not stopped and (claimed := self._claim()):
                for index, notice in enumerate(claimed):
                    try:
                        if self.stop():
                            raise TransportError("asked to stop")  # noqa: TRY301 - the same is to be done
                        if session is None:
                            session = stack.enter_context(self.transport.open())
                        attempted = self._attempt(session, notice)
                    except (TransportError, RenderError) as error:
                        # Nobody's fault: everything is given back, and the next run tries again.
                        self._give_back(claimed[index:])
                        stopped = str(error)
                        break
                    tally[attempted.state] += self._record(notice, attempted)
        return NoticeReport(
            sent=tally[DeliveryState.SENT],
            deferred=tally[DeliveryState.DEFERRED],
            failed=tally[DeliveryState.FAILED],
            cancelled=tally[DeliveryState.CANCELLED],
            stopped=stopped,
        )

    def _claim(self) -> Sequence[Notice]:
        with self.database.begin() as connection:
            notices.settle_due(connection, self.clock.now(), LEASE)
            return notices.claim(connection, self.clock.now(), LEASE, _BATCH)

    def _attempt(self, session: Session, notice: Notice) -> Attempted:
        try:
            letter = self.letters.write(notice, self.clock.now()) if notice.wanted else None
            if letter is None:
                return Attempted(state=DeliveryState.CANCELLED, text="no longer wanted")
            receipt = session.send(*letter)
        except DeliveryError as error:
            return self._after_error(notice, error.code, str(error), permanent=error.permanent)
        except (TransportError, RenderError):
            raise
        except Exception as error:
            # A bug met on one recipient's mail must not cost the others theirs; it is logged whole and tried again.
            log.exception("notice=%d subscriber=%d", notice.id, notice.subscriber_id)
            return self._after_error(notice, None, f"unexpected {type(error).__name__}", permanent=False)
        return Attempted(state=DeliveryState.SENT, code=receipt.code, text=receipt.text)

    def _after_error(self, notice: Notice, code: int | None, text: str, *, permanent: bool) -> Attempted:
        now = self.clock.now()
        due_at = None
        if not permanent:
            due_at = next_attempt(notice.attempts, notice.queued_at, now, self.give_up, self.random)
        state = DeliveryState.FAILED if due_at is None else DeliveryState.DEFERRED
        return Attempted(state=state, code=code, text=text, due_at=due_at)

    def _record(self, notice: Notice, attempted: Attempted) -> bool:
        with self.database.begin() as connection:
            kept = notices.record(connection, notice, attempted, self.clock.now())
        mail_log.info(
            "notice=%d kind=%s subscriber=%d attempt=%d state=%s code=%s recorded=%s text=%r",
            notice.id,
            notice.kind,
            notice.subscriber_id,
            notice.attempts,
            attempted.state,
            attempted.code or "-",
            "yes" if kept else "no, another worker holds it",
            attempted.text,
        )
        return kept

    def _give_back(self, rest: Sequence[Notice]) -> None:
        with self.database.begin() as connection:
            notices.release(connection, rest, self.clock.now() + _PAUSE)
