from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from fakes import THURSDAY

from digestmail.delivery.outcomes import Rules, not_accepted
from digestmail.errors import TransportError
from digestmail.model.deliveries import AmbiguousPolicy, Delivery, DeliveryState

RULES = Rules(give_up=timedelta(hours=96), max_lateness=timedelta(hours=48), ambiguous=AmbiguousPolicy.RESEND)


def after(*, code: int | None, hours: int, attempts: int):
    delivery = Delivery(
        edition_id=1,
        subscriber_id=1,
        segment_id=1,
        address="reader@example.org",
        state=DeliveryState.DEFERRED,
        attempts=attempts,
        fence=1,
        queued_at=THURSDAY,
        wanted=True,
    )
    broken = TransportError("the mail server refuses our messages", code=code)
    return not_accepted(delivery, broken, RULES, THURSDAY + timedelta(hours=hours), Random(1), None)


@pytest.mark.parametrize(("code", "hours", "attempts"), [(554, 95, 9), (554, 100, 3), (None, 500, 9)])
def test_a_relay_at_fault_keeps_its_messages_in_the_outbox(code, hours, attempts):
    assert after(code=code, hours=hours, attempts=attempts).state is DeliveryState.DEFERRED


def test_a_message_that_stops_every_run_for_days_is_given_up_and_counts_as_no_bounce():
    end = after(code=554, hours=97, attempts=9)
    assert (end.state, end.code, end.bounce) == (DeliveryState.FAILED, 554, None)
