"""Notices go through the same engine as editions, and ahead of them."""

from __future__ import annotations

import email
from datetime import timedelta
from email import policy

import pytest
from crash_worker import PlainMessages
from fakes import THURSDAY, FakeClock, FakeTransport, digest
from sqlalchemy import select
from worker_fixture import fill, worker

from digestmail.delivery import intake
from digestmail.delivery.composers import Composers
from digestmail.delivery.lead import FEWEST
from digestmail.delivery.notice_composer import NoticeComposer, NoticeOrigin
from digestmail.delivery.pacing import DomainLimit, DomainLimits
from digestmail.errors import DeliveryError, RenderError, TransportError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import AmbiguousPolicy, Attempted, DeliveryState, NoticeKind, Rendered
from digestmail.model.reports import DeliverReport
from digestmail.model.subscribers import Preferences, Subscription, SuppressionReason
from digestmail.storage import claims, schema, suppressions
from digestmail.subscribers import signup

LINKS = LinkTokens(["secret"])
DIGESTS = (digest(title="Trending <papers>"), digest("weekly", title="The week"))
BASE = "https://digest.example.org"
DAILY = Preferences(subscriptions=(Subscription(digest="daily"),), language="de")
SENDER = Sender(mailbox="digest@example.org", domain="example.org", base_url=BASE)


def render(kind, *, title, digests, action_url, preferences_url, language, steps):
    text = f"{kind}|{title}|{digests}|{action_url}|{preferences_url}|{language}"
    return Rendered(subject=kind, html=f"<p>{kind}</p>", text=text)


@pytest.fixture
def composer(database):
    def message_template(rendered, title):
        return MessageTemplate(rendered, SENDER, digest="notice", title=title, notice=True)

    place = NoticeOrigin(base_url=BASE, sender="bounces@example.org", domain="example.org")
    return NoticeComposer(database, DIGESTS, render, message_template, Tokens("secret"), LINKS, place=place)


@pytest.fixture
def ask(database):
    def ask(address="a@example.org", choices=DAILY, nonce="nonce", now=THURSDAY):
        return signup.request_signup(database, DIGESTS, address, choices, now, random_token=lambda: nonce)

    return ask


@pytest.fixture
def go(database, composer, tmp_path):
    def go(*transports, clock=None, **options) -> DeliverReport:
        composers = Composers(editions=PlainMessages(520), notices=options.pop("composer", composer))
        return worker(
            database, transports, clock or FakeClock(), tmp_path / "epoch", composers=composers, **options
        ).send_notices()

    return go


def rows(database):
    with database.connect() as connection:
        return connection.execute(select(schema.notices).order_by(schema.notices.c.id)).all()


def earlier_attempts(database):
    with database.connect() as connection:
        return connection.execute(select(schema.notice_attempts)).all()


def read(message: bytes):
    parsed = email.message_from_bytes(message, policy=policy.default)
    return parsed, parsed.get_body(("plain",)).get_content().strip().split("|")


def test_a_confirmation_arrives_with_a_link_that_confirms_and_nothing_a_stranger_wrote(database, go, ask):
    ask()
    transport = FakeTransport()
    assert go(transport).notices == {"sent": 1}
    ((recipient, message),) = transport.sent
    parsed, (kind, title, digests, action, preferences, language) = read(message)
    assert (recipient, kind, title, language) == ("a@example.org", "confirm", "Trending <papers>", "de")
    assert (digests, preferences) == ("('Trending <papers>',)", "None")
    assert signup.pending_preferences(database, LINKS, action.removeprefix(f"{BASE}/confirm/"), THURSDAY) == DAILY
    assert parsed["List-Unsubscribe"] is None
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert go(transport).notices == {}


