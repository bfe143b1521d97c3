from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from digestmail.delivery import ready_queue
from digestmail.delivery.ready_queue import ReadyQueue
from digestmail.model.deliveries import Delivery

LIMITS = {"slow.example": 2, "one.example": 1}
DOMAINS = st.sampled_from(["slow.example", "one.example", "free.example", "SLOW.example"])


def delivery(number: int, domain: str) -> Delivery:
    return Delivery(
        edition_id=1,
        subscriber_id=number,
        segment_id=1,
        address=f"reader@{domain}",
        attempts=1,
        queued_at=datetime(2026, 4, 2, tzinfo=UTC),
        fence=1,
        wanted=True,
    )


def deliveries(*domains: str) -> list[Delivery]:
    return [delivery(number, domain) for number, domain in enumerate(domains)]


def test_a_domain_that_is_busy_lets_the_others_pass():
    waiting = ReadyQueue(LIMITS)
    slow_1, slow_2, slow_3, free = deliveries("slow.example", "slow.example", "slow.example", "free.example")
    waiting.add([slow_1, slow_2, slow_3, free])
    assert waiting.take(10) == [slow_1, slow_2, free]
    assert waiting.take(10) == []
    assert len(waiting) == 1
    waiting.release(free)
    assert waiting.take(10) == []
    waiting.release(slow_2)
    assert waiting.take(10) == [slow_3]
    assert len(waiting) == 0


def test_a_limit_that_changes_holds_from_the_next_delivery_on():
    waiting = ReadyQueue({"slow.example": 1})
    first, second, third, fourth = added = deliveries(*["slow.example"] * 4)
    waiting.add(added)
    assert waiting.take(10) == [first]
    waiting.limit({"slow.example": 3, "free.example": 1})
    assert waiting.take(10) == [third, second]  # about in order
    waiting.limit({"slow.example": 1})
    waiting.release(first)
    waiting.release(second)
    assert waiting.take(10) == []
    waiting.release(third)
    assert waiting.take(10) == [fourth]


def test_what_is_held_does_not_keep_others_from_being_claimed_until_it_is_too_much(monkeypatch):
    monkeypatch.setattr(ready_queue, "_MOST_HELD", 5)
    waiting = ReadyQueue(LIMITS)
    waiting.add(deliveries(*["one.example"] * 5))
    waiting.take(10)
    assert (len(waiting), waiting.next_to_come) == (4, 0)
    waiting.add(deliveries(*["one.example"] * 3))
    waiting.take(10)
    assert (len(waiting), waiting.next_to_come) == (7, 7)


@given(st.lists(DOMAINS, max_size=60), st.lists(st.integers(0, 8), max_size=80), st.randoms(use_true_random=False))
def test_every_delivery_comes_out_once_and_no_domain_is_overrun(domains, counts, random):
    waiting = ReadyQueue(LIMITS)
    added = deliveries(*domains)
    waiting.add(added)
    out: list[Delivery] = []
    seen: list[Delivery] = []
    for count in [*counts, *[8] * (len(domains) + 1)]:
        taken = waiting.take(count)
        assert len(taken) <= count
        out += taken
        seen += taken
        busy = Counter(one.address.rpartition("@")[2].lower() for one in out)
        assert all(busy[domain] <= most for domain, most in LIMITS.items())
        if out:
            waiting.release(out.pop(random.randrange(len(out))))
    seen += waiting.drain()
    assert sorted(one.subscriber_id for one in seen) == sorted(one.subscriber_id for one in added)
    assert len(waiting) == 0
