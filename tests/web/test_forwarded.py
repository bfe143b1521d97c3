"""Anyone with an email can use its links: the subscriber is notified and can undo the change."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import FakeSource, reading, sighting
from site_fixture import Site, link, links, opened

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.model.subscribers import Subscriber, SubscriberState, Subscription, SuppressionReason
from digestmail.schedule.moments import is_paused
from digestmail.storage import subscribers, suppressions

READER, NEW = "reader@example.org", "new@example.org"
HOUR = 3600
BOTH = (Subscription(digest="daily", topics=("Vision",)), Subscription(digest="weekly"))


@pytest.fixture
def site(tmp_path, database_url):
    with opened(tmp_path, database_url) as site:
        yield site


@pytest.fixture
def reader(site) -> int:
    return subscribed(site, READER, *BOTH)


def subscribed(site: Site, address: str, *wanted: Subscription) -> int:
    now = site.clock.now()
    with site.app.database.begin() as connection:
        found = subscribers.add(connection, address, now)
        for one in wanted:
            subscribers.subscribe(connection, found, one, now)
    return found


def person(site: Site, reader: int) -> Subscriber:
    with site.app.database.connect() as connection:
        found = subscribers.get(connection, reader)
    assert found is not None
    return found if is_paused(found.paused_until, site.clock.now()) else replace(found, paused_until=None)


def settings(found: Subscriber) -> tuple[object, ...]:
    return found.address, found.state, found.subscriptions, found.language, found.timezone, found.paused_until


def preferences(site: Site, reader: int) -> str:
    return f"/preferences/{site.app.tokens.unsubscribe(reader, '')}"


def unsubscribe(site: Site, reader: int, digest: str = "") -> str:
    return f"/unsubscribe/{site.app.tokens.unsubscribe(reader, digest)}"


def text(mail) -> str:
    return " ".join(mail.get_body(("plain",)).get_content().split())


def change(site, reader):
    assert "gespeichert" in site.fill_in(preferences(site, reader), digest="weekly", language="de").body


def pause(site, reader):
    target = preferences(site, reader)
    assert "emails are paused" in site.fill_in(target, f"{target}/pause", weeks="4").body


def leave_by_the_form(site, reader):
    assert "/data" in site.fill_in(unsubscribe(site, reader, "daily"), scope="all").body


def leave_one_by_one_click(site, reader):
    assert site.post(unsubscribe(site, reader, "daily"), {"List-Unsubscribe": "One-Click"}).status == 200


def leave_by_one_click(site, reader):
    leave_one_by_one_click(site, reader)
    assert site.post(unsubscribe(site, reader, "weekly"), {"List-Unsubscribe": "One-Click"}).status == 200


def move(site, reader):
    target = preferences(site, reader)
    before = len(site.mails())
    assert 'role="status"' in site.fill_in(target, f"{target}/address", address=NEW).body
    asked = site.wait_for_mails(before + 1)[-1]
    assert asked["To"] == NEW
    assert f"{NEW}." in site.fill_in(link(asked, "address")).body


DEEDS = {
    "change": (change, "no longer receive Trending papers"),
    "pause": (pause, "emails are paused"),
    "leave by the form": (leave_by_the_form, "You will not receive any more editions"),
    "leave one by one click": (leave_one_by_one_click, "no longer receive Trending papers"),
    "leave by one click": (leave_by_one_click, "You will not receive any more editions"),
    "move": (move, "go to a different address"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_the_subscriber_is_notified_and_can_undo_it(site, reader, deed):
    do, says = DEEDS[deed]
    before = settings(person(site, reader))
    do(site, reader)
    assert settings(person(site, reader)) != before
    site.settle()
    told = next(mail for mail in reversed(site.mails()) if says in text(mail))
    assert told["To"] == READER
    target = link(told, "undo")
    for method in ("GET", "HEAD", "GET"):
        assert site.ask(method, target).status == 200
    assert settings(person(site, reader)) != before, "looking changes nothing"
    site.later(29 * 24 * HOUR)
    assert "restored" in site.fill_in(target).body
    after = settings(person(site, reader))
    expected = list(before)
    assert after == tuple(expected) or (deed == "leave by one click" and after[2] == BOTH[1:])
    assert "already undone" in site.get(target).body
    site.settle()
    count = len(site.mails())
    repeated = site.post(target, {"token": form_token(site, preferences(site, reader))})
    assert repeated.status == 410
    assert settings(person(site, reader)) == after
    assert len(site.mails()) == count


def form_token(site: Site, target: str) -> str:
    return re.search(r'name="token" value="([^"]+)"', site.get(target).body)[1]


def test_undoing_twice_is_done_once(site, reader):
    change(site, reader)
    target = link(site.wait_for_mails(1)[-1], "undo")
    token = form_token(site, target)
    site.clock.sleep(5)
    assert "restored" in site.post(target, {"token": token}).body
    site.later(7 * HOUR)
    change(site, reader)
    assert "wiederhergestellt" in site.post(target, {"token": token}).body
    assert [one.digest for one in person(site, reader).subscriptions] == ["weekly"], "the later change stands"


def test_an_undo_link_is_good_for_thirty_days(site, reader):
    change(site, reader)
    target = link(site.wait_for_mails(1)[-1], "undo")
    token = form_token(site, target)
    site.later(30 * 24 * HOUR + 1)
    assert site.get(target).status == 410
    assert site.post(target, {"token": token}).status == 410
    assert [one.digest for one in person(site, reader).subscriptions] == ["weekly"]


def test_many_changes_share_a_few_notices_and_are_undone_together(site, reader):
    before = settings(person(site, reader))
    change(site, reader)
    first = site.wait_for_mails(1)[-1]
    for hour in ("1", "2", "3", "4", "5"):
        site.fill_in(preferences(site, reader), digest=["daily", "weekly"], hour=hour)
    site.app.send_notices()
    assert len(site.mails()) == 1
    site.later(6 * HOUR)
    site.app.send_notices()
    second = site.wait_for_mails(2)[-1]
    assert "Du bekommst jetzt Trending papers" in text(second), "in the language it was in before"
    assert "wiederhergestellt" in site.fill_in(link(second, "undo")).body
    assert [one.digest for one in person(site, reader).subscriptions] == ["weekly"]
    assert "restored" in site.fill_in(link(first, "undo")).body
    assert settings(person(site, reader)) == before


def test_a_change_that_was_reverted_is_not_announced(site, reader):
    pause(site, reader)
    site.wait_for_mails(1)
    target = preferences(site, reader)
    site.fill_in(target, digest=["daily", "weekly"], **{"topics.daily": "Vision", "language": "de"})
    site.fill_in(target, digest=["daily", "weekly"], **{"topics.daily": "Vision"})
    site.later(6 * HOUR)
    site.app.send_notices()
    site.settle()
    assert len(site.mails()) == 1


def test_undoing_voids_what_a_stranger_did_later(site, reader):
    before = settings(person(site, reader))
    move(site, reader)
    to_the_reader = next(mail for mail in site.wait_for_mails(2) if mail["To"] == READER)
    assert [one for one in links(to_the_reader) if "/preferences/" in one] == []
    site.later(7 * HOUR)
    change(site, reader)
    to_the_stranger = site.wait_for_mails(3)[-1]
    assert to_the_stranger["To"] == NEW
    assert "restored" in site.fill_in(link(to_the_reader, "undo")).body
    assert "already undone" in site.get(link(to_the_stranger, "undo")).body
    assert settings(person(site, reader)) == before


def test_a_stranger_cannot_hide_a_change_by_moving_or_leaving(site, reader):
    before = settings(person(site, reader))
    pause(site, reader)
    site.wait_for_mails(1)
    site.later(HOUR)
    change(site, reader)
    move(site, reader)
    leave_by_the_form(site, reader)
    site.settle()
    to_the_reader = [mail for mail in site.mails() if mail["To"] == READER]
    assert "go to a different address" in text(to_the_reader[-1])
    assert "restored" in site.fill_in(link(to_the_reader[-1], "undo")).body
    assert settings(person(site, reader))[:4] == before[:4]


def test_nothing_changes_before_a_new_address_is_confirmed_and_old_links_stay_good(site, reader):
    target = preferences(site, reader)
    site.fill_in(target, f"{target}/address", address="new@EXAMPLE.org")
    asked = site.wait_for_mails(1)[-1]
    assert READER not in str(asked)
    for method in ("GET", "HEAD"):
        assert site.ask(method, link(asked, "address")).status == 200
    assert person(site, reader).address == READER
    assert f"{NEW}." in site.fill_in(link(asked, "address")).body
    assert site.get(link(asked, "address")).status == 410
    assert person(site, reader).address == NEW
    assert NEW in site.get(target).body
    collect(site.app.database, [FakeSource("hf", reading(sighting(1, title="An image")))], site.clock.now())
    publish(site.app.database, site.app.digests[:1], site.app.mail.render, site.clock.now())
    assert site.app.deliver().sent == 1
    # The pages may be sending the notice about the change at the same moment.
    assert [mail["To"] for mail in site.mails() if mail["List-Unsubscribe"]] == [NEW]
    assert site.post(unsubscribe(site, reader, "daily"), {}).status == 200
    assert [one.digest for one in person(site, reader).subscriptions] == ["weekly"]


def test_the_form_does_not_reveal_who_is_subscribed(site, reader):
    now = site.clock.now()
    other = subscribed(site, "taken@example.org", Subscription(digest="daily"))
    with site.app.database.begin() as connection:
        suppressions.add(connection, "gone@example.org", SuppressionReason.BOUNCED, "", now)
    target = preferences(site, reader)
    addresses = ("taken@example.org", "gone@example.org", "free@example.org", "TAKEN@example.org", "free@example.org")
    answers = [site.fill_in(target, f"{target}/address", address=address) for address in addresses]
    shown = {(answer.status, re.sub(r'value="[^"]+"', "", answer.body)) for answer in answers}
    assert len(shown) == 1
    site.wait_for_mails(2)
    site.settle()
    assert sorted((mail["To"], "already" in mail["Subject"]) for mail in site.mails()) == [
        ("free@example.org", False),
        ("taken@example.org", True),
    ]
    assert (person(site, reader).address, person(site, other).address) == (READER, "taken@example.org")


@pytest.mark.parametrize(
    ("address", "says"), [("nobody", "not an email address"), ("READER@example.org", "already your address")]
)
def test_an_invalid_address_is_reported(site, reader, address, says):
    target = preferences(site, reader)
    answer = site.fill_in(target, f"{target}/address", address=address)
    assert (answer.status, says in answer.body) == (422, True)


def test_strangers_are_not_flooded_by_way_of_the_form(site, reader):
    target = preferences(site, reader)
    statuses = [
        site.fill_in(target, f"{target}/address", address=f"victim{number}@example.org").status for number in range(12)
    ]
    assert statuses == [200] * 10 + [429] * 2
    site.settle()
    assert len(site.mails()) <= 10


def test_an_address_with_a_new_subscription_is_unavailable_but_an_unsubscribed_one_is_free(site, reader):
    target = preferences(site, reader)
    site.fill_in(target, f"{target}/address", address=NEW)
    asked = site.wait_for_mails(1)[-1]
    other = subscribed(site, NEW, Subscription(digest="daily"))
    page = site.fill_in(link(asked, "address"))
    assert (page.status, "already has a subscription" in page.body) == (403, True)
    assert person(site, reader).address == READER
    with site.app.database.begin() as connection:
        subscribers.remove(connection, NEW, site.clock.now())
    assert f"{NEW}." in site.fill_in(link(asked, "address")).body
    assert person(site, reader).address == NEW
    assert other != reader


def test_an_address_whose_owner_was_erased_is_theirs_to_take(site, reader):
    subscribed(site, NEW, Subscription(digest="daily"))
    site.app.deliver()
    from digestmail.subscribers import data_export

    with site.app.database.connect() as connection:
        other = subscribers.find(connection, NEW)
    data_export.erase(site.app.database, other.id, site.clock.now(), random_token=lambda: "key")
    move(site, reader)
    assert person(site, reader).address == NEW
    with site.app.database.connect() as connection:
        assert suppressions.reason_for(connection, NEW) is None


@pytest.mark.parametrize("why", ["suppressed", "taken", "erased"])
def test_an_impossible_undo_shows_the_reason(site, reader, why):
    move(site, reader)
    told = next(mail for mail in site.wait_for_mails(2) if mail["To"] == READER)
    token = form_token(site, link(told, "undo"))
    site.clock.sleep(5)
    with site.app.database.begin() as connection:
        if why == "suppressed":
            suppressions.add(connection, NEW, SuppressionReason.COMPLAINED, "", site.clock.now())
    if why == "taken":
        subscribed(site, READER, Subscription(digest="daily"))
    if why == "erased":
        from digestmail.subscribers import data_export

        data_export.erase(site.app.database, reader, site.clock.now(), random_token=lambda: "key")
    answer = site.post(link(told, "undo"), {"token": token})
    assert answer.status in {403, 410}
    says = {"suppressed": "bounced", "taken": "already has a subscription", "erased": "expired"}[why]
    assert says in answer.body
    assert "traceback" not in answer.body.lower()


def test_a_stranger_cannot_erase_a_subscriber(site, reader):
    target = preferences(site, reader)
    for _ in range(3):
        assert "Check your email" in site.fill_in(f"{target}/data", f"{target}/erase", sure="yes").body
    (asked,) = site.wait_for_mails(1)
    site.settle()
    assert len(site.mails()) == 1
    assert site.get(link(asked, "erase")).status == 200
    assert person(site, reader).state is SubscriberState.ACTIVE
    site.later(timedelta(days=3, seconds=1).total_seconds())
    assert site.get(link(asked, "erase")).status == 410
    assert "Check your email" in site.fill_in(f"{target}/data", f"{target}/erase", sure="yes").body
    again = site.wait_for_mails(2)[-1]
    assert "Your data was erased" in site.fill_in(link(again, "erase")).body
    with site.app.database.connect() as connection:
        assert subscribers.find(connection, READER) is None
