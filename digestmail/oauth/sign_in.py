"""Sign in as a person, for a refresh token: with a code (RFC 8628), or in a browser (RFC 6749 section 4.1, RFC 7636).

Each flow is a few requests; what a response means is decided by pure functions.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from digestmail.clock import Clock
from digestmail.oauth.answers import INVALID, OAuthError, TokenGrant, parse_grant, parse_object
from digestmail.oauth.endpoint import OAuthEndpoint
from digestmail.oauth.presets import Application
from digestmail.oauth.tokens import client_form
from digestmail.transports.smtp.replies import reply_text

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_DEFAULT_INTERVAL: Final = 5.0
"""Seconds between requests if the server names no interval (RFC 8628 section 3.2)."""
_SLOWER: Final = 5.0
"""Seconds that each `slow_down` adds (RFC 8628 section 3.5)."""
_LONGEST_INTERVAL: Final = 60.0
_LONGEST_WAIT: Final = 1800.0
REDIRECT: Final = "http://127.0.0.1:8023"
"""Where the browser is sent in the end (RFC 8252 section 7.3). Nothing listens there: the address is pasted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a sign-in with a code begins with (RFC 8628 section 3.2)."""

    device_code: str = field(repr=False)
    user_code: str
    address: str
    """Where the person enters the code."""
    interval: float
    """Seconds between requests."""
    lifetime: float
    """Seconds until the code expires."""


def with_code(
    application: Application, endpoint: OAuthEndpoint, clock: Clock, show: Callable[[DeviceCode], object]
) -> TokenGrant:
    """Sign in with a code that a person enters on another device; `show` shows it. Raises OAuthError."""
    url = application.device_url or ""
    form = client_form(application) | {"scope": application.scope}
    code = parse_device_code(endpoint.post(url, form), url)
    show(code)
    ends, interval = clock.monotonic() + code.lifetime, code.interval
    request = client_form(application) | {"grant_type": _DEVICE_GRANT, "device_code": code.device_code}
    while clock.monotonic() + interval <= ends:
        clock.sleep(interval)
        try:
            return with_refresh_token(parse_grant(endpoint.post(application.token_url, request), url), application)
        except OAuthError as error:
            interval = next_interval(error, interval)
    raise OAuthError("the code expired before someone entered it: run the command again", error="expired_token")


def parse_device_code(body: bytes, where: str) -> DeviceCode:
    """Return the code in a response of the server `where`. Raises OAuthError."""
    values = parse_object(body, where)
    address = values.get("verification_uri") or values.get("verification_url")
    device, user = values.get("device_code"), values.get("user_code")
    if not (isinstance(device, str) and isinstance(user, str) and isinstance(address, str)):
        raise OAuthError(f"{where} answered without a code", error=INVALID)
    return DeviceCode(
        device_code=device,
        user_code=reply_text(user),
        address=reply_text(address),
        interval=min(_positive(values.get("interval"), _DEFAULT_INTERVAL), _LONGEST_INTERVAL),
        lifetime=min(_positive(values.get("expires_in"), _LONGEST_WAIT), _LONGEST_WAIT),
    )


def next_interval(error: OAuthError, interval: float) -> float:
    """Return how many seconds to wait after a request that did not return tokens yet (RFC 8628 section 3.5).

    Raises OAuthError if there will be none.
    """
    match error.error:
        case "authorization_pending":
            return interval
        case "slow_down":
            return interval + _SLOWER
        case "":  # no connection, or a server that has a problem
            return min(interval * 2, _LONGEST_INTERVAL)
        case "access_denied" | "authorization_declined":  # the second one is Microsoft's
            raise OAuthError("the sign-in was declined: run the command again", error="access_denied") from error
        case "expired_token" | "code_expired":
            raise OAuthError("the code has expired: run the command again", error="expired_token") from error
        case _:
            raise error


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSignIn:
    """A sign-in in a browser that has begun."""

    address: str
    """What to open in a browser."""
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def in_browser(application: Application, state: str, verifier: str) -> BrowserSignIn:
    """Return the address to open. `state` and `verifier` are random; the latter has 43 to 128 characters (RFC 7636)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": application.client_id,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": application.scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        # Google issues a refresh token only with these two; others ignore them (RFC 6749 section 3.1).
        "access_type": "offline",
        "prompt": "consent",
    }
    url = application.authorization_url or ""
    address = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
    return BrowserSignIn(address=address, state=state, verifier=verifier)


def redeem(application: Application, endpoint: OAuthEndpoint, begun: BrowserSignIn, pasted: str) -> TokenGrant:
    """Return the tokens for the address that the browser was sent to in the end. Raises OAuthError."""
    form = client_form(application) | {
        "grant_type": "authorization_code",
        "code": code_in(pasted, begun.state),
        "redirect_uri": REDIRECT,
        "code_verifier": begun.verifier,
    }
    return with_refresh_token(
        parse_grant(endpoint.post(application.token_url, form), application.token_url), application
    )


def code_in(pasted: str, state: str) -> str:
    """Return the authorization code in an address (RFC 6749 section 4.1.2). Raises OAuthError."""
    try:
        query = parse_qs(urlsplit(pasted.strip()).query)
    except ValueError:
        query = {}
    error, code = query.get("error", [""])[0], query.get("code", [""])[0]
    if error:
        raise OAuthError(f"the sign-in failed: {reply_text(error)}", error=error)
    if not code:
        raise OAuthError(f"this address contains no code: paste the one that begins with {REDIRECT}/?")
    if query.get("state") != [state]:
        raise OAuthError("this address belongs to another sign-in: open the address that was just printed")
    return code


def with_refresh_token(grant: TokenGrant, application: Application) -> TokenGrant:
    """Return `grant` if it contains a refresh token. Raises OAuthError."""
    if grant.refresh_token is None:
        raise OAuthError(
            f"the server issued no refresh token for the scope {application.scope!r}: most servers need "
            "offline_access in `scope`",
            error=INVALID,
        )
    return grant


def _positive(value: Any, default: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return number if number > 0 else default
