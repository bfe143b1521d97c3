"""SendGrid: its Event Webhook, many events a request."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from digestmail.bounces.parsing.parse import find_evidence
from digestmail.bounces.parsing.report import Blame, InboundReport, Kind
from digestmail.bounces.webhooks.events import (
    EventBatch,
    Needed,
    Payload,
    Text,
    bounce,
    complaint,
    failed,
    gather,
    identity_of,
    load,
    passing,
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
"""By `reason`: SendGrid did not even send it. The other reasons lie with the account or the mail."""
_CLASSES: Final = {
    "invalid address": Blame.HARD,
    "mailbox unavailable": Blame.SOFT,
    "technical": Blame.SOFT,
    "technical failure": Blame.SOFT,
    "content": Blame.OURS,
    "reputation": Blame.OURS,
    "frequency or volume too high": Blame.OURS,
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

    def verdict(self) -> Blame:
        says = Blame.SOFT if self.type == "blocked" else Blame.HARD
        return _CLASSES.get(self.bounce_classification.lower(), says)


def read(body: bytes) -> EventBatch:
    """Return the events of a request. Raises EventsError."""
    found = load(body)
    if not isinstance(found, list):
        raise EventsError("the body is not the list SendGrid sends")
    return gather(found, _read_one)


def _read_one(found: Any) -> InboundReport:
    kind = _Kind.model_validate(found).kind()
    if kind not in {Kind.BOUNCE, Kind.COMPLAINT}:
        return passing(kind)
    event = _Event.model_validate(found)
    identity, evidence = identity_of("sendgrid", event.id), find_evidence([], [event.message_id])
    if kind is Kind.COMPLAINT:
        return complaint(identity, event.email, evidence, event.reason or event.event)
    failure = failed(event.email, event.verdict(), status=event.status, text=event.reason)
    return bounce(identity, event.email, evidence, failure)
