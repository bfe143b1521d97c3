"""Write mail as this installation: its sender, its look and its signatures, for editions and notices alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from digestmail.errors import RenderError
from digestmail.mail.dkim import Signer
from digestmail.mail.message import MessageTemplate, Sender
from digestmail.mail.render import Renderer, page
from digestmail.model.deliveries import Rendered
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.model.theme import Appearance
from digestmail.selection.segments import for_everybody


class MailWriter:
    """Turns editions and notices into words, and words into messages."""

    def __init__(
        self, renderer: Renderer, sender: Sender, looks: Mapping[str, Appearance], signers: Sequence[Signer]
    ) -> None:
        """Send as `sender`. `looks` are the digests' by name; a digest that is not among them has the usual one."""
        self.renderer = renderer
        self.sender = sender
        self._looks = looks
        self.signers = tuple(signers)

    def render(self, edition: Edition, sections: tuple[Section, ...], *, language: str | None = None) -> Rendered:
        """Return the words of the mail for `sections` of `edition`. Raises RenderError."""
        return self.renderer.render(
            edition,
            sections,
            base_url=self.sender.base_url,
            language=language,
            look=self._looks.get(edition.digest, Appearance()),
            measure=partial(self._octets, edition),
        )

    def page(self, edition: Edition) -> str:
        """Return the mail for those who chose every topic as a page for the browser. Raises RenderError."""
        return page(self.render(edition, for_everybody(edition)))

    def edition_message(self, edition: Edition, rendered: Rendered) -> MessageTemplate:
        """Return what casts the mail of one segment of `edition` for one recipient after the other."""
        return MessageTemplate(rendered, self.sender, digest=edition.digest, title=edition.title, signers=self.signers)

    def notice_message(self, rendered: Rendered, title: str) -> MessageTemplate:
        """Return what casts a notice for its recipient."""
        return MessageTemplate(rendered, self.sender, digest="notice", title=title, notice=True, signers=self.signers)

    def _octets(self, edition: Edition, rendered: Rendered) -> int:
        try:
            return self.edition_message(edition, rendered).octets()
        except ValueError as error:
            raise RenderError(f"the headers cannot be written: {error}") from error
