"""Decide what a verdict makes of a delivery. Pure: time and randomness are arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from digestmail.bounces.parsing.classify import classify_refusal
from digestmail.delivery.backoff import next_attempt
from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import (
    TOO_LATE,
    AmbiguousPolicy,
    Attempted,
    ClaimedMessage,
    Delivery,
    DeliveryState,
)
from digestmail.model.subscribers import BounceKind
from digestmail.schedule.moments import age
from digestmail.text.addresses import domain_of
from digestmail.transports.base import OutcomeUnknownError, Receipt, ThrottledError, TooLargeError
from digestmail.transports.smtp.replies import reply_in
from digestmail.transports.smtp.sender_faults import names_recipient

PAUSE = timedelta(minutes=5)
"""How long things wait when the way out itself is broken."""
_LONGEST_PAUSE = timedelta(hours=4)
_FEWEST_ATTEMPTS = 4
"""Nobody is given up before so many attempts, however long they waited for our own server to come back."""
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=1)
_SLOWER = re.compile(r"\b4\.7\.\d+\b")
_SLOWER_CODES = frozenset({421, 450, 451})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator wants done about deliveries that do not go well."""

    give_up: timedelta
    max_lateness: timedelta
    """A delivery that was not even begun for so long is not wanted any more."""
    ambiguous: AmbiguousPolicy


def accepted(receipt: Receipt, milliseconds: int) -> Attempted:
    """Return what a message becomes that was accepted in `milliseconds`."""
    return Attempted(DeliveryState.SENT, receipt.code, receipt.text, milliseconds=milliseconds)


def not_accepted(
    message: ClaimedMessage,
    error: DeliveryError | TransportError,
    rules: Rules,
    now: datetime,
    random: Random,
    milliseconds: int | None,
) -> Attempted:
    """Return what a message becomes after an attempt that ended with `error` and took `milliseconds`."""
    match error:
        case OutcomeUnknownError():
            return unknown(message, str(error), rules, now, random, milliseconds)
        case ThrottledError():
            return _throttled(message, error, now, milliseconds)
        case DeliveryError():
            return _refused(message, error, rules, now, random, milliseconds)
        case _ if error.code is not None and _is_given_up(message, rules, now):
            # A reply to this message, for days: it must not stop every run for ever. It counts as no bounce.
            return Attempted(state=DeliveryState.FAILED, code=error.code, text=str(error), milliseconds=milliseconds)
        case _:
            return deferred_by_relay(message, str(error), error.code, now, milliseconds)


def _is_given_up(message: ClaimedMessage, rules: Rules, now: datetime) -> bool:
    return message.attempts >= _FEWEST_ATTEMPTS and age(message.queued_at, now) > rules.give_up


def unknown(
    message: ClaimedMessage, text: str, rules: Rules, now: datetime, random: Random, milliseconds: int | None = None
) -> Attempted:
    """Return what becomes of a message that may have arrived: the operator's policy decides."""
    if rules.ambiguous is AmbiguousPolicy.HOLD:
        return Attempted(
            state=DeliveryState.AMBIGUOUS, text=text, milliseconds=milliseconds, kept=DeliveryState.AMBIGUOUS
        )
    due_at = next_attempt(message.attempts, message.queued_at, now, rules.give_up, random) or now + PAUSE
    return Attempted(
        state=DeliveryState.DEFERRED,
        text=text,
        due_at=due_at,
        milliseconds=milliseconds,
        kept=DeliveryState.AMBIGUOUS,
    )


def after_worker_crash(rules: Rules, now: datetime) -> Attempted:
    """Return what becomes of a delivery whose worker died after the intent: under `resend` it is due at once."""
    text = "the worker died between the intent and the result: the message may have arrived"
    if rules.ambiguous is AmbiguousPolicy.HOLD:
        return Attempted(state=DeliveryState.AMBIGUOUS, text=text, kept=DeliveryState.AMBIGUOUS)
    return Attempted(state=DeliveryState.DEFERRED, text=text, due_at=now, kept=DeliveryState.AMBIGUOUS)


