"""The part of the Zotero Web API v3 that adds items to a collection, as its server behaves.

https://www.zotero.org/support/dev/web_api/v3/write_requests, and `checkJSONObjectVersion` of zotero/dataserver for what
happens to an object whose `version` is older than the stored one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

KEY = re.compile(r"[23456789ABCDEFGHIJKLMNPQRSTUVWXYZ]{8}")
MOST = 50
FIELDS = {
    "preprint": {"title", "abstractNote", "date", "url", "accessDate", "repository", "archiveID", "DOI"},
    "journalArticle": {"title", "abstractNote", "date", "url", "accessDate", "DOI"},
    "webpage": {"title", "abstractNote", "date", "url", "accessDate"},
}
COMMON = {"key", "version", "itemType", "creators", "tags", "collections", "relations"}


@dataclass
class ZoteroApi:
    """A library of one user, `users/12`, and the key that opens it."""

    api_key: str = "made-up-zotero-key"
    may_write: bool = True
    version: int = 7
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[Response] = field(default_factory=list)
    """For the next requests, which then change nothing."""
    lost: int = 0
    """How many of the next writes are done, but answered with 502."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every response."""
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    """(code, message) by a part of an item's title."""
    most: int = MOST
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    """(method, path, number of objects)."""

    def listen(self, server: HTTPServer) -> str:
        """Listen; return the address of the API."""
        server.expect_request(re.compile("/zotero/.*")).respond_with_handler(self._answer)
        return str(server.url_for("/zotero"))

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix("/zotero/")
        written = request.get_json() if request.method == "POST" else []
        self.requests.append((request.method, path, len(written)))
        if self.answers:
            return self.answers.pop(0)
        if request.headers.get("Zotero-API-Key") != self.api_key or request.headers.get("Zotero-API-Version") != "3":
            return Response("Invalid key", status=403)
        if request.method == "POST" and not self.may_write:
            return Response("Write access denied", status=403)
        response = self._routed(request, path, written)
        response.headers.update(self.headers)
        if request.method == "POST" and self.lost:
            self.lost -= 1
            return Response(status=502)
        return response

    def _routed(self, request: Request, path: str, written: list[Any]) -> Response:
        if path == "keys/current":
            return self._json({"access": {"user": {"library": True, "write": self.may_write}}})
        if path == "users/12/collections":
            return (
                self._write(self.collections, written, {"name"}) if written else self._page(self.collections, request)
            )
        if found := re.fullmatch("users/12/collections/(.+)", path):
            known = self.collections.get(found[1])
            return self._json({"data": known}) if known else Response("Collection not found", status=404)
        if path == "users/12/items" and request.method == "POST":
            return self._write(self.items, written, set())
        if path == "users/12/items":
            keys = request.args["itemKey"].split(",")
            return self._json([{"key": key, "data": self.items[key]} for key in keys if key in self.items])
        return Response("Not found", status=404)

    def _page(self, objects: dict[str, dict[str, Any]], request: Request) -> Response:
        start, limit = int(request.args.get("start", 0)), int(request.args.get("limit", 25))
        return self._json([{"key": one["key"], "data": one} for one in list(objects.values())[start : start + limit]])

    def _write(self, objects: dict[str, dict[str, Any]], written: list[Any], needed: set[str]) -> Response:
        if len(written) > self.most:
            return Response(f"Cannot add more than {self.most} at a time", status=413)
        report: dict[str, dict[str, Any]] = {"successful": {}, "success": {}, "unchanged": {}, "failed": {}}
        self.version += 1
        for place, one in enumerate(written):
            failure = self._failure(objects, one, needed)
            if failure:
                code, text = failure
                report["failed"][str(place)] = {"key": one.get("key"), "code": code, "message": text}
                continue
            objects[one["key"]] = objects.get(one["key"], {}) | one | {"version": self.version}
            report["successful"][str(place)] = {"key": one["key"], "version": self.version}
            report["success"][str(place)] = one["key"]
        return self._json(report)

    def _failure(self, objects: dict[str, Any], one: dict[str, Any], needed: set[str]) -> tuple[int, str] | None:
        if not KEY.fullmatch(str(one.get("key"))):
            return 400, "key is not valid"
        known = objects.get(one["key"])
        if known is not None and known["version"] > one["version"]:
            return 412, f"has been modified since specified version (expected {one['version']})"
        if known is None and "itemType" in one:
            unknown = one.keys() - COMMON - FIELDS[one["itemType"]]
            if unknown:
                return 400, f"{min(unknown)} is not a valid field for type {one['itemType']}"
            if [name for name in one["collections"] if name not in self.collections]:
                return 409, "Collection not found"
        for part, failure in self.refused.items():
            if part in one.get("title", ""):
                return failure
        return None if needed <= one.keys() or known else (400, "a field is missing")

    def _json(self, value: Any) -> Response:
        return Response(
            json.dumps(value), mimetype="application/json", headers={"Last-Modified-Version": str(self.version)}
        )
