"""Picks papers for the readers of an edition about whom something is known: the section "For you"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.papers import PaperId
from digestmail.model.personal import KnownPaper, Opinion, Pick, PickKind, PickReason, Profile, Taste
from digestmail.model.selection import Entry, PersonalSection
from digestmail.storage import feedback, papers, picks, profiles, topic_models
from digestmail.storage.picks import NewReason

if TYPE_CHECKING:
    from digestmail.selection.personal import Picker, Ranked

_READERS_AT_ONCE: Final = 2_000
"""Whose feedback is in memory at the same time."""
_PROFILES_AT_ONCE: Final = 50
"""The same, if readers have profiles: one can have 5 MB."""
_MOST_RATED: Final = 50_000
"""Papers that readers gave feedback on, the newest. Each takes half a millisecond."""
_MOST_COMPARED: Final = 50_000_000
"""How often one of them is compared with one that can be picked, at four bytes."""
_RECENT_PAPERS: Final = 2_000
"""In them it is counted how rare a word is."""
_OF_ONE_READER: Final = frozenset({PickKind.READING_LIST})
"""Reasons with a title that perhaps only this reader knows."""
Readers = Mapping[int, frozenset[PaperId]]
"""By subscriber id, in order: which of the papers that can be picked they received before."""


class ReaderPicks:
    """Picks papers of one slot of a digest for readers."""

    def __init__(self, connection: Connection, digest: Digest, edition: Edition, pickable: Sequence[Entry]) -> None:
        """`pickable` are the papers that can be picked, by rank: those of the edition, and others."""
        self._connection = connection
        self._digest = digest
        self._edition = edition
        self._pickable = pickable if digest.most_picks else ()
        self._rows: dict[int, PaperId] | None = None
        self._picker: Picker | None = None

    def pick(self, readers: Readers) -> Iterator[tuple[int, tuple[Pick, ...]]]:
        """Yield (subscriber id, picks, best first) of the readers for whom there are any, by id."""
        if not readers or not self.possible:
            return
        for some in self._batches(readers):
            known = list(self.tastes({subscriber_id: readers[subscriber_id] for subscriber_id in some}))
            found = self._ready().pick([taste for _, taste in known], self._digest.most_picks)
            yield from (
                (subscriber_id, picked) for (subscriber_id, _), picked in zip(known, found, strict=True) if picked
            )

    def _batches(self, readers: Readers) -> Iterator[list[int]]:
        """Yield the readers about whom something is known, by id, as many at once as memory allows."""
        owners = self._owners(readers)
        known = owners | feedback.raters_in_range(self._connection, min(readers), max(readers))
        batch: list[int] = []
        heavy = 0
        for subscriber_id in readers:
            if subscriber_id in known or self._common_profile is not None:
                batch.append(subscriber_id)
                heavy += subscriber_id in owners
            if len(batch) == _READERS_AT_ONCE or heavy == _PROFILES_AT_ONCE:
                yield batch
                batch, heavy = [], 0
        if batch:
            yield batch

    def _owners(self, readers: Readers) -> frozenset[int]:
        """Return the readers with a profile, and perhaps others."""
        if not self._have_profiles:
            return frozenset()
        return profiles.owners_in_range(self._connection, min(readers), max(readers))

    def rank(self, taste: Taste) -> list[Ranked]:
        """Return all papers that may be picked for a reader, the closest to their interests first."""
        return self._ready().rank(taste)

    def tastes(self, readers: Readers) -> Iterator[tuple[int, Taste]]:
        """Yield (subscriber id, what is known about their interests) of the readers with feedback or a profile."""
        opinions = feedback.opinions(self._connection, list(readers))
        with_profile = self._owners(readers) & readers.keys()
        own = profiles.of_each(self._connection, sorted(with_profile)) if with_profile else {}
        for subscriber_id, received in readers.items():
            given = opinions.get(subscriber_id, ())
            profile = own.get(subscriber_id, self._common_profile)
            if given or profile is not None:
                yield subscriber_id, self._taste(subscriber_id, given, profile, received)

    def _taste(
        self, subscriber_id: int, opinions: tuple[Opinion, ...], profile: Profile | None, received: frozenset[PaperId]
    ) -> Taste:
        if self._rows is None:
            ids = [entry.paper.id for entry in self._pickable]
            self._rows = {row_id: paper_id for paper_id, row_id in papers.row_ids(self._connection, ids).items()}
        rated = frozenset(self._rows[one.row_id] for one in opinions if one.row_id in self._rows)
        return Taste(
            opinions=opinions,
            profile=profile,
            without=received | rated,
            seed=f"{self._digest.name} {self._edition.slot.key} {subscriber_id}",
        )

    @cached_property
    def possible(self) -> bool:
        """Whether there are papers to pick, and any reader about whom something is known."""
        if not self._pickable:
            return False
        return self._common_profile is not None or self._have_profiles or feedback.any_stored(self._connection)

    @cached_property
    def _have_profiles(self) -> bool:
        return profiles.any_stored(self._connection)

    @cached_property
    def _common_profile(self) -> Profile | None:
        """The profile of readers who have none of their own, always the same object."""
        common = self._digest.profile
        return common and replace(common, papers=profiles.common_papers(self._connection))

    def _ready(self) -> Picker:
        # NumPy and SciPy take longer to import than most runs take for everything else.
        from digestmail.selection.personal import Picker

        if self._picker is None:
            recent = topic_models.newest_texts(self._connection, _RECENT_PAPERS)
            most_rated = min(_MOST_RATED, _MOST_COMPARED // max(len(self._pickable), 1))
            self._picker = Picker(
                [entry.paper for entry in self._pickable],
                [entry.score.total for entry in self._pickable],
                feedback.rated_papers(self._connection, self._digest.base, most_rated),
                self._edition.composed_at,
                [KnownPaper(title=title, abstract=abstract) for title, abstract, _ in recent],
            )
        return self._picker


class PickedPapers:
    """The picks of an edition's readers: numbered, and stored for rendering."""

    def __init__(self, edition: Edition, pickable: Sequence[Entry]) -> None:
        """`pickable` are the papers that can be picked."""
        self._edition = edition
        self._entries = {entry.paper.id: entry for entry in (*pickable, *edition.entries)}
        self._positions = {entry.paper.id: number for number, entry in enumerate(edition.entries, start=1)}
        self._packed_positions: dict[PaperId, bytes] = {}
        self._packed_numbers: dict[PickReason, bytes] = {}
        self._by_identity: dict[int, bytes] = {}
        self._new_papers: dict[int, Entry] = {}
        self._new_reasons: list[NewReason] = []
        self._reasons = 0
        self.first: PersonalSection | None = None
        """The section of the first reader with picks."""

    def packed(self, subscriber_id: int, picked: Sequence[Pick]) -> bytes:
        """Return the picks of a reader, of which there must be some, as `deliveries.picks` contains them.

        Each reader may occur once.
        """
        if self.first is None:
            self.first = self.section(picked)
        positions, numbers = self._packed_positions, self._by_identity
        own: dict[PickReason, bytes] = {}
        found: list[bytes] = []
        for one in picked:
            position = positions.get(one.paper_id) or self._pack_position(one.paper_id)
            # The picker gives the same objects to many readers, and looking up by value takes longer than all else.
            number = numbers.get(id(one.reason)) or self._pack_number(one.reason, subscriber_id, own)
            found += position, number
        return b"".join(found)

    def section(self, picked: Sequence[Pick]) -> PersonalSection:
        """Return the picks of a reader as the section of their email."""
        return PersonalSection(
            topic=None,
            entries=tuple(self._entries[one.paper_id] for one in picked),
            reasons=tuple(one.reason for one in picked),
            positions=tuple(self._position(one.paper_id) for one in picked),
        )

    def store(self, connection: Connection, edition_id: int) -> None:
        """Store the papers and reasons that are new since the last call."""
        picks.add_papers(connection, self._edition, edition_id, self._new_papers)
        picks.add_reasons(connection, edition_id, self._new_reasons)
        self._new_papers, self._new_reasons = {}, []

    def _position(self, paper_id: PaperId) -> int:
        """Return the position of a paper. Those that the edition does not contain follow in the order of their use."""
        return self._positions.setdefault(paper_id, len(self._positions) + 1)

    def _pack_position(self, paper_id: PaperId) -> bytes:
        position = self._position(paper_id)
        self._new_papers[position] = self._entries[paper_id]
        self._packed_positions[paper_id] = picks.pack_number(position)
        return self._packed_positions[paper_id]

    def _pack_number(self, reason: PickReason, subscriber_id: int, own: dict[PickReason, bytes]) -> bytes:
        """Return the number of a reason. `own` are those that only this reader may know, and are then forgotten."""
        is_own = reason.kind in _OF_ONE_READER
        known = own if is_own else self._packed_numbers
        if found := known.get(reason):
            return found
        owner = subscriber_id if is_own else None
        self._new_reasons.append(NewReason(number=self._reasons, reason=reason, subscriber_id=owner))
        number = known[reason] = picks.pack_number(self._reasons)
        self._reasons += 1
        if not is_own:
            # `known` keeps the object, so that no other one gets its identity.
            self._by_identity[id(reason)] = number
        return number
