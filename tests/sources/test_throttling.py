"""What throttling answers wish for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.sources.http.retry_after import LONGEST_WAIT, backoff, wished_wait

NOW = datetime(2026, 4, 2, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("7", 7.0), (" 120 ", 120.0), ("9" * 5000, LONGEST_WAIT)])
def test_seconds(text, seconds):
    assert wished_wait({"retry-after": text}, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "Thu, 02 Apr 2026 08:01:30 GMT",
        "Thursday, 02-Apr-26 08:01:30 GMT",
        "Thu Apr  2 08:01:30 2026",
        "Thu, 02 Apr 2026 10:01:30 +0200",
    ],
)
def test_a_date_in_any_form_http_knows(text):
    assert wished_wait({"retry-after": text}, NOW) == 90.0


def test_a_date_is_read_on_the_servers_own_clock():
    headers = {"date": "Thu, 02 Apr 2026 12:00:00 GMT", "retry-after": "Thu, 02 Apr 2026 12:00:30 GMT"}
    assert wished_wait(headers, NOW) == 30.0


def test_a_date_that_is_over_means_now():
    assert wished_wait({"retry-after": "Thu, 02 Apr 2026 07:00:00 GMT"}, NOW) == 0.0


def test_a_date_far_away_is_cut():
    assert wished_wait({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, NOW) == LONGEST_WAIT


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "\u00b2", "\u0663", "0x10", "Thu, 99 Foo 2026"])
def test_what_cannot_be_read_is_no_wish(text):
    assert wished_wait({"retry-after": text}, NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('"api";r=0;t=55', 55.0),
        ("limit=500, remaining=0, t=12", 12.0),
        ("limit=500, remaining=0, reset=12", 12.0),
        ('"burst";r=0;t=5, "daily";r=0;t=900, "hourly";r=7;t=3000', 900.0),
        ('"api";t=55;r=0', 55.0),
        ('"api";r=0', None),
        ("start=9", None),
    ],
)
def test_a_rate_limit_says_when_it_starts_anew(text, seconds):
    assert wished_wait({"ratelimit": text}, NOW) == seconds


@pytest.mark.parametrize("text", ['"api";r=499;t=55', "limit=500, remaining=3, reset=12", '"a";r=1;t=5, "b";r=2;t=9'])
def test_a_window_in_which_requests_remain_is_not_the_reason(text):
    assert wished_wait({"ratelimit": text}, NOW) is None


def test_retry_after_counts_more_than_the_rate_limit():
    assert wished_wait({"retry-after": "3", "ratelimit": '"api";r=0;t=55'}, NOW) == 3.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), (" 7 ", 7.0), ("99999999", LONGEST_WAIT), ("0", None), ("soon", None), ("-1", None)],
)
def test_any_answer_may_ask_for_a_pause(text, seconds):
    assert backoff({"backoff": text}) == seconds


def test_the_longer_of_both_pauses_counts():
    assert wished_wait({"retry-after": "5", "backoff": "30"}, NOW) == 30.0
    assert wished_wait({"retry-after": "50", "backoff": "30"}, NOW) == 50.0
    assert wished_wait({"backoff": "30"}, NOW) == 30.0


def test_no_header_is_no_wish():
    assert wished_wait({}, NOW) is None


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_sane_wait_or_none(retry_after, ratelimit, date):
    wish = wished_wait({"retry-after": retry_after, "ratelimit": ratelimit, "date": date}, NOW)
    assert wish is None or 0.0 <= wish <= LONGEST_WAIT
