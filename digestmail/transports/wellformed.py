"""What every transport may take for granted of the octets it is given."""

from __future__ import annotations

from digestmail.model.deliveries import Envelope
from digestmail.text.addresses import is_envelope_address

MAX_LINE = 998
"""Octets in a line without its CRLF (RFC 5322 section 2.1.1)."""


def require_wellformed(envelope: Envelope, message: bytes) -> None:
    """Refuse what must never reach a wire or a mailbox.

    Raises ValueError for an address that is not `dot-string@domain` (the sender may be empty, RFC 5321 section 4.5.5)
    and for a message with a bare CR or LF, a NUL or a line over 998 octets (RFC 5321 sections 2.3.8 and 4.5.3.1.6).
    Bare line ends are how one message is smuggled into two, so this is a bug upstream and not a delivery that failed.
    """
    _require_address("recipient", envelope.recipient)
    if envelope.sender:
        _require_address("sender", envelope.sender)
    line_ends = message.count(b"\r\n")
    if message.count(b"\r") != line_ends or message.count(b"\n") != line_ends:
        raise ValueError("the message has a bare CR or LF")
    if b"\0" in message:
        raise ValueError("the message has a NUL")
    if max(map(len, message.split(b"\r\n"))) > MAX_LINE:
        raise ValueError(f"the message has a line over {MAX_LINE} octets")


def _require_address(role: str, address: str) -> None:
    if not is_envelope_address(address):
        raise ValueError(f"the {role} is not an address that can stand in an envelope")
