"""Compose the messages of editions: once per segment and picks, personalized for each subscriber."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import TypeVar

from sqlalchemy import Connection

from digestmail.editions.publish import Render
from digestmail.mail.edition_messages import EditionMessages
from digestmail.mail.message import MessageTemplate
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Delivery, Envelope, Rendered
from digestmail.model.editions import Edition
from digestmail.model.selection import PersonalSection, Section
from digestmail.selection.segments import committed, with_picks
from digestmail.selection.trending import for_topics
from digestmail.storage import editions, picks
from digestmail.storage.database import Database
from digestmail.text.addresses import split_address

K = TypeVar("K")
V = TypeVar("V")

_KEPT = 16
"""Message templates kept in memory, about 100 KB each, and contents of segments. Claims are sorted by segment, so few
are in use at once."""


_EDITIONS_KEPT = 4
"""Editions, in one language each, with the parts of their emails: tens of megabytes each for those with many papers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A message template, and what is the same in the tokens of all its messages."""

    message_template: MessageTemplate
    digest: str
    base: str
    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What a segment contains."""

    edition_id: int
    edition: Edition
    sections: tuple[Section, ...]
    language: str | None


class EditionComposer:
    """Writes the messages of deliveries from the editions stored: what was committed is what goes out.

    Several threads may write at once.
    """

    def __init__(
        self,
        database: Database,
        render: Render,
        message_template: Callable[[Edition, Rendered], MessageTemplate],
        tokens: Tokens,
        *,
        sender: str,
        domain: str,
        bounce_address: str | None = None,
        edition_messages: Callable[[Edition, str | None], EditionMessages] | None = None,
    ) -> None:
        """`sender` is the envelope's return path, `domain` the right side of every Message-ID.

        With `bounce_address`, `name@domain`, each delivery has a return path of its own, `name+TOKEN@domain`.
        `edition_messages` writes the emails of an edition in one language; without it, each is rendered as a whole.
        """
        self._database = database
        self._render = render
        self._message_template = message_template
        self._tokens = tokens
        self._sender = sender
        self._domain = domain
        self._bounces = split_address(bounce_address) if bounce_address else None
        self._lock = Lock()
        self._prepared: OrderedDict[tuple[int, bytes | None], _Prepared] = OrderedDict()
        self._contents: OrderedDict[int, _Content] = OrderedDict()
        self._edition_messages = edition_messages
        self._messages: OrderedDict[tuple[int, str | None], EditionMessages] = OrderedDict()
        self._picks: OrderedDict[int, picks.StoredPicks] = OrderedDict()

    def write(self, delivery: Delivery, now: datetime) -> tuple[Envelope, bytes]:
        """Return the envelope and the message of one delivery. Raises RenderError or DeliveryError."""
        prepared = self._prepare(delivery.segment_id, delivery.picks)
        message = prepared.message_template.personalize(
            recipient=delivery.address,
            message_id=self._tokens.message_id(prepared.digest, prepared.slot, delivery.subscriber_id, self._domain),
            date=now,
            unsubscribe_token=self._tokens.unsubscribe(delivery.subscriber_id, prepared.base),
            mailto_token=self._tokens.mailto_token(delivery.subscriber_id, prepared.base) if self._bounces else None,
        )
        return Envelope(sender=self._return_path(delivery), recipient=delivery.address), message

    def _return_path(self, delivery: Delivery) -> str:
        """Return the envelope sender: one for each delivery (VERP) where bounces have an address of their own."""
        if self._bounces is None:
            return self._sender
        local, domain = self._bounces
        return f"{local}+{self._tokens.verp(delivery.edition_id, delivery.subscriber_id)}@{domain}"

    def _prepare(self, segment_id: int, packed: bytes | None) -> _Prepared:
        with self._lock:
            return self._find_or_prepare(segment_id, packed)

    def _find_or_prepare(self, segment_id: int, packed: bytes | None) -> _Prepared:
        key = (segment_id, packed)
        if key in self._prepared:
            self._prepared.move_to_end(key)
            return self._prepared[key]
        content, picked = self._content(segment_id, packed)
        edition = content.edition
        sections = with_picks(content.sections, picked, edition.limits.max_papers)
        prepared = _Prepared(
            message_template=self._message(content, sections),
            digest=edition.digest,
            base=edition.base,
            slot=edition.slot.key,
        )
        _keep(self._prepared, key, prepared)
        return prepared

    def _message(self, content: _Content, sections: tuple[Section, ...]) -> MessageTemplate:
        if self._edition_messages is None:
            rendered = self._render(content.edition, sections, language=content.language)
            return self._message_template(content.edition, rendered)
        key = (content.edition_id, content.language)
        if key not in self._messages:
            _keep(self._messages, key, self._edition_messages(content.edition, content.language), _EDITIONS_KEPT)
        self._messages.move_to_end(key)
        return self._messages[key].message(content.edition, sections)

    def _content(self, segment_id: int, packed: bytes | None) -> tuple[_Content, PersonalSection | None]:
        """Return the content of a segment, and the section "For you" of a delivery."""
        content = self._contents.get(segment_id)
        stored = None if content is None else self._picks.get(content.edition_id)
        if content is None or (packed and (stored is None or not stored.has(packed))):
            with self._database.connect() as connection:
                content = content or self._read_content(connection, segment_id)
                if packed:
                    stored = self._stored_picks(content)
                    stored.read(connection, packed)
        return content, stored.section(packed) if stored and packed else None

    def _read_content(self, connection: Connection, segment_id: int) -> _Content:
        segment = editions.segment(connection, segment_id)
        edition = editions.get_by_id(connection, segment.edition_id).edition
        content = _Content(
            edition_id=segment.edition_id,
            edition=replace(edition, trending=for_topics(edition.trending, segment.topics)),
            sections=committed(edition, segment),
            language=segment.language,
        )
        _keep(self._contents, segment_id, content)
        return content

    def _stored_picks(self, content: _Content) -> picks.StoredPicks:
        if content.edition_id not in self._picks:
            stored = picks.StoredPicks(content.edition, content.edition_id)
            _keep(self._picks, content.edition_id, stored, _EDITIONS_KEPT)
        return self._picks[content.edition_id]


def _keep(cache: OrderedDict[K, V], key: K, value: V, most: int = _KEPT) -> None:
    cache[key] = value
    if len(cache) > most:
        cache.popitem(last=False)
