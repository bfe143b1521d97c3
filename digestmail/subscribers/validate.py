"""Validates preferences. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from digestmail.errors import SubscriptionError
from digestmail.model.digests import Cadence, Digest
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.schedule.timezones import check_timezone, nearest_timezone, spelled_timezone

LAST_HOUR = 23


def checked(digests: Sequence[Digest], choices: Preferences) -> Preferences:
    """Return `choices` with each digest once and its topics in the digest's order. All topics become an empty list.

    Raises SubscriptionError if no digest is chosen, or if a choice does not exist.
    """
    if not choices.subscriptions:
        raise SubscriptionError("choose at least one digest")
    if choices.timezone is not None:
        choices = replace(choices, timezone=_checked_timezone(choices.timezone))
    chosen = {
        one.digest: _without_all_topics(digests, checked_subscription(digests, one)) for one in choices.subscriptions
    }
    return replace(choices, subscriptions=tuple(chosen[name] for name in sorted(chosen)))


def _checked_timezone(text: str) -> str:
    """Return the time zone `text`, whatever its case. Raises SubscriptionError, which suggests the nearest one."""
    name = spelled_timezone(text)
    wrong = check_timezone(name)
    if wrong is None:
        return name
    if near := nearest_timezone(text):
        raise SubscriptionError(
            "there is no time zone %(name)s; did you mean %(near)s?", name=repr(text), near=near, operator_text=wrong
        )
    raise SubscriptionError("there is no time zone %(name)s", name=repr(text), operator_text=wrong)


def checked_subscription(digests: Sequence[Digest], one: Subscription) -> Subscription:
    """Return `one` with its topics in the digest's order and spelling; upper and lower case are the same.

    Raises SubscriptionError if a name does not exist. The operator's message suggests the closest one.
    """
    digest = next((digest for digest in digests if digest.name == one.digest), None)
    if digest is None:
        near = _hint(one.digest, [digest.name for digest in digests])
        raise SubscriptionError(
            "there is no digest %(name)s",
            name=repr(one.digest),
            operator_text=f"there is no digest {one.digest!r}{near}",
        )
    known = [topic.name for topic in digest.topics]
    by_case = {name.casefold(): name for name in known}
    topics = tuple(topic if topic in known else by_case.get(topic.casefold(), topic) for topic in one.topics)
    for topic in topics:
        if topic not in known:
            raise SubscriptionError(
                "digest %(digest)s has no topic %(topic)s",
                digest=repr(one.digest),
                topic=repr(topic),
                operator_text=f"digest {one.digest!r} has no topic {topic!r}{_topic_hint(topic, known)}",
            )
    if one.hour is not None and not 0 <= one.hour <= LAST_HOUR:
        raise SubscriptionError("the hour must be a number from 0 to 23")
    return replace(one, topics=tuple(topic for topic in known if topic in topics))


def _topic_hint(topic: str, known: Sequence[str]) -> str:
    if not known:
        return ": it offers none; list some in topics of its [[digests]] table"
    return _hint(topic, known)


def cadence_from(text: str) -> Cadence | None:
    """Return the cadence called `text`; None if it is empty. Raises SubscriptionError if there is none."""
    if not text:
        return None
    if text not in set(Cadence):
        raise SubscriptionError(
            "there is no frequency %(name)s",
            name=repr(text),
            operator_text=f"there is no cadence {text!r}{_hint(text, [one.value for one in Cadence])}",
        )
    return Cadence(text)


def _without_all_topics(digests: Sequence[Digest], one: Subscription) -> Subscription:
    """Return `one` without topics if it contains all topics of its digest."""
    known = next(len(digest.topics) for digest in digests if digest.name == one.digest)
    return replace(one, topics=()) if len(one.topics) == known else one


def _hint(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are: {', '.join(known)}" if known else ""