def test_welcome_leads_to_the_preferences(database, go, ask):
    ask()
    token = LINKS.confirm(1, "nonce", THURSDAY)
    signup.confirm(database, LINKS, token, THURSDAY)
    transport = FakeTransport()
    # The confirmation was given before its mail went out: there is nothing left to ask.
    assert go(transport).notices == {"sent": 1, "cancelled": 1}
    _, (kind, _, _, action, preferences, _) = read(transport.sent[0][1])
    assert (kind, action) == ("welcome", BASE)
    assert Tokens("secret").read_unsubscribe(preferences.removeprefix(f"{BASE}/preferences/")) == (1, "")


@pytest.mark.parametrize("policy", [AmbiguousPolicy.RESEND, AmbiguousPolicy.HOLD])
def test_after_a_crash_behind_the_intent_the_policy_decides_and_the_message_id_stays(database, go, ask, policy):
    ask()
    with database.begin() as connection:
        held = claims.claim(connection, THURSDAY, timedelta(minutes=30), 5)
        claims.record_intent(connection, held, THURSDAY)
    assert rows(database)[0].state == DeliveryState.SENDING
    transport, clock = FakeTransport(), FakeClock()
    assert go(transport, clock=clock, policy=policy).notices == {}
    clock.sleep(31 * 60)
    report = go(transport, clock=clock, policy=policy)
    kept = [(row.number, row.state) for row in earlier_attempts(database)]
    assert kept == [(1, "ambiguous")]
    if policy is AmbiguousPolicy.HOLD:
        assert (report.notices, report.went_wrong, transport.sent) == ({"ambiguous": 1}, True, [])
        return
    assert report.notices == {"sent": 1}, "it counts once, under its last state"
    name = Tokens("secret").message_id("notice", "1", 1, "example.org")
    assert read(transport.sent[0][1])[0]["Message-ID"] == name
    assert rows(database)[0].attempts == 2


def test_a_slow_worker_records_nothing_over_the_one_that_took_its_place(database, ask):
    ask()
    done = Attempted(state=DeliveryState.SENT, code=250)
    with database.begin() as connection:
        slow = claims.claim(connection, THURSDAY, timedelta(minutes=1), 5)
        quick = claims.claim(connection, THURSDAY + timedelta(minutes=2), timedelta(minutes=1), 5)
        assert claims.record_intent(connection, slow, THURSDAY) == frozenset()
        assert claims.record(connection, [(slow[0], done)], THURSDAY) == slow
        assert claims.record(connection, [(quick[0], done)], THURSDAY) == ()
        assert claims.record(connection, [(quick[0], done)], THURSDAY) == (), "repeating it gives the same result"
        assert claims.claim(connection, THURSDAY + timedelta(days=9), timedelta(minutes=1), 5) == ()


def test_refusals_are_put_off_or_final_and_blame_one_recipient(database, go, ask):
    for name in ("a", "b", "c"):
        ask(f"{name}@example.org")

    def verdict(recipient):
        if recipient.startswith("a"):
            raise DeliveryError("greylisted", code=450, permanent=False)
        if recipient.startswith("b"):
            raise DeliveryError("no such user", code=550, permanent=True)

    assert go(FakeTransport(verdict)).notices == {"sent": 1, "deferred": 1, "failed": 1}
    first, second, third = rows(database)
    assert (first.state, first.code, first.due_at > THURSDAY) == ("deferred", 450, True)
    assert (second.state, third.state) == ("failed", "sent")


def test_when_the_way_out_is_broken_nothing_is_lost_and_nobody_blamed(database, go, ask):
    ask()
    transport, clock = FakeTransport(), FakeClock()
    transport.refuses = TransportError("connection refused")
    assert go(transport, clock=clock).stopped == "connection refused"
    (row,) = rows(database)
    assert (row.state, row.attempts) == ("queued", 0)
    transport.refuses = None
    assert go(transport, clock=clock) == DeliverReport(), "it waits for the server"
    clock.sleep(6 * 60)
    assert go(transport, clock=clock, stop=lambda: True).stopped == "asked to stop"
    assert go(transport, clock=clock).notices == {"sent": 1}


