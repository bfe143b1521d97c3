"""Our own format, for all other providers: a list of events that a program of the operator sends."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from digestmail.bounces.parsing.parse import find_tokens
from digestmail.bounces.parsing.report import BounceClass, InboundReport, Kind
from digestmail.bounces.webhooks.events import (
    EventBatch,
    Needed,
    Payload,
    Text,
    bounce,
    complaint,
    failed,
    identity_of,
    ignored,
    load,
    read_each,
)
from digestmail.errors import EventsError


class Event(Payload):
    """An event. If the return path or Message-ID is known, include it: it identifies the edition."""

    id: Needed = Field(description="A unique id, which stays the same if the event is sent again.")
    kind: Literal["bounce", "complaint", "delay"]
    recipient: Needed = Field(description="The address the mail was sent to.")
    permanent: bool = Field(default=False, description="Of a bounce: the address is of no use.")
    status: Text = Field(default="", description='An enhanced status code (RFC 3463), such as "5.1.1".')
    text: Text = Field(default="", description="What the last server said.")
    return_path: Text = ""
    message_id: Text = ""


def read(body: bytes) -> EventBatch:
    """Return the events of a request. Raises EventsError."""
    found = load(body)
    if not isinstance(found, list):
        raise EventsError("the body is not a list of events")
    return read_each(found, _read_one)


def _read_one(found: Any) -> InboundReport:
    event = Event.model_validate(found)
    if event.kind == "delay":
        return ignored(Kind.DELAYED)
    identity = identity_of("generic", event.id)
    proof = find_tokens([event.return_path], [event.message_id])
    if event.kind == "complaint":
        return complaint(identity, event.recipient, proof, event.text)
    category = BounceClass.HARD if event.permanent else BounceClass.SOFT
    failure = failed(event.recipient, category, status=event.status, text=event.text)
    return bounce(identity, event.recipient, proof, failure)
