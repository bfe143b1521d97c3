"""Feedback reports: complaints that providers forward (RFC 5965), and two older formats."""

from __future__ import annotations

from digestmail.bounces.parsing.mime_parts import Mail, blocks, field, own_parts, returned_messages
from digestmail.bounces.parsing.report import Kind

_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})
"""RFC 5965 section 7.3 and its registry; `auth-failure` (RFC 6591), `virus` and `other` are not complaints."""


def read_feedback(mail: Mail) -> tuple[Kind, str] | None:
    """Return the kind and the type of a feedback report, or None if the message is not one.

    Besides RFC 5965, it recognizes Hotmail's message/rfc822 with a custom header, and Apple Mail's unsubscribe button.
    """
    for part in own_parts(mail):
        if part.get_content_type() == "message/feedback-report":
            kind = next((field(block, "Feedback-Type") for block in blocks(part) if block["Feedback-Type"]), "")
            kind = kind.lower().partition(" ")[0]
            return kind_of(kind), kind
    if mail.get_content_maintype() == "multipart" and any(
        "X-HmXmrOriginalRecipient" in inner for inner in returned_messages(mail)
    ):
        return Kind.COMPLAINT, "abuse"
    if field(mail, "X-Apple-Unsubscribe").lower() == "true":
        return Kind.COMPLAINT, "opt-out"
    return None


def original_senders(mail: Mail) -> list[str]:
    """Return the return paths in a feedback report: `Original-Mail-From` (RFC 5965 section 3.2)."""
    return [
        field(block, "Original-Mail-From")
        for part in own_parts(mail)
        if part.get_content_type() == "message/feedback-report"
        for block in blocks(part)
    ]


def kind_of(named: str) -> Kind:
    """Return the kind for a feedback type, given in lower case."""
    if named in _COMPLAINTS:
        return Kind.COMPLAINT
    return Kind.NOT_SPAM if named == "not-spam" else Kind.FEEDBACK
