"""Tables that name several places: each place becomes a separate source, called `TABLE/PLACE`.

So each has its own validators and health, is parked alone, and does not stop the others. Digests that name the table
read all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from digestmail.config.files import file_fault
from digestmail.config.settings import Config
from digestmail.config.source_tables import address_key, without_feed_scheme
from digestmail.config.sources import AnySource, FeedTable, GithubTable
from digestmail.errors import SourceUnreadableError


def list_problems(config: Config, base: Path) -> Iterator[str]:
    """Find lists of feeds that cannot be read. Their paths are relative to `base`."""
    for table in config.sources:
        if not isinstance(table, FeedTable) or table.opml is None:
            continue
        key = f'sources["{table.name}"].opml'
        if str(table.opml).startswith(("http:", "https:")):
            yield f"{key}: is a file, not an address: save the list beside the configuration and write its name"
            continue
        try:
            if not _feeds_in(base / table.opml):
                yield f"{key}: {table.opml} names no feed: an outline of a feed has an xmlUrl"
        except OSError as error:
            yield f"{key}: {file_fault(error, table.opml, base)}"
        except SourceUnreadableError as error:
            yield f"{key}: {table.opml}: {error}"


def with_members(config: Config, base: Path) -> Config:
    """Return `config` with a table for each place. Raises OSError or SourceUnreadableError for an OPML file."""
    members = {table.name: tuple(_members(table, base)) for table in config.sources}

    def named(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(one.name for name in names for one in members[name])

    digests = tuple(digest.model_copy(update={"sources": named(digest.sources)}) for digest in config.digests)
    sources = tuple(one for table in config.sources for one in members[table.name])
    return config.model_copy(update={"sources": sources, "digests": digests})


def _members(table: AnySource, base: Path) -> Iterator[AnySource]:
    if isinstance(table, GithubTable):
        for repository in dict.fromkeys(table.repositories):
            name = f"{table.name}/{repository}"
            yield table.model_copy(update={"name": name, "repositories": (repository,)})
    elif isinstance(table, FeedTable) and table.url is None:
        listed = [(url, "") for url in table.urls] if table.opml is None else _feeds_in(base / table.opml)
        for address, title in _different(listed):
            yield table.member(f"{table.name}/{_place(address)}", address, title)
    else:
        yield table


def _feeds_in(path: Path) -> list[tuple[str, str]]:
    """Return (address, title) of each feed of an OPML file."""
    from digestmail.sources.opml import parse_opml

    return [(without_feed_scheme(outline.url), outline.title) for outline in parse_opml(path.read_bytes())]


def _different(feeds: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Return the feeds without those whose addresses differ only in http or https, the case of the host or fragment."""
    found: dict[str, tuple[str, str]] = {}
    for address, title in feeds:
        found.setdefault(address_key(address), (address, title))
    return found.values()


def _place(address: str) -> str:
    """Return what a feed is called in its list: its host, and a hash, because paths and queries may hold a token."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    return f"{host[:60] or 'feed'}-{sha256(address_key(address).encode()).hexdigest()[:6]}"
