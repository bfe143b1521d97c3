"""Rendering: an edition's sections become the words of a mail, Jinja2 -> MJML -> HTML beside a text part of its own.

Every sentence stands in `templates/`. This module shapes what goes into them, plain text only, and keeps what comes
out under the byte budget.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import IntEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mjml import mjml2html
from w3lib.url import safe_url_string

from digestmail.errors import RenderError
from digestmail.message import UNSUBSCRIBE_PLACE, one_line, quoted_printable
from digestmail.model import Edition, Entry, Rendered, Section

HTML_BUDGET: Final = 98_500
"""Octets of the encoded HTML part. Gmail clips near 102,000; the promise is 100,000, the rest is for long links."""
SUBJECT_LENGTH: Final = 150

_TITLE_LENGTH: Final = 300
_NAME_LENGTH: Final = 80
_URL_LENGTH: Final = 800
_FULL_TEXT: Final = 480
_SHORT_TEXT: Final = 240
_BAR_WIDTH: Final = 120
_SHORTEST_BAR: Final = 3
_HIGHEST_COUNT: Final = 999_999_999
_NAMES_SHOWN: Final = 3
_TEXT_WIDTH: Final = 72

_TEMPLATE_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What Python raises out of a faulty template, beside Jinja2's own errors."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
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
class _Block:
    """A section as the templates see it. `topic` is empty for what matches no topic."""

    topic: str
    anchor: str
    rows: tuple[_Row, ...]
    more: int


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox that does not ask long about what a row shows, which would be half the time of rendering."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, (_Row, _Block)) and not attr.startswith("_"):
            return True
        return super().is_safe_attribute(obj, attr, value)


class Renderer:
    """Turns sections into mails."""

    def __init__(self, own: Path | None = None) -> None:
        """Read nothing yet. A template is looked for in the directory `own` first, then among digestmail's."""
        self._environment = _Environment(
            loader=jinja2.FileSystemLoader([own, templates_directory()] if own else templates_directory()),
            autoescape=jinja2.select_autoescape(disabled_extensions=("txt",), default=True),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["fill"] = _fill

    def render(self, edition: Edition, sections: tuple[Section, ...], *, base_url: str | None = None) -> Rendered:
        """Render `sections`, those of `edition` a segment gets, with links to the web pages at `base_url` if any.

        The encoded HTML part stays under `HTML_BUDGET` for any input: abstracts of the lowest-ranked papers are
        shortened first, then left out, then papers are only counted. Raises RenderError.
        """
        blocks = _blocks(sections)
        ranks = sum(len(block.rows) for block in blocks)
        frame = _frame(edition, base_url)
        steps, html = self._fitting(frame, blocks, ranks)
        context = frame | _content(blocks, ranks, steps)
        return Rendered(
            subject=self._subject(context),
            html=html,
            text=self._fill_in("email/edition.txt", context),
            shortened=min(steps, ranks),
        )

    def _fitting(self, frame: dict[str, Any], blocks: tuple[_Block, ...], ranks: int) -> tuple[int, str]:
        """Return the smallest number of cuts under which the HTML fits its budget, and that HTML."""
        html = self._html(frame | _content(blocks, ranks, 0))
        if _fits(html):
            return 0, html
        too_few, enough = 0, _Detail.FULL * ranks
        html = self._html(frame | _content(blocks, ranks, enough))
        if not _fits(html):
            raise RenderError("email/edition.mjml: the frame alone is over the byte budget")
        while enough - too_few > 1:
            middle = (too_few + enough) // 2
            candidate = self._html(frame | _content(blocks, ranks, middle))
            if _fits(candidate):
                enough, html = middle, candidate
            else:
                too_few = middle
        return enough, html

    def _html(self, context: dict[str, Any]) -> str:
        source = self._fill_in("email/edition.mjml", context)
        try:
            html: str = mjml2html(source)
        except ValueError as error:
            raise RenderError(f"email/edition.mjml: is not MJML once it is filled in: {error}") from error
        if "<mj-" in html or "</mj-" in html:
            # mrml passes tags it does not know silently.
            raise RenderError("email/edition.mjml: holds a tag that is not MJML")
        return html

    def _subject(self, context: dict[str, Any]) -> str:
        """Return the subject, its top title shortened until all fits."""
        subject = one_line(self._fill_in("email/subject.txt", context))
        excess = len(subject) - SUBJECT_LENGTH
        top = context["top"]
        if excess > 0 and top is not None:
            shorter = replace(top, title=at_word(top.title, max(len(top.title) - excess, _NAME_LENGTH // 4)))
            subject = one_line(self._fill_in("email/subject.txt", context | {"top": shorter}))
        return subject

    def _fill_in(self, name: str, context: dict[str, Any]) -> str:
        try:
            return self._environment.get_template(name).render(context)
        except jinja2.TemplateNotFound as error:
            raise RenderError(f"{error.name}: there is no such template") from error
        except jinja2.TemplateSyntaxError as error:
            raise RenderError(f"{error.name or name}, line {error.lineno}: {error.message}") from error
        except (jinja2.TemplateError, *_TEMPLATE_FAULTS) as error:
            raise RenderError(f"{_place(error, name)}: {error}") from error


def page(rendered: Rendered) -> str:
    """Return the HTML as a page for everybody: personal links lead nowhere."""
    return rendered.html.replace(UNSUBSCRIBE_PLACE, "#")


def templates_directory() -> Path:
    """Return where digestmail's own templates are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


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


def _fill(text: str, indent: str = "") -> str:
    """Wrap `text` to the width of a text mail; a long word stays whole."""
    return textwrap.fill(
        text,
        _TEXT_WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _fits(html: str) -> bool:
    return len(quoted_printable(html)) <= HTML_BUDGET


def _place(error: Exception, name: str) -> str:
    """Return the template and line an error came from: Jinja2 rewrites its tracebacks to say so."""
    place, step = name, error.__traceback__
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).parent.name == "email":
            place = f"email/{Path(step.tb_frame.f_code.co_filename).name}, line {step.tb_lineno}"
        step = step.tb_next
    return place


def _frame(edition: Edition, base_url: str | None) -> dict[str, Any]:
    """Return what a mail of `edition` shows whatever papers it holds."""
    return {
        "title": at_word(one_line(edition.title), _TITLE_LENGTH),
        "byline": at_word(one_line(edition.byline), _TITLE_LENGTH),
        "day": edition.slot.day,
        "unsubscribe_url": UNSUBSCRIBE_PLACE,
        "archive_url": None if base_url is None else f"{base_url}/{edition.digest}/{edition.slot.key}",
    }


def _content(blocks: tuple[_Block, ...], ranks: int, steps: int) -> dict[str, Any]:
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


def _cut(block: _Block, ranks: int, steps: int) -> _Block:
    rows = tuple(_shown(row, _detail(row.rank, ranks, steps)) for row in block.rows)
    kept = tuple(row for row in rows if row is not None)
    return replace(block, rows=kept, more=block.more + len(rows) - len(kept))


def _detail(rank: int, ranks: int, steps: int) -> _Detail:
    """Return how much is shown of the paper of this rank: cuts go round from the last rank to the first."""
    rounds = -(-(steps - (ranks - rank)) // ranks)
    return _Detail(_Detail.FULL - min(max(rounds, 0), int(_Detail.FULL)))


def _shown(row: _Row, detail: _Detail) -> _Row | None:
    if detail is _Detail.DROPPED:
        return None
    if detail is _Detail.HEADLINE:
        return replace(row, headline=True)
    return replace(row, text=at_sentence(row.text, _SHORT_TEXT)) if detail is _Detail.SHORT else row


def _blocks(sections: tuple[Section, ...]) -> tuple[_Block, ...]:
    """Shape the sections; papers are ranked among themselves, for a segment may not get all of an edition's."""
    entries = sorted((entry for section in sections for entry in section.entries), key=lambda entry: entry.rank)
    ranks = {entry.paper.id: rank for rank, entry in enumerate(entries, start=1)}
    most = max((_count(entry.signals.upvotes) or 0 for entry in entries), default=0)
    return tuple(
        _Block(
            topic=at_word(one_line(section.topic or ""), _NAME_LENGTH),
            anchor=f"topic-{number}",
            rows=tuple(_row(entry, ranks[entry.paper.id], most) for entry in section.entries),
            more=section.more,
        )
        for number, section in enumerate(sections, start=1)
    )


def _row(entry: Entry, rank: int, most: int) -> _Row:
    paper, signals = entry.paper, entry.signals
    upvotes = _count(signals.upvotes)
    link = _web_link(paper.link)
    return _Row(
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
