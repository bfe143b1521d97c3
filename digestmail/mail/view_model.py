"""Converts the sections of an edition to template variables: plain text of limited length.

The layout determines how much of each paper is shown. To fit the size limit, papers are cut, lowest-ranked first: their
links to citations and the statements of a language model are left out, then their texts are shortened, then left out,
then papers are only counted. Of a shortened text with a point, only the point remains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from itertools import count
from typing import Any, Final
from urllib.parse import quote, urlencode

from digestmail.mail.placeholders import (
    feedback_placeholder,
    preferences_placeholder,
    single_line,
    unsubscribe_placeholder,
)
from digestmail.mail.view_rows import (
    NAME_LENGTH,
    TITLE_LENGTH,
    Row,
    bar_width,
    build_row,
    names_of,
    shown_count,
    why_matched,
    why_picked,
)
from digestmail.model.editions import Announcement, Edition
from digestmail.model.papers import PaperId
from digestmail.model.selection import Entry, PersonalSection, Section
from digestmail.model.theme import Appearance, Layout
from digestmail.text.truncate import at_sentence, at_word

_SHORT_TEXT: Final = {Layout.FULL: 240, Layout.COMPACT: 120, Layout.HEADLINES: 0}
_BARS: Final = 5
_FEWEST_BARS: Final = 3
_DIGESTS_SHOWN: Final = 20


class Detail(IntEnum):
    """How much of a paper is shown."""

    DROPPED = 0
    HEADLINE = 1
    SHORT = 2
    WITHOUT_CITE = 3
    FULL = 4


CUTS_PER_PAPER: Final = int(Detail.FULL)
"""How often a paper can be cut until it is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A section in templates. `topic` is empty for papers that match no topic, and for the section "For you"."""

    topic: str
    for_you: bool
    anchor: str
    rows: tuple[Row, ...]
    more: int
    more_url: str | None = None
    """The page with the papers that are only counted; None without web pages."""


def build_frame(edition: Edition, base_url: str | None, nonce: str, *, feedback: bool = False) -> dict[str, Any]:
    """Return the template variables of `edition` besides its papers. Without web pages there are no links to them.

    `nonce` is the random part of the placeholders for personal links. `feedback` adds the links beside each paper.
    """
    path = f"{edition.base}/{edition.slot.key}" if edition.digest == edition.base else edition.base
    return {
        "title": at_word(single_line(edition.title), TITLE_LENGTH),
        "byline": at_word(single_line(edition.byline), TITLE_LENGTH),
        "day": edition.slot.day,
        "unsubscribe_url": unsubscribe_placeholder(nonce),
        "preferences_url": None if base_url is None else preferences_placeholder(nonce),
        "feedback_url": f"{feedback_placeholder(nonce)}/{edition.key}" if feedback and base_url is not None else None,
        "archive_url": None if base_url is None else f"{base_url}/{path}",
        "all_papers_url": _all_papers_url(edition, base_url),
    }


def _all_papers_url(edition: Edition, base_url: str | None, topic: str | None = None) -> str | None:
    """Return the page with all papers that qualified for an edition, or those of a topic (empty: of none).

    That of a catch-up edition would say when a reader was away; its papers are among all that were collected.
    """
    if base_url is None:
        return None
    if edition.since is None:
        path, query = f"/{edition.base}/{edition.key}/papers", {}
    else:
        path, query = "/papers", {"to": edition.slot.day.isoformat()}
    if topic is not None:
        query = {"topic": topic} | query
    return base_url + path + (f"?{urlencode(query, quote_via=quote)}" if query else "")


def build_notice(
    title: str,
    digests: tuple[str, ...],
    action_url: str | None,
    preferences_url: str | None,
    steps: tuple[tuple[str, str], ...] = (),
) -> dict[str, Any]:
    """Return the template variables of a notice."""
    return {
        "title": at_word(single_line(title), TITLE_LENGTH),
        "digests": names_of(digests, _DIGESTS_SHOWN),
        "steps": [(what, at_word(single_line(name), TITLE_LENGTH)) for what, name in steps],
        "action_url": action_url,
        "preferences_url": preferences_url,
        "unsubscribe_url": None,
        "archive_url": None,
    }


def build_announcement(announcement: Announcement, language: str) -> dict[str, Any]:
    """Return the template variables of an announcement in `language`; the web pages do not show it."""
    from digestmail.mail import announcements, markdown

    body = announcements.body_of(announcement)
    return {
        "subject": announcement.subject,
        "first_paragraph": markdown.first_paragraph(body),
        "body_lang": language,
        "body_html": partial(markdown.to_html, body),
        "body_text": markdown.to_text(body),
        "archive_url": None,
    }


def build_blocks(
    edition: Edition, sections: tuple[Section, ...], look: Appearance, base_url: str | None = None
) -> tuple[Block, ...]:
    """Convert `sections` of `edition`, in their order. Papers are numbered through the email.

    They are also ranked among themselves, because a segment may not have all papers: the first paper of the email, the
    other picks for the reader, and all others by score.
    """
    numbers = count(1)
    positions = {entry.paper.id: position for position, entry in enumerate(edition.entries, start=1)}
    picked = [entry for section in sections if isinstance(section, PersonalSection) for entry in section.entries]
    others = [entry for section in sections if not isinstance(section, PersonalSection) for entry in section.entries]
    first = [section.entries[0] for section in sections if section.entries][:1]
    entries = [*first, *picked, *sorted(others, key=lambda entry: entry.rank)]
    paper_ids = dict.fromkeys(entry.paper.id for entry in entries)
    ranks = {paper_id: rank for rank, paper_id in enumerate(paper_ids, start=1)}
    most = max((shown_count(entry.signals.upvotes) or 0 for entry in entries), default=0)
    return tuple(
        replace(
            build_block(edition, section, number, base_url),
            rows=tuple(
                build_row(
                    entry,
                    look,
                    number=next(numbers),
                    rank=ranks[entry.paper.id],
                    position=position,
                    reasons=reasons,
                    most_upvotes=most,
                    base_url=base_url,
                )
                for entry, position, reasons in _placed(section, positions)
            ),
        )
        for number, section in enumerate(sections, start=1)
    )


def build_block(edition: Edition, section: Section, number: int, base_url: str | None) -> Block:
    """Convert the section with this number in the email, without its papers."""
    for_you = isinstance(section, PersonalSection)
    return Block(
        topic=at_word(single_line(section.topic or ""), NAME_LENGTH),
        for_you=for_you,
        anchor="for-you" if for_you else f"topic-{number}",
        rows=(),
        more=section.more,
        more_url=_all_papers_url(edition, base_url, section.topic or ""),
    )


def _placed(
    section: Section, positions: Mapping[PaperId, int]
) -> Iterator[tuple[Entry, int | None, dict[str, tuple[str, ...]]]]:
    """Yield each paper of a section with its position in the edition, and why it is in the section."""
    if isinstance(section, PersonalSection):
        yield from zip(section.entries, section.positions, map(why_picked, section.reasons), strict=True)
    else:
        yield from ((entry, positions.get(entry.paper.id), why_matched(entry)) for entry in section.entries)


def content_after(blocks: tuple[Block, ...], ranks: int, steps: int, layout: Layout = Layout.FULL) -> dict[str, Any]:
    """Return the papers in `layout` after `steps` cuts, of which a `lead` that is not a headline stands above all."""
    cut = tuple(_cut(block, ranks, steps, layout) for block in blocks)
    sections = tuple(block for block in cut if block.rows)
    rows = [row for block in blocks for row in block.rows]
    first = sections[0].rows[0] if sections else None
    lead = first if first is not None and not first.headline else None
    shown = sum(len(block.rows) for block in sections)
    upvoted = _upvoted(rows[1:] if lead else rows)
    return {
        "sections": sections,
        "lead": lead,
        "below_lead": tuple(_below(sections)) if lead else sections,
        "overview": lead is None or (shown > 1 and bool(len(sections) > 1 or upvoted)),
        "count": shown,
        "top": rows[0] if rows else None,
        "runners_up": tuple(rows[1:3]),
        "upvoted": upvoted,
        "left_over": sum(block.more for block in cut if not block.rows),
    }


def shortened_after(ranks: int, steps: int) -> int:
    """Return the texts of how many papers are shortened, or left out, after `steps` cuts."""
    return min(max(steps - ranks * (Detail.FULL - Detail.WITHOUT_CITE), 0), ranks)


def _below(sections: tuple[Block, ...]) -> Iterator[Block]:
    """Yield the sections without the first paper, which stands above them."""
    first, *others = sections
    if rest := first.rows[1:]:
        yield replace(first, rows=rest)
    yield from others


def only_row(blocks: tuple[Block, ...], rank: int) -> tuple[Block, ...]:
    """Return the blocks with only the paper of this rank."""
    kept = (replace(block, rows=tuple(row for row in block.rows if row.rank == rank)) for block in blocks)
    return tuple(block for block in kept if block.rows)


def _upvoted(rows: list[Row]) -> tuple[Row, ...]:
    """Return the most upvoted papers, most first, with bars in proportion; none if there are too few to compare."""
    return tuple(replace(rows[at], bar=bar) for at, bar in bars([row.upvotes for row in rows]))


def bars(upvotes: Sequence[int | None]) -> list[tuple[int, int]]:
    """Return (index, width of the bar in percent) of the most upvoted papers, most first.

    There are none if too few papers have upvotes to compare.
    """
    voted = sorted([(-number, at) for at, number in enumerate(upvotes) if number])
    if len(voted) < _FEWEST_BARS:
        return []
    return [(at, bar_width(-number, -voted[0][0])) for number, at in voted[:_BARS]]


def _cut(block: Block, ranks: int, steps: int, layout: Layout) -> Block:
    rows = tuple(shown_row(row, detail_after(row.rank, ranks, steps), layout) for row in block.rows)
    kept = tuple(row for row in rows if row is not None)
    return replace(block, rows=kept, more=block.more + len(rows) - len(kept))


def detail_after(rank: int, ranks: int, steps: int) -> Detail:
    """Return how much of the paper of this rank is shown. Cuts cycle from the last rank to the first."""
    rounds = -(-(steps - (ranks - rank)) // ranks)
    return Detail(Detail.FULL - min(max(rounds, 0), CUTS_PER_PAPER))


def shown_row(row: Row, detail: Detail, layout: Layout) -> Row | None:
    """Return a paper with this detail; None if it is only counted."""
    if detail is Detail.DROPPED:
        return None
    if detail is Detail.HEADLINE or layout is Layout.HEADLINES:
        return replace(row, headline=True)
    if detail is Detail.FULL:
        return row
    if detail is Detail.WITHOUT_CITE:
        return replace(_without(row, "cite"), points=())
    return replace(
        _without(row, "cite", "pdf"), points=(), text="" if row.point else at_sentence(row.text, _SHORT_TEXT[layout])
    )


def _without(row: Row, *kinds: str) -> Row:
    return replace(row, links=tuple(link for link in row.links if link.kind not in kinds))
