"""Write notices: what each says, from what is stored when it goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.message import MessageTemplate
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import NOTICE, Envelope, Notice, NoticeKind, Rendered
from digestmail.model.differences import differences
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Subscriber, SubscriberState, Subscription
from digestmail.storage import address_changes, changes, confirmations, subscribers
from digestmail.storage.database import Database


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
        self._message_template = message_template
        self._tokens = tokens
        self._links = links
        self._place = place

    def write(self, notice: Notice, now: datetime) -> tuple[Envelope, bytes] | None:
        """Return the envelope and the message, or None when the notice is no longer needed.

        That is so for a confirmation that was given or requested again, and for a change that was undone. Raises
        RenderError.
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
        message = self._message_template(rendered, title).personalize(
            recipient=notice.address,
            message_id=self._tokens.message_id(NOTICE, str(notice.id), notice.subscriber_id, self._place.domain),
            date=now,
        )
        return Envelope(sender=self._place.sender, recipient=notice.address), message

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
        moved = notice.address != person.address
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
