"""Writes the messages of this installation, editions and notices, with its sender, themes and DKIM keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from digestmail.errors import RenderError
from digestmail.mail.assembly import Assembly
from digestmail.mail.dkim import Signer
from digestmail.mail.edition_messages import FEW, EditionMessages, warn
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.parts import CannotAssembleError
from digestmail.mail.render import Renderer, page
from digestmail.mail.reusable import ReusableTemplate
from digestmail.model.deliveries import Rendered
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.model.theme import Appearance
from digestmail.selection.segments import for_all_topics


class MailWriter:
    """Renders editions and notices, and turns the result into message templates."""

    def __init__(
        self,
        renderer: Renderer,
        sender: Sender,
        themes: Mapping[str, Appearance],
        signers: Sequence[Signer],
        *,
        feedback: bool = True,
    ) -> None:
        """Send as `sender`. `themes` are by digest name; a digest without one has the default theme.

        `feedback` adds the links for feedback to emails, if there are web pages.
        """
        self.renderer = renderer
        self.sender = sender
        self._themes = themes
        self._feedback = feedback
        self.signers = tuple(signers)
        self._last: tuple[Edition, Rendered, MessageTemplate] | None = None

    def render(self, edition: Edition, sections: tuple[Section, ...], *, language: str | None = None) -> Rendered:
        """Render `sections` of `edition` as an email. Raises RenderError."""
        return self._render(edition, sections, language, feedback=self._feedback)

    def page(self, edition: Edition) -> str:
        """Return the email for subscribers of all topics as a web page. Raises RenderError."""
        return page(self._render(edition, for_all_topics(edition), None, feedback=False))

    def edition_message(self, edition: Edition, rendered: Rendered) -> MessageTemplate:
        """Return the message template of one segment of `edition`."""
        last = self._last
        # It was just made, to measure the email.
        if last is not None and last[0] is edition and last[1] is rendered:
            return last[2]
        made = MessageTemplate(rendered, self.sender, digest=edition.base, title=edition.title, signers=self.signers)
        self._last = edition, rendered, made
        return made

    def edition_messages(
        self, edition: Edition, language: str | None, *, few: int = FEW, tell: Callable[[str], None] = warn
    ) -> EditionMessages:
        """Return the messages of `edition` in a language; None is the digest's.

        From the `few`th on, they are assembled. `tell` is called if they have to be rendered one by one, with the
        reason.
        """
        whole = partial(self._whole_message, language=language)
        return EditionMessages(partial(self._assembly, edition, language), whole, few=few, tell=tell)

    def _whole_message(
        self, edition: Edition, sections: tuple[Section, ...], *, language: str | None
    ) -> MessageTemplate:
        return self.edition_message(edition, self.render(edition, sections, language=language))

    def _assembly(self, edition: Edition, language: str | None) -> Assembly:
        """Return what assembles the emails of `edition`. Raises RenderError or CannotAssembleError."""
        if edition.announcement is not None:
            raise CannotAssembleError("an announcement has no papers")
        look = self._themes.get(edition.base, Appearance())
        look = replace(look, language=language or look.language)
        try:
            template = ReusableTemplate(self.sender, digest=edition.base, title=edition.title, signers=self.signers)
        except ValueError as error:
            raise RenderError(f"cannot write the headers: {error}") from error
        return Assembly(self.renderer, template, edition, look, base_url=self.sender.base_url, feedback=self._feedback)

    def notice_message(self, rendered: Rendered, title: str) -> MessageTemplate:
        """Return the message template of a notice."""
        return MessageTemplate(rendered, self.sender, digest="notice", title=title, notice=True, signers=self.signers)

    def _render(
        self, edition: Edition, sections: tuple[Section, ...], language: str | None, *, feedback: bool
    ) -> Rendered:
        base_url, look = self.sender.base_url, self._themes.get(edition.base, Appearance())
        measure = partial(self._max_octets, edition)
        if edition.announcement is not None:
            return self.renderer.announcement(
                edition, edition.announcement, base_url=base_url, language=language, look=look, measure=measure
            )
        return self.renderer.render(
            edition, sections, base_url=base_url, language=language, look=look, feedback=feedback, measure=measure
        )

    def _max_octets(self, edition: Edition, rendered: Rendered) -> int:
        try:
            return self.edition_message(edition, rendered).max_octets()
        except ValueError as error:
            raise RenderError(f"cannot write the headers: {error}") from error