def test_a_notice_goes_over_the_fallback_while_the_first_server_refuses_us(database, go, ask):
    ask()
    broken, spare = FakeTransport(name="first"), FakeTransport(name="second")
    broken.refuses = TransportError("connection refused")
    assert go(broken, spare).notices == {"sent": 1}
    assert spare.recipients == ["a@example.org"]
    ask("b@example.org")
    broken.refuses = None
    assert go(broken, spare).notices == {"sent": 1}
    assert broken.sent == [], "the first server is paused"


def test_notices_keep_to_the_limits_of_a_domain(database, go, ask):
    for name in ("a", "b", "c"):
        ask(f"{name}@slow.example")
    limits = DomainLimits(domains={"slow.example": DomainLimit(messages_per_second=0.01)})
    transport, clock = FakeTransport(), FakeClock()
    assert go(transport, clock=clock, limits=limits).notices == {"sent": 1}
    clock.sleep(100)
    assert go(transport, clock=clock, limits=limits).notices == {"sent": 1}


def test_a_broken_notice_template_or_a_bug_delays_that_notice_and_stops_no_edition(database, go, ask, tmp_path):
    ask()
    clock = FakeClock()
    faults = iter((RenderError("notice.mjml, line 3: no such name"), ZeroDivisionError("a bug")))

    class Broken:
        def write(self, notice, now):
            raise next(faults)

    fill(database, 3)
    transport = FakeTransport()
    composers = Composers(editions=PlainMessages(520), notices=Broken())
    report = worker(database, [transport], clock, tmp_path / "epoch", composers=composers).deliver()
    assert (report.notices, report.sent, report.stopped) == ({"deferred": 1}, 3, "")
    assert "line 3" in earlier_attempts(database)[0].text
    clock.sleep(3600)
    assert go(transport, clock=clock, composer=Broken()).notices == {"deferred": 1}
    clock.sleep(3600)
    assert go(transport, clock=clock).notices == {"sent": 1}


def test_notices_go_first_and_are_not_kept_waiting_by_a_large_edition(database, ask, tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "FIRST_CLAIM", 400)
    clock = FakeClock()
    fill(database, 400)
    ask("early@example.com")

    class Asking(FakeTransport):
        def send(self, envelope, message):
            clock.sleep(0.05)
            if len(self.sent) == 50:
                ask("late@example.com", now=clock.now())
            return super().send(envelope, message)

    transport = Asking()
    report = worker(database, [transport], clock, tmp_path / "epoch").deliver()
    assert (report.sent, report.notices) == (400, {"sent": 2})
    assert transport.recipients[0] == "early@example.com"
    # One second's messages, and what was already on its way to the server.
    assert 50 < transport.recipients.index("late@example.com") <= 50 + 20 + 4 * FEWEST


def test_a_refused_welcome_counts_as_a_bounce_and_a_refused_confirmation_does_not(database, go, ask):
    def verdict(recipient):
        raise DeliveryError("550 5.1.1 no such user", code=550, permanent=True)

    ask("typed-wrong@example.org")
    assert go(FakeTransport(verdict)).suppressed == 0
    ask()
    signup.confirm(database, LINKS, LINKS.confirm(2, "nonce", THURSDAY), THURSDAY)
    report = go(FakeTransport(verdict))
    assert (report.notices, report.suppressed) == ({"cancelled": 1, "failed": 1}, 1)


def test_who_was_suppressed_meanwhile_gets_nothing(database, go, ask):
    ask()
    with database.begin() as connection:
        suppressions.add(connection, "a@example.org", SuppressionReason.BOUNCED, "", THURSDAY)
    transport = FakeTransport()
    assert go(transport).notices == {"cancelled": 1}
    assert transport.sent == []
    assert NoticeKind(rows(database)[0].kind) is NoticeKind.CONFIRM
