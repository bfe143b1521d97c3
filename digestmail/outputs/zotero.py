"""`kind = "zotero"`: adds the papers of an edition to a collection, through the Zotero Web API v3.

https://www.zotero.org/support/dev/web_api/v3/write_requests. Every item is written with a key made from the paper's ID
and version 0, which means that it must not exist. So a repeated request adds nothing, however long ago the first one
was, and neither `Zotero-Write-Token` nor `If-Unmodified-Since-Version` is needed for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from digestmail.clock import Clock
from digestmail.errors import OutputError
from digestmail.model.papers import Paper
from digestmail.outputs.base import OutputMessage
from digestmail.outputs.requests import HttpSettings, Requests
from digestmail.outputs.zotero_items import is_key, item, object_key
from digestmail.selection.segments import for_all_topics
from digestmail.sources.http.exchange import HttpResponse

MOST_ITEMS: Final = 50
"""The number of items in one request."""
_PAGE: Final = 100
_MOST_PAGES: Final = 20
_LONGEST_REASON: Final = 200
_LONGEST_PAUSE: Final = 5.0
"""Seconds that an attempt waits when a response has `Backoff`; after a longer one, it is tried again later."""
_WAITS: Final = frozenset({HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
_HINTS: Final[Mapping[int, str]] = {
    HTTPStatus.FORBIDDEN: "; the API key may not write to this library: change it at zotero.org/settings/keys",
    HTTPStatus.NOT_FOUND: "; look at library and collection",
}
_Json = dict[str, Any]


class ZoteroCollection:
    """A collection of a Zotero library."""

    repeatable = True
    """A paper that is there is not added again."""

    def __init__(
        self, settings: HttpSettings, *, url: str, library: str, collection: str, api_key: str, timeout: float
    ) -> None:
        """Write to `collection` (a key or a name) of `library` (`users/123` or `groups/456`) at the API `url`.

        `timeout` is in seconds, for all requests of an edition.
        """
        self.timeout = timeout
        self._settings = settings
        self._api = url.rstrip("/")
        self._library = library
        self._collection = collection
        self._api_key = api_key

    def send(self, message: OutputMessage) -> str:
        """Add the papers of an edition; return how many are new. A test adds nothing. Raises OutputError."""
        with Requests(self._settings, timeout=self.timeout, secrets=(self._api_key,)) as requests:
            library = _Library(requests, self._settings.clock, self._api, self._library, self._api_key)
            if message.test:
                library.check_access()
            collection = library.collection(self._collection, create=not message.test)
            if message.test:
                return "the key may write" + ("" if collection else "; the collection will be created")
            papers = {
                entry.paper.id: entry.paper for section in for_all_topics(message.edition) for entry in section.entries
            }
            today = message.sent_at.astimezone(UTC).date()
            return library.add(tuple(papers.values()), collection, today)

    def problems(self) -> tuple[str, ...]:
        """Return nothing: only the API knows whether the key opens the library."""
        return ()


class _Library:
    """The requests that write to a library."""

    def __init__(self, requests: Requests, clock: Clock, api: str, name: str, api_key: str) -> None:
        self._requests = requests
        self._clock = clock
        self._api = api
        self._url = f"{api}/{name}"
        self._name = name
        self._api_key = api_key
        self._pause = 0.0

    def check_access(self) -> None:
        """Raise OutputError if the key may not write to the library."""
        found = self._checked(self._send("GET", f"{self._api}/keys/current")).json()
        kind, _, number = self._name.partition("/")
        access = found.get("access", {}) if isinstance(found, dict) else {}
        groups = access.get("groups") or {}
        granted = access.get("user") if kind == "users" else groups.get(number) or groups.get("all")
        if not (isinstance(granted, dict) and granted.get("write")):
            raise OutputError(f"the API key may not write to {self._name}: change it at zotero.org/settings/keys")

    def collection(self, wanted: str, *, create: bool) -> str:
        """Return the key of a collection. One that is wanted by a name that no collection has is created."""
        if is_key(wanted):
            self._get(f"collections/{wanted}")
            return wanted
        named = [one for one in self._collections() if one.get("name") == wanted]
        if len(named) > 1:
            keys = ", ".join(str(one.get("key")) for one in named)
            raise OutputError(f"{len(named)} collections are called {wanted!r}: write the key of one ({keys})")
        if named:
            return str(named[0].get("key"))
        if not create:
            return ""
        key = object_key(self._name, f"collection {wanted}")
        # A failure with 412 means that the collection is there, and that someone renamed it.
        failed = self._write("collections", [{"key": key, "version": 0, "name": wanted}])
        self._check(failed, "the collection")
        return key

    def add(self, papers: Sequence[Paper], collection: str, today: date) -> str:
        """Add papers that are not in the library, and put those that are into the collection; say how many."""
        new, there = 0, []
        for start in range(0, len(papers), MOST_ITEMS):
            items = [
                item(paper, library=self._name, collection=collection, today=today)
                for paper in papers[start : start + MOST_ITEMS]
            ]
            failed = self._write("items", items)
            known = [
                str(items[place]["key"])
                for place, failure in failed.items()
                if failure.get("code") == HTTPStatus.PRECONDITION_FAILED
            ]
            self._put_into(collection, known)
            self._check(failed, "papers")
            there += known
            new += len(items) - len(failed)
        return f"{new} new, {len(there)} known"

    def _put_into(self, collection: str, keys: Sequence[str]) -> None:
        """Put items that another edition or output added into the collection, unless they are in it."""
        if not keys:
            return
        query = urlencode({"format": "json", "itemKey": ",".join(keys), "limit": MOST_ITEMS})
        found = self._json(self._get(f"items?{query}"))
        changes = [
            {
                "key": data["key"],
                "version": data["version"],
                "collections": [*data.get("collections", []), collection],
            }
            for data in (one.get("data", {}) for one in found if isinstance(one, dict))
            if {"key", "version"} <= data.keys() and collection not in data.get("collections", [])
        ]
        if changes:
            failed = self._write("items", changes)
            for failure in failed.values():
                # Someone changed the item since it was read: the next attempt reads it again.
                raise OutputError(f"Zotero did not change an item: {_reason(failure)}", status=failure.get("code"))

    def _collections(self) -> Iterator[_Json]:
        for page in range(_MOST_PAGES):
            query = urlencode({"format": "json", "limit": _PAGE, "start": page * _PAGE})
            found = self._json(self._get(f"collections?{query}"))
            yield from (one["data"] for one in found if isinstance(one, dict) and isinstance(one.get("data"), dict))
            if len(found) < _PAGE:
                return

    def _get(self, path: str) -> HttpResponse:
        return self._checked(self._send("GET", f"{self._url}/{path}"))

    def _write(self, path: str, objects: Sequence[_Json]) -> dict[int, _Json]:
        """Write objects; return the failures by place. Raises OutputError if the request itself fails."""
        body = json.dumps(objects, ensure_ascii=False, separators=(",", ":")).encode()
        response = self._send("POST", f"{self._url}/{path}", body)
        if response.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and len(objects) > 1:
            half = len(objects) // 2
            first = self._write(path, objects[:half])
            second = self._write(path, objects[half:])
            return first | {place + half: failure for place, failure in second.items()}
        found = self._checked(response).json()
        if not isinstance(found, dict) or not isinstance(found.get("failed", {}), dict):
            raise OutputError("Zotero's response is no report about the written objects", status=response.status)
        failed = {
            int(place): failure
            for place, failure in found.get("failed", {}).items()
            if str(place).isdecimal() and isinstance(failure, dict) and int(place) < len(objects)
        }
        done = {str(place) for part in ("successful", "success", "unchanged") for place in found.get(part) or {}}
        missing = [place for place in range(len(objects)) if place not in failed and str(place) not in done]
        if missing:
            raise OutputError(f"Zotero's report lacks {len(missing)} of {len(objects)} objects", status=response.status)
        return failed

    def _checked(self, response: HttpResponse) -> HttpResponse:
        if not response.is_success:
            raise self._requests.failure(response, "Zotero", _HINTS.get(response.status, ""))
        return response

    def _check(self, failed: Mapping[int, _Json], what: str) -> None:
        """Raise OutputError for failures other than that an object is there."""
        others = [one for one in failed.values() if one.get("code") != HTTPStatus.PRECONDITION_FAILED]
        if not others:
            return
        first = next((one for one in others if one.get("code") in _WAITS), others[0])
        code = first.get("code")
        status = code if isinstance(code, int) else None
        permanent = all(_is_permanent(one.get("code")) for one in others)
        count = f"{len(others)} of the " if what == "papers" else ""
        raise OutputError(f"Zotero refused {count}{what}: {_reason(first)}", status=status, permanent=permanent)

    def _json(self, response: HttpResponse) -> list[Any]:
        found = response.json()
        if not isinstance(found, list):
            raise OutputError("Zotero's response is not a list", status=response.status)
        return found

    def _send(self, method: str, url: str, body: bytes = b"") -> HttpResponse:
        """Send a request, after the pause that the response before it asked for."""
        if self._pause > _LONGEST_PAUSE:
            raise OutputError(f"Zotero asks for a pause of {self._pause:.0f} seconds", retry_after=self._pause)
        if self._pause:
            self._clock.sleep(self._pause)
        headers = {"Zotero-API-Version": "3", "Zotero-API-Key": self._api_key}
        if method == "POST":
            headers["Content-Type"] = "application/json"
        response = self._requests.send(method, url, headers=headers, content=body)
        self._pause = (self._requests.wait(response, self._clock.now()) or 0.0) if response.is_success else 0.0
        return response


def _is_permanent(code: object) -> bool:
    """Return whether the same object would be refused again: 4xx, except that the library is locked or busy."""
    return (
        isinstance(code, int)
        and HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR
        and code not in _WAITS
    )


def _reason(failure: _Json) -> str:
    text = " ".join(str(failure.get("message", "")).split())
    line = "".join(one if one.isprintable() else " " for one in text)
    return f"{failure.get('code')} {line}".strip()[:_LONGEST_REASON]
