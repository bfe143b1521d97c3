"""Decides which papers an assembled email shows, with how much of each. Pure.

The same as `view_model.build_blocks` and `view_model.content_after`, for parts that are rendered: papers are converted
once for all emails, and only numbers are computed for each.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from digestmail.mail.parts import not_shared
from digestmail.mail.view_model import Block, Detail, bars, build_block, detail_after, shown_row
from digestmail.mail.view_rows import Row, build_row, why_matched, why_picked
from digestmail.model.editions import Edition
from digestmail.model.papers import PaperId
from digestmail.model.personal import PickReason
from digestmail.model.selection import Entry, PersonalSection, Section
from digestmail.model.theme import Appearance, Layout

_MOST_PAPERS: Final = 20_000
_MOST_REASONS: Final = 50_000
_UNCUT: Final = int(Detail.FULL)


class PreparedPaper:
    """A paper of the edition under one topic, or in the section "For you"."""

    __slots__ = ("_by_detail", "_layout", "number", "row", "uncut", "upvotes")

    def __init__(self, number: int, row: Row, layout: Layout) -> None:
        """Take `number`, which is no other paper's. `row` has everything that is known, and no place in an email."""
        self.number = number
        self.row = row
        self.upvotes = row.upvotes
        self._layout = layout
        self._by_detail: dict[int, Row | None] = {}
        self.uncut = self.shown(_UNCUT) or row

    def shown(self, detail: int) -> Row | None:
        """Return the paper with this detail; None if it is only counted."""
        if detail not in self._by_detail:
            self._by_detail[detail] = shown_row(self.row, Detail(detail), self._layout)
        return self._by_detail[detail]


@dataclass(slots=True)
class Place:
    """A paper in an email."""

    paper: PreparedPaper
    paper_id: PaperId
    number: int
    reason: Hashable
    """The same for places with the same `reasons`."""
    picked: PickReason | None
    """Why it was picked, in the section "For you"."""
    detail: int
    """A `Detail`, of which Python computes the hash more slowly."""
    row: Row
    headline: bool

    @property
    def for_you(self) -> bool:
        """Whether the paper is in the section "For you"."""
        return self.picked is not None

    def reasons(self) -> Mapping[str, tuple[str, ...]]:
        """Return why the paper is in the email, which only depends on `reason`."""
        return self.paper.row.reasons if self.picked is None else why_picked(self.picked)


@dataclass(slots=True)
class PlannedSection:
    """A section with all its papers."""

    block: Block
    places: list[Place]


@dataclass(slots=True)
class Plan:
    """An email before cuts."""

    sections: list[PlannedSection]
    places: list[Place]
    """Those of all sections."""
    order: Sequence[Section]
    """The sections from which papers are cut."""


