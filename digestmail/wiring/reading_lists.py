"""What follows collecting: reading lists of readers and of `[profile]` are read, if any is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from digestmail.clock import Clock
from digestmail.collect.due_lists import due_lists
from digestmail.config.settings import Config
from digestmail.model.personal import ReadingList, ReadingListKind
from digestmail.model.reports import CollectReport, Stop
from digestmail.storage.database import Database

if TYPE_CHECKING:
    from pydantic import SecretStr

    from digestmail.collect.reading_lists import ListReader
    from digestmail.sources.http.client import Http
    from digestmail.sources.reading_list import ReadingListService

_LONGEST: Final = 300.0
"""Seconds that one run may spend on reading lists: editions wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddresses:
    """Where the services are."""

    zotero: str = "https://api.zotero.org"
    orcid: str = "https://pub.orcid.org"
    arxiv: str = "https://arxiv.org"
    arxiv_api: str = "https://export.arxiv.org"


def read_due_lists(
    collected: CollectReport,
    config: Config,
    base: Path,
    database: Database,
    clock: Clock,
    random: Random,
    *,
    stop: Stop,
    addresses: ServiceAddresses | None = None,
) -> CollectReport:
    """Read the lists that are due; return the report of collecting with what came of it. `clock` gives real time.

    Files in `[profile]` begin at `base`.
    """
    if stop():
        return collected
    now = clock.now()
    due = due_lists(database, config.profile.reading_lists() if config.profile else (), now)
    if not due:
        return collected
    from digestmail.collect.reading_lists import read_lists

    end = clock.monotonic() + _LONGEST
    with _open_readers(config, base, database, clock, random, addresses or ServiceAddresses()) as reader_of:
        report = read_lists(database, due, reader_of, now, stop=lambda: stop() or clock.monotonic() >= end)
    return collected.with_reading_lists(report)


@contextmanager
def _open_readers(
    config: Config, base: Path, database: Database, clock: Clock, random: Random, addresses: ServiceAddresses
) -> Iterator[Callable[[ReadingList], ListReader]]:
    """Yield what reads a list. Nothing is connected before it is used.

    Each kind has clients of its own, because the kinds are read at the same time. The key of `[profile]` is sent only
    for the library in `[profile]`: a reader could name any library that it opens.
    """
    from digestmail.collect.reading_lists import ListReader
    from digestmail.sources.arxiv_author import ArxivAuthors
    from digestmail.sources.arxiv_ids import ArxivIdLists, ArxivPapers
    from digestmail.sources.http.host_locks import HostLocks
    from digestmail.sources.orcid import OrcidRecords
    from digestmail.sources.reference_lists import ReferenceLists
    from digestmail.sources.zotero import ZoteroLibraries
    from digestmail.wiring.sources import open_http

    locks = HostLocks()
    with ExitStack() as opened:

        def http(key: SecretStr | None = None) -> Http:
            headers = {"Zotero-API-Key": key.get_secret_value()} if key else {}
            return opened.enter_context(open_http(config, database, clock, random, locks=locks, headers=headers))

        def reader(service: ReadingListService) -> ListReader:
            return ListReader(service=service, finder=ArxivPapers(fetcher=http(), base_url=addresses.arxiv_api))

        key = config.profile.zotero_key if config.profile else None
        readers = {
            ReadingListKind.ZOTERO: reader(ZoteroLibraries(fetcher=http(), base_url=addresses.zotero)),
            ReadingListKind.ORCID: reader(OrcidRecords(fetcher=http(), base_url=addresses.orcid)),
            ReadingListKind.ARXIV_AUTHOR: reader(ArxivAuthors(fetcher=http(), base_url=addresses.arxiv)),
            ReadingListKind.ARXIV_IDS: reader(ArxivIdLists()),
            ReadingListKind.FILE: reader(ReferenceLists(base)),
        }
        own_library = reader(ZoteroLibraries(fetcher=http(key), base_url=addresses.zotero))

        def reader_of(one: ReadingList) -> ListReader:
            is_own = one.subscriber_id is None and one.kind is ReadingListKind.ZOTERO
            return own_library if is_own else readers[one.kind]

        yield reader_of
