"""`[mail.smtp.oauth]`, `[mail.fallback.oauth]`, `[bounces.oauth]`: where access tokens for a mail server come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from digestmail.config.values import Host, Line, Password, Table, Word
from digestmail.oauth.presets import Application, GrantType, Protocol, preset
from digestmail.text.hosts import is_local


def _check_endpoint(value: str) -> str:
    from digestmail.errors import SourceRefusedError
    from digestmail.sources.http.ssrf import parse_target

    try:
        target = parse_target(value)
    except SourceRefusedError as error:
        raise ValueError(str(error)) from error
    if target.scheme != "https" and not is_local(target.host):
        raise ValueError("not an https:// address, which RFC 6749 section 3 requires because secrets are sent to it")
    if urlsplit(value).fragment:
        raise ValueError("an endpoint has no fragment")
    return value


Endpoint = Annotated[str, AfterValidator(_check_endpoint)]
_WAYS = ("token_file", "token_command", "provider", "token_url")


class OAuthTable(Table):
    """Where access tokens come from: a file, a program, or a token endpoint."""

    token_file: Path | None = None
    token_command: Annotated[tuple[Word, ...], Field(min_length=1)] | None = None
    provider: Literal["microsoft", "google"] | None = None
    tenant: Host | None = None
    grant: GrantType = GrantType.REFRESH_TOKEN
    client_id: Line | None = None
    client_secret: Password | None = None
    client_secret_file: Path | None = None
    token_url: Endpoint | None = None
    device_url: Endpoint | None = None
    authorization_url: Endpoint | None = None
    scope: Line | None = None

    def application(self, protocol: Protocol) -> Application | None:
        """Return the application whose tokens a token endpoint issues; None if they come from elsewhere.

        The table must have no problems.
        """
        known = preset(self.provider, self.grant, protocol, self.tenant or "") if self.provider else None
        token_url = self.token_url or (known.token_url if known else None)
        if token_url is None:
            return None
        return Application(
            grant=self.grant,
            client_id=self.client_id or "",
            client_secret=self.client_secret.get_secret_value() if self.client_secret else None,
            token_url=token_url,
            device_url=self.device_url or (known.device_url if known else None),
            authorization_url=self.authorization_url or (known.authorization_url if known else None),
            scope=self.scope or (known.scope if known else ""),
        )


def oauth_problems(key: str, table: OAuthTable) -> Iterator[str]:
    """Find what no single key shows. `key` is the path of the table."""
    ways = [name for name in _WAYS if getattr(table, name) is not None]
    if not ways:
        yield f"{key}: set provider, token_url, token_command or token_file"
    elif len(ways) > 1 and ways != ["provider", "token_url"]:
        yield f"{key}: set only one of {', '.join(ways)}"
    elif ways[0] in {"token_file", "token_command"}:
        given = table.model_fields_set - {ways[0]}
        if unused := [name for name in type(table).model_fields if name in given]:
            yield f"{key}.{unused[0]}: has no effect beside {ways[0]}"
    else:
        yield from _application_problems(key, table)


def _application_problems(key: str, table: OAuthTable) -> Iterator[str]:
    if table.client_id is None:
        yield f"{key}.client_id: is missing: the provider shows it where you registered the application"
    if table.provider == "microsoft" and table.tenant is None:
        yield f"{key}.tenant: is missing: set the ID of your directory, or a domain of it"
    if table.provider != "microsoft" and table.tenant is not None:
        yield f'{key}.tenant: only provider = "microsoft" has tenants'
    if table.grant is not GrantType.CLIENT_CREDENTIALS:
        return
    if table.provider == "google":
        yield f'{key}.grant: Google issues no tokens for Gmail to an application: set "refresh_token" or token_command'
    elif not (table.client_secret or table.client_secret_file):
        yield f"{key}.client_secret_file: client_credentials needs a client secret"
