"""Placeholders for the links of a recipient, and the cleaning of text. Pure.

A placeholder contains a nonce that is new for each rendering, so no feed can contain one.
"""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
"""Controls, bidirectional overrides (they would also affect the text after a title), surrogates and noncharacters."""


_OTHER_LINE_ENDS = re.compile("[\x0b\x0c\x1c-\x1f\x85]")


def unsubscribe_placeholder(nonce: str) -> str:
    """Return what is replaced with the recipient's unsubscribe link. Before that step it is an ordinary link."""
    return f"https://place.invalid/unsubscribe-{nonce}"


def preferences_placeholder(nonce: str) -> str:
    """Return what is replaced with the link to the recipient's preferences, which contains the same token."""
    return f"https://place.invalid/preferences-{nonce}"


def feedback_placeholder(nonce: str) -> str:
    """Return what is replaced with the recipient's link for feedback. The edition and the paper follow it."""
    return f"https://place.invalid/feedback-{nonce}"


def first_unprintable(text: str) -> str | None:
    """Return the first character of `text` that may not be in an email; None if there is none."""
    found = _UNPRINTABLE.search(text) or _OTHER_LINE_ENDS.search(text)
    return found[0] if found else None


def single_line(text: str) -> str:
    """Return `text` as one line that is safe anywhere in an email.

    White space is collapsed. Unprintable characters are removed.
    """
    return " ".join(_UNPRINTABLE.sub("", text).split())
