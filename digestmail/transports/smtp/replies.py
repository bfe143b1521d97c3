"""What a mail server's refusal means: who is to blame, and whether to try again. Pure; no socket comes near it."""

from __future__ import annotations

from enum import StrEnum

from digestmail.errors import DeliveryError, TransportError
from digestmail.transports.base import ThrottledError
from digestmail.transports.smtp.sender_faults import Meaning, fault_of, names_recipient

_MAX_TEXT = 400  # characters of a reply worth keeping; some servers explain themselves at length

_THROTTLING = frozenset({432, 454})
"""What Exchange Online and Amazon SES say to a message they will take later; before it, both mean logins."""
_TOO_MANY_CONNECTIONS = 432
_TOO_LARGE = 552
"""Exceeded storage allocation: with SIZE declared, the message is over the server's limit (RFC 1870 section 6)."""
_ANSWERED = " was answered with "
_LESS = frozenset({Meaning.RATE, Meaning.CONNECTIONS})


class Step(StrEnum):
    """Where in a mail transaction a reply came (RFC 5321 section 3.3)."""

    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    CONTENT = "the message"


def judge_refusal(step: Step, code: int, text: str, recipient: str = "") -> DeliveryError | TransportError:
    """Decide whom a reply blames: this message and recipient, or us who send.

    5xx to RCPT, to DATA and to the message is permanent for this address unless it is about us (see `replies`);
    4xx is worth another try. MAIL FROM names no recipient, so what is refused there is the sender, save that 552 means
    the declared size. A reply that is neither 4xx nor 5xx leaves the session without footing.
    """
    said = f"{step}{_ANSWERED}{code} {text}"
    if code // 100 not in {4, 5}:
        return TransportError(said, code=reply_code(code))
    transient = code // 100 == 4  # noqa: PLR2004 - RFC 5321 section 4.2.1
    fault = fault_of(code, text, recipient)
    if fault is not None and not (transient and fault.meaning in _LESS):
        advice = f"; {fault.advice}" if fault.advice else ""
        return TransportError(said + advice, code=code, pause=fault.pause)
    if fault is not None or (code in _THROTTLING and not names_recipient(code, text, recipient)):
        crowded = code == _TOO_MANY_CONNECTIONS if fault is None else fault.meaning is Meaning.CONNECTIONS
        return ThrottledError(said, code=code, connections=crowded)
    if step is Step.MAIL and code != _TOO_LARGE:
        return TransportError(said, code=code)
    return DeliveryError(said, code=code, permanent=not transient)


def reply_in(said: str, code: int) -> str:
    """Return the text of the reply with `code` in the sentence of `judge_refusal`, or another sentence as it is."""
    _, found, text = said.partition(f"{_ANSWERED}{code} ")
    return text if found else said


def reply_text(raw: bytes | str) -> str:
    """Make a server's words fit for one line of a record or a terminal."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    if text.isprintable():  # as nearly every reply is
        return " ".join(text.split())[:_MAX_TEXT]
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:_MAX_TEXT]


def reply_code(code: int) -> int | None:
    """Return `code` if it can be one (RFC 5321 section 4.2), for a reply may begin with anything."""
    return code if 200 <= code <= 599 else None  # noqa: PLR2004 - the range of the grammar
