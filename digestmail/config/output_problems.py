"""Outputs in the configuration: secrets out of their files, and what is wrong with the tables."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from digestmail.config.alerts import ALERT_KINDS
from digestmail.config.fetched import check_header_value
from digestmail.config.field_errors import Names, rows_of
from digestmail.config.files import file_fault
from digestmail.config.outputs import (
    AnyOutput,
    AppriseTable,
    FilesTable,
    WebhookTable,
    ZoteroOutputTable,
    check_webhook_secrets,
)
from digestmail.config.servers import read_secret
from digestmail.config.settings import Config
from digestmail.schedule.timezones import check_timezone
from digestmail.text.hosts import is_local


def output_problems(config: Config, base: Path) -> Iterator[str]:
    """Find outputs without a secret, with one that cannot be read, or that would write over each other."""
    folders: dict[Path, str] = {}
    for table in config.outputs:
        key = f'outputs["{table.name}"]'
        yield from _secret_problems(key, table, base)
        if isinstance(table, ZoteroOutputTable) and table.url.startswith("http://") and not _is_local(table.url):
            yield f"{key}.url: the API key would go over the network in clear text: use an https:// address"
        if isinstance(table, FilesTable):
            folder = Path(os.path.abspath(base / table.path))  # noqa: PTH100 - without "..", and without following links
            if folder in folders:
                yield f"{key}.path: is the folder of {folders[folder]} too: give each output its own"
            folders.setdefault(folder, key)


def cross_output_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    """Find outputs for digests that do not exist or have no common content. Works on unchecked data."""
    digests = {str(row.get("name")): row for row in rows_of(raw, "digests")}
    personal = {name for name, row in digests.items() if row.get("selection") == "personal"}
    entries = Names(raw)
    for index, output in enumerate(rows_of(raw, "outputs")):
        key = entries.entry("outputs", index)
        listed = output.get("digests")
        if listed is None:
            if digests and personal == set(digests):
                yield f'{key}: every digest has selection = "personal", so there is nothing that outputs may contain'
            continue
        for name in map(str, listed if isinstance(listed, list | tuple) else ()):
            if name in personal:
                yield (
                    f'{key}.digests: {name!r} has selection = "personal": what its readers get is for each of them '
                    "alone; leave it out here"
                )
            elif name not in digests:
                near = difflib.get_close_matches(name, digests, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                yield f"{key}.digests: there is no {name!r} in [[digests]]{hint}"


def alert_problems(raw: Mapping[str, Any]) -> Iterator[str]:
    """Find alerts that would go nowhere, and outputs that cannot send them. Works on unchecked data."""
    table = raw.get("alerts")
    kinds = {str(row.get("name")): row.get("kind") for row in rows_of(raw, "outputs")}
    named = table.get("outputs", ()) if isinstance(table, dict) else ()
    named = [str(name) for name in named] if isinstance(named, list | tuple) else []
    for row in rows_of(raw, "outputs"):
        if row.get("digests") is not None and not row["digests"] and str(row.get("name")) not in named:
            yield f'outputs["{row.get("name")}"].digests: is empty; name digests, or the output in [alerts] outputs'
    if not isinstance(table, dict):
        return
    if not table.get("to") and not named:
        yield "alerts: set to or outputs, else alerts go nowhere"
    for name in named:
        if name not in kinds:
            yield f"alerts.outputs: there is no {name!r} in [[outputs]]"
        elif kinds[name] not in ALERT_KINDS:
            yield f"alerts.outputs: {name!r} has kind {kinds[name]!r}; alerts go to {' and '.join(ALERT_KINDS)}"
    timezone = table.get("timezone", "UTC")
    if isinstance(timezone, str) and (wrong := check_timezone(timezone)):
        yield f"alerts.timezone: {wrong}"


def with_output_secrets(config: Config, base: Path) -> Config:
    """Return `config` with every secret of an output that is in a file. Raises OSError or ValueError."""
    if not config.outputs:
        return config
    return config.model_copy(update={"outputs": tuple(_with_secret(table, base) for table in config.outputs)})


def output_secrets(config: Config) -> dict[str, str | None]:
    """Return the secrets of outputs by key path."""
    found: dict[str, str | None] = {}
    for table in config.outputs:
        if isinstance(table, WebhookTable) and table.secret is not None:
            found[f'outputs["{table.name}"].secret'] = table.secret.get_secret_value()
        if isinstance(table, ZoteroOutputTable) and table.api_key is not None:
            found[f'outputs["{table.name}"].api_key'] = table.api_key.get_secret_value()
    return found


def _secret_problems(key: str, table: AnyOutput, base: Path) -> Iterator[str]:
    for name, given, file in _secrets(table):
        if not given and file is None:
            what = "urls or urls_file" if name == "urls" else f"{name}_file or {name}"
            yield f"{key}: a secret is missing: set {what}"
        elif given and file is not None:
            yield f"{key}.{name}_file: {name} is set too: leave one of them out"
    try:
        _with_secret(table, base)
    except (OSError, ValueError) as error:
        ((name, _, file),) = _secrets(table)
        yield f"{key}.{name}_file: {file_fault(error, file or Path(), base)}"
    if isinstance(table, AppriseTable) and not table.urls_file:
        yield from _url_problems(f"{key}.urls", table.urls)


def _url_problems(key: str, urls: tuple[SecretStr, ...]) -> Iterator[str]:
    try:
        _check_urls(tuple(url.get_secret_value() for url in urls))
    except ValueError as error:
        yield f"{key}: {error}"


def _secrets(table: AnyOutput) -> Iterator[tuple[str, bool, Path | None]]:
    """Yield (key, whether it is set, file) of the secret that an output needs."""
    if isinstance(table, WebhookTable):
        yield "secret", table.secret is not None, table.secret_file
    elif isinstance(table, ZoteroOutputTable):
        yield "api_key", table.api_key is not None, table.api_key_file
    elif isinstance(table, AppriseTable):
        yield "urls", bool(table.urls), table.urls_file


def _with_secret(table: AnyOutput, base: Path) -> AnyOutput:
    if isinstance(table, WebhookTable) and table.secret_file is not None:
        secret = read_secret(table.secret, table.secret_file, base)
        return table.model_copy(update={"secret": secret and check_webhook_secrets(secret)})
    if isinstance(table, ZoteroOutputTable) and table.api_key_file is not None:
        secret = read_secret(table.api_key, table.api_key_file, base)
        return table.model_copy(update={"api_key": secret and check_header_value(secret)})
    if isinstance(table, AppriseTable) and table.urls_file is not None:
        secret = read_secret(None, table.urls_file, base)
        lines = secret.get_secret_value().splitlines() if secret else []
        urls = tuple(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
        _check_urls(urls)
        return table.model_copy(update={"urls": tuple(map(SecretStr, urls))})
    return table


def _check_urls(urls: tuple[str, ...]) -> None:
    """Raise ValueError, which shows no URL, unless these may be URLs of Apprise, each once."""
    if not urls:
        raise ValueError("there is no URL")
    for number, url in enumerate(urls, 1):
        scheme, colon, rest = url.partition("://")
        if not (colon and scheme.isalnum() and rest) or url.split() != [url]:
            raise ValueError(f"number {number} is not a URL of Apprise, such as ntfy://topic (it is not shown)")
        if url in urls[: number - 1]:
            raise ValueError(f"number {number} is listed twice (it is not shown)")


def _is_local(url: str) -> bool:
    from urllib.parse import urlsplit

    return is_local(urlsplit(url).hostname or "")
