"""Why a reading list could not be read, as its reader may know it. Pure.

The sentences are a fixed set, so that pages can translate them. Details, such as hosts and proxies, are only for the
operator.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Final

from digestmail.errors import SourceError, SourceRefusedError, SourceThrottledError, SourceUnavailableError
from digestmail.model.personal import ReadingListKind


class ReadingProblem(StrEnum):
    """A sentence about a list that could not be read."""

    UNKNOWN = "The service does not know it. Check how it is written."
    PRIVATE = "It is not public."
    THROTTLED = "The service asked for fewer requests."
    UNAVAILABLE = "The service did not answer."
    REFUSED = "The service refused to answer."
    UNREADABLE = "The answer of the service could not be read."


_PRIVATE: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_UNKNOWN: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.GONE})
"""arXiv answers 400 to an author that it does not know, ORCID 409 to a record that was deactivated."""


def problem_of(kind: ReadingListKind, error: SourceError) -> ReadingProblem:
    """Return the sentence for an error of a list of this kind."""
    if isinstance(error, SourceThrottledError):
        return ReadingProblem.THROTTLED
    if isinstance(error, SourceUnavailableError):
        return ReadingProblem.UNAVAILABLE
    if not isinstance(error, SourceRefusedError):
        return ReadingProblem.UNREADABLE
    if error.status in _PRIVATE and kind in {ReadingListKind.ZOTERO, ReadingListKind.ORCID}:
        return ReadingProblem.PRIVATE
    return ReadingProblem.UNKNOWN if error.status in _UNKNOWN else ReadingProblem.REFUSED
