from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.text.credentials import guard_problem, masked_address, matches, weakness, weaknesses

GOOD = "5f8d0c1be7a94c0f"


@given(st.none() | st.text(max_size=20), st.none() | st.just(""))
def test_without_a_secret_nothing_matches(given_, secret):
    assert not matches(given_, secret)
    assert not matches(secret, given_)


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_only_the_secret_matches_itself(one, other):
    assert matches(one, one)
    assert matches(one, other) == (one == other)


@pytest.mark.parametrize(
    "secret", ["", " ", "short", "x" * 15, "x" * 201, "sixteen letters and", "é" * 20, GOOD + "\n"]
)
def test_what_cannot_guard_is_refused_without_being_shown(secret):
    problem = guard_problem(secret)
    assert problem is not None
    assert not secret.strip() or secret not in problem


@pytest.mark.parametrize(
    "secret",
    [
        "short", "aaaaaaaaaaaaaaaa", "0123456789abcdef", "change-me-please", "your_secret_here", "admin-password-123",
        "abcabcabcabcabcabc",
    ],
)  # fmt: skip
def test_what_is_easy_to_guess_is_weak(secret):
    assert weakness(secret) is not None
    assert secret not in str(weakness(secret))


@pytest.mark.parametrize("secret", [GOOD, "vH3-kz_0QmW8rtYp", "correct horse battery staple"])
def test_what_is_hard_to_guess_is_not_weak(secret):
    assert weakness(secret) is None


def test_a_secret_that_serves_twice_is_named_by_both_keys():
    (said,) = weaknesses({"web.admin_token": GOOD, "web.webhook_secret": GOOD, "mail.smtp.password": None})
    assert "web.webhook_secret is the same as web.admin_token" in said
    assert GOOD not in said


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://blog.example.org/feed", "https://blog.example.org/feed"),
        ("https://me:hush@blog.example.org/feed", "https://me:***@blog.example.org/feed"),
        ("https://hush@blog.example.org/feed", "https://:***@blog.example.org/feed"),
        ("//me:hush@blog.example.org", "//me:***@blog.example.org"),
        ("https://me:hu@sh@blog.example.org/@x", "https://me:***@blog.example.org/@x"),
        ("https://blog.example.org/feed?key=hush&format=hush#hush", "https://blog.example.org/feed?key=***&format=***"),
        ("https://blog.example.org/feed?hush", "https://blog.example.org/feed?***"),
        ("https://blog.example.org/?a=hush=hush;b=hush", "https://blog.example.org/?a=***&b=***"),
        ("https://me:hu?sh#x@blog.example.org/", "https://me:***@blog.example.org/"),
        ("blog", "blog"),
    ],
)
def test_an_address_is_shown_without_password_and_values_of_its_query(address, shown):
    assert masked_address(address) == shown
