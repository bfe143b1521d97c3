"""From a mail that came back to an address nothing is sent to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bounce_messages import READER, TOKENS, arf, block, dsn, original, return_path
from fakes import THURSDAY, FakeClock, FakeSource, digest, reading, render, sighting
from sqlalchemy import select, update

from digestmail.bounces.mailboxes.base import ReceivedMessage
from digestmail.bounces.processor import BounceProcessor, Recorded, record_event
from digestmail.bounces.score import Scoring
from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.errors import StorageError
from digestmail.model.deliveries import DeliveryState
from digestmail.model.subscribers import BounceEvent, BounceKind, SubscriberState, Subscription, SuppressionReason
from digestmail.storage import subscribers, suppressions
from digestmail.storage.schema import bounces as table
from digestmail.storage.schema import deliveries as deliveries_table
from digestmail.subscribers import admin


def nobody_leaves(request):
    raise AssertionError(request)


class FakeMailbox:
    """Hands out its mails until they are done."""

    def __init__(self, *raws: bytes) -> None:
        self.waiting = dict(enumerate(raws))
        self.aside: list[ReceivedMessage] = []

    def messages(self):
        for place, raw in list(self.waiting.items()):
            yield ReceivedMessage(raw=raw, key=str(place))

    def quarantine(self, mail: ReceivedMessage) -> bool:
        self.aside.append(mail)
        del self.waiting[int(mail.key)]
        return True

    def mark_done(self, mail: ReceivedMessage) -> None:
        del self.waiting[int(mail.key)]


@pytest.fixture
def reader(database) -> int:
    with database.begin() as connection:
        return subscribers.add(connection, READER, THURSDAY)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def read(database, reader, clock):
    def read(*raws: bytes, scoring: Scoring = Scoring()):  # noqa: B008 - frozen
        mailbox = FakeMailbox(*raws)
        report = BounceProcessor(database, TOKENS, scoring, clock, unsubscribe=nobody_leaves).read(
            mailbox, stop=lambda: False
        )
        assert mailbox.waiting == {}
        assert report.read == len(raws)
        return report

    return read


def state(database) -> SubscriberState:
    return admin.show(database, READER).state


def reasons(database) -> dict[str, SuppressionReason]:
    with database.connect() as connection:
        return suppressions.among(connection, [READER])


def test_an_unknown_address_is_suppressed(database, reader, read):
    report = read(dsn(block(said="550 5.1.1 no such user"), to=return_path(reader)))

    assert (report.hard, report.suppressed) == (1, 1)
    assert state(database) is SubscriberState.SUPPRESSED
    (row,) = admin.suppressed(database)
    assert (row.key, row.reason, row.detail) == (READER, "bounced", "5.1.1 550 5.1.1 no such user")


def test_a_full_mailbox_is_enough_only_in_the_end(database, reader, read, clock):
    suppressed = []
    for day in range(7):
        raw = dsn(block(status="5.2.2"), to=return_path(reader, edition_id=day + 1), report=f"<{day}@mx>")
        suppressed.append(read(raw).suppressed)
        clock.sleep(86_400)

    assert suppressed == [0, 0, 0, 0, 0, 1, 0]


def test_the_same_report_read_twice_counts_once(database, reader, read):
    raw = dsn(block(status="5.2.2"), to=return_path(reader))

    report = read(*[raw] * 20)
    assert (report.soft, report.repeated, report.suppressed) == (1, 19, 0)
    assert read(raw).repeated == 1


def test_a_server_whose_message_ids_repeat_still_reports_about_each_delivery(reader, read):
    raws = [dsn(block(status="5.2.2"), to=return_path(reader, edition_id=edition)) for edition in (1, 2, 2)]

    report = read(*raws)
    assert (report.soft, report.repeated) == (2, 1)


def test_a_complaint_is_enough_at_once(database, reader, read):
    report = read(arf(returned=original(reader)))

    assert (report.complaints, report.suppressed) == (1, 1)
    assert reasons(database) == {READER: SuppressionReason.COMPLAINED}


def test_not_spam_delays_and_auto_replies_change_nothing(database, reader, read):
    path = return_path(reader)
    away = f"From: {READER}\nTo: {path}\nAuto-Submitted: auto-replied\nSubject: Away\n\nAway.\n".encode()
    report = read(arf("not-spam", returned=original(reader)), dsn(block("delayed", "4.4.1"), to=path), away, b"Hello\n")

    assert (report.not_spam, report.delayed, report.auto_replies, report.other) == (1, 1, 1, 1)
    assert state(database) is SubscriberState.ACTIVE
    with database.connect() as connection:
        assert connection.execute(select(table)).all() == []


def test_sender_faults_count_against_no_address_but_are_reported(database, reader, read):
    report = read(dsn(block(status="5.7.26", said="550 5.7.26 not authenticated"), to=return_path(reader)))

    assert (report.sender_fault, report.hard, report.soft) == (1, 0, 0)
    assert report.said == ("550 5.7.26 not authenticated",)
    assert state(database) is SubscriberState.ACTIVE


def test_without_a_token_no_address_is_affected(database, reader, read):
    forged = "bounce+" + "a" * 32 + "@bounce.example.org"
    report = read(dsn(block(recipient=READER)), dsn(to=forged), arf(returned=f"To: {READER}\n"))

    assert report.unmatched == 3
    assert state(database) is SubscriberState.ACTIVE


def test_a_token_of_a_deleted_subscriber_is_ignored(read, reader):
    assert read(dsn(to=return_path(reader + 99))).unmatched == 1


def test_behind_a_list_the_mildest_failure_counts_unless_one_names_the_reader(reader, read):
    others = (block(recipient="a@list.example"), block(recipient="b@list.example", status="5.2.2"))

    assert read(dsn(*others, to=return_path(reader), report="<a@x>")).soft == 1
    assert read(dsn(*others, block(), to=return_path(reader), report="<b@x>")).hard == 1


def test_lifting_a_suppression_forgives_earlier_bounces(database, reader, read):
    hard = dsn(to=return_path(reader))
    read(hard)
    admin.lift(database, READER, THURSDAY)
    with database.begin() as connection:
        subscribers.add(connection, READER, THURSDAY)

    report = read(hard, dsn(block(status="5.2.2"), to=return_path(reader), report="<new@mx>"))
    assert (report.repeated, report.soft, report.suppressed) == (1, 1, 0)
    assert state(database) is SubscriberState.ACTIVE


def test_what_waits_for_a_suppressed_reader_is_cancelled_and_the_first_reason_stays(database, reader, read):
    read(arf(returned=original(reader)))
    read(dsn(to=return_path(reader)))

    assert reasons(database) == {READER: SuppressionReason.COMPLAINED}


@pytest.mark.parametrize("text", ["a\0b", "x" * 5000, "\ud800", "550 ☃"])
def test_any_text_from_outside_can_be_stored(database, reader, text):
    event = BounceEvent(report="r", subscriber_id=reader, kind=BounceKind.HARD, detail=text)

    assert record_event(database, event, THURSDAY) is Recorded.SUPPRESSED


def test_an_event_from_elsewhere_counts_the_same(database, reader):
    event = BounceEvent(report="hook-1", subscriber_id=reader, kind=BounceKind.SOFT)
    later = BounceEvent(report="hook-2", subscriber_id=reader, kind=BounceKind.HARD)

    assert record_event(database, event, THURSDAY) is Recorded.COUNTED
    assert record_event(database, event, THURSDAY + timedelta(days=1)) is Recorded.REPEATED
    assert record_event(database, later, THURSDAY) is Recorded.SUPPRESSED
    assert record_event(database, BounceEvent(report="x", subscriber_id=10**6, kind=BounceKind.HARD), THURSDAY) is (
        Recorded.UNKNOWN
    )


def test_what_bounced_before_the_address_was_changed_is_not_held_against_the_new_one(database, reader, read):
    edition, at = fake_delivery(database, reader), THURSDAY + timedelta(minutes=1)
    with database.begin() as connection:
        subscribers.readdress(connection, reader, "new@example.net", at)
    raw = dsn(to=return_path(reader, edition_id=edition))

    assert (read(raw).unmatched, read(raw).unmatched) == (1, 1)
    later = dsn(to=return_path(reader, edition_id=edition + 1), report="<later@mx>")
    assert read(later).suppressed == 1


def fake_delivery(database, reader) -> int:
    """Store an edition that was delivered on Thursday; return its number."""
    with database.begin() as connection:
        subscribers.subscribe(connection, reader, Subscription(digest="daily"), THURSDAY)
    collect(database, [FakeSource("hf", reading(sighting(1)))], THURSDAY)
    publish(database, [digest()], render, THURSDAY)
    with database.begin() as connection:
        d = deliveries_table.c
        ended = update(deliveries_table).values(state=DeliveryState.SENT, due_at=None, ended_at=THURSDAY)
        return connection.execute(ended.where(d.subscriber_id == reader).returning(d.edition_id)).scalar_one()


def test_after_a_crash_a_message_is_read_again_and_counts_once(database, reader, clock, monkeypatch):
    mailbox = FakeMailbox(dsn(to=return_path(reader)))
    processor = BounceProcessor(database, TOKENS, Scoring(), clock, unsubscribe=nobody_leaves)
    with monkeypatch.context() as patch:
        patch.setattr(
            "digestmail.bounces.processor.bounces.add", lambda *_: (_ for _ in ()).throw(StorageError("full"))
        )
        with pytest.raises(StorageError):
            processor.read(mailbox, stop=lambda: False)
    assert mailbox.waiting

    with monkeypatch.context() as patch:
        patch.setattr(mailbox, "mark_done", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            processor.read(mailbox, stop=lambda: False)
    report = processor.read(mailbox, stop=lambda: False)
    assert (report.hard, report.repeated) == (1, 1)


def test_it_stops_between_two_messages(database, reader, clock):
    mailbox = FakeMailbox(b"one\n", b"two\n")
    stops = iter([False, True])

    assert (
        BounceProcessor(database, TOKENS, Scoring(), clock, unsubscribe=nobody_leaves)
        .read(mailbox, stop=lambda: next(stops))
        .read
        == 1
    )
    assert len(mailbox.waiting) == 1


def test_the_log_names_no_address_and_no_token(reader, read, caplog):
    caplog.set_level("INFO")
    read(dsn(to=return_path(reader)))

    assert f"subscriber={reader}" in caplog.text
    assert "@" not in caplog.text
    assert TOKENS.verp(1, reader) not in caplog.text
