"""Bounds of what a source says about a paper, and of JSON documents, the same for all sources.

The longest real texts are far below them. The database cannot index more: PostgreSQL refuses search vectors of more
than a megabyte (https://www.postgresql.org/docs/current/textsearch-limitations.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Paper

LONGEST_TEXT: Final = 100_000
"""Characters of a text as the source wrote it."""
LONGEST_ADDRESS: Final = 2_000
MOST_ENTRIES: Final = 5_000
"""Entries of one document that are read."""
MOST_CHARACTERS: Final = 6_000_000
"""Characters of one document that are read. The largest real feeds have four million."""

_TITLE: Final = 1_000
_ABSTRACT: Final = 20_000
_SENTENCES: Final = 5_000
_NAME: Final = 200
_AUTHORS: Final = 6_000
_ALL_NAMES: Final = 150_000
_CATEGORIES: Final = 100
_KEYWORDS: Final = 50
_JSON_OBJECTS: Final = 200_000
_JSON_VALUES: Final = 1_000_000
_JSON_OBJECT = re.compile(r"""\{\s*+(?=["}])|\[\s*+(?=[]"{[0-9tfn-])""")
"""The start of an object or a list. TeX and code in texts have brackets too, but others follow them."""


def bounded(paper: Paper) -> Paper:
    """Return `paper` with every text and list within its bounds. Cut texts end in an ellipsis, raw ones do not."""
    return replace(
        paper,
        title=shortened(paper.title, _TITLE),
        abstract=shortened(paper.abstract, _ABSTRACT),
        raw_title=paper.raw_title[:LONGEST_TEXT],
        raw_abstract=paper.raw_abstract[:LONGEST_TEXT],
        authors=tuple(_names(paper.authors)),
        categories=paper.categories[:_CATEGORIES],
        keywords=tuple(shortened(word, _NAME) for word in paper.keywords[:_KEYWORDS]),
        summary=_optional(paper.summary, _SENTENCES),
        organization=_optional(paper.organization, _NAME),
        comment=_optional(paper.comment, _SENTENCES),
        discussion_url=_address(paper.discussion_url),
        code_url=_address(paper.code_url),
        project_url=_address(paper.project_url),
        thumbnail_url=_address(paper.thumbnail_url),
    )


def shortened(text: str, most: int) -> str:
    """Return `text`; if it exceeds `most` characters, cut at a space that is not too early, and with an ellipsis."""
    if len(text) <= most:
        return text
    start = text[: most - 2]
    words, *_ = start.rsplit(maxsplit=1) or [""]
    return f"{words if len(words) > most // 2 else start} …"


def check_json(document: str) -> None:
    """Check a JSON document before it is parsed. Two characters in it can become an object of 64 bytes.

    Raises SourceUnreadableError if there are too many objects or values.
    """
    if sum(1 for _ in islice(_JSON_OBJECT.finditer(document), _JSON_OBJECTS + 1)) > _JSON_OBJECTS:
        raise SourceUnreadableError(f"not read, because it is too expensive: more than {_JSON_OBJECTS:,} JSON objects")
    if document.count(",") > _JSON_VALUES:
        raise SourceUnreadableError(f"not read, because it is too expensive: more than {_JSON_VALUES:,} JSON values")


def _names(names: Iterable[str]) -> Iterator[str]:
    left = _ALL_NAMES
    for name in list(names)[:_AUTHORS]:
        left -= len(name)
        if left < 0:
            return
        yield shortened(name, _NAME)


def _optional(text: str | None, most: int) -> str | None:
    return None if text is None else shortened(text, most)


def _address(url: str | None) -> str | None:
    """Return an optional address, or None if it is too long: a part of an address is of no use."""
    return url if url is None or len(url) <= LONGEST_ADDRESS else None
