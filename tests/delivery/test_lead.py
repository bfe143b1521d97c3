"""How many messages may be ahead: what is sent in a tenth of a second, or in three commits."""

import pytest

from digestmail.delivery.lead import FEWEST, MOST, MOST_AT_ONCE, Lead


def test_a_few_for_each_connection_before_anything_is_known():
    assert Lead(0.0).most(16) == FEWEST * 16


@pytest.mark.parametrize(
    ("rate", "commit", "most"),
    [
        (5_000, 0.002, 500),  # a tenth of a second
        (5_000, 0.05, 750),  # three commits of 50 ms
        (50_000, 0.002, MOST),
        (10, 0.002, FEWEST * 4),  # a slow server: no more than before
    ],
)
def test_it_follows_the_pace_of_the_server_and_of_the_commits(rate, commit, most):
    lead = Lead(0.0)
    for step in range(1, 41):
        lead.on_commit(rate // 10, commit, step / 10)
    assert lead.most(4) == most


def test_a_clock_that_stands_still_tells_nothing():
    lead = Lead(5.0)
    lead.on_commit(1_000, 0.0, 5.0)
    assert lead.most(2) == FEWEST * 2


def test_a_database_that_becomes_slow_lets_more_go_ahead():
    """What is ahead must last until the next intents are committed, or the connections wait."""
    lead, at = Lead(0.0), 0.0
    for _ in range(20):
        at += 0.1
        lead.on_commit(100, 0.01, at)
    quick = lead.most(1)
    for _ in range(20):
        at += 0.3
        lead.on_commit(100, 0.3, at)
    assert lead.most(1) > 2 * quick


@pytest.mark.parametrize(
    ("rate", "at_once"), [(10, 1), (150, 1), (850, 8), (9_000, MOST_AT_ONCE)], ids=["slow", "some", "many", "the most"]
)
def test_as_many_are_composed_at_once_as_are_sent_in_a_moment(rate, at_once):
    """A message that waits for a slow server is composed when it is sent, so that it has the date of then."""
    lead = Lead(0.0)
    assert lead.at_once == 1
    for step in range(1, 41):
        lead.on_commit(rate // 10, 0.002, step / 10)
    assert lead.at_once == at_once
