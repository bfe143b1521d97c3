"""What the recipients of an edition received before, and the segment of each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from math import inf
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection

from digestmail.model.editions import Edition
from digestmail.model.papers import PaperId
from digestmail.selection.segments import for_segment, matching
from digestmail.storage import editions
from digestmail.storage.audience import RecipientChoices
from digestmail.storage.received import Received

_NOTHING: Final[frozenset[PaperId]] = frozenset()
_NO_MORE: Final[tuple[float, Iterator[Received]]] = (inf, iter(()))
"""Sorts after the last subscriber."""


class ReceivedPapers:
    """The papers that each subscriber received before, requested in the order of their ids."""

    def __init__(self, rows: Iterator[Received]) -> None:
        """`rows` are by subscriber id."""
        self._groups = groupby(rows, key=itemgetter(0))
        self._current_id: float
        self._rows: Iterator[Received]
        self._current_id, self._rows = next(self._groups, _NO_MORE)

    def by(self, subscriber_id: int) -> frozenset[PaperId]:
        """Return the papers that `subscriber_id` received."""
        while self._current_id < subscriber_id:
            self._current_id, self._rows = next(self._groups, _NO_MORE)
        return _NOTHING.union(*(held for _, held in self._rows)) if self._current_id == subscriber_id else _NOTHING


class SegmentAssigner:
    """Assigns subscribers with the same content to the same segment, which is created when first needed."""

    def __init__(
        self, connection: Connection, edition: Edition, edition_id: int, *, personal: bool, empty: bool
    ) -> None:
        """With `personal`, readers with picks get no sections. With `empty`, there is a segment without papers."""
        self._connection = connection
        self._edition = edition
        self._edition_id = edition_id
        self._personal = personal
        self._empty = empty
        self._segments: dict[tuple[tuple[str, ...], str | None, frozenset[PaperId]], int | None] = {}
        self._without_papers: dict[tuple[tuple[str, ...], str | None], int] = {}
        self._matching: dict[tuple[str, ...], frozenset[PaperId]] = {}
        self._quick: dict[int, tuple[RecipientChoices, int | None]] = {}

    def segment_for(
        self, wanted: RecipientChoices, received: frozenset[PaperId] = _NOTHING, *, picked: bool = False
    ) -> int | None:
        """Return the segment for these preferences without the papers `received`.

        None if no papers are left and none were `picked` for the subscriber.
        """
        if picked and self._personal:
            return self._empty_segment(wanted)
        found = self._look_up(wanted, received) if received else self._quick_look_up(wanted)
        return self._empty_segment(wanted) if found is None and picked else found

    def _quick_look_up(self, wanted: RecipientChoices) -> int | None:
        # Equal preferences are the same object, so most lookups are by identity. The pair keeps the object alive.
        quick = self._quick.get(id(wanted))
        if quick is None:
            quick = self._quick[id(wanted)] = (wanted, self._look_up(wanted, _NOTHING))
        return quick[1]

    def _look_up(self, wanted: RecipientChoices, received: frozenset[PaperId]) -> int | None:
        if wanted.topics not in self._matching:
            self._matching[wanted.topics] = matching(self._edition, wanted.topics)
        key = (wanted.topics, wanted.language, received & self._matching[wanted.topics])
        if key not in self._segments:
            self._segments[key] = self._make(*key)
        return self._segments[key]

    def _make(self, topics: tuple[str, ...], language: str | None, without: frozenset[PaperId]) -> int | None:
        sections = for_segment(self._edition, topics, without)
        if not sections and not self._empty:
            return None
        return editions.add_segment(self._connection, self._edition_id, topics, sections, language)

    def _empty_segment(self, wanted: RecipientChoices) -> int:
        key = (wanted.topics, wanted.language)
        if key not in self._without_papers:
            self._without_papers[key] = editions.add_segment(
                self._connection, self._edition_id, wanted.topics, (), wanted.language
            )
        return self._without_papers[key]
