"""The states of messages, and the limits of domains."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.delivery import message_queue
from digestmail.delivery.message_queue import FRESH, MessageQueue, MessageState, QueuedMessage
from digestmail.model.deliveries import ClaimedMessage, Delivery, Notice, NoticeKind
from digestmail.text.addresses import domain_of

NOW = datetime(2026, 4, 2, tzinfo=UTC)
LIMITS = {"slow.example": 2, "one.example": 1}
DOMAINS = st.sampled_from(["slow.example", "one.example", "free.example", "SLOW.example"])


def delivery(number: int, domain: str = "free.example") -> Delivery:
    return Delivery(
        edition_id=1,
        subscriber_id=number,
        segment_id=1,
        address=f"reader@{domain}",
        attempts=1,
        queued_at=NOW,
        fence=1,
        wanted=True,
    )


def notice(number: int) -> Notice:
    return Notice(
        id=number,
        subscriber_id=number,
        kind=NoticeKind.CONFIRM,
        content={},
        address="reader@free.example",
        attempts=1,
        queued_at=NOW,
        fence=1,
        wanted=True,
    )


def deliveries(*domains: str) -> list[Delivery]:
    return [delivery(number, domain) for number, domain in enumerate(domains)]


def queue(limits=LIMITS) -> MessageQueue:
    return MessageQueue(limits, lambda *_: None)


def commit(waiting: MessageQueue, *claimed, at: datetime = NOW):
    """Commit the intents of messages; return those that must be given back."""
    return waiting.commit_intents(claimed, frozenset(one.claim for one in claimed), at)


def intended(waiting: MessageQueue, most: int = 100, at: datetime = NOW):
    """Commit the intents of the next messages, and return them."""
    ready = waiting.make_ready(most)
    assert commit(waiting, *ready, at=at) == []
    return ready


def taken(waiting: MessageQueue, now: datetime = NOW) -> list[QueuedMessage]:
    found = []
    while (message := waiting.take(now)) is not None:
        found.append(message)
    return found


def test_a_message_passes_its_states_in_order():
    waiting = queue()
    (one,) = deliveries("free.example")
    waiting.add([one])
    assert (waiting.claimed, waiting.ahead) == (1, 0)
    assert waiting.make_ready(10) == [one]
    assert waiting.take(NOW) is None, "its intent is not committed"
    assert commit(waiting, one) == []
    message = waiting.take(NOW)
    assert (message.claimed, message.state) == (one, MessageState.IN_FLIGHT)
    assert (waiting.claimed, waiting.ahead) == (0, 1)
    waiting.resolve(message)
    assert (message.state, waiting.ahead) == (MessageState.RESOLVED, 0)


def test_notices_go_ahead_of_deliveries_in_their_own_order():
    waiting = queue()
    waiting.add([*deliveries("free.example", "free.example"), notice(1), notice(2)])
    assert [type(one).__name__ for one in waiting.make_ready(3)] == ["Notice", "Notice", "Delivery"]
    waiting.add([notice(3)])
    assert [one.claim for one in waiting.make_ready(2)] == [(0, 3, 1), (1, 1, 1)]


def test_a_message_whose_connection_was_lost_goes_first():
    waiting = queue()
    waiting.add(deliveries("free.example", "free.example"))
    intended(waiting)
    first = waiting.take(NOW)
    waiting.put_back(first)
    assert waiting.take(NOW) is first


@pytest.mark.parametrize("jump", [timedelta(minutes=2), timedelta(minutes=-2)])
def test_an_old_intent_is_renewed_before_the_message_is_sent(jump):
    waiting = queue()
    waiting.add(deliveries("free.example"))
    (one,) = intended(waiting)
    assert waiting.take(NOW + jump) is None
    assert waiting.stale == [one]
    assert waiting.pop_stale() == [one]
    assert waiting.stale == []
    assert commit(waiting, one, at=NOW + jump) == []
    assert waiting.take(NOW + jump + FRESH).claimed == one


def test_what_is_not_accepted_or_was_recalled_is_given_back_once():
    waiting = queue()
    waiting.add(deliveries("slow.example", "slow.example", "slow.example", "free.example"))
    refused, recalled, free = waiting.make_ready(10)
    assert waiting.commit_intents([refused], frozenset(), NOW) == [refused]
    (late,) = waiting.make_ready(10)
    assert commit(waiting, late) == []
    assert waiting.recall() == [late]
    assert commit(waiting, recalled, free) == [recalled, free]
    assert (waiting.claimed, waiting.ahead, waiting.close()) == (0, 0, [])


def test_a_domain_that_is_busy_lets_the_others_pass():
    waiting = queue()
    slow_1, slow_2, slow_3, free = added = deliveries("slow.example", "slow.example", "slow.example", "free.example")
    waiting.add(added)
    assert intended(waiting) == [slow_1, slow_2, free]
    assert (waiting.make_ready(10), waiting.claimed) == ([], 1)
    first, _, third = taken(waiting)
    waiting.resolve(third)
    assert waiting.make_ready(10) == []
    waiting.resolve(first)
    assert waiting.make_ready(10) == [slow_3]


def test_a_limit_that_changes_applies_from_the_next_message_on():
    waiting = queue({"slow.example": 1})
    first, second, third, fourth = added = deliveries(*["slow.example"] * 4)
    waiting.add(added)
    assert intended(waiting) == [first]
    waiting.set_limits({"slow.example": 3, "free.example": 1})
    assert intended(waiting) == [third, second]  # about in order
    waiting.set_limits({"slow.example": 1})
    one, two, three = taken(waiting)
    waiting.resolve(one)
    waiting.resolve(two)
    assert waiting.make_ready(10) == []
    waiting.resolve(three)
    assert waiting.make_ready(10) == [fourth]


def test_held_messages_do_not_keep_others_from_being_claimed_until_there_are_too_many(monkeypatch):
    monkeypatch.setattr(message_queue, "_MOST_HELD", 5)
    waiting = queue()
    waiting.add(deliveries(*["one.example"] * 5))
    waiting.make_ready(10)
    assert (waiting.claimed, waiting.available) == (4, 0)
    waiting.add([delivery(number, "one.example") for number in range(5, 8)])
    waiting.make_ready(10)
    assert (waiting.claimed, waiting.available) == (7, 7)


@given(st.lists(DOMAINS, max_size=60), st.lists(st.integers(0, 8), max_size=80), st.randoms(use_true_random=False))
def test_every_message_comes_out_once_and_no_domain_exceeds_its_limit(domains, counts, random):
    waiting = queue()
    added = deliveries(*domains)
    waiting.add(added)
    flying: list[QueuedMessage] = []
    seen: list[ClaimedMessage] = []
    for count in [*counts, *[8] * (len(domains) + 1)]:
        assert len(waiting.make_ready(0)) == 0
        assert len(intended(waiting, count)) <= count
        flying += (some := taken(waiting))
        seen += (message.claimed for message in some)
        busy = Counter(domain_of(one.claimed.address) for one in flying)
        assert all(busy[domain] <= most for domain, most in LIMITS.items())
        if flying:
            message = flying.pop(random.randrange(len(flying)))
            if random.random() < 0.2:
                waiting.put_back(message)
                seen.remove(message.claimed)
            else:
                waiting.resolve(message)
    seen += waiting.close()
    assert sorted(one.subscriber_id for one in seen) == sorted(one.subscriber_id for one in added)
    assert (waiting.claimed, waiting.ahead) == (0, len(flying))
