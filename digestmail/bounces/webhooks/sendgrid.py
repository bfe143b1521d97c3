"""SendGrid: its Event Webhook, many events for each request."""

from __future__ import annotations

from typing import Any, Final

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

_KINDS: Final = {
    "bounce": Kind.BOUNCE,
    "spamreport": Kind.COMPLAINT,
    "unsubscribe": Kind.COMPLAINT,
    "group_unsubscribe": Kind.COMPLAINT,
    "deferred": Kind.DELAYED,
    "delivered": Kind.DELIVERED,
}
_DROPPED: Final = {
    "bounced address": Kind.BOUNCE,
    "invalid": Kind.BOUNCE,
    "spam reporting address": Kind.COMPLAINT,
    "unsubscribed address": Kind.COMPLAINT,
}
"""By `reason`: SendGrid did not send the message. Other reasons concern the account or the message."""
_CLASSES: Final = {
    "invalid address": BounceClass.HARD,
    "mailbox unavailable": BounceClass.SOFT,
    "technical": BounceClass.SOFT,
    "technical failure": BounceClass.SOFT,
    "content": BounceClass.SENDER_FAULT,
    "reputation": BounceClass.SENDER_FAULT,
    "frequency or volume too high": BounceClass.SENDER_FAULT,
}
"""By `bounce_classification`."""


class _Kind(Payload):
    event: Text = ""
    reason: Text = ""

    def kind(self) -> Kind:
        named = _DROPPED.get(self.reason.lower()) if self.event == "dropped" else _KINDS.get(self.event)
        return named or Kind.OTHER


class _Event(_Kind):
    email: Needed
    id: Needed = Field(alias="sg_event_id")
    message_id: Text = Field(default="", alias="smtp-id")
    status: Text = ""
    type: Text = ""
    bounce_classification: Text = ""

    def verdict(self) -> BounceClass:
        category = BounceClass.SOFT if self.type == "blocked" else BounceClass.HARD
        return _CLASSES.get(self.bounce_classification.lower(), category)


def read(body: bytes) -> EventBatch:
    """Return the events of a request. Raises EventsError."""
    found = load(body)
    if not isinstance(found, list):
        raise EventsError("the body is not the list SendGrid sends")
    return read_each(found, _read_one)


def _read_one(found: Any) -> InboundReport:
    kind = _Kind.model_validate(found).kind()
    if kind not in {Kind.BOUNCE, Kind.COMPLAINT}:
        return ignored(kind)
    event = _Event.model_validate(found)
    identity, proof = identity_of("sendgrid", event.id), find_tokens([], [event.message_id])
    if kind is Kind.COMPLAINT:
        return complaint(identity, event.email, proof, event.reason or event.event)
    failure = failed(event.email, event.verdict(), status=event.status, text=event.reason)
    return bounce(identity, event.email, proof, failure)
