"""What a mail server's refusal means: who is to blame, and whether to try again. Pure; no socket comes near it."""

from __future__ import annotations

import re
from enum import StrEnum

from digestmail.errors import DeliveryError, TransportError

TOO_LARGE = 552
"""Exceeded storage allocation: with SIZE declared, the message is over the server's limit (RFC 1870 section 6)."""

_MAX_TEXT = 400  # characters of a reply worth keeping; some servers explain themselves at length

# Authentication required, failed, too weak, needs encryption (RFC 4954 section 6): ours to mend, whatever the step.
_SENDER_CODES = frozenset({530, 534, 535, 538})

# Credentials (RFC 4954); DKIM, SPF, reverse DNS and their sum (RFC 7372); no MX of our own (RFC 7505); "may not send
# as this sender" (Exchange); authentication level of the domain (Outlook).
_SENDER_STATUS = re.compile(r"5\.7\.(8|9|11|2[0-7]|60|515)\b")

# 5.7.1 says "not authorised" of the sender and of single recipients alike (RFC 3463 section 3.8), so the words decide.
# These are about who we are and what we send: they would come for every recipient.
_SENDER_POLICY = re.compile(
    r"5\.7\.1\b.*\b(dkim|spf|dmarc|unauthenticated|polic(y|ies)|spam|unsolicited|blocked|block ?list(ed)?"
    r"|blacklist(ed)?|reputation)\b",
    re.IGNORECASE,
)

# The commonest mistake of all, a relay that does not know us; Exim says it without an enhanced code.
_NO_RELAY = re.compile(
    r"\brelay(ing)?( access)? (is )?(denied|not (permitted|allowed)|prohibited)\b|\b(unable|not permitted) to relay\b",
    re.IGNORECASE,
)

_ADDRESS = re.compile(r"\S+@\S+")


class Step(StrEnum):
    """Where in a mail transaction a reply came (RFC 5321 section 3.3)."""

    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    CONTENT = "the message"


def judge_refusal(step: Step, code: int, text: str) -> DeliveryError | TransportError:
    """Decide whom a reply blames: this message and recipient, or us who send.

    5xx to RCPT, to DATA and to the message is permanent for this address unless it is about the sender's own standing;
    4xx is worth another try. MAIL FROM names no recipient, so what is refused there is the sender, save that 552 means
    the declared size. A reply that is neither 4xx nor 5xx leaves the session without footing.
    """
    said = f"{step} was answered with {code} {text}"
    if code // 100 not in {4, 5} or _is_senders_fault(code, text):
        return TransportError(said, code=reply_code(code))
    if step is Step.MAIL and code != TOO_LARGE:
        return TransportError(said, code=code)
    return DeliveryError(said, code=code, permanent=code // 100 == 5)  # noqa: PLR2004 - RFC 5321 section 4.2.1


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


def _is_senders_fault(code: int, text: str) -> bool:
    words = _ADDRESS.sub("", text)  # <spam.policy@example.org> is a recipient and not a reason
    return code in _SENDER_CODES or any(
        pattern.search(words) for pattern in (_SENDER_STATUS, _SENDER_POLICY, _NO_RELAY)
    )
