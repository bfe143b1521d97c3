"""The errors that digestmail raises deliberately, in one hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta


class DigestmailError(Exception):
    """The base of errors that digestmail raises deliberately. The text is a lower-case sentence for operators."""


class ConfigError(DigestmailError):
    """The configuration is invalid. `problems` contains one sentence for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Store the problems. The text lists them, one for each line.

        What a terminal would not print is escaped, because a problem may contain any key or name of the file.
        """
        self.problems = tuple(map(_printable, problems))
        super().__init__("\n".join(self.problems))


class SourceError(DigestmailError):
    """A source could not be read. `status` is the HTTP status (RFC 9110 section 15), if there was one."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """Store the status, which may have a special meaning for a source."""
        super().__init__(message)
        self.status = status


class SourceUnavailableError(SourceError):
    """The server did not respond in time or had an internal error. Try again later."""


class SourceThrottledError(SourceUnavailableError):
    """The server asked for fewer requests. `retry_after` is its delay in seconds, if it gave one."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        """Store the delay."""
        super().__init__(message, status=status)
        self.retry_after = retry_after


class SourceHostUnknownError(SourceUnavailableError):
    """The name of the server does not exist, or no longer."""


class SourceRefusedError(SourceError):
    """The server refused the request, or our rules forbid the URL. Trying again does not help."""


class SourceKnowsNothingError(SourceRefusedError):
    """An index knows none of the ids that it was asked for, or one of them is malformed."""


class SourceUnreadableError(SourceError):
    """The response cannot be parsed."""


class AnnouncementError(DigestmailError):
    """An announcement cannot be sent as it is. `problems` contains one sentence for each problem, with its line."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Store the problems. The text lists them, one for each line."""
        self.problems = tuple(map(_printable, problems))
        super().__init__("\n".join(self.problems))


class RenderError(DigestmailError):
    """A template or the MJML compiler failed."""


class DeliveryError(DigestmailError):
    """A message was not accepted for a recipient.

    `code` is the three-digit SMTP reply code (RFC 5321 section 4.2), or None without a reply. `permanent` is whether
    trying again is pointless.
    """

    def __init__(self, message: str, *, code: int | None, permanent: bool) -> None:
        """Store what the record of the attempt needs."""
        super().__init__(message)
        self.code = code
        self.permanent = permanent


class OutputError(DigestmailError):
    """An edition was not accepted by an output beside email.

    `status` is the HTTP status, if there was one. The text contains no secret of the output.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None, permanent: bool = False
    ) -> None:
        """Store what the record of the attempt needs.

        `retry_after` is the delay in seconds that the server asked for. `permanent` is whether trying again is
        pointless.
        """
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.permanent = permanent


class OutputGoneError(OutputError):
    """The receiver wants no more messages (410, RFC 9110 section 15.5.11)."""


class OutputUnknownError(OutputError):
    """It is not known whether the receiver accepted the edition."""


class TransportError(DigestmailError):
    """The transport failed (no connection, refused login, refused sender). This does not count against recipients."""

    def __init__(self, message: str, *, code: int | None = None, pause: timedelta | None = None) -> None:
        """Store the reply code, if there was a reply, and how long to wait, if known."""
        super().__init__(message)
        self.code = code
        self.pause = pause


class EventsError(DigestmailError):
    """A webhook request cannot be parsed."""


class StorageError(DigestmailError):
    """The database is not available or refused an operation."""


class RejectedValueError(StorageError):
    """The database refused a value. It is available, so other records can be stored."""


class ServerError(DigestmailError):
    """A server of ours cannot listen."""


class SubscriberFacingError(DigestmailError):
    """An error that web pages show to subscribers in their language.

    `message` is the English sentence and the key of its translation. `values` fill its `%(name)s` placeholders.
    """

    def __init__(self, message: str, *, operator_text: str = "", **values: object) -> None:
        """Store what a translation needs. Operators see `operator_text` instead, if it is given."""
        self.message = message
        self.values = values
        super().__init__(operator_text or (message % values if values else message))


class TokenError(SubscriberFacingError):
    """A signed token is invalid, incomplete or for another purpose."""


class SubscriptionError(SubscriberFacingError):
    """A subscription request is invalid or not allowed."""


def _printable(text: str) -> str:
    r"""Return `text` with characters that terminals act on, or do not show, as escapes like \x1b."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
