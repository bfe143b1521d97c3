"""Renders the sections of an edition as an email: Jinja2 -> MJML -> HTML, and a separate text part.

All sentences are in `templates/`, with translations in `templates/locales/`. This module renders them and keeps the
message below `LARGEST_MESSAGE`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from digestmail.errors import RenderError
from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.fitting import fewest_cuts
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import preferences_placeholder, single_line, unsubscribe_placeholder
from digestmail.mail.subjects import edition_subject
from digestmail.mail.template_files import languages
from digestmail.mail.templates import Templates, compiled
from digestmail.mail.trending_lines import build_trending
from digestmail.mail.view_model import (
    Block,
    build_announcement,
    build_blocks,
    build_frame,
    build_notice,
    content_after,
    only_row,
    shortened_after,
)
from digestmail.model.deliveries import NoticeKind, Rendered
from digestmail.model.editions import Announcement, Edition
from digestmail.model.selection import Section
from digestmail.model.theme import Appearance, Layout
from digestmail.text.truncate import at_word

_EDITION: Final = "email/edition.mjml"
_TWO_SIGNATURES: Final = 3_000
"""The octets of two DKIM signatures with the longest keys, reserved if the caller does not measure."""

Measure: TypeAlias = Callable[[Rendered], int]
"""Returns the largest message size of a rendered email in octets, headers and signatures included."""


def _random_token() -> str:
    return secrets.token_hex(8)


class Renderer:
    """Renders sections as emails."""

    def __init__(
        self,
        own: Path | None = None,
        *,
        imprint: str | None = None,
        random_token: Callable[[], str] = _random_token,
    ) -> None:
        """Templates are loaded on first use. The directory `own` takes precedence over the built-in templates.

        `imprint` is the name and postal address of the sender, in one line, which every email shows at its end.
        `random_token` returns letters and digits that no one can guess. It is called once for each edition rendered.
        """
        self.templates = Templates(own)
        self._imprint = single_line(imprint or "")
        self.random_token = random_token

    def languages(self) -> tuple[str, ...]:
        """Return the available languages."""
        return languages(self.templates.directories)

    def render(
        self,
        edition: Edition,
        sections: tuple[Section, ...],
        *,
        base_url: str | None = None,
        language: str | None = None,
        look: Appearance = Appearance(),  # noqa: B008 - frozen
        feedback: bool = True,
        measure: Measure | None = None,
    ) -> Rendered:
        """Render `sections` of `edition`, with links to the web pages at `base_url` if there are any.

        `look` is the digest's theme; `language` overrides the theme's. With `feedback`, each paper in the HTML has the
        links "More like this" and "Less like this", if there are web pages. The message never exceeds `LARGEST_MESSAGE`
        octets: the lowest-ranked papers lose the link to their citation and their points first, then in both parts
        their texts are shortened, then left out, then papers are only counted. `measure` returns the size of a message;
        without it, headers of usual size and two signatures are assumed. Raises RenderError.
        """
        nonce = self.random_token()
        look = replace(look, language=language or look.language)
        frame = self.edition_frame(edition, base_url, nonce, look, feedback=feedback)
        frame |= self.parts(frame) | {"trending": build_trending(edition)}
        measured = measure or partial(_usual_octets, edition, base_url)
        blocks = build_blocks(edition, sections, look, base_url)
        mails = _Mails(partial(self.templates.render, language=look.language), frame, blocks, look.layout, nonce)
        return mails.after(fewest_cuts(lambda steps: measured(mails.after(steps)), mails.ranks))

    def edition_frame(
        self, edition: Edition, base_url: str | None, nonce: str, look: Appearance, *, feedback: bool
    ) -> dict[str, Any]:
        """Return the template variables that all emails of an edition in the language of `look` share."""
        frame = build_frame(edition, base_url, nonce, feedback=feedback)
        frame |= self.templates.language_context(look.language)
        return frame | {"look": look, "imprint": self._imprint, "since": edition.since}

    def parts(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Return the macros of each part of an email, which know `frame`. Raises RenderError."""
        language = frame["lang"]
        return {
            "parts": self.templates.macros("email/parts.jinja", frame, language=language),
            "text_parts": self.templates.macros("email/parts.txt", frame, language=language),
        }

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
        look: Appearance = Appearance(),  # noqa: B008 - frozen
    ) -> Rendered:
        """Render an email that belongs to no edition.

        `title` is the name of the sender, `digests` are titles. `action_url` is the main link (confirm, address and
        erase: the confirmation; welcome and already: the archive; changed and goodbye: the page that undoes it).
        `preferences_url` leads to the person's preferences. `steps` are the changes, as (`differences.Changed`, a
        digest's title or an empty text). Do not pass text that a stranger may have entered, because the email may go to
        someone else's address. Raises RenderError.
        """
        language_tag = language or look.language
        context = build_notice(title, digests, action_url, preferences_url, steps)
        context |= self.templates.language_context(language_tag)
        context |= {"look": look, "kind": kind.value, "imprint": self._imprint}
        subject = single_line(self.templates.render("email/notice-subject.txt", context, language=language_tag))
        return self._rendered("notice", subject, context, language_tag)

    def announcement(
        self,
        edition: Edition,
        announcement: Announcement,
        *,
        base_url: str | None = None,
        language: str | None = None,
        look: Appearance = Appearance(),  # noqa: B008 - frozen
        measure: Measure | None = None,
    ) -> Rendered:
        """Render the announcement of `edition`. Raises RenderError, also if the message would be too large.

        `language` is that of the sentences around the announcement; all else is as for `render`.
        """
        nonce = self.random_token()
        context = build_frame(edition, base_url, nonce) | build_announcement(announcement, look.language)
        context |= self.templates.language_context(language or look.language)
        context |= {"look": look, "imprint": self._imprint}
        rendered = self._rendered("announcement", announcement.subject, context, language or look.language, nonce)
        octets = (measure or partial(_usual_octets, edition, base_url))(rendered)
        if octets >= LARGEST_MESSAGE:
            raise RenderError(f"the email has {octets:,} of {LARGEST_MESSAGE:,} octets: shorten the announcement")
        return rendered

    def _rendered(self, name: str, subject: str, context: dict[str, Any], language: str, nonce: str = "") -> Rendered:
        source = self.templates.render(f"email/{name}.mjml", context, language=language)
        text = self.templates.render(f"email/{name}.txt", context, language=language)
        return Rendered(subject=subject, html=compiled(f"email/{name}.mjml", source), text=text, nonce=nonce)


