"""How often anybody may ask, in a time of our own."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import pytest
from fakes import THURSDAY, FakeClock
from hypothesis import given
from hypothesis import strategies as st
from websites import ask, create_app, open_app

from digestmail.subscribers import rate_limit
from digestmail.subscribers.rate_limit import Admission, Rate, RateLimiter, Rates

DAY = timedelta(days=1)


def guard(count: int = 3, everybody: int = 1000) -> RateLimiter:
    return RateLimiter(Rates(searches=Rate(count, 60), all_searches=Rate(everybody, 60)))


def waits(of: RateLimiter, *clients: str, at: float = 0.0) -> list[float]:
    return [of.search(client=client, at=at) for client in clients]


def test_a_network_may_search_so_often_at_once_and_again_with_time():
    held = guard()
    assert waits(held, *["203.0.113.9"] * 4) == [0, 0, 0, 20]
    assert waits(held, "203.0.113.200", "198.51.100.1") == [20, 0]
    assert waits(held, *["203.0.113.9"] * 2, at=20) == [0, 20]


def test_many_networks_together_have_a_limit_too():
    held = guard(everybody=5)
    networks = [f"2001:db8:{number:x}00::1" for number in range(6)]
    assert waits(held, *networks) == [0, 0, 0, 0, 0, 12]


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=80))
def test_a_request_after_the_wait_is_admitted(count, pauses):
    held, now = guard(count), 0.0
    for pause in pauses:
        now += pause
        wait = held.search(client="203.0.113.9", at=now)
        if wait:
            now += ceil(wait)
            assert held.search(client="203.0.113.9", at=now) == 0


class SetClock(FakeClock):
    """A time of day that may be set, beside a clock that goes on as ever."""

    def monotonic(self) -> float:
        return 100.0


@pytest.mark.parametrize("jump", [DAY, -DAY, 365 * DAY, -365 * DAY], ids=str)
def test_setting_the_clock_does_not_change_rate_limits(database, database_url, jump):
    with open_app(database_url) as app:
        app.wall_clock = clock = SetClock(THURSDAY)
        site = create_app(app)
        for turn in range(60):
            clock.time = THURSDAY + jump * (turn % 2)
            assert ask(site, "/search?q=x").status == 200
        assert ask(site, "/search?q=x").status == 429


def admissions(of: RateLimiter, *addresses: str) -> list[Admission]:
    """Return the decision about a sign-up of each address, each from its own network."""
    return [
        of.admit(client=f"2001:db8:{number:x}00::1", address=address, at=0.0)
        for number, address in enumerate(addresses)
    ]


@pytest.mark.parametrize(
    "addresses",
    [
        [f"reader+{number}@example.org" for number in range(5)],
        [
            "not.a.reader@gmail.com",
            "n.otareader@gmail.com",
            "notareader+a@googlemail.com",
            "NotAReader@gmail.com",
            "f@x.org",
        ],
    ],
)
def test_tagged_addresses_of_one_mailbox_share_its_limit(addresses):
    admitted, quiet = Admission.ADMIT, Admission.QUIET
    last = quiet if "x.org" not in addresses[-1] else admitted
    assert admissions(RateLimiter(), *addresses) == [admitted, admitted, admitted, quiet, last]


def test_a_request_that_failed_does_not_count_for_its_address():
    limiter = RateLimiter()
    for number in range(20):
        client = f"198.51.{number}.1"
        assert limiter.admit(client=client, address="reader@example.org", at=0.0) is Admission.ADMIT
        limiter.release("Reader+x@example.org")
    assert admissions(limiter, *["reader@example.org"] * 4)[-1] is Admission.QUIET


def test_memory_is_bounded_however_many_networks_ask(monkeypatch):
    monkeypatch.setattr(rate_limit, "_MOST_KEYS", 100)
    limiter = guard(count=2, everybody=10**6)
    for number in range(5000):
        limiter.search(client=f"2001:db8:{number:x}00::1", at=number / 1000)
        assert len(limiter._idle_at) <= 101
    assert limiter.search(client="2001:db8:138700::1", at=5.0) == 0
    assert limiter.search(client="2001:db8:138700::1", at=5.0) > 0, "those that are idle last are still known"
