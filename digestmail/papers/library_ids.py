"""What people write to name a reading list, in its one spelling: arXiv IDs, an author, an ORCID iD, a library. Pure.

Links work as well as identifiers. Every function raises SubscriptionError for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from digestmail.errors import SubscriptionError
from digestmail.model.personal import ReadingListKind
from digestmail.papers.identity import find_arxiv_id

MOST_IDS: Final = 500
"""The number of arXiv IDs in one list."""
_SHOWN: Final = 80
_BETWEEN_IDS = re.compile(r"[\s,;]+")
_PREFIX: Final = frozenset({"", "arxiv", "arxiv:"})
"""What remains of "arXiv: 2604.00001"."""
# https://info.arxiv.org/help/author_identifiers.html: arxiv.org/a/warner_s_1
_AUTHOR = re.compile(
    r"(?:(?:https?://)?(?:www\.)?arxiv\.org/a/)?([a-z][a-z'-]{0,60}(?:_[a-z][a-z'-]{0,60}){0,5}_[1-9][0-9]{0,4})"
    r"(?:\.(?:atom2?|js|html))?/?"
)
# https://support.orcid.org/hc/en-us/articles/360006897674: 16 characters, the last one is a checksum.
_ORCID = re.compile(
    r"(?:(?:https?://)?(?:www\.)?orcid\.org/)?([0-9]{4})-?([0-9]{4})-?([0-9]{4})-?([0-9]{3}[0-9X])/?", re.IGNORECASE
)
# https://www.zotero.org/support/dev/web_api/v3/basics#user_and_group_library_urls
_ZOTERO = re.compile(r"(?:(?:https?://)?(?:www\.|api\.)?zotero\.org/)?(users|groups)/([1-9][0-9]{0,11})(?:/.*)?")
_MODULUS, _TEN = 11, 10


def arxiv_ids(text: str) -> str:
    """Return the arXiv IDs in `text` (IDs or links, between spaces, commas or line ends), joined by single spaces."""
    found: dict[str, None] = {}
    for piece in _BETWEEN_IDS.split(text):
        arxiv_id = find_arxiv_id(piece)
        if arxiv_id:
            found[arxiv_id] = None
        elif piece.lower() not in _PREFIX:
            raise SubscriptionError(
                "%(text)s is not an arXiv ID; write each one as 2604.00001 or as a link", text=_shown(piece)
            )
    if not found:
        raise SubscriptionError("enter at least one arXiv ID, such as 2604.00001")
    if len(found) > MOST_IDS:
        raise SubscriptionError("enter at most %(most)s arXiv IDs in one list", most=MOST_IDS)
    return " ".join(found)


def arxiv_author(text: str) -> str:
    """Return an arXiv author identifier, such as `example_a_1`."""
    found = _AUTHOR.fullmatch(text.strip().lower())
    if found is None:
        raise SubscriptionError(
            "%(text)s is not an arXiv author identifier; it looks like example_a_1 and is shown in your arXiv account",
            text=_shown(text),
        )
    return found[1]


def orcid(text: str) -> str:
    """Return an ORCID iD in groups of four, such as `0000-0002-1825-0097`. A mistyped digit is found (ISO 7064)."""
    found = _ORCID.fullmatch(text.strip())
    if found is None or not _is_valid(digits := "".join(found.groups()).upper()):
        raise SubscriptionError(
            "%(text)s is not an ORCID iD; check its 16 digits, such as 0000-0002-1825-0097", text=_shown(text)
        )
    return "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def zotero_library(text: str) -> str:
    """Return a Zotero library as `users/123` or `groups/456`."""
    found = _ZOTERO.fullmatch(text.strip().lower())
    if found is None:
        raise SubscriptionError(
            "%(text)s is not a Zotero library; write groups/ and the number in the address of the group, or users/ and "
            "your user ID, which zotero.org shows in the settings under Security",
            text=_shown(text),
        )
    return f"{found[1]}/{found[2]}"


REFERENCES: Final[Mapping[ReadingListKind, Callable[[str], str]]] = {
    ReadingListKind.ARXIV_IDS: arxiv_ids,
    ReadingListKind.ARXIV_AUTHOR: arxiv_author,
    ReadingListKind.ORCID: orcid,
    ReadingListKind.ZOTERO: zotero_library,
}
"""What reads the reference of each kind of list that is fetched."""


def _is_valid(digits: str) -> bool:
    """Return whether the last of 16 characters is the checksum of the others: ISO 7064, MOD 11-2."""
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2 % _MODULUS
    check = (1 - total) % _MODULUS
    return digits[-1] == ("X" if check == _TEN else str(check))


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
