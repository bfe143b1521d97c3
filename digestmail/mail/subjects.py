"""Subjects: one line of limited length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from digestmail.mail.placeholders import single_line
from digestmail.text.truncate import at_word

SUBJECT_LENGTH: Final = 150
_SHORTEST_TITLE: Final = 20


def edition_subject(render: Any, context: dict[str, Any]) -> str:
    """Return the subject, with its top title shortened until it fits."""
    subject = single_line(render("email/subject.txt", context))
    excess = len(subject) - SUBJECT_LENGTH
    top = context["top"]
    if excess > 0 and top is not None:
        shorter = replace(top, title=at_word(top.title, max(len(top.title) - excess, _SHORTEST_TITLE)))
        subject = single_line(render("email/subject.txt", context | {"top": shorter}))
    return subject
