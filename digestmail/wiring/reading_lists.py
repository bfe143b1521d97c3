"""Reading lists of readers and of `[profile]`: creates what reads them, if any is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from digestmail.clock import Clock
from digestmail.collect.due_lists import due_lists
from digestmail.config.settings import Config
from digestmail.model.personal import ReadingList, ReadingListKind
from digestmail.model.reports import CollectReport, Stop
from digestmail.storage.database import Database

if TYPE_CHECKING:
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
    collected: CollectReport, config: Config, database: Database, clock: Clock, *, stop: Stop
) -> CollectReport:
    """Read the lists that are due; return the report of collecting with what came of it."""
    if stop():
        return collected
    now = clock.now()
    due = due_lists(database, now)
    if not due:
        return collected
    from digestmail.collect.reading_lists import read_lists

    end = clock.monotonic() + _LONGEST
    with _Readers(config, database, clock) as readers:
        report = read_lists(database, due, readers.of, now, stop=lambda: stop() or clock.monotonic() >= end)
    return collected.with_reading_lists(report)


def list_problems(config: Config, database: Database, clock: Clock) -> Iterator[str]:
    """Ask for each list in `[profile]` that a service has, and yield what is wrong. Nothing is stored."""
    lists = [
        ReadingList(id=0, subscriber_id=None, kind=kind, reference=reference, added_at=clock.now(), papers=0)
        for kind, reference in (config.profile.reading_lists() if config.profile else ())
        if kind not in {ReadingListKind.FILE, ReadingListKind.ARXIV_IDS}
    ]
    if not lists:
        return
    from digestmail.collect.reading_lists import try_list

    with _Readers(config, database, clock) as readers:
        for one in lists:
            if problem := try_list(one, readers.of(one).service):
                yield f"reading list {one.kind} {one.reference} of [profile]: {problem}"


class _Readers(ExitStack):
    """What reads each kind of list. Nothing is connected before it is used.

    Each kind has clients of its own, because the kinds are read at the same time. The key of `[profile]` is sent only
    for the library in `[profile]`: a reader could name any library that it opens.
    """

    def __init__(self, config: Config, database: Database, clock: Clock) -> None:
        from digestmail.sources.arxiv_author import ArxivAuthors
        from digestmail.sources.arxiv_ids import ArxivIdLists
        from digestmail.sources.http.host_locks import HostLocks
        from digestmail.sources.orcid import OrcidRecords
        from digestmail.sources.zotero import ZoteroLibraries
        from digestmail.wiring.sources import open_http

        super().__init__()
        random = Random()  # noqa: S311 - spreads retries; it need not be secret
        self._open = partial(open_http, config, database, clock, random, locks=HostLocks())
        self._at = at = ServiceAddresses()
        self._readers = {
            ReadingListKind.ZOTERO: self._reader(ZoteroLibraries(fetcher=self._http(), base_url=at.zotero)),
            ReadingListKind.ORCID: self._reader(OrcidRecords(fetcher=self._http(), base_url=at.orcid)),
            ReadingListKind.ARXIV_AUTHOR: self._reader(ArxivAuthors(fetcher=self._http(), base_url=at.arxiv)),
            ReadingListKind.ARXIV_IDS: self._reader(ArxivIdLists()),
        }
        key = config.profile.zotero_key if config.profile else None
        with_key = self._http({"Zotero-API-Key": key.get_secret_value()} if key else {})
        self._own_library = self._reader(ZoteroLibraries(fetcher=with_key, base_url=at.zotero))

    def of(self, one: ReadingList) -> ListReader:
        """Return what reads a list."""
        is_own = one.subscriber_id is None and one.kind is ReadingListKind.ZOTERO
        return self._own_library if is_own else self._readers[one.kind]

    def _http(self, headers: Mapping[str, str] | None = None) -> Http:
        return self.enter_context(self._open(headers=headers))

    def _reader(self, service: ReadingListService) -> ListReader:
        from digestmail.collect.reading_lists import ListReader
        from digestmail.sources.arxiv_ids import ArxivPapers

        return ListReader(service=service, finder=ArxivPapers(fetcher=self._http(), base_url=self._at.arxiv_api))
