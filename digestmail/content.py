"""What a mail shows: an edition's sections shaped for the templates, plain text only, each text of bounded length.

To fit a budget papers are cut, the lowest-ranked first: their texts are shortened, then left out, then they are only
counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum
from typing import Any, Final
from urllib.parse import urlsplit

from w3lib.url import safe_url_string

from digestmail.message import UNSUBSCRIBE_PLACE, one_line
from digestmail.model import Edition, Entry, Section

_TITLE_LENGTH: Final = 300
_NAME_LENGTH: Final = 80
_URL_LENGTH: Final = 800
_FULL_TEXT: Final = 480
_SHORT_TEXT: Final = 240
_BAR_WIDTH: Final = 120
_SHORTEST_BAR: Final = 3
_HIGHEST_COUNT: Final = 999_999_999
_NAMES_SHOWN: Final = 3

_SENTENCE_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bal)(?<!\bvs)(?<!\bcf)(?<!\bresp)(?<!\bFig)(?<!\bEq)(?<!\bSec)(?<!\b[A-Z])"
    r"[.!?][\"'\u201d\u2019)\]]*(?=\s+[^\sa-z])|[\u3002\uff01\uff1f]"
)


class _Detail(IntEnum):
    """How much of a paper is shown."""

    DROPPED = 0
    HEADLINE = 1
    SHORT = 2
    FULL = 3


CUTS_PER_PAPER: Final = int(_Detail.FULL)
"""How often a paper can be cut until it is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A paper as the templates see it: texts on one line and of bounded length, links http or https or None."""

    rank: int
    title: str
    link: str | None
    site: str
    """The host `link` leads to, without `www.`."""
    authors: tuple[str, ...]
    more_authors: int
    organization: str
    day: date | None
    text: str
    by_machine: bool
    """Whether `text` is a machine's summary and not the authors' abstract."""
    headline: bool
    upvotes: int | None
    bar: int
    """Length of the upvotes bar in pixels."""
    comments: int | None
    discussion_url: str | None
    code_url: str | None
    stars: int | None
    project_url: str | None
    reasons: Mapping[str, tuple[str, ...]]
    """`keywords`, `categories`, `authors`, `similar`: why it stands under its topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A section as the templates see it. `topic` is empty for what matches no topic."""

    topic: str
    anchor: str
    rows: tuple[Row, ...]
    more: int


def shape_frame(edition: Edition, base_url: str | None) -> dict[str, Any]:
    """Return what a mail of `edition` shows whatever papers it holds."""
    return {
        "title": at_word(one_line(edition.title), _TITLE_LENGTH),
        "byline": at_word(one_line(edition.byline), _TITLE_LENGTH),
        "day": edition.slot.day,
        "unsubscribe_url": UNSUBSCRIBE_PLACE,
        "archive_url": None if base_url is None else f"{base_url}/{edition.digest}/{edition.slot.key}",
    }


def shape_blocks(sections: tuple[Section, ...]) -> tuple[Block, ...]:
    """Shape the sections; papers are ranked among themselves, for a segment may not get all of an edition's."""
    entries = sorted((entry for section in sections for entry in section.entries), key=lambda entry: entry.rank)
    ranks = {entry.paper.id: rank for rank, entry in enumerate(entries, start=1)}
    most = max((_count(entry.signals.upvotes) or 0 for entry in entries), default=0)
    return tuple(
        Block(
            topic=at_word(one_line(section.topic or ""), _NAME_LENGTH),
            anchor=f"topic-{number}",
            rows=tuple(_row(entry, ranks[entry.paper.id], most) for entry in section.entries),
            more=section.more,
        )
        for number, section in enumerate(sections, start=1)
    )


