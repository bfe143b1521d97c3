"""The differences between two states of a subscriber, as steps that an email can describe. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from digestmail.model.subscribers import Subscriber


class Changed(StrEnum):
    """What a step is about."""

    ADDED = "added"
    LEFT = "left"
    TOPICS = "topics"
    HOUR = "hour"
    CADENCE = "cadence"
    LANGUAGE = "language"
    TIMEZONE = "timezone"
    PAUSED = "paused"
    RESUMED = "resumed"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A step. `digest` is the name of its digest, empty if it concerns all."""

    what: Changed
    digest: str = ""


def differences(before: Subscriber, after: Subscriber) -> tuple[Difference, ...]:
    """Return the steps from `before` to `after`, by digest, then those that concern all."""
    return (*_of_digests(before, after), *_of_person(before, after))


def _of_digests(before: Subscriber, after: Subscriber) -> Iterator[Difference]:
    old = {one.digest: one for one in before.subscriptions}
    new = {one.digest: one for one in after.subscriptions}
    for name in sorted({*old, *new}):
        if name not in new:
            yield Difference(what=Changed.LEFT, digest=name)
        elif name not in old:
            yield Difference(what=Changed.ADDED, digest=name)
        else:
            if set(old[name].topics) != set(new[name].topics):
                yield Difference(what=Changed.TOPICS, digest=name)
            if old[name].hour != new[name].hour:
                yield Difference(what=Changed.HOUR, digest=name)
            if old[name].cadence != new[name].cadence:
                yield Difference(what=Changed.CADENCE, digest=name)


def _of_person(before: Subscriber, after: Subscriber) -> Iterator[Difference]:
    if before.language != after.language:
        yield Difference(what=Changed.LANGUAGE)
    if before.timezone != after.timezone:
        yield Difference(what=Changed.TIMEZONE)
    if before.paused_until != after.paused_until:
        yield Difference(what=Changed.PAUSED if _ends_later(before, after) else Changed.RESUMED)
    if before.address != after.address:
        yield Difference(what=Changed.ADDRESS)


def _ends_later(before: Subscriber, after: Subscriber) -> bool:
    """Return whether the pause of `after` ends later than that of `before`. One that was resumed ends sooner."""
    if before.paused_until is None or after.paused_until is None:
        return after.paused_until is not None
    return before.paused_until < after.paused_until
