"""Mailgun: one event for each request, with a signature in the body."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
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
from digestmail.text.credentials import matches

FRESH: Final = timedelta(minutes=15)
"""The maximum age of a signature, because Mailgun's requests may be late. The same event never counts twice."""
_PASSING: Final = {"delivered": Kind.DELIVERED}
_COMPLAINTS: Final = frozenset({"complained", "unsubscribed"})
_SUPPRESSED: Final = frozenset({"suppress-complaint", "suppress-unsubscribe"})
"""Mailgun did not send the message, because the person had complained or unsubscribed."""
_VERDICTS: Final = {"old": BounceClass.SOFT, "espblock": BounceClass.SENDER_FAULT, "greylisted": BounceClass.SOFT}
"""By `reason`. With `old`, Mailgun gave up after many attempts."""


class _Signature(Payload):
    timestamp: Needed = Field(pattern=r"^[0-9]{1,12}$")
    token: Needed
    signature: Needed


class _Signed(Payload):
    signature: _Signature


class _Kind(Payload):
    event: Text = ""
    severity: Text = ""
    reason: Text = ""

    def kind(self) -> Kind:
        if self.event in _COMPLAINTS or (self.event == "failed" and self.reason in _SUPPRESSED):
            return Kind.COMPLAINT
        if self.event == "failed":
            # Mailgun tries again after a temporary failure, and sends a permanent one when it gives up.
            return Kind.BOUNCE if self.severity == "permanent" else Kind.DELAYED
        return _PASSING.get(self.event, Kind.OTHER)


class _Status(Payload):
    code: Text = ""
    enhanced_code: Text = Field(default="", alias="enhanced-code")
    bounce_type: Text = Field(default="", alias="bounce-type")
    message: Text = ""
    description: Text = ""


class _Sender(Payload):
    sender: Text = ""


class _Headers(Payload):
    message_id: Text = Field(default="", alias="message-id")


class _Message(Payload):
    headers: _Headers = _Headers()


class _Event(_Kind):
    id: Needed
    recipient: Needed
    envelope: _Sender = _Sender()
    message: _Message = _Message()
    status: _Status = Field(default=_Status(), alias="delivery-status")

    def verdict(self) -> BounceClass:
        category = BounceClass.SOFT if self.status.bounce_type == "soft" else BounceClass.HARD
        return _VERDICTS.get(self.reason, category)

    def text(self) -> str:
        return " ".join(filter(None, (self.status.code, self.status.message or self.status.description)))


def is_signed(body: bytes, key: str, now: datetime) -> bool:
    """Return whether a body was signed with `key` shortly before `now`: HMAC-SHA256 over timestamp and token.

    With an empty key, no body is valid, because anyone could have signed it.
    """
    if not key:
        return False
    try:
        found = _Signed.model_validate(load(body)).signature
        signed = hmac.new(key.encode(), f"{found.timestamp}{found.token}".encode(), "sha256").hexdigest()
        age = abs(now.timestamp() - int(found.timestamp))
    except (EventsError, ValueError):
        return False
    return matches(found.signature, signed) and age <= FRESH.total_seconds()


def read(body: bytes) -> EventBatch:
    """Return the event of a request. The signature is checked separately. Raises EventsError."""
    found = load(body)
    if not isinstance(found, dict) or "event-data" not in found:
        raise EventsError("the body is not the object Mailgun sends")
    return read_each([found["event-data"]], _read_one)


def _read_one(found: Any) -> InboundReport:
    kind = _Kind.model_validate(found).kind()
    if kind not in {Kind.BOUNCE, Kind.COMPLAINT}:
        return ignored(kind)
    event = _Event.model_validate(found)
    identity = identity_of("mailgun", event.id)
    proof = find_tokens([event.envelope.sender], [f"<{event.message.headers.message_id.strip('<>')}>"])
    if kind is Kind.COMPLAINT:
        return complaint(identity, event.recipient, proof, event.reason or event.event)
    failure = failed(event.recipient, event.verdict(), status=event.status.enhanced_code, text=event.text())
    return bounce(identity, event.recipient, proof, failure)
