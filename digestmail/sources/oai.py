"""Repositories that speak OAI-PMH 2.0, in Dublin Core (http://www.openarchives.org/OAI/openarchivesprotocol.html).

Among them is arXiv itself (https://info.arxiv.org/help/oa/index.html), where it also fills gaps of years. The date of a
record says when it last changed, not when the paper appeared: that is the first `dc:date`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.model.papers import Reading, Sighting, Skipped
from digestmail.papers.identity import find_arxiv_id, find_doi
from digestmail.sources.authors import split_names
from digestmail.sources.base import Fetcher
from digestmail.sources.paging import Page, read_pages, reading_start
from digestmail.sources.parsed import single_line, web_address
from digestmail.sources.plaintext import plain_text_of_text
from digestmail.sources.records import Record, sighting_of
from digestmail.sources.xml_documents import parse_xml, text_in

LOOK_BACK = timedelta(days=2)
MISSED_AT_MOST = timedelta(days=30)
OLDER = timedelta(days=14)
"""A record that changed so long after its paper appeared is no news."""
MOST_PAGES = 200
MIN_INTERVAL = 3.0
"""Seconds between two requests, as arXiv asks for."""

_OAI = "{http://www.openarchives.org/OAI/2.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"


class Oai:
    """The records of a repository that are new."""

    def __init__(self, *, name: str, fetcher: Fetcher, url: str, set: str = "") -> None:  # noqa: A002 - OAI's word
        """Read from the repository at `url`; only its set `set` (`setSpec`), if one is given."""
        self.name = name
        self._fetcher = fetcher
        self._url = url
        self._set = set

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what changed since shortly before `since`, at most a month back. Raises SourceError."""
        start = reading_start(now, since, look_back=LOOK_BACK, at_most=MISSED_AT_MOST)
        return read_pages(self.name, self._pages(start.date()))

    def _pages(self, start: date) -> Iterator[Page]:
        query = {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from": start.isoformat()}
        if self._set:
            query["set"] = self._set
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            joint = "&" if "?" in self._url else "?"
            answer = self._fetcher.fetch(
                f"{self._url}{joint}{urlencode(query)}",
                accept="text/xml, application/xml",
                min_interval=MIN_INTERVAL,
                conditional=False,
            )
            page, token = parse_records(answer.body or b"", source=self.name, start=start)
            yield page
            if not token:
                return
            if token in seen:
                raise SourceUnreadableError("the repository gave the same resumption token twice")
            seen.add(token)
            query = {"verb": "ListRecords", "resumptionToken": token}
        raise SourceUnreadableError(f"the list has more than {MOST_PAGES} pages")


def parse_records(body: bytes, *, source: str, start: date) -> tuple[list[Sighting | Skipped], str]:
    """Parse one answer: what became of its records, and the token for the next page, empty after the last one.

    Records that changed after `start`, of papers that appeared long before it, are skipped. Raises SourceRefusedError
    with the repository's words for one of its errors, and SourceUnreadableError if it is no answer of OAI-PMH.
    """
    root = parse_xml(body)
    if root.tag != f"{_OAI}OAI-PMH":
        raise SourceUnreadableError(f"not an answer of OAI-PMH: it is <{single_line(root.tag)[:80]}>")
    error = root.find(f"{_OAI}error")
    if error is not None:
        if error.get("code") == "noRecordsMatch":
            return [], ""
        raise SourceRefusedError(f"the repository says: {error.get('code', '')} {text_in(error)}"[:300])
    listed = root.find(f"{_OAI}ListRecords")
    if listed is None:
        raise SourceUnreadableError("not an answer of OAI-PMH: it lists no records")
    rows = [_sighting(record, source, start) for record in listed.findall(f"{_OAI}record")]
    return rows, text_in(listed.find(f"{_OAI}resumptionToken"))


def _sighting(record: ET.Element, source: str, start: date) -> Sighting | Skipped:
    header = record.find(f"{_OAI}header")
    if header is None:
        return Skipped(entry="a record without a header", reason="no header")
    name = text_in(header.find(f"{_OAI}identifier"))
    if header.get("status") == "deleted":
        return Skipped(entry=name, reason="deleted")
    metadata = record.find(f"{_OAI}metadata")
    fields = [] if metadata is None else list(metadata.iter())
    changed = _day(text_in(header.find(f"{_OAI}datestamp")))
    if changed is None:
        return Skipped(entry=name, reason="no date")
    dates = sorted(day for text in _all(fields, "date") if (day := _day(text)))
    # A date after the last change is that of an issue to come, or a slip.
    appeared = dates[0] if dates and dates[0] <= changed else None
    if appeared is not None and appeared < start - OLDER:
        return Skipped(entry=name, reason="an older paper that changed")
    identifiers = [name, *_all(fields, "identifier"), *_all(fields, "relation")]
    descriptions = _all(fields, "description")
    return sighting_of(
        Record(
            name=name,
            title=plain_text_of_text(next(iter(_all(fields, "title")), "")),
            abstract=plain_text_of_text(max(descriptions, key=len, default="")),
            authors=split_names(_all(fields, "creator")),
            day=appeared or changed,
            published_at=datetime.combine(appeared, time(), UTC) if appeared else None,
            arxiv_id=next(filter(None, map(find_arxiv_id, identifiers)), None),
            doi=next(filter(None, map(find_doi, identifiers)), None),
            link=next((text for text in _all(fields, "identifier") if web_address(text)), None),
            keywords=_all(fields, "subject"),
        ),
        source,
    )


def _all(fields: Iterable[ET.Element], name: str) -> list[str]:
    """Return the texts of all fields of this name that have one."""
    return [text for field in fields if field.tag == f"{_DC}{name}" and (text := text_in(field))]


def _day(text: str) -> date | None:
    """Return a day; a year or a month alone is none."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
