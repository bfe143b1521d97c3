"""What a token endpoint answers (RFC 6749 section 5), and what follows from it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from digestmail.errors import TransportError
from digestmail.transports.smtp.replies import reply_text

_UNKNOWN_LIFETIME: Final = timedelta(minutes=10)
"""Of a token whose end the server does not tell; `expires_in` is only recommended."""
_LONGEST_LIFETIME: Final = timedelta(days=1)
"""Tokens are never kept for longer, whatever the server says."""
_LONGEST_TOKEN: Final = 16_384
INVALID: Final = "invalid_response"
"""Our own error code, for a response that RFC 6749 does not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrant:
    """Tokens that a server issued."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    """The one to use from now on; None if it did not change."""
    lifetime: timedelta


class OAuthError(TransportError):
    """A token endpoint refused a request or cannot be reached. `error` is its code (RFC 6749 section 5.2).

    It is empty if there was no response, or none with a code.
    """

    def __init__(self, message: str, *, error: str = "") -> None:
        """Store the code."""
        super().__init__(message)
        self.error = error


def parse_grant(body: bytes, where: str) -> TokenGrant:
    """Return the tokens in a successful response of the server `where`. Raises OAuthError."""
    values = parse_object(body, where)
    token = values.get("access_token")
    if not isinstance(token, str) or not is_token(token):
        raise OAuthError(f"{where} answered without an access token", error=INVALID)
    refresh = values.get("refresh_token")
    return TokenGrant(
        access_token=token,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        lifetime=_lifetime(values.get("expires_in")),
    )


def parse_object(body: bytes, where: str) -> dict[str, Any]:
    """Return a JSON object. Raises OAuthError."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        problem = f"{where} answered with something other than a JSON object: is it the right address?"
        raise OAuthError(problem, error=INVALID)
    return values


def is_token(text: str) -> bool:
    """Return whether a text can be sent as an access token: visible ASCII without blanks (RFC 6750 section 2.1)."""
    return 0 < len(text) <= _LONGEST_TOKEN and all("!" <= character <= "~" for character in text)


def failure(status: int, body: bytes, where: str, login_command: str) -> OAuthError:
    """Return the error for a response that is not successful, and what to do about it.

    `login_command` signs in again.
    """
    try:
        values = parse_object(body, where)
    except OAuthError:
        values = {}
    error = values.get("error")
    code = error if isinstance(error, str) else ""
    description = values.get("error_description")
    said = reply_text(": ".join(filter(None, (code, description if isinstance(description, str) else ""))))
    advice = _ADVICE.get(code, "").format(login=login_command)
    text = f"{where} refused to issue a token ({status}{f' {said}' if said else ''})"
    return OAuthError(f"{text}; {advice}" if advice else text, error=code)


_ADVICE: Final = {
    "invalid_grant": "the sign-in has expired or was revoked: sign in again with `{login}`",
    "interaction_required": "sign in again with `{login}`",
    "invalid_client": "client_id or client_secret is wrong, or the secret has expired: create a new one and set it",
    "unauthorized_client": "this application may not use this grant: allow it at the provider, or change `grant`",
    "invalid_scope": "the scope is not allowed: set `scope`, or add its permission to the application",
    "unsupported_grant_type": "set another `grant`, or use token_command",
}


def _lifetime(expires_in: Any) -> timedelta:
    """Return how long a token is valid. Some servers send the seconds as a string."""
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError, OverflowError):
        return _UNKNOWN_LIFETIME
    if not seconds > 0:  # also NaN
        return _UNKNOWN_LIFETIME
    return timedelta(seconds=min(seconds, _LONGEST_LIFETIME.total_seconds()))
