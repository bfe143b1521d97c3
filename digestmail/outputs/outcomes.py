"""What follows from an attempt: sent, tried again later, given up, or held for the operator. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from digestmail.delivery.backoff import next_attempt
from digestmail.errors import OutputError, OutputUnknownError
from digestmail.model.deliveries import Attempted, DeliveryState
from digestmail.model.outputs import ClaimedOutput

LONGEST_WAIT: Final = timedelta(hours=24)
"""The longest Retry-After that is honored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRules:
    """The policy for failed attempts, from `[mail]`."""

    give_up: timedelta
    max_lateness: timedelta


def not_attempted(claimed: ClaimedOutput, rules: OutputRules, now: datetime, *, repeatable: bool) -> Attempted | None:
    """Return what becomes of a claim that must not be attempted; None if it may."""
    if claimed.state is DeliveryState.SENDING and not repeatable:
        return Attempted(
            state=DeliveryState.AMBIGUOUS,
            text="the process ended while it was sending: the message may have arrived",
            begun=False,
        )
    is_first = claimed.attempts == 1
    if is_first and now - claimed.queued_at > rules.max_lateness:
        return Attempted(state=DeliveryState.CANCELLED, text="too late", begun=False)
    return None


def after_success(said: str, milliseconds: int) -> Attempted:
    """Return the result of an attempt that the receiver accepted."""
    return Attempted(state=DeliveryState.SENT, text=said, milliseconds=milliseconds)


def after_failure(
    claimed: ClaimedOutput, error: OutputError, rules: OutputRules, now: datetime, random: Random, milliseconds: int
) -> Attempted:
    """Return the result of an attempt that failed.

    A permanent error ends it. Others are tried again at growing intervals, or when the server asks for it if that is
    later, until `give_up` has passed since the edition was queued.
    """
    text = str(error)
    if isinstance(error, OutputUnknownError):
        return Attempted(state=DeliveryState.AMBIGUOUS, code=error.status, text=text, milliseconds=milliseconds)
    failed = Attempted(state=DeliveryState.FAILED, code=error.status, text=text, milliseconds=milliseconds)
    if error.permanent:
        return failed
    due_at = next_attempt(claimed.attempts, claimed.queued_at, now, rules.give_up, random)
    if due_at is None:
        return failed
    if error.retry_after is not None:
        due_at = max(due_at, now + min(timedelta(seconds=error.retry_after), LONGEST_WAIT))
    return Attempted(
        state=DeliveryState.DEFERRED,
        code=error.status,
        text=text,
        due_at=due_at,
        milliseconds=milliseconds,
        kept=DeliveryState.DEFERRED,
    )
