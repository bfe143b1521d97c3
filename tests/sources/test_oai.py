from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from fetching import ScriptedFetcher, in_order

from digestmail.errors import SourceRefusedError, SourceUnavailableError, SourceUnreadableError
from digestmail.sources.oai import Oai, parse_records

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
START = date(2026, 3, 31)


def record(number: int = 1, *, fields: str = "", status: str = "", dates: str = "<dc:date>2026-04-01</dc:date>") -> str:
    return (
        f"<record><header{status}><identifier>oai:example.org:{number}</identifier>"
        "<datestamp>2026-04-02</datestamp></header><metadata>"
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>Quiet\n rivers</dc:title><dc:creator>Example, Ada</dc:creator><dc:creator>Sample, B.</dc:creator>"
        "<dc:subject>Hydrology</dc:subject><dc:description>Comment: 9 pages</dc:description>"
        "<dc:description>We listened to rivers for a year.</dc:description>"
        f"{dates}<dc:identifier>https://example.org/item/{number}</dc:identifier>{fields}"
        "</oai_dc:dc></metadata></record>"
    )


def answer(inside: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>2026-04-02T11:00:00Z</responseDate>{inside}</OAI-PMH>"
    ).encode()


def page(*records: str, token: str = "") -> bytes:
    return answer(f"<ListRecords>{''.join(records)}{token}</ListRecords>")


def parse(*records: str):
    return parse_records(page(*records), source="oai", start=START)[0]


def source(*outcomes: bytes | Exception, **options: str) -> tuple[Oai, ScriptedFetcher]:
    fetcher = ScriptedFetcher(in_order(*outcomes))
    return Oai(name="oai", fetcher=fetcher, url="https://example.org/oai", **options), fetcher


def test_a_record_becomes_a_paper():
    (sighting,) = parse(record(fields="<dc:identifier>doi:10.5555/rivers</dc:identifier>"))
    assert sighting.paper.id == "doi:10.5555/rivers"
    assert sighting.paper.title == "Quiet rivers"
    assert sighting.paper.abstract == "We listened to rivers for a year."
    assert sighting.paper.authors == ("Ada Example", "B. Sample")
    assert sighting.paper.keywords == ("Hydrology",)
    assert sighting.paper.link == "https://example.org/item/1"
    assert sighting.day == date(2026, 4, 1)


def test_html_in_a_record_becomes_plain_text():
    shown = "&lt;p&gt;We show &lt;i&gt;that&lt;/i&gt;&amp;nbsp;it works, at length.&lt;/p&gt;"
    fields = f"<dc:description>{shown}</dc:description>"
    title = "On &lt;i&gt;E. coli&lt;/i&gt; &amp;amp; CO&lt;sub&gt;2&lt;/sub&gt;, if a&lt;b"
    (sighting,) = parse(record(fields=fields).replace("Quiet\n rivers", title))
    assert sighting.paper.title == "On E. coli & CO₂, if a<b"
    assert sighting.paper.abstract == "We show that it works, at length."


@pytest.mark.parametrize(
    ("creator", "authors"),
    [
        ("Example, Ada", ("Ada Example",)),
        ("Ada Example", ("Ada Example",)),
        ("Ada Example, Bea Sample", ("Ada Example", "Bea Sample")),
    ],
)
def test_one_creator_may_be_one_author(creator, authors):
    one = record().replace("<dc:creator>Sample, B.</dc:creator>", "").replace("Example, Ada", creator)
    (sighting,) = parse(one)
    assert sighting.paper.authors == authors


def test_the_date_of_an_issue_to_come_is_not_when_a_paper_appeared():
    (sighting,) = parse(record(dates="<dc:date>2026-06-30</dc:date>"))
    assert (sighting.day, sighting.paper.published_at) == (date(2026, 4, 2), None)


def test_a_paper_of_arxiv_is_known_by_its_arxiv_id():
    (sighting,) = parse(record().replace("oai:example.org:1", "oai:arXiv.org:2604.00157"))
    assert sighting.paper.id == "arxiv:2604.00157"
    assert sighting.paper.link == "https://arxiv.org/abs/2604.00157"


