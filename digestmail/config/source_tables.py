"""`[[sources]]` tables for the end of a configuration file, which is the only place that sources are kept in."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from digestmail.config.known_services import service_of, title_of
from digestmail.config.sources import AnySource, ArxivFeedTable, FeedTable, GithubTable
from digestmail.errors import ConfigError

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSources:
    """What can be added, and what cannot and why."""

    tables: tuple[AnySource, ...] = ()
    duplicates: tuple[str, ...] = ()
    """Addresses that are configured already, or were named twice."""
    refused: tuple[tuple[str, str], ...] = ()
    """(address, reason)."""


def new_sources(wanted: Iterable[tuple[str, str]], configured: Iterable[AnySource]) -> NewSources:
    """Return tables for feeds and services given as (title, address), each with a name that is not taken.

    Two addresses are the same if only http or https, the case of the host or the fragment differs.
    """
    known = list(configured)
    names = {_table_name(table) for table in known}
    seen = {address_key(address) for table in known for address in addresses_of(table)}
    tables: list[AnySource] = []
    duplicates: list[str] = []
    refused: list[tuple[str, str]] = []
    for title, given in wanted:
        address = without_feed_scheme(given.strip())
        if address_key(address) in seen:
            duplicates.append(address)
            continue
        service = service_of(address, "service")
        if service is not None and any(_is_same(service, table) for table in known):
            duplicates.append(address)
            continue
        try:
            table = _table(title, address, names, service)
        except ValidationError as error:
            refused.append((address, error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")))
            continue
        seen.add(address_key(address))
        names.add(table.name)
        tables.append(table)
        known.append(table)
    return NewSources(tables=tuple(tables), duplicates=tuple(duplicates), refused=tuple(refused))


def _table_name(table: AnySource) -> str:
    """Return the name of the table that a source comes from: "blogs" for "blogs/example.org-0a1b2c"."""
    return table.name.partition("/")[0]


def check_name(name: str, configured: Iterable[AnySource]) -> None:
    """Raise ConfigError if no new source can be called `name`."""
    if not name or _slug(name) != name:
        raise ConfigError([f"--name: a name is made of lower-case letters, digits and hyphens (it is {name!r})"])
    if name in {_table_name(table) for table in configured}:
        raise ConfigError([f"--name: there is a source {name!r} already"])


def addresses_of(table: AnySource) -> tuple[str, ...]:
    """Return the addresses of the feeds that a source reads; none if it is a service without feeds."""
    if isinstance(table, FeedTable):
        return (table.url,) if table.url else table.urls
    if isinstance(table, ArxivFeedTable):
        return (f"{table.base_url}/rss/{'+'.join(table.categories)}",)
    if isinstance(table, GithubTable):
        return tuple(f"{table.base_url}/{one}/releases.atom" for one in table.repositories)
    return ()


def as_toml(tables: Iterable[AnySource]) -> str:
    """Return the tables as they stand in a configuration, with an empty line before each."""
    return "".join(f"\n[[sources]]\n{_lines(table)}" for table in tables)


def append(path: Path, tables: Collection[AnySource]) -> str:
    """Append the tables to the configuration file at `path` and return the text that was added.

    Nothing else in the file changes. Raises ConfigError if the file would no longer be a configuration with these
    sources, and OSError if it cannot be written; nothing is written then.
    """
    text = as_toml(tables)
    with path.open(encoding="utf-8", newline="") as file:
        before = file.read()
    added = text if before.endswith("\n") else f"\n{text}"
    if "\r\n" in before:
        added = added.replace("\n", "\r\n")
    try:
        named = [row.get("name") for row in tomllib.loads((before + added).removeprefix("\ufeff"))["sources"]]
    except (tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
        raise ConfigError([f"{path}: [[sources]] cannot be appended: {error}"]) from error
    if named[-len(tables) :] != [table.name for table in tables]:
        raise ConfigError([f"{path}: [[sources]] cannot be appended: they would not be its last ones"])
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(added)
    return text


def without_feed_scheme(address: str) -> str:
    """Return a web address for `feed://host`, `feed:https://host` and `feed://https://host`."""
    scheme, colon, rest = address.partition(":")
    if not colon or scheme.lower() != "feed":
        return address
    inner = rest.removeprefix("//")
    return inner if inner.lower().startswith(("http://", "https://")) else f"http://{inner}"


def _lines(table: AnySource) -> str:
    """Return the keys that were set, as they stand in a configuration."""
    keys = ["name", "kind", *(key for key in type(table).model_fields if key in table.model_fields_set)]
    return "".join(f"{key} = {_toml(getattr(table, key))}\n" for key in dict.fromkeys(keys))


def _toml(value: object) -> str:
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, tuple) else quoted(str(value))


def quoted(text: str) -> str:
    """Return a basic string of TOML, which is one of JSON but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _table(title: str, address: str, taken: Collection[str], service: AnySource | None) -> AnySource:
    if service is None:
        return FeedTable(name=_name(title, address, taken), kind="feed", url=address)
    name = _name(title or title_of(service, address), address, taken)
    return service.model_copy(update={"name": name})


def _is_same(service: AnySource, table: AnySource) -> bool:
    """Return whether two tables read the same, whatever they are called and whatever rules they have."""
    differing = {"name", "block", "keep"}
    return type(service) is type(table) and service.model_dump(exclude=differing) == table.model_dump(exclude=differing)


def _name(title: str, address: str, taken: Collection[str]) -> str:
    """Return a name that no other source has, made of the title, or else of the host."""
    slug = _slug(title) or _slug(_host(address).removeprefix("www.")) or "feed"
    name, number = slug, 2
    while name in taken:
        ending = f"-{number}"
        name, number = f"{slug[: _LONGEST_NAME - len(ending)].rstrip('-')}{ending}", number + 1
    return name


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_NAME].strip("-")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def address_key(address: str) -> str:
    """Return what is the same for two addresses if only http or https, the case of the host or the fragment differs."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return address
    place = parts.hostname or ""
    if port not in {None, 80, 443}:
        place += f":{port}"
    return f"{place}{parts.path or '/'}?{parts.query}"
