"""The errors digestmail raises on purpose: one tree, so that a door can catch them in one place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta


class DigestmailError(Exception):
    """Base of every error digestmail raises on purpose; its text is a lower-case sentence for the operator."""


class ConfigError(DigestmailError):
    """The configuration cannot be used; `problems` holds one sentence for each thing to mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep every problem; the text lists one a line."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class SourceError(DigestmailError):
    """A source could not be read; `status` is the HTTP status (RFC 9110 section 15) that said so, if one did."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """Keep the status: a service may mean something of its own by it."""
        super().__init__(message)
        self.status = status


class SourceUnavailableError(SourceError):
    """Nobody answered in time, or the server said it was broken: worth another try later."""


class SourceThrottledError(SourceUnavailableError):
    """The server asked us to come less often; `retry_after` is its wish in seconds, if it gave one."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        """Keep how long the server wants us to stay away."""
        super().__init__(message, status=status)
        self.retry_after = retry_after


class SourceHostUnknownError(SourceUnavailableError):
    """The name of the server does not exist, or no longer."""


class SourceRefusedError(SourceError):
    """The server said no, or our own rules forbid the address: asking again changes nothing."""


class SourceUnreadableError(SourceError):
    """An answer came, but not one this source can be read from."""


class RenderError(DigestmailError):
    """A template or the MJML compiler failed."""


class DeliveryError(DigestmailError):
    """One message was not accepted for one recipient.

    `code` is the three-digit SMTP reply code (RFC 5321 section 4.2) or None when there was no reply;
    `permanent` says whether trying again is pointless.
    """

    def __init__(self, message: str, *, code: int | None, permanent: bool) -> None:
        """Keep what a record of the attempt needs."""
        super().__init__(message)
        self.code = code
        self.permanent = permanent


class TransportError(DigestmailError):
    """The way out itself is broken (no connection, refused login, refused sender): no recipient is to blame."""

    def __init__(self, message: str, *, code: int | None = None, pause: timedelta | None = None) -> None:
        """Keep the reply code, when there was a reply, and how long to leave the server alone, if that is known."""
        super().__init__(message)
        self.code = code
        self.pause = pause


class EventsError(DigestmailError):
    """What a mail provider sent cannot be read as its events."""


class StorageError(DigestmailError):
    """The database cannot be used."""


class SubscriberFacingError(DigestmailError):
    """An error that web pages show to subscribers, in their language.

    `message` is the English sentence and the key of its translation; `values` fill its `%(name)s` placeholders.
    """

    def __init__(self, message: str, *, operator_text: str = "", **values: object) -> None:
        """Keep what a translation needs; operators see `operator_text` instead, where more is known."""
        self.message = message
        self.values = values
        super().__init__(operator_text or (message % values if values else message))


class TokenError(SubscriberFacingError):
    """A signed token is forged, cut or meant for something else."""


class SubscriptionError(SubscriberFacingError):
    """What was asked of a subscription does not exist or is not allowed."""
