"""A block: a domain that refuses its recipients in the same way suppresses no one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bounce_messages import TOKENS, block, dsn, return_path
from fakes import THURSDAY, FakeClock, FakeTransport
from sqlalchemy import select, update
from worker_fixture import fill, worker

from digestmail.bounces import counting
from digestmail.bounces.mailboxes.base import ReceivedMessage
from digestmail.bounces.processor import BounceProcessor
from digestmail.bounces.score import Scoring
from digestmail.delivery.outbox_writer import OutboxWriter
from digestmail.errors import DeliveryError, StorageError
from digestmail.model.deliveries import DeliveryState
from digestmail.model.subscribers import BounceKind, SubscriberState, SuppressionReason
from digestmail.storage import opt_outs, schema, suppressions

UNKNOWN = "RCPT TO was answered with 550 5.1.1 <{}>: User unknown"


class Mails:
    def __init__(self, raws) -> None:
        self.raws = raws

    def messages(self):
        for number, raw in enumerate(self.raws):
            yield ReceivedMessage(raw=raw, key=str(number))

    def mark_done(self, mail) -> None: ...


@pytest.fixture
def clock():
    return FakeClock()


def nobody_leaves(request):
    raise AssertionError(request)


@pytest.fixture
def read(database, clock):
    def read(numbers, edition_id, *, status="5.1.1", said="550 5.1.1 <{}>: User unknown", report=""):
        raws = [
            dsn(
                block(status=status, said=said.format(f"p{number}@example.org")),
                to=return_path(number, edition_id=edition_id),
                report=f"<{number}.{report}@mx>",
            )
            for number in numbers
        ]
        return BounceProcessor(database, TOKENS, Scoring(), clock, unsubscribe=nobody_leaves).read(
            Mails(raws), stop=lambda: False
        )

    return read


@pytest.fixture
def deliver(database, clock, tmp_path):
    def deliver(refused, text=UNKNOWN, *, permanent=True):
        def verdict(address: str) -> None:
            if int(address.partition("@")[0][1:]) in refused:
                raise DeliveryError(text.format(address), code=550, permanent=permanent)

        relay = FakeTransport(verdict)
        return worker(database, [relay], clock, tmp_path / "epoch").deliver()

    return deliver


def states(database) -> list[str]:
    s = schema.subscribers.c
    with database.connect() as connection:
        return list(connection.execute(select(s.state).order_by(s.id)).scalars())


def suppressed(database) -> int:
    with database.connect() as connection:
        return len(list(suppressions.list_all(connection)))


def kinds(database) -> list[str]:
    with database.connect() as connection:
        return list(
            connection.execute(select(schema.bounces.c.kind).order_by(schema.bounces.c.subscriber_id)).scalars()
        )


# -- reports -----------------------------------------------------------------------------------------------------------


def test_a_hundred_readers_refused_alike_in_a_day_are_a_block(database, read):
    edition_id = fill(database, 100)
    report = read(range(1, 101), edition_id)

    assert (report.hard, suppressed(database)) == (100, 0)
    assert set(states(database)) == {"active"}
    (found,) = report.blocks
    assert (found.domain, found.refused, found.mailed) == ("example.org", 100, 100)
    assert "User unknown" in str(found)
    assert "example.org refused 100 of 100 readers" in str(found)


def test_a_few_dead_addresses_among_many_are_dead(database, read):
    edition_id = fill(database, 100)
    report = read(range(1, 11), edition_id)

    assert (report.suppressed, report.blocked, report.blocks) == (10, 0, ())


def test_suppressions_from_before_the_block_was_seen_are_taken_back(database, read):
    edition_id = fill(database, 40)
    assert read(range(1, 10), edition_id).suppressed == 9
    report = read(range(10, 41), edition_id)

    assert report.suppressed == 0
    assert suppressed(database) == 0
    assert set(states(database)) == {"active"}
    assert set(kinds(database)) == {"blocked"}
    with database.connect() as connection:
        assert list(opt_outs.of(connection, range(1, 41))) == []
        assert set(connection.execute(select(schema.deliveries.c.state)).scalars()) == {"queued"}, (
            "what waited waits again"
        )


def test_a_suppression_with_another_reason_stays(database, read):
    edition_id = fill(database, 10)
    with database.begin() as connection:
        suppressions.add(connection, "p0@example.org", SuppressionReason.OPERATOR, "by letter", THURSDAY)
    read(range(1, 11), edition_id)

    assert states(database) == ["suppressed"] + ["active"] * 9


def test_addresses_suppressed_before_the_block_stay_suppressed(database, read, clock):
    fill(database, 30)
    read([1], 7, said="550 5.1.1 gone for good")
    assert suppressed(database) == 1
    clock.sleep(3 * 86_400)
    read(range(2, 31), 8)

    assert states(database) == ["suppressed"] + ["active"] * 29


def test_other_domains_and_other_reasons_are_counted_by_themselves(database, read):
    edition_id = fill(database, 40, domains=("example.org", "example.net"))
    refused = [number for number in range(1, 41) if number % 2 == 1]
    report = read([*refused, 2, 4], edition_id)

    assert [found.domain for found in report.blocks] == ["example.org"]
    assert [number for number, state in enumerate(states(database), 1) if state == "suppressed"] == [2, 4]


def test_soft_bounces_alike_are_a_block_too_and_never_add_up(database, read, clock):
    edition_id = fill(database, 10)
    for day in range(8):
        report = read(range(1, 11), edition_id + day, status="5.2.2", said="552 5.2.2 mailbox full", report=str(day))
        assert len(report.blocks) == 1
        clock.sleep(86_400)

    assert suppressed(database) == 0


def test_dead_addresses_are_suppressed_after_the_block(database, read, clock):
    edition_id = fill(database, 20)
    read(range(1, 21), edition_id)
    clock.sleep(2 * 86_400)
    report = read([3], edition_id + 1)

    assert (report.suppressed, report.blocks) == (1, ())


def test_without_an_edition_the_readers_of_the_domain_are_counted(database, read):
    fill(database, 40)
    assert read(range(1, 10), 0).suppressed == 9
    assert read(range(10, 41), 0).blocks[0].mailed == 40
    assert suppressed(database) == 0


def test_a_policy_that_refuses_all_is_shown_as_a_block(database, read, clock):
    edition_id = fill(database, 10)
    report = read(range(1, 11), edition_id, status="5.7.1", said="550 5.7.1 blocked by our list")

    assert (report.sender_fault, len(report.blocks)) == (10, 1)
    assert set(kinds(database)) == {"sender_fault"}
    with database.connect() as connection:
        assert len(counting.list_blocks(connection, clock.now())) == 1
        assert counting.list_blocks(connection, clock.now() + timedelta(days=2)) == ()


# -- the dialogue ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.6", "5.1.10"])
def test_an_unknown_user_in_the_dialogue_counts_as_a_report_does(database, deliver, code):
    fill(database, 20)
    report = deliver({3}, UNKNOWN.replace("5.1.1", code))

    assert (report.sent, report.failed, report.suppressed) == (19, 1, 1)
    assert states(database)[3] == "suppressed"
    with database.connect() as connection:
        (row,) = suppressions.list_all(connection)
    assert (row.key, row.detail) == ("p3@example.org", f"{code} 550 {code} <p3@example.org>: User unknown")


def test_a_report_about_the_same_edition_adds_nothing(database, deliver, read):
    edition_id = fill(database, 20)
    deliver({0}, "RCPT TO was answered with 552 5.2.2 <{}>: mailbox full")
    read([1], edition_id, status="5.2.2", said="552 5.2.2 mailbox full")
    with database.connect() as connection:
        from digestmail.bounces.score import score
        from digestmail.storage import bounces

        counted = bounces.of_subscriber(connection, 1)
    assert (len(counted), score(counted, THURSDAY, Scoring())) == (2, pytest.approx(0.2))


@pytest.mark.parametrize(
    "text",
    [
        "RCPT TO was answered with 550 5.7.1 <{}>: blocked by our list",
        "the message was answered with 552 5.3.4 too large",
        "RCPT TO was answered with 550 5.1.8 sender domain unknown",
    ],
)
def test_a_sender_fault_during_delivery_counts_against_no_address(database, deliver, text):
    fill(database, 20)
    report = deliver({3}, text)

    assert (report.failed, report.suppressed) == (1, 0)
    assert kinds(database) == ["sender_fault"]


def test_deferred_deliveries_do_not_count(database, deliver):
    fill(database, 3)

    assert deliver({1}, "RCPT TO was answered with 450 4.1.1 <{}>: User unknown", permanent=False).deferred == 1
    assert kinds(database) == []


def test_a_domain_that_refuses_all_in_the_dialogue_is_a_block(database, deliver):
    fill(database, 60, domains=("example.org", "example.net"))
    report = deliver({number for number in range(60) if number % 2 == 0})

    assert (report.sent, report.failed, suppressed(database)) == (30, 30, 0)
    assert [(found.domain, found.refused, found.mailed) for found in report.blocks] == [("example.org", 30, 30)]
    assert set(states(database)) == {"active"}


def test_the_result_and_the_bounce_are_one_transaction(database, deliver, monkeypatch):
    fill(database, 1)
    monkeypatch.setattr("digestmail.delivery.outbox_writer._PATIENCE", timedelta(0))
    monkeypatch.setattr(counting, "count", lambda *_: (_ for _ in ()).throw(StorageError("full")))
    with pytest.raises(StorageError):
        deliver({0})

    with database.connect() as connection:
        assert connection.execute(select(schema.deliveries.c.state)).scalar() == DeliveryState.SENDING
    assert kinds(database) == []


def test_a_result_another_worker_has_the_delivery_of_counts_nothing(database, deliver, monkeypatch):
    fill(database, 1)
    commit = OutboxWriter._commit

    def stolen(self, orders):
        if orders.results:
            with database.begin() as connection:
                connection.execute(update(schema.deliveries).values(fence=schema.deliveries.c.fence + 1))
        return commit(self, orders)

    monkeypatch.setattr(OutboxWriter, "_commit", stolen)
    deliver({0})

    assert kinds(database) == []
    assert states(database) == [SubscriberState.ACTIVE]


def test_lifting_a_suppression_forgives_smtp_refusals_too(database, deliver):
    fill(database, 20)
    deliver({3})
    with database.begin() as connection:
        suppressions.remove(connection, "p3@example.org", THURSDAY)

    assert kinds(database) == [BounceKind.FORGIVEN]
