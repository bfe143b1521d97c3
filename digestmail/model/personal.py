"""What is known about a reader's interests, and which papers were picked for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digestmail.model.papers import PaperId


class ReadingListKind(StrEnum):
    """Where the papers of a reading list come from."""

    FILE = "file"
    """A BibTeX or RIS file."""
    ARXIV_IDS = "arxiv-ids"
    ARXIV_AUTHOR = "arxiv-author"
    """All papers of an arXiv author identifier, such as `example_a_1`."""
    ORCID = "orcid"
    ZOTERO = "zotero"
    """The library of a Zotero user or group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPaper:
    """A paper of a reading list. It need not be stored as a paper."""

    title: str
    abstract: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingList:
    """Papers that a reader knows, and where they come from."""

    id: int
    subscriber_id: int | None
    """None means that the list belongs to `[profile]` of the configuration."""
    kind: ReadingListKind
    reference: str
    """A file name, an identifier, or arXiv ids joined by spaces. Zotero: `users/123` or `groups/456`."""
    added_at: datetime
    papers: int
    """How many papers are stored."""
    read_at: datetime | None = None
    """When it was last read completely."""
    tried_at: datetime | None = None
    """When it was last read, completely or not."""
    problem: str | None = None
    """Why the last reading was not complete."""
    validator: str | None = None
    """What the service wants back with the next reading, so that an unchanged list is not transferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a reader, or the operator for all readers without a profile, said about their interests."""

    interests: str = ""
    """A sentence or keywords."""
    authors: tuple[str, ...] = ()
    """The authors they follow, by full name."""
    blocked_words: tuple[str, ...] = ()
    """Words or phrases. Papers that contain one are never picked."""
    exploration: float = 0.2
    """The share 0..1 of picks from outside the known interests."""
    papers: tuple[KnownPaper, ...] = ()
    """The papers of all reading lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """Feedback on a stored paper, as the ranking needs it."""

    row_id: int
    """The row of the paper in the database."""
    liked: bool
    given_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """Everything that decides what is picked for a reader."""

    opinions: tuple[Opinion, ...] = ()
    """In any order."""
    profile: Profile | None = None
    without: frozenset[PaperId] = frozenset()
    """Papers that they received or rated before. They are never picked again."""
    seed: str = ""
    """Decides which papers they get from outside their known interests."""


class PickKind(StrEnum):
    """Why a paper was picked for a reader."""

    AUTHOR = "author"
    """By an author they follow."""
    LIKED = "liked"
    """Like a paper they liked."""
    READING_LIST = "reading-list"
    """Like a paper of a reading list."""
    INTERESTS = "interests"
    """It shares words with their interests."""
    EXPLORATION = "exploration"
    """From outside their known interests, to learn whether they like it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickReason:
    """Why a paper was picked. It contains nothing that only this reader wrote."""

    kind: PickKind
    title: str = ""
    """The title of the paper that it is like, for `LIKED` and `READING_LIST`."""
    names: tuple[str, ...] = ()
    """Authors, or words that it shares with the interests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A paper picked for a reader, in the order of the section "For you"."""

    paper_id: PaperId
    reason: PickReason
