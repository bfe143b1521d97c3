"""A specimen: one mail, cast as for a reader, whose links leave nobody's subscription."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from digestmail.app import App
from digestmail.errors import RenderError
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Envelope, Rendered
from digestmail.model.editions import Edition
from digestmail.model.selection import Section

NOBODY: Final = "reader@example.org"
"""The recipient when everybody's mail is shown (RFC 2606)."""
_TOKENS: Final = Tokens("preview")
"""Signed with no installation's secret: the web pages refuse its links, so that a look unsubscribes nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMessage:
    """A mail nobody got yet."""

    rendered: Rendered
    envelope: Envelope
    message: bytes


def cast_specimen(
    app: App,
    edition: Edition,
    sections: tuple[Section, ...],
    *,
    language: str | None,
    recipient: str,
    now: datetime,
    mark: str,
) -> TestMessage:
    """Render `sections` of `edition` and cast them for `recipient` at `now`, in the digest's language if none is given.

    `mark` stands in the Message-ID: mailboxes drop what they have seen before, so every test sent needs its own.
    Raises RenderError, and DeliveryError when the recipient is no address.
    """
    rendered = app.mail.render(edition, sections, language=language)
    try:
        message_template = app.mail.edition_message(edition, rendered)
    except ValueError as error:
        raise RenderError(f"the headers cannot be written: {error}") from error
    message = message_template.cast(
        recipient=recipient,
        message_id=_TOKENS.message_id(edition.digest, f"{edition.slot.key}-{mark}", 0, app.mail.sender.domain),
        date=now,
        unsubscribe_token=_TOKENS.unsubscribe(0, edition.digest),
        leave_token=_TOKENS.leave(0, edition.digest),
    )
    sender = app.config.mail.sender_address
    return TestMessage(rendered=rendered, envelope=Envelope(sender=sender, recipient=recipient), message=message)
