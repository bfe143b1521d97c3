"""Pages of services, as they are copied from a browser, become sources of the right kind."""

from __future__ import annotations

import tomllib

import pytest

from digestmail.config.known_services import service_of
from digestmail.config.source_tables import as_toml, new_sources
from digestmail.config.sources import FeedTable

SERVICES = {
    "https://huggingface.co/papers": {"kind": "huggingface"},
    "https://huggingface.co/papers/date/2026-04-02": {"kind": "huggingface"},
    "https://huggingface.co/papers/trending": {"kind": "huggingface", "list": "trending"},
    "https://huggingface.co/papers?q=tool%20use": {"kind": "huggingface", "query": "tool use"},
    "http://export.arxiv.org/rss/cs.LG": {"kind": "arxiv-feed", "categories": ["cs.LG"]},
    "https://rss.arxiv.org/atom/cs.LG+stat.ML": {"kind": "arxiv-feed", "categories": ["cs.LG", "stat.ML"]},
    "https://arxiv.org/list/cs.LG/recent": {"kind": "arxiv-feed", "categories": ["cs.LG"]},
    "https://github.com/example/quiet.model": {"kind": "github", "repositories": ["example/quiet.model"]},
    "https://github.com/example/model.git": {"kind": "github", "repositories": ["example/model"]},
    "https://github.com/example/model/releases.atom": {"kind": "github", "repositories": ["example/model"]},
    "https://github.com/example/model/releases/tag/v1": {"kind": "github", "repositories": ["example/model"]},
    "https://www.zotero.org/groups/4711/rivers/library": {"kind": "zotero", "library": "groups/4711"},
    "https://www.zotero.org/groups/4711/rivers/collections/ABCD2345/items": {
        "kind": "zotero",
        "library": "groups/4711",
        "collection": "ABCD2345",
    },
    "https://openreview.net/group?id=ICLR.cc/2026/Conference#tab-accept": {
        "kind": "openreview",
        "venues": ["ICLR.cc/2026/Conference"],
    },
    "https://pubmed.ncbi.nlm.nih.gov/?term=deep+learning%5Btiab%5D": {"kind": "pubmed", "query": "deep learning[tiab]"},
    "https://www.medrxiv.org/": {"kind": "biorxiv", "server": "medrxiv"},
    "https://chemrxiv.org/": {"kind": "crossref", "prefixes": ["10.26434"]},
    "https://api.crossref.org/journals/1234-5679/works": {"kind": "crossref", "issns": ["1234-5679"]},
    "https://api.crossref.org/works?filter=prefix:10.31234,from-created-date:2026-01-01": {
        "kind": "crossref",
        "prefixes": ["10.31234"],
    },
    "https://repository.example.org/oai?verb=ListRecords&metadataPrefix=oai_dc&set=theses": {
        "kind": "oai",
        "url": "https://repository.example.org/oai",
        "set": "theses",
    },
}
FEEDS = [
    "https://github.com/example/model/commits/main.atom",
    "https://github.com/blog",
    "https://huggingface.co/blog/feed.xml",
    "https://arxiv.org/abs/2604.00157",
    "https://chemrxiv.org/action/showFeed?type=etoc&feed=rss",
    "https://example.org/feed?verb=",
    "https://zotero.org/",
    "https://api.crossref.org/works?query=x",
    "https://openreview.net/group?id=a%20b",
    "http://[::1/feed",
    "ftp://example.org/oai?verb=Identify",
    "mailto:someone@example.org?verb=Identify",
]


@pytest.mark.parametrize("address", SERVICES)
def test_a_page_of_a_service_becomes_a_table_of_its_kind(address):
    (table,) = new_sources([("", address)], []).tables
    (row,) = tomllib.loads(as_toml([table]))["sources"]
    assert {key: value for key, value in row.items() if key != "name"} == SERVICES[address]
    assert new_sources([("", address)], [table]).tables == ()


@pytest.mark.parametrize("address", FEEDS)
def test_any_other_address_is_a_feed_or_nothing(address):
    assert service_of(address, "x") is None


def test_services_are_called_by_what_they_show():
    wanted = [
        "https://github.com/example/quiet_model",
        "https://github.com/other/quiet_model",
        "https://huggingface.co/papers/trending",
        "https://chemrxiv.org",
        "https://www.medrxiv.org",
    ]
    found = new_sources([("", address) for address in wanted], [])
    assert [table.name for table in found.tables] == [
        "quiet-model",
        "quiet-model-2",
        "huggingface-trending",
        "chemrxiv",
        "medrxiv-org",
    ]


def test_a_list_of_feeds_is_written_as_a_list():
    table = FeedTable(name="many", kind="feed", urls=("https://a.example/x", "https://b.example/"))
    assert as_toml([table]).endswith('urls = ["https://a.example/x", "https://b.example/"]\n')
