"""Finds the causes of a refusal in its text.

Mail servers use the same code for many things, so the text decides if the code is vague or wrong. Several causes may
match; `classify` decides which one counts.

Providers list their replies at: learn.microsoft.com (Email non-delivery reports and SMTP errors in Exchange Online),
support.google.com/a/answer/3726730, senders.yahooinc.com/smtp-error-codes, postmaster.gmx.net/en/error-messages. The
phrases were compared with the reason tables of sisimai (github.com/sisimai/go-sisimai), which come from real bounces.
"""

from __future__ import annotations

import re
from typing import Final

from digestmail.bounces.parsing import recipient_phrases, sender_phrases
from digestmail.bounces.parsing.cause import Cause

_COMPILED: Final = {
    cause: re.compile(
        "|".join(rule.pattern for rule in (*sender_phrases.RULES, *recipient_phrases.RULES) if rule.cause is cause),
        re.IGNORECASE | re.MULTILINE,
    )
    for cause in Cause
}


def find(cause: Cause, text: str) -> int | None:
    """Return the position of the first phrase of `cause` in `text`, or None."""
    found = _COMPILED[cause].search(text)
    return found.start() if found else None


def has_any(text: str, *causes: Cause) -> bool:
    """Return whether `text` contains a phrase of one of `causes`."""
    return any(_COMPILED[cause].search(text) for cause in causes)
