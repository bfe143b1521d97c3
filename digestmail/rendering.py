"""Rendering: an edition's sections become the words of a mail, Jinja2 -> MJML -> HTML beside a text part of its own.

Every sentence stands in `templates/`, in English, and in `templates/locales/` in other languages. This module fills
them in and keeps what comes out under the byte budget.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from digestmail.content import CUTS_PER_PAPER, Block, content_after, only_row, shape_blocks, shape_frame, shape_notice
from digestmail.errors import RenderError
from digestmail.locales import languages
from digestmail.look import Layout, Look
from digestmail.message import PREFERENCES_PLACE, UNSUBSCRIBE_PLACE, one_line, quoted_printable
from digestmail.model import Edition, NoticeKind, Rendered, Section
from digestmail.shortening import at_word
from digestmail.templating import Templates, compiled

HTML_BUDGET: Final = 98_500
"""Octets of the encoded HTML part. Gmail clips near 102,000; the promise is 100,000, the rest is for long links."""
SUBJECT_LENGTH: Final = 150
_SHORTEST_TITLE: Final = 20
_EDITION: Final = "email/edition.mjml"


class Renderer:
    """Turns sections into mails."""

    def __init__(self, own: Path | None = None) -> None:
        """Read nothing yet. A template is looked for in the directory `own` first, then among digestmail's."""
        self.templates = Templates(own)

    def languages(self) -> tuple[str, ...]:
        """Return the languages there is a catalogue for, and English."""
        return languages(self.templates.directories)

    def render(
        self,
        edition: Edition,
        sections: tuple[Section, ...],
        *,
        base_url: str | None = None,
        language: str | None = None,
        look: Look = Look(),  # noqa: B008 - frozen
    ) -> Rendered:
        """Render `sections`, those of `edition` a segment gets, with links to the web pages at `base_url` if any.

        `look` is the digest's; `language` goes before the look's. The encoded HTML part stays under `HTML_BUDGET` for
        any input: abstracts of the lowest-ranked papers are shortened first, then left out, then papers are only
        counted. Raises RenderError.
        """
        spoken = language or look.language
        fill = partial(self.templates.fill, language=spoken)
        blocks = shape_blocks(sections, look)
        ranks = sum(len(block.rows) for block in blocks)
        frame = shape_frame(edition, base_url) | self.templates.speech(spoken) | {"look": look}
        fitting = _Fitting(fill, frame, blocks, look.layout)
        steps, html = fitting.smallest()
        context = frame | content_after(blocks, ranks, steps, look.layout)
        return Rendered(
            subject=_subject(fill, context),
            html=html,
            text=fill("email/edition.txt", context),
            shortened=min(steps, ranks),
        )

    def notice(
        self,
        kind: NoticeKind,
        *,
        title: str,
        digests: tuple[str, ...] = (),
        action_url: str | None = None,
        preferences_url: str | None = None,
        language: str | None = None,
        steps: tuple[tuple[str, str], ...] = (),
        look: Look = Look(),  # noqa: B008 - frozen
    ) -> Rendered:
        """Render a mail that belongs to no edition.

        `title` names who sends, `digests` are titles. `action_url` is what the mail is for (confirm, address and erase:
        the confirmation; welcome and already: the archive; changed and goodbye: the page that undoes it);
        `preferences_url` the person's preferences; `steps` what changed, as (`differences.Changed`, a digest's title or
        an empty text). Nothing a stranger could have typed may be passed: the address that is to be confirmed gets no
        words of others. Raises RenderError.
        """
        spoken = language or look.language
        context = shape_notice(title, digests, action_url, preferences_url, steps)
        context |= self.templates.speech(spoken) | {"look": look, "kind": kind.value}
        source = self.templates.fill("email/notice.mjml", context, language=spoken)
        return Rendered(
            subject=one_line(self.templates.fill("email/notice-subject.txt", context, language=spoken)),
            html=compiled("email/notice.mjml", source),
            text=self.templates.fill("email/notice.txt", context, language=spoken),
        )


class _Fitting:
    """Looks for the fewest cuts under which an edition's HTML fits its budget."""

    def __init__(self, fill: Any, frame: dict[str, Any], blocks: tuple[Block, ...], layout: Layout) -> None:
        self._fill = fill
        self._frame = frame
        self._blocks = blocks
        self._layout = layout
        self._ranks = sum(len(block.rows) for block in blocks)

    def smallest(self) -> tuple[int, str]:
        """Return the smallest number of cuts, and the HTML after them. Raises RenderError."""
        html = self._html(0)
        if _fits(html):
            return 0, html
        too_few, enough = 0, CUTS_PER_PAPER * self._ranks
        html = self._html(enough)
        if not _fits(html):
            raise RenderError(f"{_EDITION}: the frame alone is over the byte budget")
        while enough - too_few > 1:
            middle = (too_few + enough) // 2
            candidate = self._html(middle)
            if _fits(candidate):
                enough, html = middle, candidate
            else:
                too_few = middle
        return enough, html

    def _html(self, steps: int) -> str:
        source = self._source(self._blocks, self._ranks, steps)
        try:
            return compiled(_EDITION, source)
        except RenderError as error:
            raise self._with_paper(error) from error

    def _source(self, blocks: tuple[Block, ...], ranks: int, steps: int) -> str:
        source: str = self._fill(_EDITION, self._frame | content_after(blocks, ranks, steps, self._layout))
        return source

    def _with_paper(self, error: RenderError) -> RenderError:
        """Return `error` with the paper that is at fault, if the mail is well without it."""
        if not _compiles(self._source((), 0, 0)):
            return error
        for row in (row for block in self._blocks for row in block.rows):
            if not _compiles(self._source(only_row(self._blocks, row.rank), row.rank, 0)):
                return RenderError(f"{error} (paper {row.rank}, {at_word(row.title, 80)!r})")
        return error


def page(rendered: Rendered) -> str:
    """Return the HTML as a page for everybody: personal links lead nowhere."""
    return rendered.html.replace(UNSUBSCRIBE_PLACE, "#").replace(PREFERENCES_PLACE, "#")


def _subject(fill: Any, context: dict[str, Any]) -> str:
    """Return the subject, its top title shortened until all fits."""
    subject = one_line(fill("email/subject.txt", context))
    excess = len(subject) - SUBJECT_LENGTH
    top = context["top"]
    if excess > 0 and top is not None:
        shorter = replace(top, title=at_word(top.title, max(len(top.title) - excess, _SHORTEST_TITLE)))
        subject = one_line(fill("email/subject.txt", context | {"top": shorter}))
    return subject


def _fits(html: str) -> bool:
    return len(quoted_printable(html)) <= HTML_BUDGET


def _compiles(source: str) -> bool:
    try:
        compiled(_EDITION, source)
    except RenderError:
        return False
    return True
