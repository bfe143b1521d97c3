from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.bounces.domain_blocks import enough_to_know, is_block, is_worth_counting
from digestmail.text.refusal import reason_of


@pytest.mark.parametrize(
    ("refused", "mailed", "block"),
    [(4, 4, False), (5, 5, True), (5, 20, True), (5, 21, False), (100, 400, True), (100, 1000, False), (99, 99, True)],
)
def test_a_block_refuses_many_and_a_large_share(refused, mailed, block):
    assert is_block(refused, mailed) is block


@given(st.integers(0, 10_000), st.integers(0, 100_000))
def test_counting_further_than_enough_changes_nothing(refused, mailed):
    assert is_block(refused, mailed) is is_block(refused, min(mailed, enough_to_know(refused)))


def test_a_growing_block_is_looked_for_often_and_a_huge_one_not_each_time():
    looked = [refused for refused in range(10_000) if is_worth_counting(refused)]

    assert looked[:16] == list(range(5, 21))
    assert all(later <= sooner * 1.1 + 1 for sooner, later in itertools.pairwise(looked))
    assert len(looked) < 600


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "550 5.1.1 <ann@x.example>: User unknown (mx1.x.example)",
            "550 5.1.1 <bo@x.example>: User unknown (mx2.x.example)",
        ),
        ("550 user ann unknown [id=7f3a]", "550 user bo unknown [id=99c1]"),
        (
            "554 blocked, see https://x.example/?ip=192.0.2.1&c=1",
            "554 blocked, see https://x.example/?ip=192.0.2.1&c=2",
        ),
    ],
)
def test_the_same_refusal_of_two_readers_is_the_same(one, other):
    assert reason_of(None, one, "ann@x.example") == reason_of(None, other, "bo@x.example")


@pytest.mark.parametrize(
    ("one", "other"),
    [("550 5.1.1 unknown", "550 5.2.2 unknown"), ("550 user unknown", "550 mailbox full")],
)
def test_two_reasons_are_two(one, other):
    assert reason_of(None, one, "ann@x.example") != reason_of(None, other, "ann@x.example")


@given(st.one_of(st.none(), st.text()), st.text(), st.text())
def test_any_words_have_a_reason(status, text, address):
    assert len(reason_of(status, text, address)) <= len(status or "") + len(text.casefold()) + 20
