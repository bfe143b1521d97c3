"""Log in to an IMAP server with an OAuth 2 access token (RFC 9051 section 6.2.2)."""

from __future__ import annotations

import imaplib

from imap_tools import BaseMailBox

from digestmail.errors import TransportError
from digestmail.transports.sasl import bearer, challenge_text, choose
from digestmail.transports.smtp.replies import reply_text


class RefusedLoginError(TransportError):
    """The server did not accept an access token."""


def authenticate(connected: BaseMailBox, username: str, token: str, *, host: str, port: int) -> None:
    """Log in. Raises RefusedLoginError with what the server says of the token, and TransportError.

    imap-tools answers an error challenge with the token once more, and hides what the challenge says.
    """
    offered = [name[5:] for name in connected.client.capabilities if name.startswith("AUTH=")]
    mechanism = choose(offered)
    if mechanism is None:
        names = ", ".join(offered) or "a password only"
        raise TransportError(f"the server offers no login with OAuth 2, only {names}")
    sent = bearer(mechanism, username, token, host=host, port=port)
    challenges: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return sent.initial if len(challenges) == 1 else sent.after_error

    try:
        connected.client.authenticate(mechanism, answer)
    except imaplib.IMAP4.abort:
        raise  # the connection is gone
    except imaplib.IMAP4.error as error:
        said = reply_text(str(error).replace(token, "***"))
        detail = "; ".join(challenge_text(one).replace(token, "***") for one in challenges[1:])
        raise RefusedLoginError(f"the login was refused: {said}{f' ({detail})' if detail else ''}") from None
