"""PubMed by NCBI's E-utilities (https://www.ncbi.nlm.nih.gov/books/NBK25499/).

ESearch finds the IDs of records that were added since a day, EFetch gives the records as XML. Three requests a second
are allowed without a key (https://www.ncbi.nlm.nih.gov/books/NBK25497/); one is enough. Titles and abstracts contain
elements for italics, and abstracts may be divided into labelled parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.model.papers import Reading, Sighting, Skipped
from digestmail.papers.identity import find_doi
from digestmail.sources.authors import clean_names
from digestmail.sources.base import Fetcher
from digestmail.sources.json_documents import parse_json
from digestmail.sources.paging import Page, read_pages, reading_start
from digestmail.sources.parsed import single_line
from digestmail.sources.records import Record, sighting_of
from digestmail.sources.xml_documents import parse_xml, text_in

LOOK_BACK = timedelta(days=3)
MISSED_AT_MOST = timedelta(days=30)
FOUND_AT_MOST = 9_999
"""IDs that ESearch gives for PubMed at most."""
PAGE_SIZE = 200
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class PubMed:
    """The records that match a query and were added to PubMed."""

    def __init__(
        self,
        *,
        name: str,
        fetcher: Fetcher,
        query: str,
        base_url: str = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils",
    ) -> None:
        """Read what matches `query`, in PubMed's syntax: `"deep learning"[tiab] AND radiology[mesh]`."""
        self.name = name
        self._fetcher = fetcher
        self._query = single_line(query)
        self._base_url = base_url.rstrip("/")

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what was added since shortly before `since`, at most a month back. Raises SourceError."""
        start = reading_start(now, since, look_back=LOOK_BACK, at_most=MISSED_AT_MOST)
        return read_pages(self.name, self._pages(start.date(), now.date()))

    def _pages(self, start: date, end: date) -> Iterator[Page]:
        found, total = self._search(start, end)
        for place in range(0, len(found), PAGE_SIZE):
            ids = ",".join(found[place : place + PAGE_SIZE])
            body = self._get("efetch", {"id": ids, "retmode": "xml"}, accept="application/xml, text/xml")
            yield parse_records(body, source=self.name)
        if total > len(found):
            raise SourceUnreadableError(f"PubMed gives only {len(found):,} of {total:,} records: narrow the query")

    def _search(self, start: date, end: date) -> tuple[list[str], int]:
        """Return the IDs of the newest records, and how many match."""
        query = {
            "term": self._query,
            "datetype": "edat",
            "mindate": f"{start:%Y/%m/%d}",
            "maxdate": f"{end:%Y/%m/%d}",
            "retmax": str(FOUND_AT_MOST),
            "retmode": "json",
        }
        return found_ids(self._get("esearch", query, accept="application/json"))

    def _get(self, utility: str, query: dict[str, str], accept: str) -> bytes:
        url = f"{self._base_url}/{utility}.fcgi?{urlencode({'db': 'pubmed', 'tool': 'digestmail'} | query)}"
        return self._fetcher.fetch(url, accept=accept, min_interval=1.0, conditional=False).body or b""


def found_ids(body: bytes) -> tuple[list[str], int]:
    """Return the IDs in an answer of ESearch, and how many records match.

    Raises SourceRefusedError with PubMed's words if it could not search, SourceUnreadableError for anything else.
    """
    answer = parse_json(body)
    result: Any = answer.get("esearchresult") if isinstance(answer, dict) else None
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        raise SourceRefusedError(f"PubMed says: {single_line(answer['error'])[:300]}")
    if not isinstance(result, dict):
        raise SourceUnreadableError("not an answer of PubMed's search")
    if isinstance(result.get("ERROR"), str):
        raise SourceRefusedError(f"PubMed says: {single_line(result['ERROR'])[:300]}")
    ids, count = result.get("idlist"), str(result.get("count", ""))
    if not isinstance(ids, list) or not (count.isascii() and count.isdigit() and len(count) <= len("999999999")):
        raise SourceUnreadableError("not an answer of PubMed's search: it does not say what it found")
    return [one for one in ids if isinstance(one, str) and one.isascii() and one.isdigit()][:FOUND_AT_MOST], int(count)


def parse_records(body: bytes, *, source: str) -> list[Sighting | Skipped]:
    """Parse an answer of EFetch. Raises SourceUnreadableError if it is none."""
    root = parse_xml(body)
    if root.tag != "PubmedArticleSet":
        raise SourceUnreadableError(f"not an answer of PubMed: it is <{single_line(root.tag)[:80]}>")
    rows: list[Sighting | Skipped] = [_sighting(article, source) for article in root.findall("PubmedArticle")]
    return [*rows, *(Skipped(entry="a book", reason="no article") for _ in root.findall("PubmedBookArticle"))]


def _sighting(row: ET.Element, source: str) -> Sighting | Skipped:
    article = row.find("MedlineCitation/Article")
    number = text_in(row.find("MedlineCitation/PMID"))
    if article is None or not number.isdigit():
        return Skipped(entry=number or "a record without an ID", reason="no article")
    history = {date.get("PubStatus"): date for date in row.findall("PubmedData/History/PubMedPubDate")}
    added = next(filter(None, (_day(history.get(status)) for status in ("entrez", "pubmed"))), None)
    if added is None:
        return Skipped(entry=number, reason="no date")
    ids = [text_in(one) for one in row.findall("PubmedData/ArticleIdList/ArticleId") if one.get("IdType") == "doi"]
    ids += [text_in(one) for one in article.findall("ELocationID") if one.get("EIdType") == "doi"]
    kinds = {text_in(one).lower() for one in article.findall("PublicationTypeList/PublicationType")}
    record = Record(
        name=number,
        title=_title(text_in(article.find("ArticleTitle"))),
        abstract=" ".join(map(_part, article.findall("Abstract/AbstractText"))),
        authors=clean_names(filter(None, map(_author, article.findall("AuthorList/Author")))),
        day=added,
        published_at=datetime.combine(_day(article.find("ArticleDate")) or added, time(), UTC),
        doi=next(filter(None, map(find_doi, ids)), None),
        link=f"https://pubmed.ncbi.nlm.nih.gov/{number}/",
        keywords=[text_in(one) for one in row.findall("MedlineCitation/KeywordList/Keyword")],
        organization=text_in(article.find("Journal/Title")),
        withdrawn="retracted publication" in kinds,
    )
    return sighting_of(record, source)


def _title(text: str) -> str:
    """Return a title without its full stop, and without the brackets around a translated one."""
    title = text.removesuffix(".")
    return title[1:-1] if title.startswith("[") and title.endswith("]") and title.count("[") == 1 else title


def _part(element: ET.Element) -> str:
    """Return a part of an abstract, with its label."""
    label = single_line(element.get("Label") or "")
    return f"{label.capitalize()}: {text_in(element)}" if label else text_in(element)


def _author(element: ET.Element) -> str:
    collective = text_in(element.find("CollectiveName"))
    given = text_in(element.find("ForeName")) or text_in(element.find("Initials"))
    return collective or f"{given} {text_in(element.find('LastName'))}".strip()


def _day(element: ET.Element | None) -> date | None:
    """Return a date of year, month and day; months are numbers or short names."""
    if element is None:
        return None
    month = text_in(element.find("Month")).lower()
    number = str(_MONTHS.index(month[:3]) + 1) if month[:3] in _MONTHS else month
    try:
        return date(int(text_in(element.find("Year"))), int(number), int(text_in(element.find("Day"))))
    except ValueError:
        return None
