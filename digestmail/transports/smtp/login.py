"""Log in to a mail server (RFC 4954), by password or by OAuth 2 access token."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

import aiosmtplib

from digestmail.errors import TransportError
from digestmail.transports.sasl import AccessTokens, Bearer, bearer, challenge_text, choose, decoded
from digestmail.transports.smtp.replies import reply_code, reply_text
from digestmail.transports.smtp.sender_faults import fault_of

_CONTINUE: Final = 334
_ACCEPTED: Final = 235
_LONGEST_COMMAND: Final = 510
"""Octets of a command line without its CRLF (RFC 5321 section 4.5.3.1.4). A longer response waits for a challenge."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{2,}={0,2}")
_LONG_ENOUGH_TO_FIND: Final = 6
"""Characters of a secret that can be distinguished from other words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user name with a password, or with access tokens."""

    username: str
    password: str = ""
    tokens: AccessTokens | None = None


class RefusedTokenError(TransportError):
    """The server did not accept an access token, which may have expired or been revoked early."""


async def log_in(client: aiosmtplib.SMTP, login: Login, token: str, where: str, port: int) -> None:
    """Log in over an open connection. `token` is an access token if `login` has any.

    Raises TransportError; it is a RefusedTokenError if another token may help. No error contains a secret.
    """
    try:
        if login.tokens is None:
            await client.login(login.username, login.password)
        else:
            await _with_token(client, login, token, where, port)
    except aiosmtplib.SMTPResponseException as error:
        # Not chained: the original may hold what was sent, and some servers quote it.
        raise refused(where, error.code, without_secret(error.message, token or login.password)) from None


async def _with_token(client: aiosmtplib.SMTP, login: Login, token: str, where: str, port: int) -> None:
    mechanism = choose(client.server_auth_methods)
    if mechanism is None:
        offered = ", ".join(client.server_auth_methods).upper() or "nothing"
        raise TransportError(f"{where} offers no login with OAuth 2, only {offered}: set a password instead of [oauth]")
    sent = bearer(mechanism, login.username, token, host=client.hostname or "localhost", port=port)
    response = await _first(client, sent)
    challenge = ""
    if response.code == _CONTINUE:
        challenge = challenge_text(decoded(response.message))
        response = await client.execute_command(base64.b64encode(sent.after_error))
    if response.code == _ACCEPTED:
        return
    text = f"{response.message} ({challenge})" if challenge else response.message
    error = refused(where, response.code, without_secret(text, token))
    if response.code // 100 != 5:  # noqa: PLR2004 - a temporary failure says nothing about the token
        raise error
    raise RefusedTokenError(str(error), code=error.code, pause=error.pause)


async def _first(client: aiosmtplib.SMTP, sent: Bearer) -> aiosmtplib.SMTPResponse:
    """Send the first message of a mechanism; return the reply to it."""
    verb, initial = f"AUTH {sent.mechanism}".encode(), base64.b64encode(sent.initial)
    if len(verb) + 1 + len(initial) <= _LONGEST_COMMAND:
        return await client.execute_command(verb, initial)
    response = await client.execute_command(verb)
    return await client.execute_command(initial) if response.code == _CONTINUE else response


def refused(where: str, code: int, message: str) -> TransportError:
    """Return the error for a reply that ended the attempt to connect or to log in."""
    if reply_code(code) is None:
        return TransportError(f"{where} is not intelligible: {reply_text(message)}")
    said = reply_text(message)
    fault = fault_of(code, said)
    pause, advice = (fault.pause, fault.advice) if fault else (None, "")
    hint = f"; {advice}" if advice else ""
    return TransportError(f"{where} answered {code} {said}{hint}", code=reply_code(code), pause=pause)


def without_secret(text: str, secret: str) -> str:
    """Return a server's reply to a login without the password or token, in clear and in base64 (RFC 4954)."""
    if len(secret) >= _LONG_ENOUGH_TO_FIND:
        text = text.replace(secret, "***")
    return _BASE64.sub(lambda word: "***" if _holds(word[0], secret.encode()) else word[0], text)


def _holds(word: str, secret: bytes) -> bool:
    """Return whether `word` is the base64 of what a login with `secret` sends (LOGIN, RFC 4616, XOAUTH2)."""
    try:
        sent = base64.b64decode(word, validate=True)
    except ValueError:
        return False
    return sent == secret or sent.endswith((b"\0" + secret, b"auth=Bearer " + secret + b"\1\1"))
