"""Reads forms within limits, checks their token, and converts them to preferences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException as RefusedForm
from starlette.requests import ClientDisconnect
from starlette.types import Message

from digestmail.errors import SubscriptionError, TokenError
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.subscribers.validate import cadence_from
from digestmail.web.pages import pages_of

_LARGEST: Final = 64 * 1024
_LARGEST_UPLOAD: Final = 1_040_000
"""A file of 1 MB, and what a form adds to it. Starlette reads parts of up to 1,048,576 octets."""
_MOST_FIELDS: Final = 300
_HOUR: Final = re.compile("[0-9]{1,2}")
SUBSCRIBE: Final = "subscribe"
"""The purpose of the sign-up forms."""
MIN_FORM_AGE = timedelta(seconds=2)
"""A person needs longer to type an address; bots are faster."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, urlencoded or multipart, without files."""

    fields: dict[str, tuple[str, ...]]

    def get(self, name: str) -> str:
        """Return the last value of a field without surrounding white space, or an empty string."""
        return self.fields.get(name, ("",))[-1].strip()

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field."""
        return self.fields.get(name, ())


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form with one file, or with its content as text. Both are empty if the form is too large."""

    form: Form
    file_name: str
    content: bytes
    too_large: bool = False


async def read_body(request: Request, largest: int) -> bytes:
    """Return the body of a request. Raises HTTPException 413 if it has more than `largest` octets."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            raise HTTPException(413, "the request is too large")
    return bytes(body)


async def read_any_form(request: Request) -> Form:
    """Read the body of a POST as a form. Any other body, of any type and size, is an empty form."""
    try:
        return await read_form(request)
    except (RefusedForm, ClientDisconnect, FormParserError, ValueError):
        return Form({})


async def read_form(request: Request) -> Form:
    """Read the body of a POST as a form. Raises HTTPException 413 if it is too large, 400 if it is not a form."""
    body = await read_body(request, _LARGEST)
    async with _parsed(request, body).form(max_files=0, max_fields=_MOST_FIELDS) as read:
        return _fields(read)


async def read_upload(request: Request) -> UploadForm:
    """Read the body of a POST as a form with the field `file`. Raises HTTPException 400 if it is not a form."""
    body = bytearray()
    too_large = False
    async for piece in request.stream():
        too_large = too_large or len(body) + len(piece) > _LARGEST_UPLOAD
        if not too_large:
            body += piece
    if too_large:
        return UploadForm(Form({}), "", b"", too_large=True)
    parsed = _parsed(request, bytes(body))
    async with parsed.form(max_files=1, max_fields=_MOST_FIELDS) as read:
        file = read.get("file")
        if isinstance(file, UploadFile):
            return UploadForm(_fields(read), file.filename or "", await file.read())
        return UploadForm(_fields(read), "", b"")


def _parsed(request: Request, body: bytes) -> Request:
    """Return `request` with this body."""

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, replay)


def _fields(read: FormData) -> Form:
    fields: dict[str, list[str]] = {}
    for name, value in read.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value.replace("\0", ""))
    return Form({name: tuple(values) for name, values in fields.items()})


SubmittedForm = Annotated[Form, Depends(read_form)]
SubmittedUpload = Annotated[UploadForm, Depends(read_upload)]
LenientForm = Annotated[Form, Depends(read_any_form)]


def check_form(request: Request, form: Form, purpose: str, *, min_age: timedelta = timedelta(0)) -> None:
    """Raise TokenError unless the form was submitted from one of our pages with a valid token."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise TokenError("this form was sent from another site")
    app = pages_of(request).app
    app.link_tokens().check_form(purpose, form.get("token"), app.wall_clock.now(), min_age=min_age)


def preferences_from_form(form: Form, digests: tuple[Digest, ...], languages: tuple[str, ...]) -> Preferences:
    """Return the preferences in the fields `digest`, `topics.NAME`, `cadence.NAME`, `hour`, `timezone` and `language`.

    Raises SubscriptionError for values that our forms do not offer.
    """
    hour = form.get("hour")
    if hour and not _HOUR.fullmatch(hour):
        raise SubscriptionError("the hour must be a number from 0 to 23")
    language = form.get("language")
    if language and language not in languages:
        raise SubscriptionError("this language is not available")
    known = {digest.name for digest in digests}
    wanted = [name for name in dict.fromkeys(form.all("digest")) if name in known]
    return Preferences(
        subscriptions=tuple(
            Subscription(
                digest=name,
                topics=form.all(f"topics.{name}"),
                hour=int(hour) if hour else None,
                cadence=cadence_from(form.get(f"cadence.{name}")),
            )
            for name in wanted
        ),
        language=language or None,
        timezone=form.get("timezone") or None,
    )
