"""How sources are fetched, over several keys: logins out of their files, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from digestmail.config.embeddings import EndpointTable
from digestmail.config.enrichment import EnrichmentTable
from digestmail.config.fetched import FetchedTable, check_header_value
from digestmail.config.network import NetworkTable
from digestmail.config.profile import ProfileTable
from digestmail.config.servers import read_secret
from digestmail.config.settings import Config
from digestmail.config.sources import AnySource, ZoteroTable
from digestmail.text.hosts import is_local


def fetching_problems(config: Config, base: Path) -> Iterator[str]:
    """Find logins that are incomplete, cannot be read from their files, or would be sent in clear text."""
    yield from _proxy_problems(config.network, base)
    for name, endpoint in (("embeddings", config.embeddings), ("summaries", config.summaries)):
        if endpoint is not None:
            yield from _endpoint_problems(name, endpoint, config.network, base)
    if config.enrichment is not None:
        yield from _index_problems(config.enrichment, base)
    if config.profile is not None:
        yield from _library_problems(config.profile, base)
    for table in config.sources:
        key = f'sources["{table.name}"]'
        yield from _login_problems(key, table, base)
        yield from _header_problems(key, table, base)
        if isinstance(table, ZoteroTable):
            yield from _api_key_problems(key, table, base)
        if table.has_secrets() and _is_in_clear(table.address, config.network):
            yield (
                f"{key}: its login would go over the network in clear text: use an https:// address, or name the host "
                "in network.allow_private_hosts if it is in your own network"
            )


def with_fetching_secrets(config: Config, base: Path) -> Config:
    """Return `config` with every login that is in a file. Raises OSError or ValueError."""
    network = config.network
    if network.proxy_password_file is not None:
        secret = read_secret(network.proxy_password, network.proxy_password_file, base)
        network = network.model_copy(update={"proxy_password": secret})
    profile = config.profile
    if profile is not None and profile.zotero_key_file is not None:
        profile = profile.model_copy(
            update={"zotero_key": _header_secret(profile.zotero_key, profile.zotero_key_file, base)}
        )
    sources = tuple(_with_login(table, base) for table in config.sources)
    read = {
        "network": network,
        "embeddings": _with_key(config.embeddings, base),
        "summaries": _with_key(config.summaries, base),
        "enrichment": _with_index_keys(config.enrichment, base),
        "profile": profile,
        "sources": sources,
    }
    return config.model_copy(update=read)


def _with_key(table: EndpointTable | None, base: Path) -> EndpointTable | None:
    if table is None or table.api_key_file is None:
        return table
    return table.model_copy(update={"api_key": _header_secret(table.api_key, table.api_key_file, base)})


def _with_index_keys(table: EnrichmentTable | None, base: Path) -> EnrichmentTable | None:
    if table is None:
        return table
    keys = {name: _header_secret(key, file, base) for name, key, file in table.secrets()}
    return table.model_copy(update=keys)


def _with_login(table: AnySource, base: Path) -> AnySource:
    if isinstance(table, ZoteroTable) and table.api_key_file is not None:
        table = table.model_copy(update={"api_key": _header_secret(table.api_key, table.api_key_file, base)})
    if table.password_file is None and not table.header_files:
        return table
    read = {name: _header_from(file, base) for name, file in table.header_files.items()}
    return table.model_copy(
        update={
            "password": read_secret(table.password, table.password_file, base),
            "headers": table.headers | read,
        }
    )


def _header_from(file: Path, base: Path) -> SecretStr:
    value = read_secret(None, file, base)
    return check_header_value(value or SecretStr(""))


def _header_secret(value: SecretStr | None, file: Path | None, base: Path) -> SecretStr | None:
    """Return a secret that is sent in a header, from its file if it is in one. Raises OSError or ValueError."""
    key = read_secret(value, file, base)
    return None if key is None else check_header_value(key)


def _library_problems(table: ProfileTable, base: Path) -> Iterator[str]:
    try:
        key = _header_secret(table.zotero_key, table.zotero_key_file, base)
    except (OSError, ValueError) as error:
        yield f"profile.zotero_key_file: cannot be used: {error}"
        return
    if key is not None and table.zotero is None:
        yield 'profile.zotero: is missing: the key beside it would never be used; write zotero = "users/123"'


def _index_problems(table: EnrichmentTable, base: Path) -> Iterator[str]:
    for name, key, file in table.secrets():
        try:
            _header_secret(key, file, base)
        except (OSError, ValueError) as error:
            yield f"enrichment.{name}_file: cannot be used: {error}"


def _endpoint_problems(name: str, table: EndpointTable, network: NetworkTable, base: Path) -> Iterator[str]:
    try:
        key = _header_secret(table.api_key, table.api_key_file, base)
    except (OSError, ValueError) as error:
        yield f"{name}.api_key_file: cannot be used: {error}"
        return
    if key is not None and _is_in_clear(table.url, network):
        yield (
            f"{name}.url: the key would go over the network in clear text: use an https:// address, or name the "
            "host in network.allow_private_hosts if it is in your own network"
        )


def _login_problems(key: str, table: FetchedTable, base: Path) -> Iterator[str]:
    given = table.password is not None or table.password_file is not None
    if table.username is not None and not given:
        yield f"{key}.username: a login needs a password too: set password_file or password"
    if table.username is None and given:
        yield f"{key}.username: is missing: the password beside it would never be used"
    sent = {name.lower() for name in (*table.headers, *table.header_files)}
    if table.username is not None and "authorization" in sent:
        yield f"{key}.headers: Authorization and username exclude each other: leave one of them out"
    try:
        read_secret(table.password, table.password_file, base)
    except (OSError, ValueError) as error:
        yield f"{key}.password_file: cannot be read: {error}"


def _header_problems(key: str, table: FetchedTable, base: Path) -> Iterator[str]:
    for name, file in table.header_files.items():
        try:
            _header_from(file, base)
        except (OSError, ValueError) as error:
            yield f"{key}.header_files.{name}: cannot be used: {error}"


def _api_key_problems(key: str, table: ZoteroTable, base: Path) -> Iterator[str]:
    try:
        _header_secret(table.api_key, table.api_key_file, base)
    except (OSError, ValueError) as error:
        yield f"{key}.api_key_file: cannot be used: {error}"


def _proxy_problems(network: NetworkTable, base: Path) -> Iterator[str]:
    given = network.proxy_password is not None or network.proxy_password_file is not None
    if network.proxy is None and (given or network.proxy_username):
        yield "network.proxy: is missing: the login beside it would never be used"
    elif given != (network.proxy_username is not None):
        yield "network.proxy_username: a login at the proxy needs proxy_username and proxy_password_file"
    try:
        read_secret(network.proxy_password, network.proxy_password_file, base)
    except (OSError, ValueError) as error:
        yield f"network.proxy_password_file: cannot be read: {error}"


def _is_in_clear(address: str, network: NetworkTable) -> bool:
    from digestmail.sources.http.ssrf import PrivateHosts, normal_host

    split = urlsplit(address)
    host = normal_host(split.hostname or "")
    return (
        split.scheme == "http"
        and not is_local(host)
        and not PrivateHosts.parse(network.allow_private_hosts).names(host)
    )
