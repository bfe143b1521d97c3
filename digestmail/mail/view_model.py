"""Converts the sections of an edition to template variables: plain text of limited length.

The layout determines how much of each paper is shown. To fit the size limit, papers are cut, lowest-ranked first: their
texts are shortened, then left out, then papers are only counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum
from typing import Any, Final
from urllib.parse import urlsplit

from w3lib.url import safe_url_string

from digestmail.mail.placeholders import (
    feedback_placeholder,
    preferences_placeholder,
    single_line,
    unsubscribe_placeholder,
)
from digestmail.model.editions import Edition
from digestmail.model.papers import Paper
from digestmail.model.selection import Entry, Section
from digestmail.model.theme import Appearance, Layout
from digestmail.text.truncate import at_sentence, at_word

TITLE_LENGTH: Final = 300
_NAME_LENGTH: Final = 80
_URL_LENGTH: Final = 800
_FULL_TEXT: Final = 520
_SUMMARY_TEXT: Final = 240
_SHORT_TEXT: Final = {Layout.FULL: 240, Layout.COMPACT: 120, Layout.HEADLINES: 0}
_LONGEST_BAR: Final = 100
_SHORTEST_BAR: Final = 2
_BARS: Final = 5
_FEWEST_BARS: Final = 3
_HIGHEST_COUNT: Final = 999_999_999
_NAMES_SHOWN: Final = 3
_DIGESTS_SHOWN: Final = 20


class _Detail(IntEnum):
    """How much of a paper is shown."""

    DROPPED = 0
    HEADLINE = 1
    SHORT = 2
    FULL = 3


CUTS_PER_PAPER: Final = int(_Detail.FULL)
"""How often a paper can be cut until it is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link of a paper. `kind` is `paper`, `discussion`, `code` or `project`."""

    kind: str
    url: str
    site: str
    """The host of the link, without `www.`."""
    count: int | None = None
    """The number of comments of a discussion, or of stars of code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A paper in templates: single-line texts of limited length; links are http or https or None."""

    rank: int
    position: int | None
    """Where the paper is in the edition, from 1: its number in feedback links."""
    title: str
    link: str | None
    authors: tuple[str, ...]
    more_authors: int
    organization: str
    day: date | None
    text: str
    by_machine: bool
    """Whether `text` is a generated summary instead of the authors' abstract."""
    headline: bool
    upvotes: int | None
    bar: int
    """Upvotes as a percentage of the most upvoted paper's."""
    comments: int | None
    """The number of comments, if no link shows it."""
    links: tuple[Link, ...]
    thumbnail: str | None
    """The https URL of an image, if the digest shows images."""
    reasons: Mapping[str, tuple[str, ...]]
    """`keywords`, `categories`, `authors` or `similar`: why the paper matches its topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A section in templates. `topic` is empty for papers that match no topic."""

    topic: str
    anchor: str
    rows: tuple[Row, ...]
    more: int


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
    }


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
        "digests": _names(digests, _DIGESTS_SHOWN),
        "steps": [(what, at_word(single_line(name), TITLE_LENGTH)) for what, name in steps],
        "action_url": action_url,
        "preferences_url": preferences_url,
        "unsubscribe_url": None,
        "archive_url": None,
    }


def build_blocks(edition: Edition, sections: tuple[Section, ...], look: Appearance) -> tuple[Block, ...]:
    """Convert `sections` of `edition`. Papers are ranked among themselves: a segment may not have all papers."""
    positions = {entry.paper.id: position for position, entry in enumerate(edition.entries, start=1)}
    entries = sorted((entry for section in sections for entry in section.entries), key=lambda entry: entry.rank)
    ranks = {entry.paper.id: rank for rank, entry in enumerate(entries, start=1)}
    most = max((_count(entry.signals.upvotes) or 0 for entry in entries), default=0)
    return tuple(
        Block(
            topic=at_word(single_line(section.topic or ""), _NAME_LENGTH),
            anchor=f"topic-{number}",
            rows=tuple(
                replace(_row(entry, ranks[entry.paper.id], most, look), position=positions.get(entry.paper.id))
                for entry in section.entries
            ),
            more=section.more,
        )
        for number, section in enumerate(sections, start=1)
    )


def content_after(blocks: tuple[Block, ...], ranks: int, steps: int, layout: Layout = Layout.FULL) -> dict[str, Any]:
    """Return the papers in `layout` after `steps` cuts."""
    cut = tuple(_cut(block, ranks, steps, layout) for block in blocks)
    rows = sorted((row for block in blocks for row in block.rows), key=lambda row: row.rank)
    return {
        "sections": tuple(block for block in cut if block.rows),
        "count": ranks,
        "top": rows[0] if rows else None,
        "runners_up": tuple(rows[1:3]),
        "upvoted": _upvoted(rows),
        "left_over": sum(block.more for block in cut if not block.rows),
    }


def only_row(blocks: tuple[Block, ...], rank: int) -> tuple[Block, ...]:
    """Return the blocks with only the paper of this rank."""
    kept = (replace(block, rows=tuple(row for row in block.rows if row.rank == rank)) for block in blocks)
    return tuple(block for block in kept if block.rows)


