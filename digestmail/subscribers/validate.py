"""What can be chosen, checked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from digestmail.errors import SubscriptionError
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.schedule.cron import check_timezone

LAST_HOUR = 23


def checked(digests: Sequence[Digest], choices: Preferences) -> Preferences:
    """Return `choices`, each digest once and its topics in the digest's order; all of them is none.

    Raises SubscriptionError when nothing is chosen, or something that does not exist.
    """
    if not choices.subscriptions:
        raise SubscriptionError("choose at least one digest")
    if choices.timezone is not None and (wrong := check_timezone(choices.timezone)):
        raise SubscriptionError("there is no time zone %(name)s", name=repr(choices.timezone), operator_text=wrong)
    by_name = {digest.name: digest for digest in digests}
    chosen = {one.digest: _checked(by_name, one) for one in choices.subscriptions}
    return replace(choices, subscriptions=tuple(chosen[name] for name in sorted(chosen)))


def _checked(by_name: dict[str, Digest], one: Subscription) -> Subscription:
    if one.digest not in by_name:
        raise SubscriptionError("there is no digest %(name)s", name=repr(one.digest))
    known = [topic.name for topic in by_name[one.digest].topics]
    for topic in one.topics:
        if topic not in known:
            raise SubscriptionError(
                "digest %(digest)s has no topic %(topic)s", digest=repr(one.digest), topic=repr(topic)
            )
    if one.hour is not None and not 0 <= one.hour <= LAST_HOUR:
        raise SubscriptionError("the hour must be a number from 0 to 23")
    topics = tuple(topic for topic in known if topic in one.topics)
    return replace(one, topics=() if len(topics) == len(known) else topics)
