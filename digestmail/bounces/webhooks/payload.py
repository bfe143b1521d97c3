"""The providers there are, and what reads each one's requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from digestmail.bounces.webhooks import generic, mailgun, postmark, sendgrid, ses
from digestmail.bounces.webhooks.events import EventBatch


class Provider(StrEnum):
    """A mail provider, as its webhook's address names it."""

    SES = "ses"
    MAILGUN = "mailgun"
    SENDGRID = "sendgrid"
    POSTMARK = "postmark"
    GENERIC = "generic"
    """Any other, told in our own form."""


_READERS: Final[Mapping[Provider, Callable[[bytes], EventBatch]]] = {
    Provider.SES: ses.read,
    Provider.MAILGUN: mailgun.read,
    Provider.SENDGRID: sendgrid.read,
    Provider.POSTMARK: postmark.read,
    Provider.GENERIC: generic.read,
}


def read(provider: Provider, body: bytes) -> EventBatch:
    """Return what a request of `provider` tells. Raises EventsError, and nothing else whatever the body holds."""
    return _READERS[provider](body)
