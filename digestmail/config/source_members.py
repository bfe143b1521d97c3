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
            if not _addresses_in(base / table.opml):
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
        addresses = table.urls if table.opml is None else _addresses_in(base / table.opml)
        for address in _different(addresses):
            name = f"{table.name}/{_place(address)}"
            # An address that is none was in a list that another program wrote. Reading it fails, and says why.
            yield table.model_copy(update={"name": name, "url": address, "urls": (), "opml": None})
    else:
        yield table


def _addresses_in(path: Path) -> tuple[str, ...]:
    from digestmail.sources.opml import parse_opml

    return tuple(without_feed_scheme(outline.url) for outline in parse_opml(path.read_bytes()))


def _different(addresses: Iterable[str]) -> Iterable[str]:
    """Return the addresses without those that differ only in http or https, the case of the host or the fragment."""
    found: dict[str, str] = {}
    for address in addresses:
        found.setdefault(address_key(address), address)
    return found.values()


def _place(address: str) -> str:
    """Return what a feed is called in its list: its host, and a hash, because paths and queries may hold a token."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    return f"{host[:60] or 'feed'}-{sha256(address_key(address).encode()).hexdigest()[:6]}"
