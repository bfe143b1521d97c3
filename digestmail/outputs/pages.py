"""Renders an edition, and the list of editions, as Markdown or as pages without scripts. Sentences are in templates.

Titles, abstracts and names come from strangers. In HTML, Jinja2 escapes each value. In Markdown, each text is escaped
before the template gets it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

from digestmail.mail.placeholders import single_line
from digestmail.mail.templates import Templates
from digestmail.mail.view_model import Block, build_blocks
from digestmail.mail.view_rows import TITLE_LENGTH, Link, Row
from digestmail.model.editions import Edition
from digestmail.model.theme import Appearance
from digestmail.selection.segments import for_all_topics
from digestmail.text.truncate import at_word

_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
"""What CommonMark lets a backslash escape (https://spec.commonmark.org/0.31.2/#backslash-escapes)."""
_HOST: Final = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_IN_LINKS: Final = str.maketrans({"<": "%3C", ">": "%3E", "\\": "%5C", " ": "%20", "\n": "", "{": "%7B", "}": "%7D"})


class PageFormat(StrEnum):
    """How editions are written."""

    MARKDOWN = "markdown"
    HTML = "html"

    @property
    def extension(self) -> str:
        """Return how names of its files end, with the dot."""
        return ".md" if self is PageFormat.MARKDOWN else ".html"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """An edition in the list of editions."""

    digest: str
    day: date
    time: str
    """Of a digest with several editions a day: hours and minutes as in the slot; otherwise empty."""
    path: str
    """Relative to the list."""


class PageRenderer:
    """Renders pages in the languages of the digests."""

    def __init__(
        self, templates: Templates, *, looks: Mapping[str, Appearance], titles: Mapping[str, str], base_url: str | None
    ) -> None:
        """Take the looks and titles of the configured digests, by name."""
        self._templates = templates
        self._looks = looks
        self._titles = titles
        self._base_url = base_url

    def edition(self, edition: Edition, form: PageFormat) -> str:
        """Return an edition as a file. Raises RenderError."""
        look = self._looks.get(edition.digest, Appearance())
        blocks = build_blocks(edition, for_all_topics(edition), look)
        url = f"{self._base_url}/{edition.digest}/{edition.slot.key}" if self._base_url else None
        context = {
            "title": at_word(single_line(edition.title), TITLE_LENGTH),
            "byline": at_word(single_line(edition.byline), TITLE_LENGTH),
            "day": edition.slot.day,
            "sections": blocks,
            "count": sum(len(block.rows) for block in blocks),
            "archive_url": url,
            "index": f"../{INDEX}{form.extension}",
        }
        if form is PageFormat.MARKDOWN:
            context |= {
                "title": escaped(str(context["title"])),
                "byline": escaped(str(context["byline"])),
                "sections": tuple(map(_escaped_block, blocks)),
                "archive_url": url and _target(url),
            }
        return self._render("edition", context, form, look.language)

    def index(self, links: Sequence[PageLink], form: PageFormat) -> str:
        """Return the list of editions, the newest first, in the language of the first digest. Raises RenderError."""
        groups = []
        for digest in dict.fromkeys(link.digest for link in links):
            title = at_word(single_line(self._titles.get(digest, digest)), TITLE_LENGTH)
            found = sorted((link for link in links if link.digest == digest), key=_newest, reverse=True)
            groups.append({"title": escaped(title) if form is PageFormat.MARKDOWN else title, "links": found})
        look = next((self._looks[link.digest] for link in links if link.digest in self._looks), Appearance())
        return self._render("index", {"groups": groups}, form, look.language)

    def _render(self, name: str, context: dict[str, Any], form: PageFormat, language: str) -> str:
        # The name decides whether values are escaped for HTML.
        file = f"output/{name}.md.txt" if form is PageFormat.MARKDOWN else f"output/{name}.html"
        complete = self._templates.language_context(language) | context
        return self._templates.render(file, complete, language=language).strip() + "\n"


INDEX: Final = "index"


def _newest(link: PageLink) -> tuple[date, str]:
    return link.day, link.time


def escaped(text: str) -> str:
    """Return one line of text as Markdown that shows exactly this text.

    Neither CommonMark, GitHub nor Jekyll (with Liquid's `{{` and `{%`) finds anything else in it.
    """
    return _PUNCTUATION.sub(r"\\\g<0>", single_line(text))


def _target(url: str) -> str:
    """Return a web address for between `<` and `>`. It is percent-encoded already, and has no line ends."""
    return url.translate(_IN_LINKS)


def _escaped_block(block: Block) -> Block:
    return replace(block, topic=escaped(block.topic), rows=tuple(map(_escaped_row, block.rows)))


def _escaped_row(row: Row) -> Row:
    return replace(
        row,
        title=escaped(row.title),
        link=row.link and _target(row.link),
        authors=tuple(map(escaped, row.authors)),
        organization=escaped(row.organization),
        point=escaped(row.point),
        text=escaped(row.text),
        links=tuple(map(_escaped_link, row.links)),
        thumbnail=None,
        reasons={kind: tuple(map(escaped, words)) for kind, words in row.reasons.items()},
    )


def _escaped_link(link: Link) -> Link:
    # The name of a host needs no escaping, and templates know some by it.
    site = link.site if _HOST.fullmatch(link.site) else escaped(link.site)
    return replace(link, url=_target(link.url), site=site)
