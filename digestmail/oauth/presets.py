"""The token endpoints and scopes of Microsoft and Google. Pure.

Microsoft: https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
Google: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol and
https://developers.google.com/identity/protocols/oauth2/native-app
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

Protocol = Literal["smtp", "imap"]


class GrantType(StrEnum):
    """How access tokens are obtained (RFC 6749 sections 4.4 and 6)."""

    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application registered at an authorization server, and what it asks for."""

    grant: GrantType
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    token_url: str
    device_url: str | None = None
    """Where a sign-in with a code begins (RFC 8628 section 3.1)."""
    authorization_url: str | None = None
    """Where a sign-in in a browser begins (RFC 6749 section 3.1)."""
    scope: str = ""
    """Scopes, separated by spaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is known about a provider."""

    token_url: str
    device_url: str | None = None
    authorization_url: str | None = None
    scope: str


_MICROSOFT: Final = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
_MICROSOFT_SCOPES: Final = {
    "smtp": "https://outlook.office.com/SMTP.Send offline_access",
    "imap": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
}


def preset(provider: Literal["microsoft", "google"], grant: GrantType, protocol: Protocol, tenant: str) -> Preset:
    """Return the endpoints and scopes of a provider. `tenant` is Microsoft's: an ID or a domain.

    Google's device sign-in does not allow the scope of Gmail, so it is not used
    (https://developers.google.com/identity/protocols/oauth2/limited-input-device#allowedscopes).
    """
    if provider == "google":
        return Preset(
            token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
            authorization_url="https://accounts.google.com/o/oauth2/v2/auth",
            scope="https://mail.google.com/",
        )
    base = _MICROSOFT.format(tenant=tenant)
    if grant is GrantType.CLIENT_CREDENTIALS:
        return Preset(token_url=f"{base}/token", scope="https://outlook.office365.com/.default")
    return Preset(token_url=f"{base}/token", device_url=f"{base}/devicecode", scope=_MICROSOFT_SCOPES[protocol])
