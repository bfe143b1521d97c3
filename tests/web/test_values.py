from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.archive import StoredSighting
from digestmail.model.papers import Signals
from digestmail.web import filters
from digestmail.web.access_log import loggable
from digestmail.web.chart import HEIGHT, WIDTH, chart
from digestmail.web.periods import period, week_key

NOW = datetime(2026, 4, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//x.org",
        "https://",
        " https://x.org",
        "https://x\n.org",
        "ftp://x.org",
        "http://[",
        None,
        "",
    ],
)
def test_only_web_addresses_become_links(link):
    assert filters.web_link(link) == ""


@given(st.dates(date(1991, 1, 8), date(2200, 11, 1)))
def test_weeks_follow_each_other(day):
    found = period("week", week_key(day))
    assert found is not None
    assert found.first <= day < found.after == found.first + timedelta(days=7)
    following = period("week", found.following)
    assert following is not None
    assert (following.first, following.previous) == (found.after, found.key)


@pytest.mark.parametrize("key", ["2026-W54", "2026-W00", "9999-W01", "x", "2026-4"])
def test_an_invalid_period_is_none(key):
    assert period("week", key) is None
    assert period("month", key) is None


def test_months_follow_each_other():
    found = period("month", "2026-12")
    assert found is not None
    assert (found.previous, found.following, found.last) == ("2026-11", "2027-01", date(2026, 12, 31))


@given(st.lists(st.integers(-5, 10_000), max_size=30))
def test_a_chart_stays_inside_its_frame(counts):
    rows = [
        StoredSighting(
            source="hf", day=NOW.date(), seen_at=NOW + timedelta(hours=number), signals=Signals(upvotes=count)
        )
        for number, count in enumerate(counts)
    ]
    found = chart(rows)
    assert (found is None) == (len(counts) < 2)
    for dot in found.dots if found else ():
        assert 0 <= dot.x <= WIDTH
        assert 0 <= dot.y <= HEIGHT


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "/"),
        ("/daily/2026-04-02", "/daily/2026-04-02"),
        ("/papers/arxiv:2604.00001", "/papers/arxiv:2604.00001"),
        ("/confirm/TOKEN", "/confirm/-"),
        ("/papers/preferences/TOKEN/data.json", "/papers/preferences/-/data.json"),
        ("/preferences/TOKEN/pause", "/preferences/-/pause"),
        ("/preferences/TOKEN/interests", "/preferences/-/interests"),
        ("/preferences/TOKEN/interests/file", "/preferences/-/interests/file"),
        ("/preferences/TOKEN/interests/TOKEN", "/preferences/-"),
        ("/preferences/TOKEN/else", "/preferences/-"),
        ("/preferences/TOKEN/feedback", "/preferences/-/feedback"),
        ("/for-you/TOKEN/feed.json", "/for-you/-/feed.json"),
        ("/for-you/TOKEN", "/for-you/-"),
        ("/papers/feedback/TOKEN/2026-04-02/1/more", "/papers/feedback/-"),
        ("//Unsubscribe//TOKEN", "//Unsubscribe/-"),
        ("/unsubscribe%2FTOKEN", "/unsubscribe/-"),
        ("/unsubscribeTOKEN", "/unsubscribe/-"),
        ("/unsubscribe/TO\nKEN\n", "/unsubscribe/-"),
        ("/x/confirm/unsubscribe/TOKEN", "/x/confirm/-"),
        ("/api/v1/subscribers", "/api/v1/subscribers"),
        ("/api/v1/subscribers/reader@example.org", "/api/v1/subscribers/-"),
        ("/api/v1/suppressions/reader@example.org", "/api/v1/suppressions/-"),
        ("/a b\r\nlevel=ERROR é", "/a%20b%0D%0Alevel=ERROR%20%C3%A9"),
        ("/" + "x" * 500, "/" + "x" * 199),
    ],
)
def test_a_path_is_logged_without_tokens_addresses_and_line_ends(path, said):
    assert loggable(path) == said


@given(st.sampled_from(["confirm", "preferences", "unsubscribe"]), st.text(max_size=4), st.text("TOKEN", min_size=5))
def test_no_token_is_ever_logged(word, around, token):
    assert token not in loggable(f"/{word}{around}/{around}{token}{around}")
