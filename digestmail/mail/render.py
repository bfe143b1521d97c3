"""Renders the sections of an edition as an email: Jinja2 -> MJML -> HTML, and a separate text part.

All sentences are in `templates/`, with translations in `templates/locales/`. This module renders them and keeps the
message below `LARGEST_MESSAGE`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Final, TypeAlias

from digestmail.errors import RenderError
from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.i18n import languages
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import preferences_placeholder, single_line, unsubscribe_placeholder
from digestmail.mail.subjects import edition_subject
from digestmail.mail.templates import Templates, compiled
from digestmail.mail.trending_lines import build_trending
from digestmail.mail.view_model import (
    CUTS_PER_PAPER,
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
_SMALL_EXCESS: Final = 5_000
"""Octets over the limit up to which leaving out links to citations may suffice."""
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
        self._random_token = random_token

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
        language_tag = language or look.language
        render = partial(self.templates.render, language=language_tag)
        nonce = self._random_token()
        frame = build_frame(edition, base_url, nonce, feedback=feedback)
        frame |= self.templates.language_context(language_tag) | {
            "look": look,
            "imprint": self._imprint,
            "trending": build_trending(edition),
            "since": edition.since,
        }
        measured = measure or partial(_usual_octets, edition, base_url)
        return _Fitting(
            render,
            frame,
            build_blocks(edition, sections, replace(look, language=language_tag), base_url),
            look.layout,
            measured,
            nonce,
        ).largest()

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
        nonce = self._random_token()
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


class _Fitting:
    """Finds the smallest number of cuts with which the message of an edition fits."""

    def __init__(
        self,
        render: Any,
        frame: dict[str, Any],
        blocks: tuple[Block, ...],
        layout: Layout,
        measure: Measure,
        nonce: str,
    ) -> None:
        self._render = render
        self._frame = frame
        self._blocks = blocks
        self._layout = layout
        self._measure = measure
        self._nonce = nonce
        self._ranks = sum(len(block.rows) for block in blocks)

    def largest(self) -> Rendered:
        """Return the email with almost the smallest number of cuts. Raises RenderError.

        Within a round of cuts, which leaves the same out of every paper, the size falls almost evenly, so the search
        interpolates: the Illinois method (Dowell and Jarratt, BIT 11, 1971). It ends when less room is left than one
        cut makes on average.
        """
        uncut = self._mail(0)
        if self._excess(uncut) < 0:
            return uncut
        too_few, over, enough, best = self._round(self._excess(uncut))
        left = room = -float(self._excess(best))
        lacking, fitted = over, None
        while enough - too_few > 1 and left * (enough - too_few) > lacking + left:
            guess = too_few + ceil((enough - too_few) * over / (over + room))
            cuts = min(max(guess, too_few + 1), enough - 1)
            candidate = self._mail(cuts)
            excess = float(self._excess(candidate))
            # An end that stays twice counts half, so that the next guess lies nearer to it.
            if excess < 0:
                enough, best, left = cuts, candidate, -excess
                room, over = left, over / 2 if fitted is True else over
            else:
                too_few, lacking = cuts, excess
                over, room = lacking, room / 2 if fitted is False else room
            fitted = excess < 0
        return best

    def _round(self, over: float) -> tuple[int, float, int, Rendered]:
        """Return the round of cuts with which the email begins to fit. Raises RenderError.

        That is the cuts before it, the octets over the limit after those, the cuts after it, and the email after those.
        """
        too_few, enough, best = 0, CUTS_PER_PAPER, None
        rounds = 1 if over < _SMALL_EXCESS else 2 if over < LARGEST_MESSAGE else 3
        while best is None or enough - too_few > 1:
            candidate = self._mail(rounds * self._ranks)
            excess = self._excess(candidate)
            if excess < 0:
                enough, best = rounds, candidate
            elif rounds == CUTS_PER_PAPER:
                raise RenderError(
                    f"{_EDITION}: even without papers the email is too large: "
                    f"{self._measure(candidate):,} of {LARGEST_MESSAGE:,} octets"
                )
            else:
                too_few, over = rounds, excess
            rounds = min(rounds + 1, CUTS_PER_PAPER) if best is None else enough - 1
        return too_few * self._ranks, float(over), enough * self._ranks, best

    def _excess(self, mail: Rendered) -> int:
        """Return by how many octets an email is too large; it is negative if the email fits."""
        return self._measure(mail) - LARGEST_MESSAGE

    def _mail(self, steps: int) -> Rendered:
        context = self._frame | content_after(self._blocks, self._ranks, steps, self._layout)
        return Rendered(
            subject=edition_subject(self._render, context),
            html=self._html(steps),
            text=self._render("email/edition.txt", context),
            shortened=shortened_after(self._ranks, steps),
            nonce=self._nonce,
        )

    def _html(self, steps: int) -> str:
        source = self._source(self._blocks, self._ranks, steps)
        try:
            return compiled(_EDITION, source)
        except RenderError as error:
            raise self._with_paper(error) from error

    def _source(self, blocks: tuple[Block, ...], ranks: int, steps: int) -> str:
        source: str = self._render(_EDITION, self._frame | content_after(blocks, ranks, steps, self._layout))
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
