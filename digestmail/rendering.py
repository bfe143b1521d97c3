"""Rendering: an edition's sections become the words of a mail, Jinja2 -> MJML -> HTML beside a text part of its own.

Every sentence stands in `templates/`. This module fills them in and keeps what comes out under the byte budget.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from mjml import mjml2html

from digestmail.content import (
    CUTS_PER_PAPER,
    Block,
    Row,
    at_sentence,
    at_word,
    content_after,
    shape_blocks,
    shape_frame,
)
from digestmail.errors import RenderError
from digestmail.message import UNSUBSCRIBE_PLACE, one_line, quoted_printable
from digestmail.model import Edition, Rendered, Section

__all__ = ["HTML_BUDGET", "SUBJECT_LENGTH", "Renderer", "at_sentence", "at_word", "page", "templates_directory"]

HTML_BUDGET: Final = 98_500
"""Octets of the encoded HTML part. Gmail clips near 102,000; the promise is 100,000, the rest is for long links."""
SUBJECT_LENGTH: Final = 150
_SHORTEST_TITLE: Final = 20
_TEXT_WIDTH: Final = 72

_TEMPLATE_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What Python raises out of a faulty template, beside Jinja2's own errors."""


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox that does not ask long about what a row shows, which would be half the time of rendering."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, (Row, Block)) and not attr.startswith("_"):
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
        blocks = shape_blocks(sections)
        ranks = sum(len(block.rows) for block in blocks)
        frame = shape_frame(edition, base_url)
        steps, html = self._fitting(frame, blocks, ranks)
        context = frame | content_after(blocks, ranks, steps)
        return Rendered(
            subject=self._subject(context),
            html=html,
            text=self._fill_in("email/edition.txt", context),
            shortened=min(steps, ranks),
        )

    def _fitting(self, frame: dict[str, Any], blocks: tuple[Block, ...], ranks: int) -> tuple[int, str]:
        """Return the smallest number of cuts under which the HTML fits its budget, and that HTML."""
        html = self._html(frame | content_after(blocks, ranks, 0))
        if _fits(html):
            return 0, html
        too_few, enough = 0, CUTS_PER_PAPER * ranks
        html = self._html(frame | content_after(blocks, ranks, enough))
        if not _fits(html):
            raise RenderError("email/edition.mjml: the frame alone is over the byte budget")
        while enough - too_few > 1:
            middle = (too_few + enough) // 2
            candidate = self._html(frame | content_after(blocks, ranks, middle))
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
            shorter = replace(top, title=at_word(top.title, max(len(top.title) - excess, _SHORTEST_TITLE)))
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
