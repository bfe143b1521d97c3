"""Each kind of service, from its table in the configuration through the real HTTP client to a paper."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime

import pytest
from clirun import digestmail
from werkzeug import Response

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[network]
allow_private_hosts = ["localhost"]
[[sources]]
name = "service"
{table}
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["service"]
"""
TODAY = date(2026, 4, 1)
POSTED = {
    "doi": "10.1101/2026.04.01.000001",
    "title": "A paper about nothing",
    "date": str(TODAY),
    "version": "1",
    "category": "plant biology",
}
NOTE = {
    "id": "n1",
    "content": {"title": {"value": "A paper about nothing"}},
    # Older submissions are left out, and this program's clock is the real one.
    "tcdate": datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000,
}
RECORDS = f"""<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><header>
<identifier>oai:x:1</identifier><datestamp>{TODAY}</datestamp></header><metadata>
<dc xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A paper about nothing</dc:title>
<dc:identifier>https://example.org/1</dc:identifier></dc></metadata></record></ListRecords></OAI-PMH>"""
ARTICLE = f"""<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID><Article>
<ArticleTitle>A paper about nothing.</ArticleTitle></Article></MedlineCitation><PubmedData><History>
<PubMedPubDate PubStatus="entrez"><Year>{TODAY.year}</Year><Month>{TODAY.month}</Month><Day>{TODAY.day}</Day>
</PubMedPubDate></History></PubmedData></PubmedArticle></PubmedArticleSet>"""
EMPTY = {"messages": [{"status": "no posts found"}], "collection": []}

KINDS = {
    "biorxiv": (
        'base_url = "{url}"\ncategories = ["Plant biology"]',
        {
            f"/details/biorxiv/.*/{place}": json.dumps(page)
            for place, page in ((0, {"collection": [POSTED]}), (1, EMPTY))
        },
    ),
    "openreview": ('base_url = "{url}"\nvenues = ["TMLR"]', {"/notes": json.dumps({"notes": [NOTE]})}),
    "oai": ('url = "{url}/oai"\nset = "cs:cs:LG"', {"/oai": RECORDS}),
    "pubmed": (
        'base_url = "{url}"\nquery = "nothing[ti]"',
        {
            "/esearch.fcgi": json.dumps({"esearchresult": {"count": "1", "idlist": ["7"]}}),
            "/efetch.fcgi": ARTICLE,
        },
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_is_read_through_the_client(kind, tmp_path, httpserver):
    keys, answers = KINDS[kind]
    for path, body in answers.items():
        httpserver.expect_request(re.compile(f"^{path}$")).respond_with_response(Response(body))
    url = httpserver.url_for("").rstrip("/")
    table = f'kind = "{kind}"\n{keys.format(url=url)}'
    (tmp_path / "config.toml").write_text(CONFIG.format(table=table), "utf-8")
    trial = json.loads(digestmail(tmp_path, "sources", "test", "service", "--json"))
    assert [sighting["paper"]["title"] for sighting in trial["papers"]] == ["A paper about nothing"]
    assert trial["skipped"] == {}
    digestmail(tmp_path, "collect")
    assert "A paper about nothing" in digestmail(tmp_path, "papers", "list")


def test_the_kinds_are_listed_with_the_keys_they_need(tmp_path):
    said = digestmail(tmp_path, "sources", "list", "--kinds")
    assert "pubmed       what matches a query in PubMed; needs query\n" in said
    assert (
        "huggingface  Hugging Face's daily or trending papers, or a search, with upvotes, comments and stars\n" in said
    )
    assert "feed         any RSS, Atom, RDF or JSON feed, or a list of them; needs url, urls or opml\n" in said
    rows = json.loads(digestmail(tmp_path, "sources", "list", "--kinds", "--json"))
    assert {
        "kind": "oai",
        "about": "any repository that speaks OAI-PMH, arXiv too",
        "keys": ["url"],
        "one_of": [],
    } in rows


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('kind = "openreview"\nvenues = []', "venues"),
        ('kind = "openreview"\nvenues = ["TMLR&limit=1"]', "venues"),
        ('kind = "oai"\nurl = "https://example.org/oai"\nset = "a b"', "set"),
        ('kind = "pubmed"', "query"),
        ('kind = "biorxiv"\nserver = "chemrxiv"', "server"),
    ],
)
def test_a_wrong_table_names_its_key(table, key, tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG.format(table=table), "utf-8")
    assert f'sources["service"].{key}' in digestmail(tmp_path, "check", status=2)
