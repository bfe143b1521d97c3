"""Each kind of service on loopback, as it answers when all is well: three papers, on two pages if it has pages, and a
record that is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from werkzeug import Request, Response

DAY = "2026-04-02"
"""The day of all papers."""
MILLISECONDS = int(datetime(2026, 4, 2, 6, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True, kw_only=True)
class Service:
    """A kind of source."""

    kind: str
    keys: str
    """The keys of its table; `{url}` is where the server is."""
    answer: Callable[[Request], Response]
    empty: str
    """An answer without any record."""
    interval: float = 1.0
    """Seconds that must pass after a request."""
    bad: int = 1
    """How many records are no papers."""


def titles(kind: str) -> set[str]:
    """Return the titles of the papers that a service has."""
    return {f"Paper {number} of {kind}" for number in (1, 2, 3)}


def _json(value: object, **headers: str) -> Response:
    return Response(json.dumps(value), content_type="application/json", headers=headers)


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', content_type="application/xml")


def _title(number: int, kind: str) -> str:
    return f"Paper {number} of {kind}"


# -- Hugging Face ------------------------------------------------------------------------------------------------------


def _hub_item(number: int, kind: str, series: int) -> dict[str, object]:
    return {
        "paper": {
            "id": f"2604.{series}{number:04d}",
            "title": _title(number, kind),
            "summary": "S.",
            "authors": [{"name": "Ada Example"}],
            "upvotes": number,
            "publishedAt": "2026-03-30T10:00:00.000Z",
            "submittedOnDailyAt": f"{DAY}T01:00:00.000Z",
        },
        "numComments": 0,
    }


def _daily(request: Request) -> Response:
    items = {
        "2026-04-02": [_hub_item(1, "huggingface", 1), _hub_item(2, "huggingface", 1)],
        "2026-04-01": [{"paper": {"id": "2604.19999"}}, _hub_item(3, "huggingface", 1)],
    }
    return _json(items.get(request.args["date"], []))


def _hub_list(kind: str, series: int) -> Callable[[Request], Response]:
    items = [_hub_item(number, kind, series) for number in (1, 2, 3)]
    return lambda _request: _json([items[0], {"paper": None}, *items[1:]])


# -- arXiv -------------------------------------------------------------------------------------------------------------


def _arxiv_feed(_request: Request) -> Response:
    items = "".join(
        f"<item><title>{_title(number, 'arxiv-feed')}</title><link>https://arxiv.org/abs/2604.4000{number}</link>"
        f"<description>arXiv:2604.4000{number}v1 Announce Type: new \nAbstract: A.</description>"
        f'<guid isPermaLink="false">oai:arXiv.org:2604.4000{number}v1</guid><category>cs.LG</category>'
        "<pubDate>Thu, 02 Apr 2026 00:00:00 -0400</pubDate><arxiv:announce_type>new</arxiv:announce_type>"
        "<dc:creator>Ada Example</dc:creator></item>"
        for number in (1, 2, 3)
    )
    bad = "<item><title>No link</title></item>"
    return _xml(
        '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0">'
        f"<channel><title>cs.LG updates</title><link>http://rss.arxiv.org/rss/cs.LG</link>{items}{bad}</channel></rss>"
    )


def _arxiv_entry(number: int) -> str:
    return (
        f"<entry><id>http://arxiv.org/abs/2604.5000{number}v1</id><published>2026-04-01T08:00:00Z</published>"
        f"<title>{_title(number, 'arxiv-api')}</title><summary>A.</summary><author><name>Ada Example</name></author>"
        '<category term="cs.LG"/></entry>'
    )


def _arxiv_page(*entries: str, total: int) -> str:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<title>arXiv</title><opensearch:totalResults>{total}</opensearch:totalResults>{''.join(entries)}</feed>"
    )


def _arxiv_api(request: Request) -> Response:
    bad = "<entry><id>http://arxiv.org/abs/2604.59999v1</id><title>No date</title></entry>"
    entries = [_arxiv_entry(1), _arxiv_entry(2), bad, _arxiv_entry(3)]
    start = int(request.args["start"])
    return _xml(_arxiv_page(*entries[start : start + 2], total=4))


# -- feeds -------------------------------------------------------------------------------------------------------------


def _feed(_request: Request) -> Response:
    items = "".join(
        f"<item><title>{_title(number, 'feed')}</title><link>https://blog.example.org/{number}</link>"
        f"<description>A.</description><pubDate>Thu, 02 Apr 2026 05:00:00 GMT</pubDate></item>"
        for number in (1, 2, 3)
    )
    return _xml(
        f'<rss version="2.0"><channel><title>B</title>{items}<item><link>https://x.example/</link></item></channel></rss>'
    )


def _github(_request: Request) -> Response:
    entries = "".join(
        f"<entry><id>tag:github.com,2008:Repository/1/v{number}</id><updated>{DAY}T05:00:00Z</updated>"
        f'<link rel="alternate" href="https://github.com/example/github/releases/tag/v{number}"/>'
        f"<title>{_title(number, 'github')}</title>"
        '<content type="html">&lt;p&gt;See arXiv:2604.00157&lt;/p&gt;</content></entry>'
        for number in (1, 2, 3)
    )
    return _xml(
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>R</title><entry><title>v0</title></entry>{entries}</feed>'
    )


# -- APIs --------------------------------------------------------------------------------------------------------------


def _biorxiv(request: Request) -> Response:
    posted = [
        {"doi": f"10.1101/2026.04.02.00000{n}", "title": _title(n, "biorxiv"), "date": DAY, "version": "1"}
        for n in (1, 2, 3)
    ]
    rows = [posted[0], posted[1], {"doi": "10.1101/2026.04.02.000009"}, posted[2]]
    start = int(request.path.rpartition("/")[2])
    if start >= len(rows):
        return _json({"messages": [{"status": "no posts found"}], "collection": []})
    return _json({"messages": [{"status": "ok", "total": "4"}], "collection": rows[start : start + 2]})


def _oai_record(number: int) -> str:
    return (
        f"<record><header><identifier>oai:x:{number}</identifier><datestamp>{DAY}</datestamp></header><metadata>"
        f'<dc xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{_title(number, "oai")}</dc:title>'
        f"<dc:identifier>https://repository.example.org/{number}</dc:identifier></dc></metadata></record>"
    )


def _oai(request: Request) -> Response:
    rows = _oai_record(3) + "<record/>"
    if "resumptionToken" not in request.args:
        rows = f"{_oai_record(1)}{_oai_record(2)}<resumptionToken>next&amp;</resumptionToken>"
    return _xml(f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>{rows}</ListRecords></OAI-PMH>')


def _note(number: int) -> dict[str, object]:
    content = {"title": {"value": _title(number, "openreview")}}
    return {"id": f"note{number}", "content": content, "tcdate": MILLISECONDS, "tmdate": MILLISECONDS}


def _openreview(request: Request) -> Response:
    first = request.args["invitation"].startswith("One")
    return _json({"notes": [_note(1), _note(2)] if first else [{"id": 7}, _note(3)]})


def _pubmed(request: Request) -> Response:
    if request.path.endswith("esearch.fcgi"):
        return _json({"esearchresult": {"count": "4", "idlist": ["1", "2", "3", "9"]}})
    rows = "".join(
        f"<PubmedArticle><MedlineCitation><PMID>{number}</PMID><Article><ArticleTitle>{_title(number, 'pubmed')}."
        "</ArticleTitle></Article></MedlineCitation><PubmedData><History><PubMedPubDate PubStatus='entrez'>"
        "<Year>2026</Year><Month>4</Month><Day>2</Day></PubMedPubDate></History></PubmedData></PubmedArticle>"
        for number in (1, 2, 3)
    )
    return _xml(f"<PubmedArticleSet>{rows}<PubmedArticle/></PubmedArticleSet>")


def _work(number: int) -> dict[str, object]:
    return {
        "DOI": f"10.26434/chemrxiv.1599000{number}/v1",
        "title": [escape(_title(number, "crossref"))],
        "author": [{"given": "Ada", "family": "Example"}],
        "type": "posted-content",
        "created": {"date-parts": [[2026, 4, 2]]},
    }


def _crossref(request: Request) -> Response:
    rows = [_work(1), _work(2)] if request.args["cursor"] == "*" else [{"DOI": None}, _work(3)]
    return _json({"message": {"total-results": 4, "next-cursor": "same+/=", "items": rows}})


def _zotero(request: Request) -> Response:
    rows = [
        {
            "data": {
                "key": f"KEY{n:05d}",
                "itemType": "preprint",
                "title": _title(n, "zotero"),
                "DOI": f"10.1000/zotero.{n}",
                "dateAdded": f"{DAY}T05:00:00Z",
            }
        }
        for n in (1, 2, 3)
    ]
    start = int(request.args["start"])
    shown = [rows[0], rows[1], {"data": {"itemType": "note", "key": "NOTE0001"}}, rows[2]][start : start + 2]
    headers = {"Total-Results": "4", "Last-Modified-Version": "12"}
    return _json(shown, **headers)


_NO_FEED = '<rss version="2.0"><channel><title>Nothing</title></channel></rss>'
_NO_ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><title>Nothing</title></feed>'

SERVICES = {
    "huggingface": Service(kind="huggingface", keys='base_url = "{url}"', answer=_daily, empty="[]"),
    "trending": Service(
        kind="huggingface",
        keys='base_url = "{url}"\nlist = "trending"',
        answer=_hub_list("trending", 2),
        empty="[]",
    ),
    "search": Service(
        kind="huggingface", keys='base_url = "{url}"\nquery = "paper"', answer=_hub_list("search", 3), empty="[]"
    ),
    "arxiv-feed": Service(
        kind="arxiv-feed",
        keys='base_url = "{url}"\ncategories = ["cs.LG"]',
        answer=_arxiv_feed,
        empty=_NO_FEED,
        interval=3.0,
    ),
    "arxiv-api": Service(
        kind="arxiv-api",
        keys='base_url = "{url}"\ncategories = ["cs.LG"]',
        answer=_arxiv_api,
        empty=_arxiv_page(total=0),
        interval=3.0,
    ),
    "feed": Service(kind="feed", keys='url = "{url}/feed"', answer=_feed, empty=_NO_FEED),
    "github": Service(
        kind="github", keys='base_url = "{url}"\nrepositories = ["example/github"]', answer=_github, empty=_NO_ATOM
    ),
    "biorxiv": Service(
        kind="biorxiv",
        keys='base_url = "{url}"',
        answer=_biorxiv,
        empty='{"messages": [{"status": "no posts found"}], "collection": []}',
    ),
    "oai": Service(
        kind="oai",
        keys='url = "{url}/oai"',
        answer=_oai,
        empty='<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><error code="noRecordsMatch"/></OAI-PMH>',
        interval=3.0,
    ),
    "openreview": Service(
        kind="openreview", keys='base_url = "{url}"\nvenues = ["One", "Two"]', answer=_openreview, empty='{"notes": []}'
    ),
    "pubmed": Service(
        kind="pubmed",
        keys='base_url = "{url}"\nquery = "x"',
        answer=_pubmed,
        empty='{"esearchresult": {"count": "0", "idlist": []}}',
    ),
    "crossref": Service(
        kind="crossref",
        keys='base_url = "{url}"\nprefixes = ["10.26434"]',
        answer=_crossref,
        empty='{"message": {"total-results": 0, "next-cursor": "x", "items": []}}',
    ),
    "zotero": Service(kind="zotero", keys='base_url = "{url}"\nlibrary = "groups/7"', answer=_zotero, empty="[]"),
}
