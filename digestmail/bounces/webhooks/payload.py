"""The supported providers and their parsers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from digestmail.bounces.parsing.parse import where
from digestmail.bounces.webhooks import generic, mailgun, postmark, sendgrid, ses
from digestmail.bounces.webhooks.events import EventBatch
from digestmail.errors import EventsError


class Provider(StrEnum):
    """An email provider, as in the URL of its webhook."""

    SES = "ses"
    MAILGUN = "mailgun"
    SENDGRID = "sendgrid"
    POSTMARK = "postmark"
    GENERIC = "generic"
    """Any other provider, in our own format."""


_READERS: Final[Mapping[Provider, Callable[[bytes], EventBatch]]] = {
    Provider.SES: ses.read,
    Provider.MAILGUN: mailgun.read,
    Provider.SENDGRID: sendgrid.read,
    Provider.POSTMARK: postmark.read,
    Provider.GENERIC: generic.read,
}


def read(provider: Provider, body: bytes) -> EventBatch:
    """Parse a request of `provider`. Raises EventsError, and nothing else for any body."""
    try:
        return _READERS[provider](body)
    except EventsError:
        raise
    except Exception as error:
        raise EventsError(f"the body cannot be read: {where(error)}") from error
