"""What readers say about their interests: checked, stored, shown and removed. Removing works for everyone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from digestmail.errors import SourceUnreadableError, SubscriptionError
from digestmail.model.personal import KnownPaper, Profile, ReadingList, ReadingListKind
from digestmail.model.subscribers import SubscriberState
from digestmail.storage import erasing, feedback, profiles, reading_lists, subscribers
from digestmail.storage.database import Database

EXPLORATIONS: Final = (0.0, 0.2, 0.4)
"""The shares of exploration that readers can choose: none, a little, more."""
MOST_CHARACTERS: Final = 2_000
MOST_NAMES: Final = 100
LONGEST_NAME: Final = 100
_LONGEST_FILE_NAME: Final = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interests:
    """Everything that a reader gave. `profile.papers` is empty; `reading_lists` says how many there are."""

    profile: Profile
    reading_lists: tuple[ReadingList, ...]
    liked: int
    """The number of papers they want more of."""
    disliked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """How many papers of a file were stored, and how many entries were not."""

    papers: int
    broken: int
    over: int


def find(database: Database, subscriber_id: int) -> Interests:
    """Return what a reader gave. Raises SubscriptionError if there is no such reader."""
    with database.connect() as connection:
        if subscribers.get(connection, subscriber_id) is None:
            raise SubscriptionError("this subscription no longer exists")
        answers = [one.liked for one in feedback.of(connection, subscriber_id)]
        return Interests(
            profile=profiles.stated(connection, subscriber_id) or Profile(),
            reading_lists=reading_lists.of(connection, subscriber_id),
            liked=answers.count(True),
            disliked=answers.count(False),
        )


def checked(interests: str, authors: Iterable[str], blocked_words: Iterable[str], exploration: float) -> Profile:
    """Return a profile of what a reader wrote, with each name and word once. Raises SubscriptionError."""
    interests = _CONTROL.sub("", interests).strip()
    if len(interests) > MOST_CHARACTERS:
        raise SubscriptionError("your interests are too long; use at most %(most)s characters", most=MOST_CHARACTERS)
    if exploration not in EXPLORATIONS:
        raise SubscriptionError("choose one of the answers")
    return Profile(
        interests=interests,
        authors=_names(authors, _check_author),
        blocked_words=_names(blocked_words, _check_word),
        exploration=exploration,
    )


def save(database: Database, subscriber_id: int, profile: Profile, now: datetime) -> None:
    """Store a profile in place of an earlier one. An empty one is removed. Raises SubscriptionError."""
    with database.begin() as connection:
        _lock(connection, subscriber_id)
        if profile == Profile():
            profiles.remove(connection, subscriber_id)
        else:
            profiles.store(connection, subscriber_id, profile, now)


def add_file(database: Database, subscriber_id: int, name: str, content: bytes, now: datetime) -> StoredFile:
    """Store the papers of a BibTeX or RIS file as a reading list, in place of an earlier file with this name.

    Raises SubscriptionError if it is neither, contains no paper, or is over a limit.
    """
    from digestmail.sources.reference_file import MOST_BYTES, read_references

    if len(content) > MOST_BYTES:
        raise SubscriptionError("this file is too large; export a part of your library, at most 1 MB")
    try:
        found = read_references(content)
    except SourceUnreadableError as error:
        raise SubscriptionError(
            "this is neither BibTeX nor RIS; export your library in one of these formats"
        ) from error
    if not found.papers:
        raise SubscriptionError("this file contains no entry with a title")
    reference = " ".join(_CONTROL.sub("", name).split())[:_LONGEST_FILE_NAME] or "BibTeX/RIS"
    with database.begin() as connection:
        _lock(connection, subscriber_id)
        papers = reading_lists.with_abstracts(connection, found.papers, found.ids)
        known = _find(connection, subscriber_id, ReadingListKind.FILE, reference)
        if known is not None:
            reading_lists.record_reading(connection, known.id, papers, now)
            list_id = known.id
        else:
            list_id = _add(connection, subscriber_id, ReadingListKind.FILE, reference, papers, now, complete=True)
        stored = next(one.papers for one in reading_lists.of(connection, subscriber_id) if one.id == list_id)
    return StoredFile(papers=stored, broken=found.broken, over=found.over + len(found.papers) - stored)


def add_list(database: Database, subscriber_id: int, kind: ReadingListKind, text: str, now: datetime) -> None:
    """Add a reading list that the next `collect` reads. arXiv papers that are stored here are known at once.

    `text` names the list as people write it: see `papers.library_ids`. Raises SubscriptionError.
    """
    from digestmail.papers.library_ids import REFERENCES

    reference = REFERENCES[kind](text)
    with database.begin() as connection:
        _lock(connection, subscriber_id)
        if _find(connection, subscriber_id, kind, reference) is not None:
            raise SubscriptionError("this reading list is already there")
        known, complete = reading_lists.known_papers(connection, kind, reference)
        _add(connection, subscriber_id, kind, reference, known, now, complete=complete)


def remove_list(database: Database, subscriber_id: int, list_id: int) -> bool:
    """Remove a reading list of a reader; return whether they had it."""
    with database.begin() as connection:
        subscribers.lock(connection, subscriber_id)
        return reading_lists.remove(connection, subscriber_id, list_id)


def remove_all(database: Database, subscriber_id: int) -> None:
    """Remove the profile and all reading lists of a reader, but not their feedback on papers."""
    with database.begin() as connection:
        subscribers.lock(connection, subscriber_id)
        profiles.remove(connection, subscriber_id)
        reading_lists.remove_all(connection, subscriber_id)


def _lock(connection: Connection, subscriber_id: int) -> None:
    """Lock an active subscriber, so that they are not erased at the same time. Raises SubscriptionError."""
    subscribers.lock(connection, subscriber_id)
    person = subscribers.get(connection, subscriber_id)
    if person is None or erasing.is_erased(person.address):
        raise SubscriptionError("this subscription no longer exists")
    if person.state is not SubscriberState.ACTIVE:
        raise SubscriptionError("this address is not subscribed; you can subscribe again on the home page")


def _find(connection: Connection, subscriber_id: int, kind: ReadingListKind, reference: str) -> ReadingList | None:
    mine = reading_lists.of(connection, subscriber_id)
    return next((one for one in mine if (one.kind, one.reference) == (kind, reference)), None)


def _add(
    connection: Connection,
    subscriber_id: int,
    kind: ReadingListKind,
    reference: str,
    known: Sequence[KnownPaper],
    now: datetime,
    *,
    complete: bool,
) -> int:
    if len(reading_lists.of(connection, subscriber_id)) >= reading_lists.MOST_LISTS:
        raise SubscriptionError(
            "you can have at most %(most)s reading lists; remove one first", most=reading_lists.MOST_LISTS
        )
    return reading_lists.add(connection, subscriber_id, kind, reference, known, now, complete=complete)


def _names(texts: Iterable[str], check: Callable[[str], None]) -> tuple[str, ...]:
    """Return the texts that are not empty, each once regardless of case. Raises SubscriptionError."""
    found: dict[str, str] = {}
    for text in texts:
        name = " ".join(_CONTROL.sub("", text).split())
        if not name:
            continue
        if len(name) > LONGEST_NAME:
            raise SubscriptionError(
                "%(name)s is too long; use at most %(most)s characters in each line",
                name=repr(f"{name[:40]}…"),
                most=LONGEST_NAME,
            )
        check(name)
        found.setdefault(name.casefold(), name)
    if len(found) > MOST_NAMES:
        raise SubscriptionError("use at most %(most)s lines", most=MOST_NAMES)
    return tuple(found.values())


def _check_author(name: str) -> None:
    from digestmail.selection.authors import compile_name

    if not any(map(str.isalnum, compile_name(name).last)):
        raise SubscriptionError("%(name)s is not a name; write it like Ada Example, or Example, Ada", name=repr(name))


def _check_word(word: str) -> None:
    from digestmail.selection.phrases import compile_phrase, is_empty

    if is_empty(compile_phrase(word)):
        raise SubscriptionError("no paper contains %(word)s; write a word or a phrase", word=repr(word))
