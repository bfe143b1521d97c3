"""Editions, and the segments of subscribers who get the same part of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from digestmail.model.digests import VARIANT_MARK, Limits, base_name
from digestmail.model.papers import PaperId
from digestmail.model.selection import Beyond, Entry, Trending

KEY_MARK: Final = "."


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slot:
    """The period of an edition. `key` is its local date, with the time if the schedule fires more often than daily."""

    at: datetime
    key: str
    day: date
    """The local date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A message from the operator to the readers of a digest. `mail/announcements.py` reads and checks it."""

    subject: str
    """One line, also the heading."""
    text: str
    """Markdown, including the heading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """An immutable issue of a digest, or an announcement. Without either it records an empty day, with its `reason`.

    It contains the papers that any choice of topics may need. `selection/segments.py` determines what each subscriber
    gets.
    """

    digest: str
    slot: Slot
    title: str
    byline: str
    composed_at: datetime
    entries: tuple[Entry, ...] = ()
    """By rank."""
    beyond: tuple[Beyond, ...] = ()
    topics: tuple[str, ...] = ()
    """The topics of the digest in the order of its sections."""
    limits: Limits = Limits()
    """The maximum for one subscriber."""
    considered: int = 0
    """The number of candidates."""
    reason: str = ""
    missing: tuple[str, ...] = ()
    """Sources that the edition waited for in vain."""
    trending: tuple[Trending, ...] = ()
    """Papers of earlier editions that trend now, the strongest growth first."""
    since: date | None = None
    """Of a catch-up edition: the local day from which it has papers."""
    announcement: Announcement | None = None
    """What is sent instead of papers. The digest is then `announcement_name`, and the slot's key names the content."""

    @property
    def base(self) -> str:
        """The name of the configured digest, which readers subscribe to; `digest` may be a variant of it."""
        return base_name(self.digest)

    @property
    def key(self) -> str:
        """The key of the slot, with a dot and the variant if it is one: this edition among all of the base digest.

        It consists of characters that no mail program encodes in a link (RFC 3986 section 2.3), and colons.
        """
        return self.slot.key + self.digest.removeprefix(self.base).replace(VARIANT_MARK, KEY_MARK)


def digest_and_slot(base: str, key: str) -> tuple[str, str]:
    """Return the digest and the slot key of the edition of a configured digest whose `key` this is."""
    slot, mark, variant = key.partition(KEY_MARK)
    return (f"{base}{VARIANT_MARK}{variant}" if mark else base), slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Subscribers of an edition who get the same content: these papers, in the edition's order, in one language."""

    id: int
    edition_id: int
    topics: tuple[str, ...]
    paper_ids: tuple[PaperId, ...]
    more: tuple[tuple[str | None, int], ...] = ()
    """How many more papers matched a topic (None: the last section), if there were any."""
    language: str | None = None
    """The chosen language; None means the digest's."""
