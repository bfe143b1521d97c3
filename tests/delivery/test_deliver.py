from __future__ import annotations

import email
from collections.abc import Callable
from datetime import timedelta
from email import policy
from random import Random

import pytest
from fakes import THURSDAY, FakeClock, FakeSource, FakeTransport, digest, reading, render, sighting
from worker_fixture import both

from digestmail.collect.collector import collect
from digestmail.delivery.edition_composer import EditionComposer
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.worker import LEASE, Worker
from digestmail.editions.publish import publish
from digestmail.errors import DeliveryError, RenderError, TransportError
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import AmbiguousPolicy
from digestmail.model.subscribers import Subscription
from digestmail.storage import claims, deliveries, subscribers

PEOPLE = 5


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def transport():
    return FakeTransport()


@pytest.fixture
def outbox(database):
    """An edition of two papers, queued for five people."""
    with database.begin() as connection:
        for number in range(PEOPLE):
            subscriber_id = subscribers.add(connection, f"p{number}@example.org", THURSDAY)
            subscribers.subscribe(connection, subscriber_id, Subscription(digest="daily"), THURSDAY)
    collect(database, [FakeSource("hf", reading(sighting(1), sighting(2)))], THURSDAY)
    publish(database, [digest()], render, THURSDAY)


@pytest.fixture
def deliver(database, outbox, transport, clock, tmp_path):
    def deliver(
        *,
        stop: Callable[[], bool] = lambda: False,
        give_up=timedelta(days=4),
        transport=transport,
        spare=(),
        policy=AmbiguousPolicy.RESEND,
        limits=None,
    ):
        sender = Sender(mailbox="Digest <digest@example.org>", reply_to=None, domain="example.org", base_url=None)
        composer = EditionComposer(
            database,
            render,
            lambda edition, rendered: MessageTemplate(rendered, sender, digest=edition.digest, title=edition.title),
            Tokens("secret"),
            sender="digest@example.org",
            domain="example.org",
        )
        rules = Rules(give_up=give_up, max_lateness=timedelta(days=30), ambiguous=policy)
        relays = [transport, *spare]
        for number, one in enumerate(relays):
            one.name = f"fake-{number}"
        epoch = EpochFile(tmp_path / "epoch", "secret")
        worker = Worker(
            database, relays, both(composer), clock, rules, epoch, limits=limits, random=Random(1), stop=stop
        )
        return worker.deliver()

    return deliver


def refuse(address: str, code: int, *, permanent: bool):
    def verdict(recipient: str) -> None:
        if recipient == address:
            raise DeliveryError(f"{code} no", code=code, permanent=permanent)

    return verdict


def test_everybody_gets_one_mail_over_one_session(deliver, transport):
    report = deliver()
    assert (report.sent, report.outbox) == (PEOPLE, {"sent": PEOPLE})
    assert sorted(transport.recipients) == [f"p{n}@example.org" for n in range(PEOPLE)]
    assert transport.sessions == 1
    assert deliver().sent == 0
    assert transport.sessions == 1


def test_each_mail_is_to_its_reader_alone_with_an_id_of_its_own(deliver, transport):
    deliver()
    messages = [email.message_from_bytes(raw, policy=policy.default) for _, raw in transport.sent]
    assert [message["To"] for message in messages] == transport.recipients
    assert len({message["Message-ID"] for message in messages}) == PEOPLE


def test_a_permanent_refusal_fails_this_recipient_and_nobody_else(deliver, transport):
    transport.verdict = refuse("p2@example.org", 550, permanent=True)
    report = deliver()
    assert (report.sent, report.failed, report.outbox) == (PEOPLE - 1, 1, {"sent": PEOPLE - 1, "failed": 1})


def test_a_transient_refusal_is_tried_again_later_with_the_same_id(deliver, transport, clock):
    transport.verdict = refuse("p2@example.org", 451, permanent=False)
    report = deliver()
    assert (report.sent, report.deferred) == (PEOPLE - 1, 1)
    assert report.next_due_at > clock.now()
    assert deliver().sent == 0
    transport.verdict = lambda _: None
    clock.time = report.next_due_at
    assert deliver().sent == 1
    assert transport.recipients[-1] == "p2@example.org"


def test_it_gives_up_in_the_end(deliver, transport, clock):
    transport.verdict = refuse("p2@example.org", 451, permanent=False)
    report = deliver()
    tries = 1
    while report.next_due_at is not None:
        clock.time = report.next_due_at
        report = deliver()
        tries += 1
    assert report.outbox == {"sent": PEOPLE - 1, "failed": 1}
    assert clock.time - THURSDAY <= timedelta(days=4)
    assert 5 < tries < 100