def content_after(blocks: tuple[Block, ...], ranks: int, steps: int) -> dict[str, Any]:
    """Return the papers as shown after `steps` cuts."""
    cut = tuple(_cut(block, ranks, steps) for block in blocks)
    shown = tuple(block for block in cut if block.rows)
    rows = sorted((row for block in blocks for row in block.rows), key=lambda row: row.rank)
    return {
        "sections": shown,
        "count": ranks,
        "top": rows[0] if rows else None,
        "runners_up": tuple(rows[1:3]),
        "left_over": sum(block.more for block in cut if not block.rows),
    }


def _cut(block: Block, ranks: int, steps: int) -> Block:
    rows = tuple(_shown(row, _detail(row.rank, ranks, steps)) for row in block.rows)
    kept = tuple(row for row in rows if row is not None)
    return replace(block, rows=kept, more=block.more + len(rows) - len(kept))


def _detail(rank: int, ranks: int, steps: int) -> _Detail:
    """Return how much is shown of the paper of this rank: cuts go round from the last rank to the first."""
    rounds = -(-(steps - (ranks - rank)) // ranks)
    return _Detail(_Detail.FULL - min(max(rounds, 0), CUTS_PER_PAPER))


def _shown(row: Row, detail: _Detail) -> Row | None:
    if detail is _Detail.DROPPED:
        return None
    if detail is _Detail.HEADLINE:
        return replace(row, headline=True)
    return replace(row, text=at_sentence(row.text, _SHORT_TEXT)) if detail is _Detail.SHORT else row


def _row(entry: Entry, rank: int, most: int) -> Row:
    paper, signals = entry.paper, entry.signals
    upvotes = _count(signals.upvotes)
    link = _web_link(paper.link)
    return Row(
        rank=rank,
        title=at_word(one_line(paper.title), _TITLE_LENGTH),
        link=link,
        site=_site(link),
        authors=_names(paper.authors),
        more_authors=max(len(paper.authors) - _NAMES_SHOWN, 0),
        organization=at_word(one_line(paper.organization or ""), _NAME_LENGTH),
        day=paper.published_at.date() if paper.published_at else None,
        text=at_sentence(one_line((paper.summary or paper.abstract)[: 10 * _FULL_TEXT]), _FULL_TEXT),
        by_machine=bool(paper.summary),
        headline=False,
        upvotes=upvotes,
        bar=max(_BAR_WIDTH * upvotes // most, _SHORTEST_BAR) if upvotes else 0,
        comments=_count(signals.comments),
        discussion_url=_web_link(paper.discussion_url),
        code_url=_web_link(paper.code_url),
        stars=_count(signals.stars),
        project_url=_web_link(paper.project_url),
        reasons=_reasons(entry),
    )


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
        "similar": _names(match.similar_words),
    }
    return {kind: names for kind, names in reasons.items() if names}


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(at_word(one_line(name), _NAME_LENGTH) for name in names[:_NAMES_SHOWN])


def _web_link(url: str | None) -> str | None:
    """Return `url` percent-encoded if it is an http or https address of bearable length, else None."""
    if not url or len(url) > _URL_LENGTH:
        return None
    try:
        safe = safe_url_string(one_line(url))
        parts = urlsplit(safe)
    except ValueError:
        return None
    return safe if parts.scheme in {"http", "https"} and parts.hostname and len(safe) <= _URL_LENGTH else None


def _site(link: str | None) -> str:
    return ((urlsplit(link).hostname or "") if link else "").removeprefix("www.")


def at_sentence(text: str, limit: int) -> str:
    """Shorten `text` to at most `limit` characters, at a sentence end if one is not too early, else at a word."""
    if len(text) <= limit:
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: limit + 2]) if match.end() <= limit]
    if ends and ends[-1] >= limit // 3:
        return text[: ends[-1]]
    return at_word(text, limit)


def at_word(text: str, limit: int) -> str:
    """Shorten `text` to at most `limit` characters, at a space if there is one not too early, and mark the cut."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ") if text[limit - 1] != " " else limit
    if space > limit // 2:
        cut = cut[:space]
    return cut.rstrip(" ,;:.-\u2013\u2014(") + "\u2026"
