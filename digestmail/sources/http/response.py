"""The parts of a response that a source needs: header fields, redirects, validators and the body."""

from __future__ import annotations

from collections.abc import Mapping

import httpcore2

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Validators
from digestmail.sources.base import Answer
from digestmail.sources.http.body import read_body
from digestmail.sources.http.request import FetchRequest
from digestmail.sources.http.ssrf import Target

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def header_values(response: httpcore2.Response) -> dict[str, str]:
    """Return the header fields by lower-case name; repeated ones are joined (RFC 9110 section 5.3)."""
    values: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


def set_cookies(response: httpcore2.Response) -> list[str]:
    """Return the Set-Cookie fields, which cannot be joined (RFC 6265 section 3)."""
    return [value.decode("latin-1") for name, value in response.headers if name.lower() == b"set-cookie"]


def redirect_of(status: int, headers: Mapping[str, str], target: Target) -> Target | None:
    """Return where a response redirects to, or None. Raises SourceRefusedError if that address is not allowed."""
    if status not in _REDIRECTS or "location" not in headers:
        return None
    # Addresses that are not ASCII are UTF-8 in practice (RFC 3987), unlike all other header fields.
    return target.follow(headers["location"].encode("latin-1").decode(errors="replace"))


def body_of(response: httpcore2.Response, headers: Mapping[str, str], target: Target, limit: int) -> bytes:
    """Return the unpacked body. Raises SourceUnreadableError if it is damaged or has more than `limit` bytes."""
    try:
        return read_body(response.iter_stream(), coding=headers.get("content-encoding", ""), limit=limit)
    except SourceUnreadableError as error:
        raise SourceUnreadableError(f"{target.shown}: {error}", status=response.status) from error


def answer_of(headers: Mapping[str, str], body: bytes | None, target: Target, request: FetchRequest) -> Answer:
    """Return the answer to `request` that `target` gave. `body` is None if the document has not changed (304)."""
    before = request.known if body is None else Validators()
    return Answer(
        url=request.url,
        body=body,
        validators=Validators(
            etag=headers.get("etag", before.etag),
            last_modified=headers.get("last-modified", before.last_modified),
            version=headers.get("last-modified-version", before.version),
            unchanged=body is None,
        ),
        content_type=headers.get("content-type", ""),
        redirected_to=None if target == request.target else f"{target.scheme}://{target.authority}{target.resource}",
        headers=headers,
    )