def test_a_broken_way_out_blames_nobody_and_says_so(deliver, transport, clock, database):
    transport.refuses = TransportError("connection refused")
    report = deliver()
    assert report.stopped == "connection refused"
    assert (report.sent, report.failed) == (0, 0)
    transport.refuses = None
    clock.sleep(600)
    assert deliver().sent == PEOPLE
    with database.connect() as connection:
        assert {str(state) for state in deliveries.counts(connection)} == {"sent"}


def test_a_way_out_that_breaks_in_the_middle_loses_nothing_and_repeats_nothing(deliver, transport, clock):
    def verdict(_):
        if len(transport.sent) == 2:
            raise TransportError("421 closing")

    transport.verdict = verdict
    report = deliver()
    assert (report.sent, report.stopped, report.failed) == (2, "421 closing", 0)
    transport.verdict = lambda _: None
    clock.sleep(600)
    assert deliver().sent == PEOPLE - 2
    assert len(set(transport.recipients)) == len(transport.recipients) == PEOPLE


def test_who_left_after_the_edition_was_queued_gets_nothing(deliver, transport, database, clock):
    with database.begin() as connection:
        subscribers.remove(connection, "p1@example.org", clock.now())
    report = deliver()
    assert report.sent == PEOPLE - 1
    assert "p1@example.org" not in transport.recipients
    assert report.outbox == {"sent": PEOPLE - 1, "cancelled": 1}


def test_who_is_suppressed_between_claim_and_queue_is_cancelled_at_the_time_of_sending(deliver, transport, database):
    from sqlalchemy import text

    with database.begin() as connection:
        connection.execute(text("UPDATE subscribers SET state = 'suppressed' WHERE address = 'p1@example.org'"))
    report = deliver()
    assert (report.sent, report.cancelled) == (PEOPLE - 1, 1)


def test_a_claim_that_was_never_finished_is_due_again_when_its_lease_has_passed(deliver, transport, database, clock):
    with database.begin() as connection:
        assert len(claims.claim(connection, clock.now(), LEASE, 3)) == 3
    assert deliver().sent == PEOPLE - 3
    assert deliver().sent == 0
    clock.time += LEASE
    assert deliver().sent == 3
    assert len(set(transport.recipients)) == PEOPLE


def test_a_worker_that_comes_back_late_does_not_write_over_its_successor(deliver, database, clock):
    from digestmail.model.deliveries import Attempted, DeliveryState

    with database.begin() as connection:
        (late,) = claims.claim(connection, clock.now(), LEASE, 1)
    clock.time += LEASE
    assert deliver().sent == PEOPLE
    with database.begin() as connection:
        lost = Attempted(state=DeliveryState.FAILED, code=550, text="too late")
        assert claims.record(connection, [(late, lost)], clock.now()) == (late,)
        assert deliveries.counts(connection) == {DeliveryState.SENT: PEOPLE}


def test_it_stops_between_two_mails_and_gives_the_rest_back_at_once(deliver, transport):
    report = deliver(stop=lambda: len(transport.sent) == 2)
    assert (report.sent, report.stopped) == (2, "asked to stop")
    assert deliver().sent == PEOPLE - 2


def test_a_bug_met_on_one_mail_costs_no_other_theirs(deliver, transport, caplog):
    def verdict(recipient):
        if recipient == "p3@example.org":
            raise KeyError("oops")

    transport.verdict = verdict
    report = deliver()
    assert (report.sent, report.deferred) == (PEOPLE - 1, 1)
    assert "KeyError" in caplog.text


def test_a_template_that_breaks_after_publishing_stops_the_run_and_says_why(deliver, transport, monkeypatch, clock):
    def broken(*_):
        raise RenderError("email/edition.mjml, line 3: no such name")

    with monkeypatch.context() as patched:
        patched.setattr(EditionComposer, "write", broken)
        report = deliver()
    assert "line 3" in report.stopped
    assert (report.sent, report.failed) == (0, 0)
    clock.sleep(3600)
    assert deliver().sent == PEOPLE


def test_nobody_is_given_up_at_the_first_refusal_after_our_own_long_outage(deliver, transport, clock):
    clock.sleep(5 * 86400)
    transport.verdict = refuse("p2@example.org", 451, permanent=False)
    report = deliver()
    assert (report.deferred, report.failed, report.trouble) == (1, 0, "451 no")
    transport.verdict = lambda _: None
    clock.sleep(3600)
    assert deliver().sent == 1


def test_two_workers_never_send_the_same_mail(deliver, transport):
    inner = FakeTransport()
    second = []

    def verdict(_):
        if not second:
            second.append(deliver(transport=inner))

    transport.verdict = verdict
    first = deliver()
    assert first.sent + second[0].sent == PEOPLE
    assert not set(inner.recipients) & set(transport.recipients)


def test_the_accounts_close_after_every_run(deliver, transport, clock):
    transport.verdict = refuse("p0@example.org", 451, permanent=False)
    for _ in range(3):
        report = deliver()
        assert sum(report.outbox.values()) == PEOPLE
        clock.sleep(3600)
