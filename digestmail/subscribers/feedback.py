"""Feedback of subscribers about papers in their emails: more like this, or less."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from digestmail.errors import SubscriptionError
from digestmail.model.papers import Paper, PaperId
from digestmail.model.subscribers import SubscriberState
from digestmail.storage import erasing, feedback, papers, picks, subscribers
from digestmail.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperInEdition:
    """A paper of an edition, by its `position` from 1, as the links of an email name it."""

    digest: str
    slot: str
    """The edition's `key`."""
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFeedback:
    """What a subscriber answered about a paper; `liked` is None without an answer."""

    paper: Paper
    liked: bool | None


def find(database: Database, subscriber_id: int, named: PaperInEdition) -> PaperFeedback:
    """Return what a subscriber answered about a paper.

    Raises SubscriptionError if there is no such paper, or if the person is not subscribed.
    """
    with database.connect() as connection:
        row_id, paper = _find(connection, subscriber_id, named)
        return PaperFeedback(paper=paper, liked=feedback.find(connection, subscriber_id, row_id))


def give(
    database: Database, subscriber_id: int, named: PaperInEdition, now: datetime, *, liked: bool | None
) -> PaperFeedback:
    """Store an answer in place of any earlier one, or remove it (None). Raises SubscriptionError as `find` does."""
    with database.begin() as connection:
        subscribers.lock(connection, subscriber_id)
        row_id, paper = _find(connection, subscriber_id, named)
        if liked is None:
            feedback.remove(connection, subscriber_id, row_id)
        else:
            feedback.store(connection, subscriber_id, row_id, now, liked=liked)
        return PaperFeedback(paper=paper, liked=liked)


def remove(database: Database, subscriber_id: int, paper_id: PaperId) -> bool:
    """Remove what a person answered about a paper, given by any of its ids; return whether there was an answer.

    This does not depend on whether the person is subscribed.
    """
    with database.begin() as connection:
        rows = papers.row_ids(connection, [paper_id])
        return paper_id in rows and feedback.remove(connection, subscriber_id, rows[paper_id])


def _find(connection: Connection, subscriber_id: int, named: PaperInEdition) -> tuple[int, Paper]:
    person = subscribers.get(connection, subscriber_id)
    if person is None or erasing.is_erased(person.address):
        raise SubscriptionError("this subscription no longer exists")
    if person.state is not SubscriberState.ACTIVE:
        raise SubscriptionError("this address is not subscribed; you can subscribe again on the home page")
    where = named.digest, named.slot, named.position
    found = feedback.find_paper(connection, *where) or picks.find_paper(connection, subscriber_id, *where)
    if found is None:
        raise SubscriptionError("there is no such paper")
    return found