def test_the_first_date_says_when_the_paper_appeared():
    (sighting,) = parse(record(dates="<dc:date>2026-04-02</dc:date><dc:date>2026-03-30T09:00:00Z</dc:date>"))
    assert sighting.day == date(2026, 3, 30)
    (skipped,) = parse(record(dates="<dc:date>2011-05-01</dc:date><dc:date>2026-04-02</dc:date>"))
    assert skipped.reason == "an older paper that changed"


@pytest.mark.parametrize("dates", ["", "<dc:date>2026</dc:date>", "<dc:date>in press</dc:date>"])
def test_without_a_day_the_date_of_the_record_counts(dates):
    (sighting,) = parse(record(dates=dates))
    assert sighting.day == date(2026, 4, 2)
    assert sighting.paper.published_at is None


def test_one_bad_record_is_set_aside():
    rows = parse(
        record(1, status=' status="deleted"'),
        record(2).replace("Quiet\n rivers", ""),
        record(3).replace("<datestamp>2026-04-02</datestamp>", ""),
        "<record/>",
        record(4),
    )
    assert [row.reason for row in rows[:4]] == ["deleted", "no title", "no date", "no header"]
    assert rows[4].paper.id == "url:https://example.org/item/4"


def test_tokens_lead_from_page_to_page():
    token = '<resumptionToken completeListSize="2" cursor="0">a b|c</resumptionToken>'
    oai, fetcher = source(page(record(1), token=token), page(record(2), token="<resumptionToken/>"), set="cs:cs:LG")
    reading = oai.read(NOW, None)
    assert len(reading.sightings) == 2
    assert reading.partial is None
    assert fetcher.requests[0].query == {
        "verb": "ListRecords",
        "metadataPrefix": "oai_dc",
        "from": "2026-03-31",
        "set": "cs:cs:LG",
    }
    assert fetcher.requests[1].query == {"verb": "ListRecords", "resumptionToken": "a b|c"}


def test_it_reads_what_was_missed_at_most_a_month():
    for since, first in ((NOW - timedelta(days=9), "2026-03-23"), (NOW - timedelta(days=900), "2026-03-03")):
        oai, fetcher = source(page())
        oai.read(NOW, since)
        assert fetcher.requests[0].query["from"] == first


def test_no_records_are_no_error_and_other_errors_are_passed_on():
    assert source(answer('<error code="noRecordsMatch"/>'))[0].read(NOW, None).sightings == ()
    with pytest.raises(SourceRefusedError, match="the repository says: noSetHierarchy no sets here"):
        source(answer('<error code="noSetHierarchy">no sets here</error>'))[0].read(NOW, None)
    token = "<resumptionToken>old</resumptionToken>"
    expired = answer('<error code="badResumptionToken">expired</error>')
    reading = source(page(record(), token=token), expired)[0].read(NOW, None)
    assert reading.partial == "only the first 1 entries: the repository says: badResumptionToken expired"


def test_a_token_that_comes_again_ends_the_reading():
    again = page(record(), token="<resumptionToken>x</resumptionToken>")
    assert "the same resumption token twice" in (source(again, again)[0].read(NOW, None).partial or "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not XML"),
        (b"<html><body>Maintenance</body></html>", "not an answer of OAI-PMH"),
        (page(record())[:-40], "not XML"),
        (answer("<Identify/>"), "it lists no records"),
    ],
)
def test_anything_else_is_unreadable(body, said):
    with pytest.raises(SourceUnreadableError, match=said):
        source(body)[0].read(NOW, None)


def test_a_repository_that_is_down_is_unavailable():
    with pytest.raises(SourceUnavailableError):
        source(SourceUnavailableError("503"))[0].read(NOW, None)


def test_an_address_may_have_a_query_of_its_own():
    fetcher = ScriptedFetcher(in_order(page()))
    Oai(name="oai", fetcher=fetcher, url="https://example.org/oai?journal=x").read(NOW, None)
    assert fetcher.requests[0].url.startswith("https://example.org/oai?journal=x&verb=ListRecords")
