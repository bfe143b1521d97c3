"""The servers in the configuration: secrets out of their files, and what is wrong with how a server is reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

from pydantic import SecretStr

from digestmail.config.bounces import BouncesTable
from digestmail.config.files import file_fault
from digestmail.config.mail import SmtpTable
from digestmail.config.oauth import oauth_problems
from digestmail.config.settings import Config
from digestmail.text.credentials import guard_problem
from digestmail.text.hosts import is_local
from digestmail.transports.tls import client_context

_Server = SmtpTable | BouncesTable
_WithPassword = TypeVar("_WithPassword", SmtpTable, BouncesTable)
_SMTP_MODES: Final = {
    465: ({"tls"}, 'port 465 speaks TLS from the first byte: set security = "tls", or port = 587 for "starttls"'),
    587: ({"starttls", "none"}, 'port 587 begins in clear: set security = "starttls", or port = 465 for "tls"'),
    25: ({"starttls", "none"}, 'port 25 begins in clear: set security = "starttls", or port = 465 for "tls"'),
}
"""The modes that the well-known ports know (RFC 8314 sections 3.3 and 7.3); any other port may speak any."""
_IMAP_MODES: Final = {
    993: ({"tls"}, 'port 993 speaks TLS from the first byte: set security = "tls", or port = 143 for "starttls"'),
    143: ({"starttls", "none"}, 'port 143 begins in clear: set security = "starttls", or port = 993 for "tls"'),
}


# -- secrets ---------------------------------------------------------------------------------------------------------


def secret_problems(config: Config, base: Path) -> Iterator[str]:
    """Find secrets whose file cannot be read, is empty, or holds one that is too easy to guess."""
    for key, (value, file) in _secrets(config).items():
        try:
            found = read_secret(value, file, base)
        except (OSError, ValueError) as error:
            yield f"{key}_file: {file_fault(error, file or Path(), base)}"
            continue
        if found and key.startswith("web.") and (problem := guard_problem(found.get_secret_value())):
            yield f"{key}: {problem} (it is not shown)"
    for key, table in _servers(config).items():
        password = table.password or table.password_file
        if isinstance(table, SmtpTable) and table.username and not password and table.oauth is None:
            yield f"{key}.username: a login needs a secret too: set password, password_file or [{key}.oauth]"
        if table.oauth is not None:
            yield from oauth_problems(f"{key}.oauth", table.oauth)
            if password:
                yield f"{key}.oauth: access tokens replace the password: remove one of them"
    bounces = config.bounces
    if bounces.kind == "imap" and not _is_login(bounces):
        yield "bounces.username: an IMAP mailbox needs a user name, and a password or [bounces.oauth]"


def with_secrets(config: Config, base: Path) -> Config:
    """Return `config` with every secret that is in a file. Raises OSError or ValueError."""
    mail, web = config.mail, config.web
    tables = {"smtp": _with_password(mail.smtp, base)}
    if mail.fallback is not None:
        tables["fallback"] = _with_password(mail.fallback, base)
    secrets = {
        "admin_token": read_secret(web.admin_token, web.admin_token_file, base),
        "metrics_token": read_secret(web.metrics_token, web.metrics_token_file, base),
        "webhook_secret": read_secret(web.webhook_secret, web.webhook_secret_file, base),
    }
    return config.model_copy(
        update={
            "mail": mail.model_copy(update=tables),
            "bounces": _with_password(config.bounces, base),
            "web": web.model_copy(update=secrets),
        }
    )


def secrets_of(config: Config) -> dict[str, str | None]:
    """Return every secret of a loaded configuration by its key path; None where there is none."""
    return {key: value.get_secret_value() if value else None for key, (value, _) in _secrets(config).items()}


def _secrets(config: Config) -> dict[str, tuple[SecretStr | None, Path | None]]:
    """Return (secret, its file) by key path."""
    web = config.web
    found = {f"{key}.password": (table.password, table.password_file) for key, table in _servers(config).items()}
    for key, table in _servers(config).items():
        if table.oauth is not None:
            found[f"{key}.oauth.client_secret"] = (table.oauth.client_secret, table.oauth.client_secret_file)
    return found | {
        "web.admin_token": (web.admin_token, web.admin_token_file),
        "web.metrics_token": (web.metrics_token, web.metrics_token_file),
        "web.webhook_secret": (web.webhook_secret, web.webhook_secret_file),
    }


def _with_password(table: _WithPassword, base: Path) -> _WithPassword:
    oauth = table.oauth
    if oauth is not None and oauth.client_secret_file is not None:
        secret = read_secret(oauth.client_secret, oauth.client_secret_file, base)
        table = table.model_copy(update={"oauth": oauth.model_copy(update={"client_secret": secret})})
    if table.password_file is None:
        return table  # as it is: a copy would count the password as set
    return table.model_copy(update={"password": read_secret(table.password, table.password_file, base)})


def read_secret(value: SecretStr | None, file: Path | None, base: Path) -> SecretStr | None:
    """Return a secret, from its file if it is in one. Raises OSError or ValueError."""
    if file is None or value is not None:
        return value
    content = (base / file).read_text(encoding="utf-8-sig").strip()  # Windows' editors write a byte order mark
    if not content:
        raise ValueError(f"{file} is empty")
    return SecretStr(content)


# -- the line --------------------------------------------------------------------------------------------------------


def server_problems(config: Config, base: Path) -> Iterator[str]:
    """Find servers that cannot be reached as configured, or only by telling everybody on the way the password."""
    for key, table in _servers(config).items():
        if isinstance(table, BouncesTable) and table.kind != "imap":
            continue
        yield from _mode_problems(key, table)
        yield from _trust_problems(key, table, base)
        clear = table.security == "none" and _is_login(table) and not is_local(table.host)
        if clear and not table.allow_plaintext_password:
            yield (
                f'{key}.security: with "none" the password goes over the network in clear: set "starttls" or "tls", '
                f"or allow_plaintext_password = true if nobody else can listen between here and {table.host}"
            )


def _servers(config: Config) -> dict[str, _Server]:
    """Return the servers we log in to, by their table."""
    found: dict[str, _Server] = {"mail.smtp": config.mail.smtp, "bounces": config.bounces}
    if config.mail.fallback is not None:
        found["mail.fallback"] = config.mail.fallback
    return found


def _is_login(table: _Server) -> bool:
    return bool(table.username and (table.password or table.password_file or table.oauth))


def _mode_problems(key: str, table: _Server) -> Iterator[str]:
    """Find a well-known port that is used in a way it never answers: both sides would wait for the other."""
    if table.port is None or table.host.startswith("/") or (table.protocol == "lmtp" and isinstance(table, SmtpTable)):
        return
    ports = _SMTP_MODES if isinstance(table, SmtpTable) else _IMAP_MODES
    modes, advice = ports.get(table.port, ({table.security}, ""))
    if table.security not in modes:
        yield f"{key}.port: {advice} (it is {table.security!r})"


def _trust_problems(key: str, table: _Server, base: Path) -> Iterator[str]:
    named = table.server_name if isinstance(table, SmtpTable) else None
    if table.security == "none" and (named or table.ca_file):
        yield f'{key}.security: with "none" no certificate is looked at, so ca_file and server_name are of no use'
    if table.ca_file is None:
        return
    try:
        client_context(ca_file=base / table.ca_file)
    except OSError as error:
        yield f"{key}.ca_file: {file_fault(error, table.ca_file, base)}"