def deferred_by_relay(
    message: ClaimedMessage, text: str, code: int | None, now: datetime, milliseconds: int | None = None
) -> Attempted:
    """Return what becomes of the delivery in hand when the way out breaks: it goes behind the others."""
    pause = PAUSE * min(2**message.attempts, _LONGEST_PAUSE // PAUSE)
    return Attempted(
        state=DeliveryState.DEFERRED,
        code=code,
        text=text,
        due_at=now + pause,
        milliseconds=milliseconds,
        kept=DeliveryState.DEFERRED,
    )


def _refused(
    message: ClaimedMessage, error: DeliveryError, rules: Rules, now: datetime, random: Random, milliseconds: int | None
) -> Attempted:
    due_at = None
    if not error.permanent:
        first_at = message.queued_at if message.attempts >= _FEWEST_ATTEMPTS else now
        due_at = next_attempt(message.attempts, first_at, now, rules.give_up, random)
    if due_at is None:
        status, bounce = bounced(error)
        return Attempted(
            state=DeliveryState.FAILED,
            code=error.code,
            text=str(error),
            milliseconds=milliseconds,
            bounce=bounce,
            status=status,
        )
    return Attempted(
        state=DeliveryState.DEFERRED,
        code=error.code,
        text=str(error),
        due_at=due_at,
        milliseconds=milliseconds,
        kept=DeliveryState.DEFERRED,
    )


def bounced(error: DeliveryError) -> tuple[str | None, BounceKind | None]:
    """Return the status code and the kind of bounce a final refusal is, judged as a report of it would be.

    (None, None) where no server spoke.
    """
    if error.code is None or isinstance(error, TooLargeError):
        return None, None
    status, blame = classify_refusal(None, str(error))
    return status, BounceKind(blame.value)


def said(attempted: Attempted) -> str:
    """Return a server's own words, without the step they answered: as a report of the refusal would quote them."""
    return attempted.text.rpartition(" was answered with ")[2]


def _throttled(message: ClaimedMessage, error: ThrottledError, now: datetime, milliseconds: int | None) -> Attempted:
    """Return what becomes of a message the server did not want so soon: due again in a moment, and never given up."""
    wait = _FIRST_WAIT if error.connections else min(_FIRST_WAIT * 2 ** min(message.attempts - 1, 6), _LONGEST_WAIT)
    return Attempted(
        state=DeliveryState.DEFERRED,
        code=error.code,
        text=str(error),
        due_at=now + wait,
        milliseconds=milliseconds,
        kept=DeliveryState.DEFERRED,
    )


def reopened(text: str, code: int | None, due_at: datetime) -> Attempted:
    """Return what becomes of a delivery that had failed, once it is clear that it was not about the recipient."""
    return Attempted(state=DeliveryState.DEFERRED, code=code, text=text, due_at=due_at, kept=DeliveryState.DEFERRED)


def released(message: ClaimedMessage, due_at: datetime) -> Attempted:
    """Return what becomes of a claimed delivery that was not attempted."""
    state = DeliveryState.DEFERRED if message.attempts > 1 else DeliveryState.QUEUED
    return Attempted(state=state, due_at=due_at, begun=False)


def no_longer_eligible(message: ClaimedMessage, rules: Rules, now: datetime) -> Attempted | None:
    """Return the end of a message that is no longer wanted, or None if it should be sent.

    A delivery that was not attempted within `max_lateness` is cancelled, so that a clock that jumped or a database that
    was down for weeks does not send old news. A notice is an answer to what someone did, and is never too late.
    """
    if not message.wanted:
        why = "no longer subscribed" if isinstance(message, Delivery) else "the address is suppressed"
        return Attempted(state=DeliveryState.CANCELLED, text=why, begun=False)
    if message.attempts > 1 or not isinstance(message, Delivery):
        return None
    late = age(message.queued_at, now)
    if late > rules.max_lateness:
        hours = int(late.total_seconds() // 3600)
        return Attempted(state=DeliveryState.CANCELLED, text=f"{TOO_LATE}: {hours} hours", begun=False)
    return None


def no_longer_says_anything() -> Attempted:
    """Return the end of a notice that has nothing left to say, such as a confirmation that was given meanwhile."""
    return Attempted(state=DeliveryState.CANCELLED, text="no longer needed", begun=False)


def throttle_key(error: DeliveryError | TransportError, relay: str, address: str) -> str | None:
    """Return the key of the relay or domain that asks to be sent less (421, 450, 451, 4.7.x), if one does.

    What a ThrottledError asks for is measured, not halved; see `throttle`. A mailbox that is busy or full, and a sender
    who is refused, say nothing about the recipient's domain.
    """
    if isinstance(error, ThrottledError) or error.code is None or error.code // 100 != 4:  # noqa: PLR2004 - transient
        return None
    if error.code == 421:  # noqa: PLR2004 - the service itself (RFC 5321 section 4.2.3)
        return f"relay:{relay}"
    if isinstance(error, TransportError) or names_recipient(error.code, reply_in(str(error), error.code), address):
        return None
    if error.code in _SLOWER_CODES or _SLOWER.search(str(error)):
        return f"domain:{domain_of(address)}"
    return None
