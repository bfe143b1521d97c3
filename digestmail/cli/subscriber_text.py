"""What `digestmail subscribers show` shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from digestmail.cli import printing
from digestmail.model.personal import Profile
from digestmail.model.subscribers import Subscriber, Subscription
from digestmail.schedule.moments import is_paused
from digestmail.schedule.times import common_zone, written
from digestmail.subscribers import admin
from digestmail.subscribers.interests import Interests
from digestmail.text.addresses import key_of
from digestmail.text.counts import counted
from digestmail.text.truncate import at_word

if TYPE_CHECKING:
    from digestmail.app import App


def show(app: App, found: Subscriber, given: Interests) -> None:
    """Print all that is on record of a subscriber."""
    facts = (*_facts(app, found), *_interests(given, common_zone(app.digests)))
    printing.table([(name, value) for name, value in facts if value])


def _interests(given: Interests, zone: str) -> Iterator[tuple[str, str]]:
    said = given.profile
    yield "interests", " ".join(said.interests.split())
    yield "followed authors", "; ".join(said.authors)
    yield "blocked words", "; ".join(said.blocked_words)
    if said != Profile():
        yield "exploration", f"{said.exploration:.0%}"
    for one in given.reading_lists:
        read = f"read {written(one.read_at, zone)}" if one.read_at else "not read yet"
        problem = f"; {one.problem}" if one.problem else ""
        yield f"list {one.kind}", f"{at_word(one.reference, 60)}: {counted(one.papers, 'paper')}, {read}{problem}"
    if given.liked or given.disliked:
        yield "feedback", f"{given.liked} more like this, {given.disliked} less like this"


def _facts(app: App, found: Subscriber) -> Iterator[tuple[str, str]]:
    zone = common_zone(app.digests)

    def at(moment: datetime | None) -> str:
        return written(moment, zone) if moment else ""

    yield "address", found.address
    yield "state", str(found.state)
    for one in found.subscriptions:
        yield f"digest {one.digest}", _choices(one)
    yield "language", found.language or "as the digest"
    yield "time zone", found.timezone or "as the digest"
    yield "subscribed", at(found.created_at)
    paused = is_paused(found.paused_until, app.wall_clock.now())
    yield "paused until" if paused else "last paused until", at(found.paused_until)
    yield "consent", " on ".join(part for part in (found.consent_source or "", at(found.consent_at)) if part)
    for row in admin.suppressed(app.database):
        if row.key == key_of(found.address):
            yield "suppressed", f"{row.reason} since {at(row.created_at)}; {row.detail}".rstrip("; ")


def _choices(one: Subscription) -> str:
    hour = "when published" if one.hour is None else f"at {one.hour}:00"
    return ", ".join(filter(None, (", ".join(one.topics) or "all topics", one.cadence, hour)))
