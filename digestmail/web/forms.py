"""Forms: read within limits, checked to be ours, and turned into choices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request
from python_multipart.exceptions import FormParserError
from starlette.exceptions import HTTPException as RefusedForm
from starlette.requests import ClientDisconnect
from starlette.types import Message

from digestmail.errors import SubscriptionError, TokenError
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.web.pages import pages_of

_LARGEST: Final = 64 * 1024
_MOST_FIELDS: Final = 300
SUBSCRIBE: Final = "subscribe"
"""The purpose of the form on the home page and of the page it leads to."""
SHORTEST_FILLING_IN = timedelta(seconds=2)
"""Nobody types an address faster; programs do."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, urlencoded or multipart, without files."""

    fields: dict[str, tuple[str, ...]]

    def get(self, name: str) -> str:
        """Return the last value of a field, white space around it taken off; empty if it is not there."""
        return self.fields.get(name, ("",))[-1].strip()

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field."""
        return self.fields.get(name, ())


async def read_body(request: Request, largest: int) -> bytes:
    """Return the body of a request; 413 when it has more than `largest` octets, read no further than that."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > largest:
            raise HTTPException(413, "the request is too large")
    return bytes(body)


async def read_any_form(request: Request) -> Form:
    """Read the body of a POST as a form as far as it is one: any other body, of any type and size, is an empty form."""
    try:
        return await read_form(request)
    except (RefusedForm, ClientDisconnect, FormParserError, ValueError):
        return Form({})


async def read_form(request: Request) -> Form:
    """Read the body of a POST as a form; 413 when it is larger than any form of ours, 400 when it is none."""
    body = await read_body(request, _LARGEST)

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async with Request(request.scope, replay).form(max_files=0, max_fields=_MOST_FIELDS) as read:
        fields: dict[str, list[str]] = {}
        for name, value in read.multi_items():
            if isinstance(value, str):
                fields.setdefault(name, []).append(value.replace("\0", ""))
    return Form({name: tuple(values) for name, values in fields.items()})


Filled = Annotated[Form, Depends(read_form)]
FilledAnyhow = Annotated[Form, Depends(read_any_form)]


def check_ours(request: Request, form: Form, purpose: str, *, min_age: timedelta = timedelta(0)) -> None:
    """Raise TokenError unless the form was shown by one of our pages and sent from it."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise TokenError("this form was sent from another site")
    app = pages_of(request).app
    app.link_tokens().check_form(purpose, form.get("token"), app.wall_clock.now(), min_age=min_age)


def choices_of(form: Form, digests: tuple[Digest, ...], languages: tuple[str, ...]) -> Preferences:
    """Return what was chosen in the fields `digest`, `topics.NAME`, `hour`, `timezone` and `language`.

    Raises SubscriptionError for what no page of ours offers.
    """
    hour = form.get("hour")
    if hour and not (hour.isascii() and hour.isdigit()):
        raise SubscriptionError("the hour must be a number from 0 to 23")
    language = form.get("language")
    if language and language not in languages:
        raise SubscriptionError("this language is not available")
    known = {digest.name for digest in digests}
    wanted = [name for name in dict.fromkeys(form.all("digest")) if name in known]
    return Preferences(
        subscriptions=tuple(
            Subscription(digest=name, topics=form.all(f"topics.{name}"), hour=int(hour) if hour else None)
            for name in wanted
        ),
        language=language or None,
        timezone=form.get("timezone") or None,
    )
