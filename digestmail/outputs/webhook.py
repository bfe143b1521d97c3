"""`kind = "webhook"`: one signed POST for each edition, as Standard Webhooks 1.0 describes it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any, Final

from digestmail.outputs.base import Alert, OutputMessage
from digestmail.outputs.content import EditionContent, PaperItem, content_of
from digestmail.outputs.requests import HttpSettings, Requests
from digestmail.sources.http.ssrf import parse_target

_PREFIX: Final = "whsec_"
_SHORTEST_KEY, _LONGEST_KEY = 24, 64
"""Bytes of a secret (section "Signature scheme")."""
PUBLISHED: Final = "edition.published"
TEST: Final = "edition.test"
ALERT: Final = "alert"


class Webhook:
    """A receiver of signed JSON."""

    repeatable = True
    """The receiver knows a message by its id."""

    def __init__(
        self, settings: HttpSettings, *, url: str, secrets: tuple[str, ...], timeout: float, base_url: str | None
    ) -> None:
        """Sign with each of `secrets`, so that the receiver can replace one. `timeout` is in seconds."""
        self.timeout = timeout
        self._settings = settings
        self._url = url
        self._secrets = secrets
        self._base_url = base_url

    def send(self, message: OutputMessage) -> str:
        """Send an edition; return the status. Raises OutputError."""
        content = content_of(message.edition, self._base_url)
        return self._post(payload(content, test=message.test), message.token, message.sent_at)

    def send_alert(self, alert: Alert) -> str:
        """Send an alert; return the status. Raises OutputError."""
        return self._post(alert_payload(alert), alert.token, alert.sent_at)

    def _post(self, content: dict[str, Any], token: str, sent_at: datetime) -> str:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = int(sent_at.timestamp())
        message_id = f"msg_{token}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(self._secrets, message_id, timestamp, body),
        }
        with Requests(self._settings, timeout=self.timeout, secrets=self._secrets) as requests:
            response = requests.send("POST", self._url, headers=headers, content=body, read=False)
            if not response.is_success:
                raise requests.failure(response, parse_target(self._url).shown)
        return str(response.status)

    def problems(self) -> tuple[str, ...]:
        """Return nothing: only sending shows whether a receiver is there."""
        return ()


def payload(content: EditionContent, *, test: bool = False) -> dict[str, Any]:
    """Return the body of a message. Times are ISO 8601 in UTC."""
    return {
        "type": TEST if test else PUBLISHED,
        "timestamp": _iso(content.published_at),
        "data": {
            "digest": content.digest,
            "slot": content.slot,
            "title": content.title,
            "url": content.url,
            "sections": [
                {"topic": topic, "papers": [_paper(paper) for paper in papers]} for topic, papers in content.sections
            ],
        },
    }


def alert_payload(alert: Alert) -> dict[str, Any]:
    """Return the body of an alert."""
    return {
        "type": ALERT,
        "timestamp": _iso(alert.sent_at),
        "data": {"subject": alert.subject, "began": list(alert.began), "ended": list(alert.ended)},
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _paper(paper: PaperItem) -> dict[str, Any]:
    return {
        "id": paper.id,
        "title": paper.title,
        "authors": list(paper.authors),
        "more_authors": paper.more_authors,
        "published_on": paper.published_on.isoformat() if paper.published_on else None,
        "links": dict(paper.links),
        "reasons": {kind: list(words) for kind, words in paper.reasons},
    }


def signatures(secrets: tuple[str, ...], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature for each secret, separated by spaces."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        f"v1,{base64.b64encode(hmac.new(secret_key(secret), signed, hashlib.sha256).digest()).decode()}"
        for secret in secrets
    )


def secret_key(secret: str) -> bytes:
    """Return the key that a secret stands for: base64 after `whsec_`. Raises ValueError, which does not show it."""
    hint = 'make one with `echo "whsec_$(openssl rand -base64 32)"`'
    if not secret.startswith(_PREFIX):
        raise ValueError(f"a webhook secret begins with {_PREFIX}: {hint}")
    text = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a webhook secret is base64 after {_PREFIX}: {hint}") from error
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise ValueError(f"a webhook secret has {_SHORTEST_KEY} to {_LONGEST_KEY} bytes: {hint}")
    return key
