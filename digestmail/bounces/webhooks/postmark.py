"""Postmark: its bounce and spam complaint webhooks, one record for each request."""

from __future__ import annotations

from typing import Any, Final

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

_VERDICTS: Final = {
    "HardBounce": BounceClass.HARD,
    "BadEmailAddress": BounceClass.HARD,
    "SoftBounce": BounceClass.SOFT,
    "DnsError": BounceClass.SOFT,
    "Unknown": BounceClass.SOFT,
    "Blocked": BounceClass.SENDER_FAULT,
    "SpamNotification": BounceClass.SENDER_FAULT,
    "VirusNotification": BounceClass.SENDER_FAULT,
    "DMARCPolicy": BounceClass.SENDER_FAULT,
}
"""By `Type`: the types that are bounces."""
_KINDS: Final = {
    "SpamComplaint": Kind.COMPLAINT,
    "Unsubscribe": Kind.COMPLAINT,
    "Transient": Kind.DELAYED,
    "AutoResponder": Kind.AUTO_REPLY,
    "ChallengeVerification": Kind.AUTO_REPLY,
}


class _Kind(Payload):
    RecordType: Text = ""
    Type: Text = ""

    def kind(self) -> Kind:
        if self.RecordType == "SpamComplaint":
            return Kind.COMPLAINT
        if self.RecordType == "Bounce":
            return Kind.BOUNCE if self.Type in _VERDICTS else _KINDS.get(self.Type, Kind.OTHER)
        return Kind.DELIVERED if self.RecordType == "Delivery" else Kind.OTHER


class _Record(_Kind):
    ID: Needed
    Email: Needed
    Description: Text = ""
    Details: Text = ""


def read(body: bytes) -> EventBatch:
    """Return the record of a request. Raises EventsError."""
    found = load(body)
    if not isinstance(found, dict):
        raise EventsError("the body is not the object Postmark sends")
    return read_each([found], _read_one)


def _read_one(found: Any) -> InboundReport:
    kind = _Kind.model_validate(found).kind()
    if kind not in {Kind.BOUNCE, Kind.COMPLAINT}:
        return ignored(kind)
    record = _Record.model_validate(found)
    # Postmark replaces the Message-ID and return path, so the address is the only identification.
    identity, proof = identity_of("postmark", record.ID), RecipientProof()
    if kind is Kind.COMPLAINT:
        return complaint(identity, record.Email, proof, record.Details or record.Description)
    failure = failed(record.Email, _VERDICTS[record.Type], text=record.Details or record.Description)
    return bounce(identity, record.Email, proof, failure)
