"""Mails by which readers unsubscribe, as mail programs send them."""

from __future__ import annotations

import re
from email.message import EmailMessage
from urllib.parse import unquote


def target_of(mail: EmailMessage) -> tuple[str, str]:
    """Return (address, subject) of the mailto: in a digest mail's List-Unsubscribe, as RFC 6068 reads it."""
    found = re.search(r"<mailto:([^?>]+)\?subject=([^>]+)>", mail["List-Unsubscribe"])
    assert found, mail["List-Unsubscribe"]
    return unquote(found[1]), unquote(found[2])


def request(to: str, subject: str = "unsubscribe", *, sender: str = "someone@example.net", name: str = "1") -> bytes:
    """Return the request of a mail program whose user clicks "Unsubscribe"."""
    return (
        f"Return-Path: <{sender}>\nFrom: {sender}\nTo: {to}\nSubject: {subject}\nMessage-ID: <{name}@mail.example>\n"
        "Date: Thu, 02 Apr 2026 08:00:00 +0000\n\nThis message was automatically generated.\n"
    ).encode()


def apple(raw: bytes) -> bytes:
    """Return the same mail as Apple Mail writes it."""
    return b"X-Apple-Unsubscribe: true\nAuto-Submitted: auto-replied\n" + raw
