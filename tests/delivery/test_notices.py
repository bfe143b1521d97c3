"""Notices: claimed, sent and recorded one by one; a crash sends the same message again, under the same name."""

from __future__ import annotations

import email
from datetime import timedelta
from email import policy
from random import Random

import pytest
from fakes import THURSDAY, FakeClock, FakeTransport, digest
from sqlalchemy import select

from digestmail.delivery.notice_composer import NoticeComposer, NoticeOrigin
from digestmail.delivery.notices import NoticeReport, send_notices
from digestmail.errors import DeliveryError, RenderError, TransportError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import DeliveryState, NoticeKind, Rendered
from digestmail.model.subscribers import Preferences, Subscription, SuppressionReason
from digestmail.storage import notices, schema, suppressions
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
def letters(database):
    def message_template(rendered, title):
        return MessageTemplate(rendered, SENDER, digest="notice", title=title, notice=True)

    place = NoticeOrigin(base_url=BASE, sender="bounces@example.org", domain="example.org")
    return NoticeComposer(database, DIGESTS, render, message_template, Tokens("secret"), LINKS, place=place)


@pytest.fixture
def ask(database):
    def ask(address="a@example.org", choices=DAILY, nonce="nonce", now=THURSDAY):
        return signup.request_signup(database, DIGESTS, address, choices, now, random_token=lambda: nonce)

    return ask


def go(database, letters, transport, clock=None, **options) -> NoticeReport:
    return send_notices(
        database, transport, letters, clock or FakeClock(), give_up=timedelta(days=2), random=Random(1), **options
    )


def rows(database):
    with database.connect() as connection:
        return connection.execute(select(schema.notices).order_by(schema.notices.c.id)).all()


def read(message: bytes):
    parsed = email.message_from_bytes(message, policy=policy.default)
    return parsed, parsed.get_body(("plain",)).get_content().strip().split("|")


def test_a_confirmation_arrives_with_a_link_that_confirms_and_nothing_a_stranger_wrote(database, letters, ask):
    ask()
    transport = FakeTransport()
    assert go(database, letters, transport) == NoticeReport(sent=1)
    ((recipient, message),) = transport.sent
    parsed, (kind, title, digests, action, preferences, language) = read(message)
    assert (recipient, kind, title, language) == ("a@example.org", "confirm", "Trending <papers>", "de")
    assert (digests, preferences) == ("('Trending <papers>',)", "None")
    assert signup.pending_preferences(database, LINKS, action.removeprefix(f"{BASE}/confirm/"), THURSDAY) == DAILY
    assert parsed["List-Unsubscribe"] is None
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert go(database, letters, transport) == NoticeReport()


def test_welcome_leads_to_the_preferences(database, letters, ask):
    ask()
    token = LINKS.confirm(1, "nonce", THURSDAY)
    signup.confirm(database, LINKS, token, THURSDAY)
    transport = FakeTransport()
    # The confirmation was given before its mail went out: there is nothing left to ask.
    assert go(database, letters, transport) == NoticeReport(sent=1, cancelled=1)
    _, (kind, _, _, action, preferences, _) = read(transport.sent[0][1])
    assert (kind, action) == ("welcome", BASE)
    assert Tokens("secret").read_unsubscribe(preferences.removeprefix(f"{BASE}/preferences/")) == (1, "")


def test_a_crash_after_the_intent_sends_it_again_under_the_same_message_id(database, letters, ask):
    ask()
    seen = []

    class Dies(FakeTransport):
        def send(self, envelope, message):
            seen.append(message)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(database, letters, Dies())
    assert rows(database)[0].state == DeliveryState.SENDING
    transport, clock = FakeTransport(), FakeClock()
    assert go(database, letters, transport, clock) == NoticeReport()
    clock.sleep(16 * 60)
    assert go(database, letters, transport, clock) == NoticeReport(sent=1)
    first, second = (read(message)[0] for message in (seen[0], transport.sent[0][1]))
    assert first["Message-ID"] == second["Message-ID"]
    assert rows(database)[0].attempts == 2


def test_a_slow_worker_records_nothing_over_the_one_that_took_its_place(database, ask):
    ask()
    with database.begin() as connection:
        (slow,) = notices.claim(connection, THURSDAY, timedelta(minutes=1), 5)
        (quick,) = notices.claim(connection, THURSDAY + timedelta(minutes=2), timedelta(minutes=1), 5)
        done = notices.Attempted(state=DeliveryState.SENT, code=250)
        assert not notices.record(connection, slow, done, THURSDAY)
        assert notices.record(connection, quick, done, THURSDAY)
        assert notices.claim(connection, THURSDAY + timedelta(days=9), timedelta(minutes=1), 5) == ()


def test_refusals_are_put_off_or_final_and_blame_one_recipient(database, letters, ask):
    for name in ("a", "b", "c"):
        ask(f"{name}@example.org")

    def verdict(recipient):
        if recipient.startswith("a"):
            raise DeliveryError("greylisted", code=450, permanent=False)
        if recipient.startswith("b"):
            raise DeliveryError("no such user", code=550, permanent=True)

    assert go(database, letters, FakeTransport(verdict)) == NoticeReport(sent=1, deferred=1, failed=1)
    first, second, third = rows(database)
    assert (first.state, first.code, first.due_at > THURSDAY) == ("deferred", 450, True)
    assert (second.state, third.state) == ("failed", "sent")


def test_when_the_way_out_is_broken_nothing_is_lost_and_nobody_blamed(database, letters, ask):
    ask()
    transport, clock = FakeTransport(), FakeClock()
    transport.refuses = TransportError("connection refused")
    assert go(database, letters, transport, clock).stopped == "connection refused"
    (row,) = rows(database)
    assert (row.state, row.attempts) == ("queued", 0)
    transport.refuses = None
    assert go(database, letters, transport, clock, stop=lambda: True).stopped == ""
    clock.sleep(6 * 60)
    assert go(database, letters, transport, clock, stop=lambda: True).stopped == "asked to stop"
    clock.sleep(6 * 60)
    assert go(database, letters, transport, clock).sent == 1


def test_a_broken_template_and_a_bug_are_not_the_recipient_s_fault(database, letters, ask, monkeypatch):
    ask()
    clock = FakeClock()

    def broken(notice, now):
        raise RenderError("notice.mjml, line 3: no such name")

    with monkeypatch.context() as patch:
        patch.setattr(letters, "write", broken)
        assert "line 3" in go(database, letters, FakeTransport(), clock).stopped
    clock.sleep(6 * 60)
    with monkeypatch.context() as patch:
        patch.setattr(letters, "write", lambda *_: 1 / 0)
        assert go(database, letters, FakeTransport(), clock) == NoticeReport(deferred=1)
    clock.sleep(3600)
    assert go(database, letters, FakeTransport(), clock) == NoticeReport(sent=1)


def test_who_was_suppressed_meanwhile_gets_nothing(database, letters, ask):
    ask()
    with database.begin() as connection:
        suppressions.add(connection, "a@example.org", SuppressionReason.BOUNCED, "", THURSDAY)
    transport = FakeTransport()
    assert go(database, letters, transport) == NoticeReport(cancelled=1)
    assert transport.sent == []
    assert NoticeKind(rows(database)[0].kind) is NoticeKind.CONFIRM
