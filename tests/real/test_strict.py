"""The quick and the tolerant way through arXiv's feeds say the same."""

from __future__ import annotations

import importlib.util
from datetime import UTC, date, datetime

import pytest
from replaying import DATA, SHARED, needs_shared

from digestmail.model.papers import AnnounceType
from digestmail.sources import arxiv_feed_items
from digestmail.sources.arxiv_feed_items import parse_arxiv_feed
from digestmail.sources.strict import parse_strictly

pytestmark = needs_shared

NOW = datetime(2026, 4, 21, 12, tzinfo=UTC)


def days() -> list[bytes]:
    spec = importlib.util.spec_from_file_location("replay", SHARED / "tools" / "replay.py")
    replay = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(replay)
    return [
        replay.feed(kind, ["cs.LG", "cs.CL"], date(2026, 4, day), date(2026, 4, day))
        for kind in ("rss", "atom")
        for day in (2, 14, 18)
    ]


def bodies() -> list[bytes]:
    return [path.read_bytes() for path in sorted((DATA / "arxiv_feeds").iterdir())] + days()


@pytest.mark.parametrize("number", range(11))
def test_both_ways_read_the_same(number, monkeypatch):
    body = bodies()[number]
    assert parse_strictly(body) is not None
    quick = parse_arxiv_feed(body, source="arxiv", wanted=AnnounceType, now=NOW)
    monkeypatch.setattr(arxiv_feed_items, "parse_strictly", lambda _: None)
    assert parse_arxiv_feed(body, source="arxiv", wanted=AnnounceType, now=NOW) == quick
    assert quick.entries > 0 or number in {7, 10}


def test_what_is_not_well_formed_is_left_to_the_tolerant_way():
    body = days()[0]
    assert parse_strictly(body[:-100]) is None
    assert parse_strictly(b"<html><body>maintenance</body></html>") is None
    assert parse_strictly(b"") is None
