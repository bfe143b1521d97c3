"""MAIL and RCPT, with the parameters that a server offers (RFC 1870, 3461, 6152, 6531). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import Envelope
from digestmail.text.addresses import with_ascii_domain
from digestmail.transports.base import TooLargeError

_SIZE = re.compile(r"0*[1-9][0-9]{0,19}")
"""The most octets of a message; 0, or nothing, means no fixed limit (RFC 1870 section 4)."""


class Commands:
    """Writes the commands of one connection."""

    def __init__(self, features: Mapping[str, str]) -> None:
        """`features` are what it offered: lower case, with their parameters."""
        self._declares_size = "size" in features
        limit = _SIZE.fullmatch(features.get("size", "").strip())
        self._largest = int(limit[0]) if limit else None
        self._utf8 = None
        if "smtputf8" in features:
            self._utf8 = " BODY=8BITMIME SMTPUTF8" if "8bitmime" in features else " SMTPUTF8"
        self._mail_end, self._rcpt_end = (" RET=HDRS", " NOTIFY=FAILURE") if "dsn" in features else ("", "")

    def write(self, envelope: Envelope, octets: int) -> tuple[bytes, bytes]:
        """Return MAIL and RCPT for a message of `octets`. Raises what refuses it before a word is said."""
        sender, recipient = envelope.sender, envelope.recipient
        if self._largest is not None and octets > self._largest:
            raise TooLargeError(f"the message has {octets} octets, the mail server takes {self._largest}")
        utf8 = ""
        if not (sender.isascii() and recipient.isascii()):
            sender, recipient = with_ascii_domain(sender), with_ascii_domain(recipient)
            if not (sender.isascii() and recipient.isascii()):
                if self._utf8 is None:
                    raise _cannot_carry_utf8(sender)
                utf8 = self._utf8
        size = f" SIZE={octets}" if self._declares_size else ""
        mail = f"MAIL FROM:<{sender}>{size}{utf8}{self._mail_end}\r\n"
        return mail.encode(), f"RCPT TO:<{recipient}>{self._rcpt_end}\r\n".encode()


def _cannot_carry_utf8(sender: str) -> DeliveryError | TransportError:
    if not sender.isascii():
        return TransportError("the sender's address needs SMTPUTF8, which the mail server does not offer")
    return DeliveryError(
        "the recipient's address needs SMTPUTF8, which the mail server does not offer", code=None, permanent=True
    )
