"""Composes the message that the preview shows or sends. Its links unsubscribe no one."""

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

EXAMPLE_ADDRESS: Final = "reader@example.org"
"""The recipient if no subscriber is selected (RFC 2606)."""
_TOKENS: Final = Tokens("preview")
"""Signed with a different secret than any installation's, so that the web pages refuse the links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestMessage:
    """A message for a preview or a test."""

    rendered: Rendered
    envelope: Envelope
    message: bytes
    message_id: str


def compose_test_message(
    app: App,
    edition: Edition,
    sections: tuple[Section, ...],
    *,
    language: str | None,
    recipient: str,
    now: datetime,
    label: str,
) -> TestMessage:
    """Render `sections` of `edition` for `recipient` at `now`. `language` defaults to the digest's.

    `label` is part of the Message-ID. Each test message needs its own, because mailboxes drop duplicates. Raises
    RenderError, and DeliveryError if the recipient is not an address.
    """
    rendered = app.mail.render(edition, sections, language=language)
    try:
        message_template = app.mail.edition_message(edition, rendered)
    except ValueError as error:
        raise RenderError(f"cannot write the headers: {error}") from error
    message_id = _TOKENS.message_id(edition.digest, f"{edition.slot.key}-{label}", 0, app.mail.sender.domain)
    message = message_template.personalize(
        recipient=recipient,
        message_id=message_id,
        date=now,
        unsubscribe_token=_TOKENS.unsubscribe(0, edition.base),
        mailto_token=_TOKENS.mailto_token(0, edition.base),
    )
    sender = app.config.mail.sender_address
    envelope = Envelope(sender=sender, recipient=recipient)
    return TestMessage(rendered=rendered, envelope=envelope, message=message, message_id=message_id)
