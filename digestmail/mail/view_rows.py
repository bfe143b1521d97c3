"""Converts the papers of an edition to template variables: plain text of limited length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from w3lib.url import safe_url_string

from digestmail.mail.placeholders import single_line
from digestmail.model.papers import Paper
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import Entry
from digestmail.model.summaries import PaperSummary, summary_in
from digestmail.model.theme import Appearance, Layout
from digestmail.papers.identity import find_arxiv_id
from digestmail.text.key_sentence import key_sentence
from digestmail.text.paths import paper_path
from digestmail.text.truncate import at_sentence, at_word

TITLE_LENGTH: Final = 300
NAME_LENGTH: Final = 80
_LIKED_LENGTH: Final = 120
_URL_LENGTH: Final = 800
_FULL_TEXT: Final = 520
_LEAST_BELOW_POINT: Final = 200
_POINT: Final = 320
_STATEMENT: Final = 200
_READ: Final = 3_000
"""Characters of an abstract that are looked at."""
_SUMMARY_TEXT: Final = 240
_LONGEST_BAR: Final = 100
_SHORTEST_BAR: Final = 2
_HIGHEST_COUNT: Final = 999_999_999
_NAMES_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link of a paper. `kind` is `paper`, `pdf`, `discussion`, `code`, `project` or `cite`."""

    kind: str
    url: str
    site: str
    """The host of the link, without `www.`."""
    count: int | None = None
    """The number of comments of a discussion, or of stars of code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A paper in templates: single-line texts of limited length; links are http or https or None."""

    number: int
    """Its number in the email, from 1 down the page."""
    rank: int
    """By score, from 1; the first paper of the email has 1. To fit the size limit, high rank numbers are cut first."""
    position: int | None
    """Where the paper is in the edition, from 1: its number in feedback links."""
    title: str
    link: str | None
    authors: tuple[str, ...]
    more_authors: int
    organization: str
    day: date | None
    point: str
    """One sentence, before the abstract: a summary, or the sentence of the abstract that states the result."""
    points: tuple[str, ...]
    """Three statements of a language model, after its sentence; in the layout `compact` none."""
    text: str
    """The abstract, without `point` if that is a part of it; in the layout `compact`, one sentence."""
    by_machine: bool
    """Whether `point` and `points`, or in the layout `compact` `text`, are generated."""
    headline: bool
    upvotes: int | None
    bar: int
    """Upvotes as a percentage of the most upvoted paper's; in `upvoted`, of its first row's."""
    comments: int | None
    """The number of comments, if no link shows it."""
    links: tuple[Link, ...]
    thumbnail: str | None
    """The https URL of an image, if the digest shows images."""
    reasons: Mapping[str, tuple[str, ...]]
    """Why the paper matches its topic: `keywords`, `categories`, `authors` or `similar`. In the section "For you", why
    it was picked: `author`, `liked`, `reading-list`, `interests` or `exploration`."""


def build_row(
    entry: Entry,
    look: Appearance,
    *,
    number: int,
    rank: int,
    position: int | None,
    reasons: Mapping[str, tuple[str, ...]],
    most_upvotes: int,
    base_url: str | None,
) -> Row:
    """Return a paper as templates show it, in the language of `look`; `most_upvotes` are the most in the email."""
    paper, signals = entry.paper, entry.signals
    upvotes = shown_count(signals.upvotes)
    written = summary_in(entry.summaries, look.language)
    point, points, text, by_machine = _texts(paper.abstract, paper.summary or "", written, look.layout)
    links = tuple(_links(entry, base_url))
    return Row(
        number=number,
        rank=rank,
        position=position,
        title=at_word(single_line(paper.title), TITLE_LENGTH),
        link=web_link(paper.link),
        authors=names_of(paper.authors),
        more_authors=max(len(paper.authors) - _NAMES_SHOWN, 0),
        organization=at_word(single_line(paper.organization or ""), NAME_LENGTH),
        day=paper.published_at.date() if paper.published_at else None,
        point=point,
        points=points,
        text=text,
        by_machine=by_machine,
        headline=False,
        upvotes=upvotes,
        bar=bar_width(upvotes, most_upvotes) if upvotes else 0,
        comments=None if any(link.kind == "discussion" for link in links) else shown_count(signals.comments),
        links=links,
        thumbnail=_thumbnail(paper) if look.thumbnails else None,
        reasons=reasons,
    )


