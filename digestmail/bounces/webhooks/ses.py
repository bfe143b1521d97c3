"""Amazon SES: notifications and event publishing, both through SNS.

No URL from SNS is ever fetched, neither its signing certificate nor the one that confirms a subscription. Requests are
authenticated by the secret in the endpoint's URL (SNS, "Basic and Digest Access Authentication").
"""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Any, Final

from pydantic import ValidationError

from digestmail.bounces.parsing.feedback_report import kind_of
from digestmail.bounces.parsing.parse import find_tokens
from digestmail.bounces.parsing.report import BounceClass, InboundReport, Kind, RecipientProof
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

_OURS: Final = frozenset({"ContentRejected", "AttachmentRejected"})
_PASSING: Final = {"DeliveryDelay": Kind.DELAYED, "Delivery": Kind.DELIVERED}
_MOST_HEADERS: Final = 200
_SUBSCRIBE: Final = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/[\x21-\x7e]{1,2000}")


class _Envelope(Payload):
    """The envelope that SNS puts around a message."""

    Type: Text = ""
    Message: object = None
    SubscribeURL: Text = ""


class _Kind(Payload):
    eventType: Text = ""
    notificationType: Text = ""


class _Header(Payload):
    value: Text = ""


class _Mail(Payload):
    source: Text = ""
    destination: tuple[Text, ...] = ()
    headers: tuple[_Header, ...] = ()

    def proof(self) -> RecipientProof:
        return find_tokens([self.source], [header.value for header in self.headers[:_MOST_HEADERS]])


class _Recipient(Payload):
    emailAddress: Needed
    status: Text = ""
    diagnosticCode: Text = ""


class _Bounce(Payload):
    bounceType: Text = ""
    bounceSubType: Text = ""
    bouncedRecipients: list[object]
    feedbackId: Needed

    def verdict(self) -> BounceClass:
        if self.bounceSubType in _OURS:
            return BounceClass.SENDER_FAULT
        return BounceClass.HARD if self.bounceType == "Permanent" else BounceClass.SOFT


class _Complaint(Payload):
    complaintFeedbackType: Text = ""
    complainedRecipients: list[object]
    feedbackId: Needed


class _Bounced(Payload):
    mail: _Mail = _Mail()
    bounce: _Bounce


class _Complained(Payload):
    mail: _Mail = _Mail()
    complaint: _Complaint


def read(body: bytes) -> EventBatch:
    """Parse an SNS request, raw or with an envelope. Raises EventsError."""
    found = load(body)
    if not isinstance(found, dict):
        raise EventsError("the body is not the object SNS sends")
    try:
        if "Type" not in found:
            return _read_message(found)
        envelope = _Envelope.model_validate(found)
        if envelope.Type == "Notification":
            return _read_message(load(str(envelope.Message).encode()))
    except (ValidationError, EventsError, UnicodeError):
        return EventBatch(unreadable=1)
    wanted = envelope.Type == "SubscriptionConfirmation" and _SUBSCRIBE.fullmatch(envelope.SubscribeURL)
    return EventBatch(events=(ignored(Kind.OTHER),), confirm=envelope.SubscribeURL if wanted else "")


def _read_message(found: Any) -> EventBatch:
    named = _Kind.model_validate(found)
    kind = named.eventType or named.notificationType
    if kind == "Bounce":
        bounced = _Bounced.model_validate(found)
        return read_each(bounced.bounce.bouncedRecipients, lambda one: _read_bounce(bounced, one))
    if kind == "Complaint":
        complained = _Complained.model_validate(found)
        return read_each(complained.complaint.complainedRecipients, lambda one: _read_complaint(complained, one))
    return EventBatch(events=(ignored(_PASSING.get(kind, Kind.OTHER)),))


def _read_bounce(found: _Bounced, one: Any) -> InboundReport:
    entry = _Recipient.model_validate(one)
    recipient = _recipient(found.mail, entry)
    text = entry.diagnosticCode.partition(";")[2].strip() or entry.diagnosticCode
    failure = failed(recipient, found.bounce.verdict(), status=entry.status, text=text)
    return bounce(identity_of("ses", found.bounce.feedbackId), recipient, found.mail.proof(), failure)


def _read_complaint(found: _Complained, one: Any) -> InboundReport:
    recipient = _recipient(found.mail, _Recipient.model_validate(one))
    named = found.complaint.complaintFeedbackType.lower()
    # Without a type, the person pressed the provider's spam button.
    if named and (kind := kind_of(named)) is not Kind.COMPLAINT:
        return ignored(kind)
    return complaint(identity_of("ses", found.complaint.feedbackId), recipient, found.mail.proof(), named)


def _recipient(mail: _Mail, entry: _Recipient) -> str:
    """Return the recipient: the message's only destination, else the address in the report.

    A report may contain the address that the message was forwarded to.
    """
    return parseaddr(mail.destination[0] if len(mail.destination) == 1 else entry.emailAddress)[1]
