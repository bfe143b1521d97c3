"""What changed, step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import THURSDAY

from digestmail.model.differences import Changed, Difference, differences
from digestmail.model.digests import Cadence
from digestmail.model.subscribers import Subscriber, SubscriberState, Subscription

BEFORE = Subscriber(
    id=1,
    address="reader@example.org",
    state=SubscriberState.ACTIVE,
    created_at=THURSDAY,
    subscriptions=(Subscription(digest="daily", topics=("a", "b"), hour=7), Subscription(digest="weekly")),
)


@pytest.mark.parametrize(
    ("changed", "steps"),
    [
        ({}, []),
        ({"created_at": THURSDAY + timedelta(days=1), "consent_source": "x"}, []),
        ({"subscriptions": ()}, [(Changed.LEFT, "daily"), (Changed.LEFT, "weekly")]),
        ({"subscriptions": (*BEFORE.subscriptions, Subscription(digest="monthly"))}, [(Changed.ADDED, "monthly")]),
        (
            {"subscriptions": (Subscription(digest="daily", topics=("b", "a"), hour=7), BEFORE.subscriptions[1])},
            [],
        ),
        (
            {"subscriptions": (Subscription(digest="daily", topics=("a",)), BEFORE.subscriptions[1])},
            [(Changed.TOPICS, "daily"), (Changed.HOUR, "daily")],
        ),
        ({"language": "de", "timezone": "UTC"}, [(Changed.LANGUAGE, ""), (Changed.TIMEZONE, "")]),
        ({"paused_until": THURSDAY}, [(Changed.PAUSED, "")]),
        ({"paused_from": THURSDAY}, []),
        (
            {"subscriptions": (replace(BEFORE.subscriptions[0], cadence=Cadence.WEEKLY), BEFORE.subscriptions[1])},
            [(Changed.CADENCE, "daily")],
        ),
        ({"address": "new@example.org"}, [(Changed.ADDRESS, "")]),
    ],
)
def test_each_step_is_named_once(changed, steps):
    after = replace(BEFORE, **changed)

    assert [(one.what, one.digest) for one in differences(BEFORE, after)] == steps
    assert len(differences(after, BEFORE)) == len(steps)


def test_an_ended_pause_and_a_new_one_are_described_differently():
    paused = replace(BEFORE, paused_until=THURSDAY)

    assert differences(paused, BEFORE) == (Difference(what=Changed.RESUMED),)


def test_a_pause_that_ends_sooner_was_resumed_and_one_that_ends_later_is_a_pause():
    paused = replace(BEFORE, paused_until=THURSDAY + timedelta(days=7))
    resumed = replace(BEFORE, paused_until=THURSDAY)

    assert differences(paused, resumed) == (Difference(what=Changed.RESUMED),)
    assert differences(resumed, paused) == (Difference(what=Changed.PAUSED),)
