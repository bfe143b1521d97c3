"""Example webhook requests of email providers, about one message."""

from __future__ import annotations

import hmac
import json
from datetime import datetime
from typing import Any

READER = "reader@example.org"
SECRET = "a-made-up-webhook-secret"


def body(found: Any) -> bytes:
    return json.dumps(found).encode()


# -- Amazon SES --------------------------------------------------------------------------------------------------------


def sns(message: Any, **fields: Any) -> bytes:
    """Return what SNS posts around a message."""
    return body(
        {
            "Type": "Notification",
            "MessageId": "0ae1c9d2-0000-5000-8000-000000000001",
            "TopicArn": "arn:aws:sns:eu-west-1:000000000000:mail",
            "Message": message if isinstance(message, str) else json.dumps(message),
            "Timestamp": "2026-04-02T08:00:01.000Z",
            "SignatureVersion": "1",
            "Signature": "bm90IGNoZWNrZWQ=",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
        }
        | fields
    )


def subscription(url: str = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=0a1b") -> bytes:
    return sns("You have chosen to subscribe", Type="SubscriptionConfirmation", Token="0a1b", SubscribeURL=url)


def ses_mail(source: str = "digest@example.org", *recipients: str, headers: dict[str, str] | None = None) -> Any:
    return {
        "timestamp": "2026-04-02T07:59:00.000Z",
        "source": source,
        "messageId": "0100018e-made-up-000000",
        "destination": list(recipients or (READER,)),
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in (headers or {}).items()],
    }


def ses_bounce(
    kind: str = "Permanent",
    subtype: str = "General",
    *,
    recipients: Any = None,
    mail: Any = None,
    feedback_id: str = "0100018e-bounce-1",
    named: str = "notificationType",
) -> Any:
    """Return a bounce, as a notification or, `named` eventType, as a published event."""
    default = [
        {
            "emailAddress": READER,
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 no such user",
        }
    ]
    return {
        named: "Bounce",
        "bounce": {
            "bounceType": kind,
            "bounceSubType": subtype,
            "bouncedRecipients": default if recipients is None else recipients,
            "timestamp": "2026-04-02T08:00:00.000Z",
            "feedbackId": feedback_id,
            "reportingMTA": "dsn; a1.smtp-out.example",
        },
        "mail": ses_mail() if mail is None else mail,
    }


def ses_complaint(kind: str | None = "abuse") -> Any:
    complaint = {
        "complainedRecipients": [{"emailAddress": READER}],
        "timestamp": "2026-04-02T08:00:00.000Z",
        "feedbackId": "0100018e-complaint-1",
        "complaintSubType": None,
    }
    named = {} if kind is None else {"complaintFeedbackType": kind}
    return {"notificationType": "Complaint", "complaint": complaint | named, "mail": ses_mail()}


# -- the others --------------------------------------------------------------------------------------------------------


def mailgun_event(
    event: str = "failed", severity: str = "permanent", reason: str = "bounce", sender: str = "", **status: Any
) -> Any:
    return {
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": 1775116800.1,
        "log-level": "error",
        "event": event,
        "severity": severity,
        "reason": reason,
        "recipient": READER,
        "delivery-status": {
            "attempt-no": 1,
            "code": 550,
            "enhanced-code": "5.1.1",
            "message": "5.1.1 no such user",
            "description": "",
            "session-seconds": 0.4,
        }
        | status,
        "envelope": {"sender": sender or "digest@example.org", "transport": "smtp", "targets": READER},
        "message": {"headers": {"message-id": "20260402@example.org", "from": "digest@example.org", "to": READER}},
        "flags": {"is-test-mode": False},
    }


def mailgun(event: Any, now: datetime, key: str = SECRET, **changed: Any) -> bytes:
    """Return an event signed at `now`; fields of the signature may be `changed` afterwards."""
    timestamp, token = str(int(now.timestamp())), "0" * 50
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), "sha256").hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature} | changed
    return body({"signature": signed, "event-data": event})


def sendgrid(event: str = "bounce", **fields: Any) -> Any:
    return {
        "email": READER,
        "timestamp": 1775116800,
        "smtp-id": "<20260402@example.org>",
        "event": event,
        "category": ["digest"],
        "sg_event_id": "sendgrid-event-1",
        "sg_message_id": "14c5d75ce93.made-up.0",
    } | fields


def sendgrid_bounce(classification: str | None = "Invalid Address", **fields: Any) -> Any:
    said = {"type": "bounce", "status": "5.0.0", "reason": "550 5.1.1 no such user"}
    named = {} if classification is None else {"bounce_classification": classification}
    return sendgrid(**said | named | fields)


def postmark(kind: str = "HardBounce", record: str = "Bounce", **fields: Any) -> Any:
    return {
        "RecordType": record,
        "ID": 692560173,
        "Type": kind,
        "TypeCode": 1,
        "Name": "made up",
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 no such user",
        "Email": READER,
        "From": "digest@example.org",
        "BouncedAt": "2026-04-02T08:00:00Z",
        "Inactive": True,
        "MessageStream": "broadcast",
    } | fields


def generic(kind: str = "bounce", **fields: Any) -> Any:
    return {"id": "event-1", "kind": kind, "recipient": READER} | fields
