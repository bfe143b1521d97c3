from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import paper
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.digests import Weights
from digestmail.model.papers import Signals
from digestmail.model.selection import Candidate
from digestmail.selection.score import score

TODAY = date(2026, 4, 2)
NOON = datetime(2026, 4, 2, 12, tzinfo=UTC)

counts = st.none() | st.integers(-5, 10**7)
signals = st.builds(Signals, upvotes=counts, comments=counts, stars=counts)
weights = st.builds(
    Weights,
    **dict.fromkeys(("upvotes", "comments", "stars", "growth", "topic"), st.floats(0, 100)),
    half_life_days=st.floats(0.01, 1000),
)
strengths = st.floats(0, 1)
ages = st.integers(-3, 4000)


def candidate(said: Signals, earlier: Signals | None = None, age: int = 0) -> Candidate:
    return Candidate(
        paper=paper(1), day=TODAY - timedelta(days=age), came_at=NOON, signals=said, earlier=earlier or said
    )


PLAIN = Weights()


def total(
    said: Signals, earlier: Signals | None = None, strength: float = 0.0, age: int = 0, how: Weights = PLAIN
) -> float:
    return score(candidate(said, earlier, age), strength, how, TODAY).total


def test_the_score_is_the_documented_formula():
    said, before = Signals(upvotes=40, comments=3, stars=120), Signals(upvotes=10, comments=1, stars=100)
    found = score(candidate(said, before, age=3), 0.5, Weights(), TODAY)
    assert found.upvotes == pytest.approx(math.log(41))
    assert found.comments == pytest.approx(0.5 * math.log(4))
    assert found.stars == pytest.approx(0.2 * math.log(121))
    assert found.growth == pytest.approx(0.5 * math.log(31))
    assert found.topic == pytest.approx(0.5)
    assert found.age == pytest.approx(0.5)
    counts = found.upvotes + found.comments + found.stars + found.growth
    assert found.total == pytest.approx(found.age * (0.5 * counts + found.topic))


def test_many_upvotes_do_not_outrank_papers_that_are_about_the_topic():
    famous, fitting = Signals(upvotes=200), Signals(upvotes=10)
    assert total(fitting, strength=0.97) > total(famous, strength=0.5)
    assert total(famous, strength=0.9) > total(fitting, strength=0.97)


def test_without_topics_counts_are_not_reduced():
    plain = score(candidate(Signals(upvotes=9)), None, Weights(), TODAY, has_topics=False)
    assert plain.total == pytest.approx(math.log(10))
    assert score(candidate(Signals(upvotes=9)), None, Weights(), TODAY).total == pytest.approx(math.log(10) / 2)


def test_nothing_known_is_no_score():
    assert total(Signals()) == 0


def test_growth_needs_both_counts():
    assert score(candidate(Signals(upvotes=9), Signals()), 0, Weights(), TODAY).growth == 0
    assert score(candidate(Signals(), Signals(upvotes=9)), 0, Weights(), TODAY).growth == 0


def test_a_day_in_the_future_is_today():
    assert total(Signals(upvotes=9), age=-2) == total(Signals(upvotes=9))


@given(signals, signals, strengths, ages, weights)
def test_a_score_is_finite_and_never_negative(said, earlier, strength, age, how):
    assert 0 <= total(said, earlier, strength, age, how) < math.inf


raised = st.tuples(st.sampled_from(["upvotes", "comments", "stars"]), st.integers(0, 1000))


@given(signals, signals, strengths, ages, weights, raised)
def test_a_higher_count_never_lowers_the_score(said, earlier, strength, age, how, plus):
    name, number = plus
    count = {"upvotes": said.upvotes, "comments": said.comments, "stars": said.stars}[name]
    more = replace(said, **{name: (count or 0) + number})
    assert total(more, earlier, strength, age, how) >= total(said, earlier, strength, age, how)


@given(signals, signals, strengths, strengths, ages, weights)
def test_a_stronger_match_never_lowers_the_score(said, earlier, one, other, age, how):
    weak, strong = sorted((one, other))
    assert total(said, earlier, strong, age, how) >= total(said, earlier, weak, age, how)


@given(signals, signals, strengths, ages, st.integers(0, 400), weights)
def test_a_day_more_never_raises_the_score(said, earlier, strength, age, plus, how):
    assert total(said, earlier, strength, age + plus, how) <= total(said, earlier, strength, age, how)
