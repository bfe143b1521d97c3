from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from fetching import ScriptedFetcher, in_order

from digestmail.errors import SourceRefusedError, SourceUnavailableError, SourceUnreadableError
from digestmail.sources import pubmed
from digestmail.sources.pubmed import PubMed

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
ADDED = '<PubMedPubDate PubStatus="entrez"><Year>2026</Year><Month>4</Month><Day>1</Day><Hour>6</Hour></PubMedPubDate>'


def article(number: int = 71, *, inside: str = "", history: str = ADDED, doi: str = "10.5555/knees") -> str:
    return (
        f'<PubmedArticle><MedlineCitation Status="Publisher"><PMID Version="1">{number}</PMID><Article>'
        "<Journal><Title>Journal of Knees</Title></Journal>"
        "<ArticleTitle>Knees of <i>Homo sapiens</i> at rest.</ArticleTitle>"
        '<Abstract><AbstractText Label="BACKGROUND">Knees &lt; 40 years.</AbstractText>'
        '<AbstractText Label="RESULTS">They <b>rest</b> for 10<sup>4</sup> s.</AbstractText></Abstract>'
        "<AuthorList><Author><LastName>Example</LastName><ForeName>Ada B</ForeName></Author>"
        "<Author><CollectiveName>The Knee Team</CollectiveName></Author></AuthorList>"
        f"<ArticleDate><Year>2026</Year><Month>Mar</Month><Day>30</Day></ArticleDate>{inside}</Article>"
        "<KeywordList><Keyword>rest</Keyword></KeywordList></MedlineCitation>"
        f'<PubmedData><History>{history}</History><ArticleIdList><ArticleId IdType="pubmed">{number}</ArticleId>'
        f'<ArticleId IdType="doi">{doi}</ArticleId></ArticleIdList></PubmedData></PubmedArticle>'
    )


def records(*articles: str) -> bytes:
    head = (
        '<?xml version="1.0" ?><!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
        '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">'
    )
    return f"{head}<PubmedArticleSet>{''.join(articles)}</PubmedArticleSet>".encode()


def found(*ids: str, count: int | None = None) -> bytes:
    total = len(ids) if count is None else count
    return json.dumps({"esearchresult": {"count": str(total), "idlist": ids}}).encode()


def source(*outcomes: bytes | Exception) -> tuple[PubMed, ScriptedFetcher]:
    fetcher = ScriptedFetcher(in_order(*outcomes))
    return PubMed(name="pm", fetcher=fetcher, query="knee[mesh] AND rest"), fetcher


def only(text: str):
    (sighting,) = source(found("71"), records(text))[0].read(NOW, None).sightings
    return sighting


def test_a_record_becomes_a_paper():
    sighting = only(article())
    paper = sighting.paper
    assert paper.id == "doi:10.5555/knees"
    assert paper.link == "https://pubmed.ncbi.nlm.nih.gov/71/"
    assert paper.title == "Knees of Homo sapiens at rest"
    assert paper.abstract == "Background: Knees < 40 years. Results: They rest for 10⁴ s."
    assert paper.authors == ("Ada B Example", "The Knee Team")
    assert paper.keywords == ("rest",)
    assert paper.organization == "Journal of Knees"
    assert paper.published_at == datetime(2026, 3, 30, tzinfo=UTC)
    assert sighting.day == date(2026, 4, 1)


def test_without_a_doi_it_is_known_by_its_page():
    assert only(article(doi="")).paper.id == "url:https://pubmed.ncbi.nlm.nih.gov/71/"


def test_a_translated_title_has_no_brackets_and_a_retracted_paper_is_marked():
    translated = article().replace("Knees of <i>Homo sapiens</i> at rest.", "[Knees at rest].")
    assert only(translated).paper.title == "Knees at rest"
    tracer = translated.replace("[Knees at rest]", "[18F]FDG in [knees]")
    assert only(tracer).paper.title == "[18F]FDG in [knees]"
    kinds = "<PublicationTypeList><PublicationType>Retracted Publication</PublicationType></PublicationTypeList>"
    assert only(article(inside=kinds)).paper.withdrawn


def test_one_bad_record_is_set_aside():
    rows = records(
        article(1, history=""),
        article(2).replace("<Article>", "<Other>").replace("</Article>", "</Other>"),
        article(3, doi="").replace("Knees of <i>Homo sapiens</i> at rest.", ""),
        "<PubmedBookArticle/>",
        article(4),
    )
    reading = source(found("1", "2", "3", "4"), rows)[0].read(NOW, None)
    assert [one.reason for one in reading.skipped] == ["no date", "no article", "no title", "no article"]
    assert len(reading.sightings) == 1


def test_it_searches_by_the_day_of_entry_and_fetches_in_pages(monkeypatch):
    monkeypatch.setattr(pubmed, "PAGE_SIZE", 2)
    reader, fetcher = source(found("1", "2", "3"), records(article(1), article(2, doi="")), records(article(3, doi="")))
    assert len(reader.read(NOW, NOW - timedelta(days=9)).sightings) == 3
    search, first, second = (request.query for request in fetcher.requests)
    assert search["term"] == "knee[mesh] AND rest"
    assert (search["datetype"], search["mindate"], search["maxdate"]) == ("edat", "2026/03/23", "2026/04/02")
    assert (first["id"], second["id"]) == ("1,2", "3")
    assert {request.min_interval for request in fetcher.requests} == {1.0}


def test_nothing_found_is_no_error():
    reading = source(found())[0].read(NOW, None)
    assert (reading.entries, reading.partial) == (0, None)


def test_more_records_than_pubmed_gives_make_the_reading_partial():
    reading = source(found("71", count=12_345), records(article()))[0].read(NOW, None)
    assert reading.partial == "only the first 1 entries: PubMed gives only 1 of 12,345 records: narrow the query"


def test_ids_that_are_no_numbers_are_not_asked_for():
    reader, fetcher = source(found("1&db=x", "71"), records(article()))
    reader.read(NOW, None)
    assert fetcher.requests[1].query["id"] == "71"


def test_errors_are_passed_on():
    with pytest.raises(SourceRefusedError, match="PubMed says: Search Backend failed"):
        source(json.dumps({"esearchresult": {"ERROR": "Search Backend failed"}}).encode())[0].read(NOW, None)
    with pytest.raises(SourceRefusedError, match="PubMed says: API rate limit exceeded"):
        source(b'{"error": "API rate limit exceeded"}')[0].read(NOW, None)
    with pytest.raises(SourceUnreadableError, match="does not say what it found"):
        source(b'{"esearchresult": {}}')[0].read(NOW, None)
    with pytest.raises(SourceUnreadableError, match="not an answer of PubMed: it is <html>"):
        source(found("71"), b"<html></html>")[0].read(NOW, None)
    reading = source(found(*map(str, range(201))), records(article()), SourceUnavailableError("late"))[0].read(
        NOW, None
    )
    assert reading.partial == "only the first 1 entries: late"
