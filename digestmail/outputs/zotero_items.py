"""Papers as items of Zotero, with keys that are made from their IDs. Pure.

Fields: https://www.zotero.org/support/dev/web_api/v3/types_and_fields. Keys: section "Object Keys" of
https://www.zotero.org/support/dev/web_api/v3/write_requests.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, Final

from digestmail.model.papers import Paper
from digestmail.papers.citations.authors import AuthorName, GroupName
from digestmail.papers.citations.reference import Reference, WorkType, reference
from digestmail.text.truncate import at_word

_ALPHABET: Final = "23456789ABCDEFGHIJKLMNPQRSTUVWXYZ"
"""The characters of a key; O, 0 and 1 are not among them."""
_KEY_LENGTH: Final = 8
_TYPES: Final = {
    WorkType.PREPRINT: "preprint",
    WorkType.PUBLICATION: "journalArticle",
    WorkType.WEB_PAGE: "webpage",
}
_MOST_CREATORS: Final = 500
_TEXT_LENGTH: Final = 10_000
_FIELD_LENGTH: Final = 1_000
_TAG_LENGTH: Final = 200
_MOST_TAGS: Final = 20


def object_key(library: str, name: str) -> str:
    """Return the key of the object that is called `name` in a library. The same name always gets the same key.

    A key has 33^8 values, so two of 10,000 papers share one with a probability of 0.00004.
    """
    number = int.from_bytes(hashlib.sha256(f"digestmail\n{library}\n{name}".encode()).digest(), "big")
    key = ""
    for _ in range(_KEY_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        key += _ALPHABET[index]
    return key


def is_key(text: str) -> bool:
    """Return whether `text` may be the key of an object."""
    return len(text) == _KEY_LENGTH and set(text) <= set(_ALPHABET)


def item(paper: Paper, *, library: str, collection: str, today: date) -> dict[str, Any]:
    """Return a paper as a new item in a collection. `version` 0 means that it must not exist yet."""
    about = reference(paper)
    kind = _TYPES[about.type]
    fields = {
        "title": about.title,
        "abstractNote": about.abstract,
        "date": about.published_on.isoformat() if about.published_on else "",
        "url": about.url,
        "accessDate": today.isoformat(),
        **_own_fields(about),
    }
    limits = {"abstractNote": _TEXT_LENGTH}
    known = {name: at_word(value, limits.get(name, _FIELD_LENGTH)) for name, value in fields.items() if value}
    return {
        "key": object_key(library, paper.id),
        "version": 0,
        "itemType": kind,
        "creators": list(map(_creator, about.authors[:_MOST_CREATORS])),
        "tags": [{"tag": at_word(word, _TAG_LENGTH), "type": 1} for word in about.keywords[:_MOST_TAGS]],
        "collections": [collection],
        "relations": {},
        **known,
    }


def _own_fields(about: Reference) -> dict[str, str]:
    """Return the fields that only this type of item has."""
    if about.type is WorkType.PREPRINT:
        archive_id = f"arXiv:{about.arxiv_id}" if about.arxiv_id else ""
        return {"repository": about.repository, "archiveID": archive_id, "DOI": about.doi}
    return {"DOI": about.doi} if about.type is WorkType.PUBLICATION else {}


def _creator(author: AuthorName) -> dict[str, str]:
    if isinstance(author, GroupName):
        return {"creatorType": "author", "name": at_word(author.name, _FIELD_LENGTH)}
    family = " ".join(filter(None, (author.particle, author.family)))
    given = ", ".join(filter(None, (author.given, author.suffix)))
    if not given or not family:
        return {"creatorType": "author", "name": at_word(family or given, _FIELD_LENGTH)}
    return {
        "creatorType": "author",
        "firstName": at_word(given, _TAG_LENGTH),
        "lastName": at_word(family, _TAG_LENGTH),
    }
