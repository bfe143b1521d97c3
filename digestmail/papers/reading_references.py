"""What people write to name a reading list, as the one spelling that is stored and asked for. Pure."""

from __future__ import annotations

import re
from typing import Final

from digestmail.model.personal import ReadingListKind
from digestmail.papers.identity import find_arxiv_id

MOST_IDS: Final = 500
"""arXiv ids of one list."""
LONGEST_REFERENCE: Final = 20_000
"""Characters that are read of what someone wrote."""

_ORCID = re.compile(r"(?:https?://(?:[a-z]+\.)?orcid\.org/|orcid:\s{0,3})?([0-9]{4})[ -]?([0-9]{4})[ -]?([0-9]{4})[ -]?"
                    r"([0-9]{3}[0-9X])/?", re.IGNORECASE)  # fmt: skip
_AUTHOR = re.compile(
    r"(?:https?://(?:[a-z]+\.)?arxiv\.org/a/)?([a-z][a-z'-]{0,79}(?:_[a-z][a-z'-]{0,79}){1,5}_[0-9]{1,5})"
    r"(?:\.(?:atom2?|html|json|js))?/?",
    re.IGNORECASE,
)
_ZOTERO = re.compile(
    r"(?:https?://(?:www\.|api\.)?zotero\.org/)?(user|group)s?[/: ]\s{0,3}([1-9][0-9]{0,14})(?:[/?#]\S{0,500})?",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[\s,;]+")


def canonical_reference(kind: ReadingListKind, text: str) -> str:
    """Return `text` in the spelling that is stored: an identifier, or arXiv ids joined by spaces.

    Addresses of the pages that show an identifier are accepted as well. Raises ValueError, a phrase that names what was
    written and what is expected. `FILE` has no reference to check.
    """
    text = text.strip()
    if len(text) > LONGEST_REFERENCE:
        raise ValueError(f"it is longer than {LONGEST_REFERENCE:,} characters")
    if kind is ReadingListKind.ARXIV_IDS:
        return " ".join(arxiv_ids(text))
    if kind is ReadingListKind.ARXIV_AUTHOR:
        return _author(text)
    if kind is ReadingListKind.ORCID:
        return orcid(text)
    if kind is ReadingListKind.ZOTERO:
        return _zotero_library(text)
    return text


def orcid(text: str) -> str:
    """Return an ORCID iD as `0000-0000-0000-0000`.

    The last character is a check digit by ISO 7064 MOD 11-2
    (https://support.orcid.org/hc/en-us/articles/360006897674-Structure-of-the-ORCID-Identifier). Raises ValueError.
    """
    found = _ORCID.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{_shown(text)} is not an ORCID iD: it has 16 digits, such as 0000-0001-2345-6789")
    digits = "".join(found.groups()).upper()
    if digits[-1] != _check_digit(digits[:-1]):
        raise ValueError(f"{_shown(text)} is not an ORCID iD: a digit is wrong, because the check digit does not match")
    return "-".join(digits[place : place + 4] for place in range(0, 16, 4))


def arxiv_ids(text: str) -> tuple[str, ...]:
    """Return the arXiv ids in `text`, each once and without version, at most `MOST_IDS`.

    They are separated by spaces, line ends, commas or semicolons; addresses of papers count as their ids. Raises
    ValueError.
    """
    words = [word for word in _SEPARATORS.split(text) if word]
    found = {word: find_arxiv_id(word) for word in words}
    if wrong := next((word for word, arxiv_id in found.items() if arxiv_id is None), None):
        raise ValueError(f"{_shown(wrong)} is not an arXiv id: write them like 2604.00157 or math/0309136")
    ids = tuple(dict.fromkeys(arxiv_id for arxiv_id in found.values() if arxiv_id))
    if not ids:
        raise ValueError("no arXiv id is given: write them like 2604.00157 or math/0309136")
    if len(ids) > MOST_IDS:
        raise ValueError(f"{len(ids):,} arXiv ids are given, but a list has at most {MOST_IDS}")
    return ids


def _author(text: str) -> str:
    """Return an arXiv author identifier (https://info.arxiv.org/help/author_identifiers.html), or an ORCID iD.

    arXiv answers both. An ORCID iD works if its owner linked it to an arXiv account.
    """
    if found := _AUTHOR.fullmatch(text):
        return found[1].lower()
    try:
        return orcid(text.removeprefix("https://arxiv.org/a/"))
    except ValueError as error:
        raise ValueError(
            f"{_shown(text)} is not an arXiv author identifier: it looks like example_a_1; the author's page at "
            "https://arxiv.org/a/ has it in its address"
        ) from error


def _zotero_library(text: str) -> str:
    """Return `users/ID` or `groups/ID` (https://www.zotero.org/support/dev/web_api/v3/basics#resources)."""
    found = _ZOTERO.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{_shown(text)} is not a Zotero library: write users/ID or groups/ID with a number; "
            "https://www.zotero.org/settings/keys shows your user ID, and the address of a group contains its ID"
        )
    return f"{found[1].lower()}s/{found[2]}"


def _check_digit(digits: str) -> str:
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    rest = (12 - total % 11) % 11
    return "X" if rest == 10 else str(rest)  # noqa: PLR2004 - the Roman numeral stands for ten


def _shown(text: str) -> str:
    return repr(text[:60] + ("…" if len(text) > 60 else ""))  # noqa: PLR2004 - characters of a message
