from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from fetching import ScriptedFetcher, in_order

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.sources import openreview
from digestmail.sources.openreview import OpenReview

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)


def at(day: int) -> int:
    return int(datetime(2026, 4, 1, tzinfo=UTC).timestamp() * 1000) + (day - 1) * 86_400_000


def note(name: str = "aBc_1", **fields: object) -> dict[str, object]:
    content = {
        "title": {"value": "Teaching machines to wait"},
        "abstract": {"value": "Waiting is hard. We wait."},
        "authors": {"value": ["Ada Example", "Bo Sample"]},
        "keywords": {"value": ["patience"]},
        "venue": {"value": "Submitted to WAIT"},
    }
    return {"id": name, "forum": name, "content": content, "tcdate": at(1), "tmdate": at(2), **fields}


def page(*notes: object) -> bytes:
    return json.dumps({"notes": notes, "count": len(notes)}).encode()


def source(*outcomes: bytes | Exception, venues: tuple[str, ...] = ("WAIT",)) -> tuple[OpenReview, ScriptedFetcher]:
    fetcher = ScriptedFetcher(in_order(*outcomes))
    return OpenReview(name="or", fetcher=fetcher, venues=venues), fetcher


def only(value: dict[str, object]):
    (sighting,) = source(page(value))[0].read(NOW, None).sightings
    return sighting


def test_a_submission_becomes_a_paper():
    sighting = only(note())
    assert sighting.paper.id == "url:https://openreview.net/forum?id=aBc_1"
    assert sighting.paper.title == "Teaching machines to wait"
    assert sighting.paper.authors == ("Ada Example", "Bo Sample")
    assert sighting.paper.keywords == ("patience",)
    assert sighting.paper.organization == "Submitted to WAIT"
    assert sighting.day == date(2026, 4, 1)


def test_authors_may_be_hidden_and_only_the_summary_given():
    hidden = note()
    hidden["content"] = {"title": {"value": "A title"}, "TLDR": {"value": "Short."}, "authors": {"readers": ["x"]}}
    sighting = only(hidden)
    assert sighting.paper.authors == ()
    assert sighting.paper.abstract == "Short."


def test_the_time_of_publication_counts_before_that_of_submission():
    assert only(note(pdate=at(2), tcdate=at(-20))).day == date(2026, 4, 2)
    assert only(note(tcdate=None, cdate=at(1))).day == date(2026, 4, 1)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (note(tmdate=at(-9)), "not changed since the last reading"),
        (note(tcdate=at(-90)), "an older submission that changed"),
        (note(tcdate=None), "no date"),
        (note(tcdate=1e300), "no date"),
        (note(tcdate="soon"), "no date"),
        (note(content={}), "no title"),
        ({"content": {}}, "id: Field required"),
        ([], "note: Input should be a valid dictionary or instance of _Note"),
    ],
)
def test_one_bad_or_old_note_is_set_aside(value, reason):
    reading = source(page(value, note("good")))[0].read(NOW, None)
    assert [one.reason for one in reading.skipped] == [reason]
    assert len(reading.sightings) == 1


def test_every_venue_is_read_page_by_page_until_notes_get_old(monkeypatch):
    monkeypatch.setattr(openreview, "PAGE_SIZE", 2)
    first = page(note("a"), note("b"))
    old = page(note("c"), note("d", tmdate=at(-40)))
    reader, fetcher = source(first, old, page(note("e")), venues=("WAIT", "WAIT/2026/Conference"))
    reading = reader.read(NOW, NOW - timedelta(days=1))
    assert {sighting.paper.id[-1] for sighting in reading.sightings} == {"a", "b", "c", "e"}
    asked = [(request.query["invitation"], request.query["offset"]) for request in fetcher.requests]
    assert asked == [("WAIT/-/Submission", "0"), ("WAIT/-/Submission", "2"), ("WAIT/2026/Conference/-/Submission", "0")]


def test_errors_of_the_api_are_passed_on():
    with pytest.raises(SourceRefusedError, match="OpenReview says: The Invitation WAIT was not found"):
        source(b'{"name": "NotFoundError", "message": "The Invitation WAIT was not found"}')[0].read(NOW, None)
    with pytest.raises(SourceUnreadableError, match="has no notes"):
        source(b"{}")[0].read(NOW, None)
    reader, _ = source(page(note()), b"<html>Checking your browser</html>", venues=("A", "B"))
    assert "only the first 1 entries" in (reader.read(NOW, None).partial or "")