def _upvoted(rows: list[Row]) -> tuple[Row, ...]:
    """Return the most upvoted papers, most first; nothing if there are too few to compare."""
    voted = sorted((row for row in rows if row.upvotes), key=lambda row: -(row.upvotes or 0))
    return tuple(voted[:_BARS]) if len(voted) >= _FEWEST_BARS else ()


def _cut(block: Block, ranks: int, steps: int, layout: Layout) -> Block:
    rows = tuple(_shown(row, _detail(row.rank, ranks, steps), layout) for row in block.rows)
    kept = tuple(row for row in rows if row is not None)
    return replace(block, rows=kept, more=block.more + len(rows) - len(kept))


def _detail(rank: int, ranks: int, steps: int) -> _Detail:
    """Return how much of the paper of this rank is shown. Cuts cycle from the last rank to the first."""
    rounds = -(-(steps - (ranks - rank)) // ranks)
    return _Detail(_Detail.FULL - min(max(rounds, 0), CUTS_PER_PAPER))


def _shown(row: Row, detail: _Detail, layout: Layout) -> Row | None:
    if detail is _Detail.DROPPED:
        return None
    if detail is _Detail.HEADLINE or layout is Layout.HEADLINES:
        return replace(row, headline=True)
    return replace(row, text=at_sentence(row.text, _SHORT_TEXT[layout])) if detail is _Detail.SHORT else row


def _row(entry: Entry, rank: int, most: int, look: Appearance) -> Row:
    paper, signals = entry.paper, entry.signals
    upvotes = _count(signals.upvotes)
    text, by_machine = _text(paper, look.layout)
    links = tuple(_links(entry))
    return Row(
        rank=rank,
        position=None,
        title=at_word(single_line(paper.title), TITLE_LENGTH),
        link=web_link(paper.link),
        authors=_names(paper.authors),
        more_authors=max(len(paper.authors) - _NAMES_SHOWN, 0),
        organization=at_word(single_line(paper.organization or ""), _NAME_LENGTH),
        day=paper.published_at.date() if paper.published_at else None,
        text=text,
        by_machine=by_machine,
        headline=False,
        upvotes=upvotes,
        bar=max(_LONGEST_BAR * upvotes // most, _SHORTEST_BAR) if upvotes else 0,
        comments=None if any(link.kind == "discussion" for link in links) else _count(signals.comments),
        links=links,
        thumbnail=_thumbnail(paper) if look.thumbnails else None,
        reasons=_reasons(entry),
    )


def _text(paper: Paper, layout: Layout) -> tuple[str, bool]:
    """Return the text that is shown of a paper, and whether it is a generated summary."""
    abstract, summary = paper.abstract, paper.summary or ""
    by_machine = bool(summary) and (layout is Layout.COMPACT or not abstract)
    chosen = single_line((summary if by_machine else abstract)[: 3 * _FULL_TEXT])
    return at_sentence(chosen, _SUMMARY_TEXT if layout is Layout.COMPACT else _FULL_TEXT), by_machine


def _links(entry: Entry) -> Iterator[Link]:
    """Yield the distinct links of a paper."""
    paper, signals = entry.paper, entry.signals
    seen = set()
    for kind, address, count in (
        ("paper", paper.link, None),
        ("discussion", paper.discussion_url, signals.comments),
        ("code", paper.code_url, signals.stars),
        ("project", paper.project_url, None),
    ):
        url = web_link(address)
        if url is not None and url not in seen:
            seen.add(url)
            yield Link(kind=kind, url=url, site=_site(url), count=_count(count))


def _thumbnail(paper: Paper) -> str | None:
    url = web_link(paper.thumbnail_url)
    return url if url is not None and url.startswith("https://") else None


def _count(number: int | None) -> int | None:
    return None if number is None else min(max(number, 0), _HIGHEST_COUNT)


def _reasons(entry: Entry) -> dict[str, tuple[str, ...]]:
    match = entry.match
    if match is None:
        return {}
    reasons = {
        "keywords": _names(match.keywords),
        "categories": _names(match.categories),
        "authors": _names(match.authors),
        "similar": _names(match.words),
    }
    return {kind: names for kind, names in reasons.items() if names}


def _names(names: tuple[str, ...], most: int = _NAMES_SHOWN) -> tuple[str, ...]:
    return tuple(at_word(single_line(name), _NAME_LENGTH) for name in names[:most])


def web_link(url: str | None) -> str | None:
    """Return `url` percent-encoded if it is an http or https URL of reasonable length, else None."""
    if not url or len(url) > _URL_LENGTH:
        return None
    try:
        safe = safe_url_string(single_line(url))
        parts = urlsplit(safe)
    except ValueError:
        return None
    return safe if parts.scheme in {"http", "https"} and parts.hostname and len(safe) <= _URL_LENGTH else None


def _site(link: str) -> str:
    return (urlsplit(link).hostname or "").removeprefix("www.")
