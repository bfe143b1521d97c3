"""Announcements: one delivery for each reader of a digest at that moment, once, and nothing in the archive."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import AGENTS, THURSDAY, VISION, FakeSource, digest, reading, render, sighting
from outbox import LEASE
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.editions import archive
from digestmail.editions.announce import announce, announcement_status
from digestmail.editions.publish import publish
from digestmail.errors import RenderError, StorageError
from digestmail.model.deliveries import Delivery, DeliveryState
from digestmail.model.digests import Cadence
from digestmail.model.editions import Announcement
from digestmail.model.subscribers import Preferences, Subscription
from digestmail.storage import claims, deliveries, erasing, settings, subscribers
from digestmail.storage import schema as tables
from digestmail.subscribers import preferences

DAILY = digest(topics=(AGENTS, VISION))
OTHER = digest("other")
MOVE = Announcement(subject="We move", text="# We move\n\nTo a new address.")
DAY = timedelta(days=1)


@pytest.fixture
def people(database):
    """The ids of some readers, by name: of all kinds of subscriptions and standings."""
    ids = {}
    with database.begin() as connection:
        for name in ("ada", "ben", "carl", "dora", "emil", "fay"):
            ids[name] = subscribers.add(connection, f"{name}@example.org", THURSDAY - DAY)
        for name, wanted in (
            ("ada", Subscription(digest="daily")),
            ("ben", Subscription(digest="daily", topics=("Agents",), hour=23)),
            ("carl", Subscription(digest="daily", cadence=Cadence.WEEKLY)),
            ("dora", Subscription(digest="daily")),
            ("emil", Subscription(digest="other")),
            ("fay", Subscription(digest="daily")),
        ):
            subscribers.subscribe(connection, ids[name], wanted, THURSDAY - DAY)
        subscribers.pause(connection, ids["dora"], THURSDAY + DAY, THURSDAY - DAY)
    preferences.unsubscribe(database, ids["fay"], None, THURSDAY - DAY)
    return ids


@pytest.mark.parametrize(("days", "warns"), [(0, True), (29, True), (30, False), (-2, False)])
def test_a_database_put_back_lately_may_have_forgotten_a_text(database, people, days, warns):
    restored_at = THURSDAY - days * DAY
    with database.begin() as connection:
        settings.mark_restored(connection, restored_at)
    status = announcement_status(database, DAILY, MOVE, THURSDAY)
    assert status.forgotten_before == (restored_at if warns else None)
    announce(database, DAILY, MOVE, render, THURSDAY)
    assert announcement_status(database, DAILY, MOVE, THURSDAY).forgotten_before is None


def recipients(database) -> dict[str, str]:
    """Return the state of each delivery, by name; the counts add up."""
    d, s = tables.deliveries.c, tables.subscribers.c
    with database.connect() as connection:
        rows = connection.execute(select(s.address, d.state).join(tables.deliveries, d.subscriber_id == s.id)).all()
        assert deliveries.unbalanced(connection) == ()
    return {row.address.partition("@")[0]: row.state for row in rows}


def claimed_deliveries(database) -> list[Delivery]:
    """Claim everything that is due, and return the deliveries."""
    with database.begin() as connection:
        return [one for one in claims.claim(connection, THURSDAY, LEASE, 10) if isinstance(one, Delivery)]


def test_all_active_readers_of_the_digest_get_it_whatever_they_chose(database, people):
    status = announcement_status(database, DAILY, MOVE, THURSDAY)
    assert (status.announced_at, status.recipients, status.paused) == (None, 3, 1)
    assert announce(database, DAILY, MOVE, render, THURSDAY) == 3
    assert recipients(database) == dict.fromkeys(("ada", "ben", "carl"), "queued")
    claimed = claimed_deliveries(database)
    assert {one.subscriber_id for one in claimed} == {people[name] for name in ("ada", "ben", "carl")}, (
        "all due at once"
    )
    assert all(one.wanted for one in claimed)


def test_paused_readers_get_it_only_if_the_operator_wants_it(database, people):
    assert announcement_status(database, DAILY, MOVE, THURSDAY, paused=True).recipients == 4
    assert announce(database, DAILY, MOVE, render, THURSDAY, paused=True) == 4
    assert "dora" in recipients(database)


def test_the_same_text_is_queued_once_and_later_readers_do_not_get_it(database, people):
    announce(database, DAILY, MOVE, render, THURSDAY)
    with database.begin() as connection:
        subscribers.subscribe(connection, people["emil"], Subscription(digest="daily"), THURSDAY)
    assert announce(database, DAILY, MOVE, render, THURSDAY + DAY) == 0
    assert announce(database, DAILY, MOVE, render, THURSDAY + DAY, paused=True) == 0
    assert set(recipients(database)) == {"ada", "ben", "carl"}
    status = announcement_status(database, DAILY, MOVE, THURSDAY + DAY)
    assert (status.announced_at, status.states) == (THURSDAY, {DeliveryState.QUEUED: 3})
    assert announce(database, OTHER, MOVE, render, THURSDAY) == 1, "another digest has readers of its own"
    corrected = Announcement(subject="We move", text="# We move\n\nTo another address.")
    assert announce(database, DAILY, corrected, render, THURSDAY) == 4, "another text is another announcement"


def test_nothing_is_stored_if_it_cannot_be_rendered_or_has_no_readers(database, people):
    def broken(edition, sections, *, language=None):
        raise RenderError("announcement.mjml, line 3: no such name")

    with pytest.raises(RenderError):
        announce(database, DAILY, MOVE, broken, THURSDAY)
    with pytest.raises(StorageError, match="digest 'third' has no readers who would get the announcement"):
        announce(database, digest("third"), MOVE, render, THURSDAY)
    with database.connect() as connection:
        assert connection.execute(select(tables.editions)).all() == []
    assert announce(database, DAILY, MOVE, render, THURSDAY) == 3


def test_it_is_rendered_for_each_language_of_its_readers(database, people):
    with database.begin() as connection:
        for name, language in (("ada", "de"), ("ben", "de")):
            wanted = Preferences(subscriptions=(Subscription(digest="daily"),), language=language)
            subscribers.choose(connection, people[name], wanted, THURSDAY)
    languages = []

    def noting(edition, sections, *, language=None):
        languages.append(language)
        assert edition.announcement == MOVE
        return render(edition, sections)

    announce(database, DAILY, MOVE, noting, THURSDAY)
    assert sorted(map(str, languages)) == ["None", "de"]


def test_leaving_the_digest_cancels_it_and_other_changes_do_not(database, people):
    announce(database, DAILY, MOVE, render, THURSDAY)
    rarely = Subscription(digest="daily", topics=("Vision",), hour=5, cadence=Cadence.MONTHLY)
    changed = Preferences(subscriptions=(rarely,), language="de")
    preferences.change(database, (DAILY, OTHER), people["ada"], changed, THURSDAY)
    preferences.unsubscribe(database, people["ben"], "daily", THURSDAY)
    preferences.pause(database, people["carl"], THURSDAY + DAY, THURSDAY)
    assert recipients(database) == {"ada": "queued", "ben": "cancelled", "carl": "cancelled"}
    d, s = tables.deliveries.c, tables.segments.c
    with database.connect() as connection:
        (due_at, language), = connection.execute(
            select(d.due_at, s.language).join(tables.segments, s.id == d.segment_id).where(d.state == "queued")
        ).all()  # fmt: skip
    assert (due_at, language) == (THURSDAY, "de")


def test_whoever_left_after_the_claim_does_not_get_it(database, people):
    announce(database, DAILY, MOVE, render, THURSDAY)
    claimed = claimed_deliveries(database)
    with database.begin() as connection:
        subscribers.leave(connection, people["ada"], "daily", THURSDAY)
    with database.begin() as connection:
        intended = claims.record_intent(connection, claimed, THURSDAY)
    assert {one.subscriber_id for one in claimed if one.claim in intended} == {people["ben"], people["carl"]}


def test_the_archive_does_not_show_it_and_editions_go_on_as_if_it_were_not_there(database, people):
    announce(database, DAILY, MOVE, render, THURSDAY - timedelta(hours=2))
    collect(database, [FakeSource("hf", reading(sighting(1, title="An agent")))], THURSDAY - timedelta(hours=1))
    report = publish(database, [DAILY], render, THURSDAY)
    assert [one.status for one in report.digests] == ["published"]
    announce(database, DAILY, Announcement(subject="B", text="# B\n\nb"), render, THURSDAY + timedelta(hours=1))
    assert [line.slot for line in archive.edition_lines(database)] == ["2026-04-02"]
    assert [line.slot for line in archive.edition_lines(database, digest="daily")] == ["2026-04-02"]
    assert archive.edition_count(database) == 1
    assert archive.slots(database, "daily", 10) == (("2026-04-02", 1),)
    assert archive.edition_record(database, "daily").edition.announcement is None
    assert [one.edition.digest for one in archive.editions_made_last(database, 10)] == [
        "daily@announcement", "daily", "daily@announcement"
    ]  # fmt: skip
    again = publish(database, [DAILY], render, THURSDAY + timedelta(hours=2))
    assert [one.status for one in again.digests] == ["already-published"]


def test_erasing_a_reader_ends_and_erases_theirs(database, people):
    announce(database, DAILY, MOVE, render, THURSDAY)
    with database.begin() as connection:
        assert [one.digest for one in erasing.mails_of(connection, people["ada"])] == ["daily@announcement"]
        assert erasing.erase(connection, people["ada"], THURSDAY) == 1
    assert sorted(recipients(database).values()) == ["cancelled", "queued", "queued"]
    assert people["ada"] not in {one.subscriber_id for one in claimed_deliveries(database)}
