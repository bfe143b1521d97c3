"""`[profile]`: the interests of every reader who has none of their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from digestmail.config.fetched import HeaderValue
from digestmail.config.rules import Author, Word
from digestmail.config.values import Table
from digestmail.errors import SubscriptionError
from digestmail.model.personal import Profile, ReadingListKind

_MOST_NAMES: Final = 100
_MOST_IDS: Final = 500
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")


def _reference(kind: ReadingListKind) -> AfterValidator:
    """Return a validator that brings the reference of a reading list into its one spelling."""

    def check(value: str) -> str:
        from digestmail.papers.library_ids import REFERENCES

        try:
            return REFERENCES[kind](value)
        except SubscriptionError as error:
            raise ValueError(str(error)) from error

    return AfterValidator(check)


def _check_interests(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("contains a control character: write keywords or sentences")
    return value


Interests = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000), AfterValidator(_check_interests)]
ArxivIds = Annotated[str, _reference(ReadingListKind.ARXIV_IDS)]
ArxivAuthor = Annotated[str, _reference(ReadingListKind.ARXIV_AUTHOR)]
Orcid = Annotated[str, _reference(ReadingListKind.ORCID)]
ZoteroLibrary = Annotated[str, _reference(ReadingListKind.ZOTERO)]


class ProfileTable(Table):
    """`[profile]`: used for the section "For you" of readers without a profile, only if the table is there."""

    interests: Interests = ""
    authors: tuple[Author, ...] = Field(default=(), max_length=_MOST_NAMES)
    blocked_words: tuple[Word, ...] = Field(default=(), max_length=_MOST_NAMES)
    exploration: float = Field(default=0.2, ge=0, le=1)
    files: tuple[Path, ...] = ()
    arxiv_ids: tuple[ArxivIds, ...] = Field(default=(), max_length=_MOST_IDS)
    arxiv_author: ArxivAuthor | None = None
    orcid: Orcid | None = None
    zotero: ZoteroLibrary | None = None
    zotero_key: HeaderValue | None = None
    zotero_key_file: Path | None = None

    def value(self) -> Profile:
        """Return what is said here as the value that ranking works on, without papers of reading lists."""
        return Profile(
            interests=self.interests,
            authors=self.authors,
            blocked_words=self.blocked_words,
            exploration=self.exploration,
        )

    def reading_lists(self) -> tuple[tuple[ReadingListKind, str], ...]:
        """Return the reading lists, each (kind, reference), as they are stored. A file is named as it is here."""
        ids = " ".join(dict.fromkeys(" ".join(self.arxiv_ids).split()))
        named = (
            (ReadingListKind.ARXIV_IDS, ids),
            (ReadingListKind.ARXIV_AUTHOR, self.arxiv_author),
            (ReadingListKind.ORCID, self.orcid),
            (ReadingListKind.ZOTERO, self.zotero),
        )
        files = ((ReadingListKind.FILE, str(path)) for path in dict.fromkeys(self.files))
        return (*files, *((kind, reference) for kind, reference in named if reference))