@dataclass(slots=True)
class ShownSection:
    """A section with the papers that are shown."""

    block: Block
    places: list[Place]
    more: int

    def counted(self) -> Block:
        """Return the section with the number of papers that are only counted."""
        return self.block if self.block.more == self.more else replace(self.block, more=self.more)

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What parts with `counted` depend on."""
        block = self.block
        return block.topic, block.for_you, block.anchor, self.more, block.more_url


@dataclass(slots=True)
class Shown:
    """What an email shows after some cuts: the variables of `content_after`."""

    sections: list[ShownSection]
    below_lead: list[ShownSection]
    lead: bool
    overview: bool
    count: int
    topics: int
    top: PreparedPaper | None
    runners_up: list[PreparedPaper]
    upvoted: list[tuple[PreparedPaper, int]]
    left_over: int

    @property
    def shape(self) -> tuple[bool, bool, int]:
        """What the cards of an email depend on."""
        return self.lead, self.overview, len(self.below_lead)


class Planner:
    """Plans the emails of one edition in one language."""

    def __init__(self, edition: Edition, look: Appearance, base_url: str | None) -> None:
        """`look` has the language."""
        self._edition = edition
        self._look = look
        self._base_url = base_url
        self._positions = {entry.paper.id: position for position, entry in enumerate(edition.entries, start=1)}
        self._papers: dict[tuple[PaperId, int | None, str | None, bool], PreparedPaper] = {}
        self._blocks: dict[tuple[str | None, bool, int], Block] = {}
        self._next = 0
        self._last = 0
        self._numbers: dict[PickReason, int] = {}
        self._reasons: dict[int, tuple[PickReason, int]] = {}
        """By the `id` of the object, which is faster than by its value."""

    def plan(self, sections: Sequence[Section]) -> Plan:
        """Return the email with `sections`, uncut."""
        planned: list[PlannedSection] = []
        places: list[Place] = []
        if len(self._papers) > _MOST_PAPERS:
            self._papers.clear()
        for at, section in enumerate(sections, start=1):
            found = []
            for entry, position, picked in self._placed(section):
                paper = self._paper(entry, position, section.topic, picked)
                row = paper.uncut
                reason = paper.number if picked is None else self._reason(picked)
                place = Place(paper, entry.paper.id, len(places) + 1, reason, picked, _UNCUT, row, row.headline)
                found.append(place)
                places.append(place)
            planned.append(PlannedSection(self._block(section, at), found))
        return Plan(planned, places, sections)

    def _reason(self, picked: PickReason) -> int:
        """Return a negative number that is no other reason's."""
        known = self._reasons.get(id(picked))
        if known is not None and known[0] is picked:
            return known[1]
        if len(self._reasons) > _MOST_REASONS:
            self._reasons.clear()
            self._numbers.clear()
        if picked not in self._numbers:
            self._last -= 1
            self._numbers[picked] = self._last
        self._reasons[id(picked)] = picked, self._numbers[picked]
        return self._numbers[picked]

    def after(self, plan: Plan, cuts: int) -> Shown:
        """Return what is shown after `cuts` cuts."""
        sections: list[ShownSection] = []
        left_over = 0
        ranks = _ranks(plan.order) if cuts else {}
        for planned in plan.sections:
            kept = planned.places if cuts == 0 else _cut(planned.places, ranks, len(plan.places), cuts)
            more = planned.block.more + len(planned.places) - len(kept)
            if kept:
                sections.append(ShownSection(planned.block, kept, more))
            else:
                left_over += more
        papers = [place.paper for place in plan.places]
        lead = bool(sections) and not sections[0].places[0].headline
        count = sum([len(section.places) for section in sections])
        others = papers[1:] if lead else papers
        upvoted = [(others[at], width) for at, width in bars([paper.upvotes for paper in others])]
        return Shown(
            sections=sections,
            below_lead=_below(sections) if lead else sections,
            lead=lead,
            overview=not lead or (count > 1 and bool(len(sections) > 1 or upvoted)),
            count=count,
            topics=sum([bool(section.block.topic) for section in sections]),
            top=papers[0] if papers else None,
            runners_up=papers[1:3],
            upvoted=upvoted,
            left_over=left_over,
        )

    def _placed(self, section: Section) -> list[tuple[Entry, int | None, PickReason | None]]:
        if isinstance(section, PersonalSection):
            return list(zip(section.entries, section.positions, section.reasons, strict=True))
        return [(entry, self._positions.get(entry.paper.id), None) for entry in section.entries]

    def _paper(self, entry: Entry, position: int | None, topic: str | None, picked: PickReason | None) -> PreparedPaper:
        key = (entry.paper.id, position, topic, picked is None)
        found = self._papers.get(key)
        if found is None:
            row = build_row(
                entry,
                self._look,
                number=0,
                rank=0,
                position=position,
                reasons=why_matched(entry),
                most_upvotes=1,
                base_url=self._base_url,
            )
            row = replace(row, number=not_shared("row.number"), rank=not_shared("row.rank"), bar=not_shared("row.bar"))
            if picked is not None:
                row = replace(row, reasons=not_shared("row.reasons"))
            self._next += 1
            found = self._papers[key] = PreparedPaper(self._next, row, self._look.layout)
        return found

    def _block(self, section: Section, number: int) -> Block:
        key = (section.topic, isinstance(section, PersonalSection), number)
        found = self._blocks.get(key)
        if found is None:
            found = replace(
                build_block(self._edition, section, number, self._base_url), rows=not_shared("section.rows")
            )
            self._blocks[key] = found
        return found if found.more == section.more else replace(found, more=section.more)


def _ranks(sections: Sequence[Section]) -> dict[PaperId, int]:
    """Return the order in which papers are kept: the first paper of the email, other picks, all others by score."""
    picked = [entry for section in sections if isinstance(section, PersonalSection) for entry in section.entries]
    others = [entry for section in sections if not isinstance(section, PersonalSection) for entry in section.entries]
    others.sort(key=lambda entry: entry.rank)
    first = [section.entries[0] for section in sections if section.entries][:1]
    paper_ids = dict.fromkeys([entry.paper.id for entry in (*first, *picked, *others)])
    return dict(zip(paper_ids, range(1, len(paper_ids) + 1), strict=True))


def _cut(places: Sequence[Place], ranks: Mapping[PaperId, int], papers: int, cuts: int) -> list[Place]:
    kept = []
    for place in places:
        detail = int(detail_after(ranks[place.paper_id], papers, cuts))
        row = place.paper.shown(detail)
        if row is not None:
            kept.append(replace(place, detail=detail, row=row, headline=row.headline))
    return kept


def _below(sections: Sequence[ShownSection]) -> list[ShownSection]:
    """Return the sections without the first paper, which stands above them."""
    first, *others = sections
    rest = first.places[1:]
    return [ShownSection(first.block, rest, first.more), *others] if rest else others
