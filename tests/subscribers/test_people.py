"""Subscribe, confirm, change, pause, leave, be forgotten: on both databases, in a time of our own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from fakes import AGENTS, THURSDAY, VISION, FakeSource, digest, reading, render, sighting
from sqlalchemy import func, select

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.deliveries import DeliveryState, NoticeKind
from digestmail.model.subscribers import Preferences, SubscriberState, Subscription, SuppressionReason
from digestmail.storage import confirmations as stored
from digestmail.storage import deliveries, editions, notices, schema, subscribers, suppressions
from digestmail.subscribers import data_export, preferences, signup
from digestmail.subscribers.signup import SignupReply, SignupState, reply_to

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DIGESTS = (digest(topics=(AGENTS, VISION)), digest("weekly", cron="0 7 * * 4"))
LINKS = LinkTokens(["secret"])
DAILY = Preferences(subscriptions=(Subscription(digest="daily"),))


@pytest.fixture
def tokens():
    numbers = count(1)
    return lambda: f"nonce-{next(numbers)}"


@pytest.fixture
def ask(database, tokens):
    def ask(address="a@example.org", choices=DAILY, now=THURSDAY) -> SignupReply:
        return signup.request_signup(database, DIGESTS, address, choices, now, random_token=tokens)

    return ask


@pytest.fixture
def confirmed(database, ask):
    def confirmed(address="a@example.org", choices=DAILY, now=THURSDAY) -> int:
        assert ask(address, choices, now) is SignupReply.CONFIRM
        return signup.confirm(database, LINKS, link(database, address, now), now).subscriber.id

    return confirmed


def link(database, address="a@example.org", now=THURSDAY) -> str:
    with database.connect() as connection:
        found = subscribers.find(connection, address)
        return LINKS.confirm(found.id, stored.find(connection, found.id).nonce, now)


def person(database, address="a@example.org"):
    with database.connect() as connection:
        return subscribers.find(connection, address)


def queued(database) -> list[str]:
    with database.connect() as connection:
        return list(connection.execute(select(schema.notices.c.kind).order_by(schema.notices.c.id)).scalars())


def publish_now(database, *titles: str, now=THURSDAY):
    found = [sighting(number, title=title) for number, title in enumerate(titles, start=1)]
    collect(database, [FakeSource("hf", reading(*found))], now - HOUR)
    return publish(database, [DIGESTS[0]], render, now)


def waiting(database) -> dict[DeliveryState, int]:
    with database.connect() as connection:
        return deliveries.counts(connection)


# -- subscribing -----------------------------------------------------------------------------------------------------


def test_sign_up_needs_confirmation_and_stores_consent(database, ask):
    chosen = Preferences(
        subscriptions=(
            Subscription(digest="daily", topics=("Vision", "Agents"), hour=7),
            Subscription(digest="weekly"),
        ),
        language="de",
        timezone="Europe/Berlin",
    )
    assert ask(choices=chosen) is SignupReply.CONFIRM
    assert person(database).state is SubscriberState.PENDING
    assert person(database).subscriptions == ()
    token = link(database)
    assert signup.pending_preferences(database, LINKS, token, THURSDAY).language == "de"
    found = signup.confirm(database, LINKS, token, THURSDAY + HOUR).subscriber
    assert found == person(database)
    assert (found.state, found.language, found.timezone) == (SubscriberState.ACTIVE, "de", "Europe/Berlin")
    # All topics are stored as none, so that topics added later are included.
    assert found.subscriptions == (Subscription(digest="daily", hour=7), Subscription(digest="weekly"))
    assert (found.consent_source, found.consent_at) == (signup.CONSENT_SOURCE, THURSDAY + HOUR)
    assert queued(database) == ["confirm", "welcome"]


def test_whoever_confirmed_gets_the_latest_edition_if_the_digest_says_so(database, ask):
    publish_now(database, "One")
    for address, welcoming in (("a@example.org", False), ("b@example.org", True)):
        ask(address)
        greeting = replace(DIGESTS[0], welcome_edition=welcoming)
        signup.confirm(database, LINKS, link(database, address), THURSDAY + HOUR, [greeting])
    assert waiting(database) == {DeliveryState.QUEUED: 1}
    assert queued(database) == ["confirm", "welcome", "confirm", "welcome"]


def test_a_confirmation_works_once_and_for_three_days(database, ask):
    ask()
    token = link(database)
    with pytest.raises(TokenError, match="expired"):
        signup.confirm(database, LINKS, token, THURSDAY + 3 * DAY + HOUR)
    signup.confirm(database, LINKS, token, THURSDAY + DAY)
    for verb in (signup.confirm, signup.pending_preferences):
        with pytest.raises(TokenError, match="already been used"):
            verb(database, LINKS, token, THURSDAY + DAY)


def test_an_address_gets_at_most_one_confirmation_request_a_day(database, ask):
    assert [ask(now=THURSDAY + n * HOUR) for n in (0, 1, 23)] == [
        SignupReply.CONFIRM,
        SignupReply.NOTHING,
        SignupReply.NOTHING,
    ]
    other = Preferences(subscriptions=(Subscription(digest="weekly"),))
    assert ask("A@Example.ORG".lower(), other, THURSDAY + 2 * HOUR) is SignupReply.NOTHING
    assert signup.pending_preferences(database, LINKS, link(database), THURSDAY) == other
    assert ask(now=THURSDAY + DAY) is SignupReply.CONFIRM
    assert queued(database) == ["confirm", "confirm"]


def test_existing_subscribers_get_at_most_one_notice_a_day(database, ask, confirmed):
    confirmed()
    assert [ask(now=THURSDAY + n * HOUR) for n in (1, 2, 26)] == [
        SignupReply.ALREADY,
        SignupReply.NOTHING,
        SignupReply.ALREADY,
    ]
    assert person(database).subscriptions == DAILY.subscriptions


@pytest.mark.parametrize("reason", [*SuppressionReason])
def test_a_suppressed_address_is_written_nothing_unless_its_owner_erased_it(reason):
    standing = SignupState(state=None, suppressed=reason, written_at=None)
    erased = reason is SuppressionReason.ERASED
    assert reply_to(standing, THURSDAY) is (SignupReply.CONFIRM if erased else SignupReply.NOTHING)


def test_a_suppressed_person_is_written_nothing_and_cannot_confirm_an_older_link(database, ask):
    ask()
    token = link(database)
    with database.begin() as connection:
        suppressions.add(connection, "a@example.org", SuppressionReason.COMPLAINED, "", THURSDAY)
    assert ask(now=THURSDAY + 2 * DAY) is SignupReply.NOTHING
    with pytest.raises(SubscriptionError, match="bounced"):
        signup.confirm(database, LINKS, token, THURSDAY)


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        (Preferences(), "at least one"),
        (Preferences(subscriptions=(Subscription(digest="nightly"),)), "no digest"),
        (Preferences(subscriptions=(Subscription(digest="daily", topics=("Cooking",)),)), "no topic"),
        (Preferences(subscriptions=(Subscription(digest="daily", hour=24),)), "hour must be"),
        (Preferences(subscriptions=DAILY.subscriptions, timezone="Mars/Olympus"), "no time zone"),
    ],
)
def test_what_does_not_exist_cannot_be_chosen(database, ask, choices, says):
    with pytest.raises(SubscriptionError, match=says):
        ask(choices=choices)
    assert person(database) is None


def test_only_unconfirmed_sign_ups_are_deleted(database, ask, confirmed):
    confirmed("b@example.org")
    ask()
    assert signup.forget_unconfirmed(database, THURSDAY + 6 * DAY) == 0
    assert signup.forget_unconfirmed(database, THURSDAY + 8 * DAY) == 1
    assert person(database) is None
    assert person(database, "b@example.org").state is SubscriberState.ACTIVE


# -- what is queued already ------------------------------------------------------------------------------------------


def test_other_topics_change_what_waits_and_say_so_once_a_day(database, confirmed):
    who = confirmed()
    publish_now(database, "An agent", "An image")
    only = Preferences(subscriptions=(Subscription(digest="daily", topics=("Vision",)),))
    preferences.change(database, DIGESTS, who, only, THURSDAY)
    with database.connect() as connection:
        segment = connection.execute(select(schema.deliveries.c.segment_id)).scalar_one()
        assert [*editions.segment(connection, segment).paper_ids] == ["arxiv:2604.00002"]
    preferences.change(database, DIGESTS, who, DAILY, THURSDAY + HOUR)
    assert queued(database) == ["confirm", "welcome", "changed"]


def test_topics_that_leave_nothing_and_a_digest_that_goes_cancel_what_waits(database, confirmed):
    first, second = confirmed(), confirmed("b@example.org")
    publish_now(database, "An agent")
    preferences.change(
        database,
        DIGESTS,
        first,
        Preferences(subscriptions=(Subscription(digest="daily", topics=("Vision",)),)),
        THURSDAY,
    )
    preferences.change(database, DIGESTS, second, Preferences(subscriptions=(Subscription(digest="weekly"),)), THURSDAY)
    assert waiting(database) == {DeliveryState.CANCELLED: 2}


def test_another_hour_moves_what_waits(database, confirmed):
    who = confirmed()
    publish_now(database, "An agent")
    late = Preferences(subscriptions=(Subscription(digest="daily", hour=20),), timezone="Europe/Berlin")
    preferences.change(database, DIGESTS, who, late, THURSDAY)
    with database.connect() as connection:
        assert connection.execute(select(schema.deliveries.c.due_at)).scalar() == THURSDAY + 10 * HOUR


def test_a_pause_stops_queued_deliveries_and_ends_on_time_or_manually(database, confirmed):
    who = confirmed()
    publish_now(database, "An agent")
    assert preferences.pause(database, who, THURSDAY + 7 * DAY, THURSDAY).paused_until == THURSDAY + 7 * DAY
    assert waiting(database) == {DeliveryState.CANCELLED: 1}
    assert preferences.pause(database, who, None, THURSDAY + HOUR).paused_until == THURSDAY + HOUR
    for until in (THURSDAY, THURSDAY + 400 * DAY):
        with pytest.raises(SubscriptionError, match="within the next year"):
            preferences.pause(database, who, until, THURSDAY)


@pytest.mark.parametrize("name", ["daily", None])
def test_leaving_is_idempotent_and_empties_the_queue(database, confirmed, name):
    both = Preferences(subscriptions=(Subscription(digest="daily"), Subscription(digest="weekly")))
    who = confirmed(choices=both)
    publish_now(database, "An agent")
    left = preferences.unsubscribe(database, who, name, THURSDAY)
    assert (left.digests, left.all) == ((("daily",), False) if name else (("daily", "weekly"), True))
    assert waiting(database) == {DeliveryState.CANCELLED: 1}
    before = person(database)
    assert before.state is (SubscriberState.ACTIVE if name else SubscriberState.UNSUBSCRIBED)
    assert preferences.unsubscribe(database, who, name, THURSDAY + HOUR).digests == ()
    assert person(database) == before
    assert queued(database)[-1] == ("changed" if name else "goodbye")
    assert queued(database).count("goodbye") + queued(database).count("changed") == 1
    assert preferences.unsubscribe(database, 999, name, THURSDAY) == preferences.UnsubscribeResult(
        subscriber_id=999, digests=(), all=True, known=False
    )


def test_unsubscribed_people_get_one_goodbye_and_must_sign_up_again(database, confirmed, ask):
    who = confirmed()
    assert preferences.unsubscribe(database, who, None, THURSDAY).all
    assert preferences.unsubscribe(database, who, None, THURSDAY).digests == ()
    assert queued(database).count("goodbye") == 1
    with pytest.raises(SubscriptionError, match="subscribe again"):
        preferences.change(database, DIGESTS, who, DAILY, THURSDAY)
    assert ask(now=THURSDAY + HOUR) is SignupReply.CONFIRM


# -- what is stored ----------------------------------------------------------------------------------------------------


def test_everything_stored_is_shown(database, confirmed):
    who = confirmed()
    publish_now(database, "An agent")
    found = data_export.export(database, who)
    assert found.subscriber.address == "a@example.org"
    assert {mail.kind for mail in found.mails} == {"confirm", "welcome", "edition"}
    assert found.suppressed is None


def test_erasing_removes_all_personal_data_and_keeps_counts_consistent(database, confirmed, ask, tokens):
    who, other = confirmed(), confirmed("b@example.org")
    publish_now(database, "An agent")
    assert data_export.erase(database, who, THURSDAY, random_token=tokens).deliveries == 1
    with database.connect() as connection:
        everything = [
            str(row) for table in schema.metadata.sorted_tables for row in connection.execute(select(table)).all()
        ]
        counts = deliveries.counts(connection)
        assert connection.execute(select(func.count()).select_from(schema.deliveries)).scalar_one() == sum(
            counts.values()
        )
    assert not [row for row in everything if "a@example.org" in row]
    assert counts == {DeliveryState.CANCELLED: 1, DeliveryState.QUEUED: 1}
    for verb in (data_export.export, data_export.erase):
        if verb is data_export.erase:
            with pytest.raises(SubscriptionError, match="no data is stored"):
                verb(database, who, THURSDAY, random_token=tokens)
    # They may come back themselves, and only so.
    assert ask(now=THURSDAY + HOUR) is SignupReply.CONFIRM
    again = signup.confirm(database, LINKS, link(database, now=THURSDAY), THURSDAY + HOUR).subscriber
    assert again.id not in {who, other}
    with database.connect() as connection:
        assert suppressions.reason_for(connection, "a@example.org") is None


def test_a_person_without_deliveries_is_deleted_but_a_complaint_remains(database, confirmed, tokens, ask):
    who = confirmed()
    with database.begin() as connection:
        suppressions.add(connection, "a@example.org", SuppressionReason.COMPLAINED, "abuse report", THURSDAY)
    assert data_export.erase(database, who, THURSDAY, random_token=tokens).removed
    with database.connect() as connection:
        assert subscribers.get(connection, who) is None
        assert suppressions.reason_for(connection, "a@example.org") is SuppressionReason.COMPLAINED
        assert notices.counts(connection) == {}
    assert ask(now=THURSDAY + DAY) is SignupReply.NOTHING
    assert NoticeKind.CONFIRM not in queued(database)