@lru_cache(maxsize=512)
def _texts(
    raw_abstract: str, raw_summary: str, written: PaperSummary | None, layout: Layout
) -> tuple[str, tuple[str, ...], str, bool]:
    """Return the point, the points and the text that are shown of a paper, and whether the first of them is generated.

    What the language model of this newsletter wrote is preferred to the summary of a source.
    """
    # The emails of an edition's readers have mostly the same papers.
    abstract = single_line(raw_abstract[:_READ])
    summary = single_line((written.sentence if written else raw_summary)[:_READ])
    point = summary or key_sentence(abstract) or ""
    if layout is Layout.COMPACT:
        return "", (), at_sentence(point or abstract, _SUMMARY_TEXT), bool(summary)
    rest = " ".join(abstract.replace(point, "", 1).split()) if point else abstract
    shown = at_sentence(point, _POINT)
    points = tuple(at_word(single_line(one), _STATEMENT) for one in written.points) if written else ()
    left = _FULL_TEXT - len(shown) - sum(map(len, points))
    return shown, points, at_sentence(rest, max(left, _LEAST_BELOW_POINT)), bool(summary)


def _links(entry: Entry, base_url: str | None) -> Iterator[Link]:
    """Yield the distinct links of a paper."""
    paper, signals = entry.paper, entry.signals
    arxiv_id = find_arxiv_id(paper.id)
    seen = set()
    for kind, address, count in (
        ("paper", paper.link, None),
        ("pdf", f"https://arxiv.org/pdf/{arxiv_id}" if arxiv_id else None, None),
        ("discussion", paper.discussion_url, signals.comments),
        ("code", paper.code_url, signals.stars),
        ("project", paper.project_url, None),
        ("cite", f"{base_url}{paper_path(paper.id)}#cite" if base_url else None, None),
    ):
        url = web_link(address)
        if url is not None and url not in seen:
            seen.add(url)
            yield Link(kind=kind, url=url, site=_site(url), count=shown_count(count))


def _thumbnail(paper: Paper) -> str | None:
    url = web_link(paper.thumbnail_url)
    return url if url is not None and url.startswith("https://") else None


def bar_width(upvotes: int, most: int) -> int:
    """Return `upvotes` as a percentage of `most`, at least so much that the bar can be seen."""
    return max(_LONGEST_BAR * upvotes // most, _SHORTEST_BAR)


def shown_count(number: int | None) -> int | None:
    """Return a count as it is shown; None if it is unknown."""
    return None if number is None else min(max(number, 0), _HIGHEST_COUNT)


def why_matched(entry: Entry) -> dict[str, tuple[str, ...]]:
    """Return why a paper is in the section of its topic."""
    match = entry.match
    if match is None:
        return {}
    reasons = {
        "keywords": names_of(match.keywords),
        "categories": names_of(match.categories),
        "authors": names_of(match.authors),
        "similar": () if match.keywords else names_of(match.words),
    }
    return {kind: names for kind, names in reasons.items() if names}


def why_picked(reason: PickReason) -> dict[str, tuple[str, ...]]:
    """Return why a paper was picked."""
    if reason.kind in {PickKind.LIKED, PickKind.READING_LIST}:
        return {reason.kind.value: (at_word(single_line(reason.title), _LIKED_LENGTH),)}
    return {reason.kind.value: names_of(reason.names)}


def names_of(names: tuple[str, ...], most: int = _NAMES_SHOWN) -> tuple[str, ...]:
    """Return the first `most` names as they are shown."""
    return tuple(at_word(single_line(name), NAME_LENGTH) for name in names[:most])


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