class _Mails:
    """The email of an edition after each number of cuts, rendered whole."""

    def __init__(
        self, render: Any, frame: dict[str, Any], blocks: tuple[Block, ...], layout: Layout, nonce: str
    ) -> None:
        self._render = render
        self._frame = frame
        self._blocks = blocks
        self._layout = layout
        self._nonce = nonce
        self._made: dict[int, Rendered] = {}
        self.ranks = sum(len(block.rows) for block in blocks)

    def after(self, steps: int) -> Rendered:
        """Return the email after `steps` cuts. Raises RenderError."""
        if steps not in self._made:
            self._made[steps] = self._mail(steps)
        return self._made[steps]

    def _mail(self, steps: int) -> Rendered:
        context = self._context(self._blocks, self.ranks, steps)
        return Rendered(
            subject=edition_subject(self._render, context),
            html=self._html(steps),
            text=self._render("email/edition.txt", context),
            shortened=shortened_after(self.ranks, steps),
            nonce=self._nonce,
        )

    def _context(self, blocks: tuple[Block, ...], ranks: int, steps: int) -> dict[str, Any]:
        return self._frame | content_after(blocks, ranks, steps, self._layout)

    def _html(self, steps: int) -> str:
        source = self._source(self._blocks, self.ranks, steps)
        try:
            return compiled(_EDITION, source)
        except RenderError as error:
            raise self._with_paper(error) from error

    def _source(self, blocks: tuple[Block, ...], ranks: int, steps: int) -> str:
        source: str = self._render(_EDITION, self._context(blocks, ranks, steps))
        return source

    def _with_paper(self, error: RenderError) -> RenderError:
        """Return `error` with the paper that causes it, if the email can be rendered without that paper."""
        if not _compiles(self._source((), 0, 0)):
            return error
        for row in (row for block in self._blocks for row in block.rows):
            if not _compiles(self._source(only_row(self._blocks, row.rank), row.rank, 0)):
                return RenderError(f"{error} (paper {row.rank}, {at_word(row.title, 80)!r})")
        return error


def page(rendered: Rendered) -> str:
    """Return the HTML as a public page, with personal links disabled."""
    html = rendered.html
    for placeholder in (unsubscribe_placeholder, preferences_placeholder):
        html = html.replace(placeholder(rendered.nonce), "#") if rendered.nonce else html
    return html


def _usual_octets(edition: Edition, base_url: str | None, mail: Rendered) -> int:
    """Return the size of the message for a sender with a short name, plus room for two signatures."""
    sender = Sender(mailbox="digest@mail.invalid", domain="mail.invalid", base_url=base_url)
    return MessageTemplate(mail, sender, digest=edition.base, title=edition.title).max_octets() + _TWO_SIGNATURES


def _compiles(source: str) -> bool:
    try:
        compiled(_EDITION, source)
    except RenderError:
        return False
    return True
