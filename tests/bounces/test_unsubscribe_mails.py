"""A mail to the unsubscribe address, or with a token in its subject, ends a subscription; no other mail does."""

from __future__ import annotations

from datetime import timedelta
from email.header import Header

import pytest
from bounce_messages import READER, TOKENS, arf, block, dsn, original, return_path
from fakes import THURSDAY, FakeClock
from leaving import apple, request
from sqlalchemy import select

from digestmail.bounces.mailboxes.base import ReceivedMessage
from digestmail.bounces.processor import BounceProcessor, Recorded
from digestmail.bounces.score import Scoring
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import NoticeKind
from digestmail.model.subscribers import SubscriberState, Subscription
from digestmail.storage import schema, subscribers
from digestmail.subscribers import preferences

DOMAIN = "bounce.example.org"


class Box:
    """Hands out the same mails whenever it is read, as an mbox does."""

    def __init__(self, *raws: bytes) -> None:
        self.raws = raws

    def messages(self):
        yield from (ReceivedMessage(raw=raw, key=str(place)) for place, raw in enumerate(self.raws))

    def mark_done(self, mail: ReceivedMessage) -> None:
        pass


@pytest.fixture
def reader(database) -> int:
    with database.begin() as connection:
        reader = subscribers.add(connection, READER, THURSDAY)
        for name in ("daily", "weekly"):
            subscribers.subscribe(connection, reader, Subscription(digest=name), THURSDAY)
        return reader


@pytest.fixture
def read(database):
    def leave(request):
        left = preferences.unsubscribe(database, request.subscriber_id, request.digest, THURSDAY, report=request.report)
        if not left.known:
            return Recorded.UNKNOWN
        return Recorded.COUNTED if left.digests else Recorded.REPEATED

    def read(*raws: bytes, tokens: Tokens = TOKENS):
        processor = BounceProcessor(
            database,
            tokens,
            Scoring(),
            FakeClock(),
            unsubscribe=leave,
            digests=["daily", "weekly"],
            address=f"bounce@{DOMAIN}",
        )
        report = processor.read(Box(*raws), stop=lambda: False)
        assert report.read == len(raws)
        return report

    return read


def address(reader: int, digest: str = "daily", tokens: Tokens = TOKENS) -> str:
    return f"bounce+{tokens.mailto_token(reader, digest)}@{DOMAIN}"


def has(database) -> list[str]:
    with database.connect() as connection:
        found = subscribers.find(connection, READER)
        assert (found.state is SubscriberState.ACTIVE) is bool(found.subscriptions)
        return [one.digest for one in found.subscriptions]


def queued(database) -> list[str]:
    with database.connect() as connection:
        n = schema.notices.c
        return list(connection.execute(select(n.kind).where(n.due_at.is_not(None)).order_by(n.id)).scalars())


def test_an_email_to_the_unsubscribe_address_ends_that_digest(database, reader, read):
    report = read(request(address(reader)))

    assert (report.unsubscribed, report.suppressed, has(database)) == (1, 0, ["weekly"])
    assert read(request(address(reader, "weekly"), name="2")).unsubscribed == 1
    assert has(database) == []
    assert queued(database) == [NoticeKind.GOODBYE], "the earlier notice waited, and is told by this one"


FORMS = {
    "apple": apple,
    "auto-generated": lambda raw: b"Auto-Submitted: auto-generated\n" + raw,
    "vacation-like": lambda raw: (
        b"Auto-Submitted: auto-replied\nPrecedence: bulk\nX-Auto-Response-Suppress: All\n" + raw
    ),
    "null sender": lambda raw: raw.replace(b"Return-Path: <someone@example.net>", b"Return-Path: <>"),
    "no subject": lambda raw: raw.replace(b"Subject: unsubscribe\n", b""),
    "another subject": lambda raw: raw.replace(b"Subject: unsubscribe", b"Subject: Undeliverable ideas"),
    "upper case": lambda raw: raw.replace(
        TOKENS.mailto_token(1, "daily").encode(), TOKENS.mailto_token(1, "daily").upper().encode()
    ),
    "named": lambda raw: raw.replace(b"To: ", b'To: "Leave, please" <').replace(
        b"example.org\nSubj", b"example.org>\nSubj"
    ),
    "delivered-to": lambda raw: raw.replace(b"To: ", b"Delivered-To: ").replace(
        b"Subject", b"To: list@example.org\nSubject"
    ),
    "x-original-to": lambda raw: raw.replace(b"To: ", b"X-Original-To: "),
    "no message-id": lambda raw: raw.replace(b"Message-ID: <1@mail.example>\n", b""),
    "crlf": lambda raw: raw.replace(b"\n", b"\r\n"),
    "from a postmaster": lambda raw: raw.replace(b"someone@example.net", b"postmaster@example.net"),
    "html": lambda raw: raw.replace(b"Date", b"MIME-Version: 1.0\nContent-Type: text/html\nDate"),
    "empty": lambda raw: raw.partition(b"\n\n")[0] + b"\n\n",
    "quotes the digest": lambda raw: raw + original(1).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_unsubscribe_emails_of_all_mail_programs_are_understood(database, reader, read, form):
    assert reader == 1
    raw = FORMS[form](request(address(reader)))

    report = read(raw, raw)
    assert (report.unsubscribed, report.repeated, has(database)) == (1, 1, ["weekly"])


def test_the_envelope_alone_is_enough(database, reader, read):
    postmaster_saw = []
    processor = BounceProcessor(
        database,
        TOKENS,
        Scoring(),
        FakeClock(),
        digests=["daily"],
        unsubscribe=lambda found: postmaster_saw.append(found) or Recorded.COUNTED,
    )
    assert processor.accepts(address(reader))
    assert processor.accepts(address(reader).upper())
    assert not processor.accepts(f"bounce+{'a' * 40}@{DOMAIN}")
    processor.process(b"From: a@example.net\n\n", [address(reader)])
    assert [(found.subscriber_id, found.digest) for found in postmaster_saw] == [(reader, "daily")]


@pytest.mark.parametrize(
    "subject",
    [
        "unsubscribe {}",
        "UNSUBSCRIBE {}",
        "Re: unsubscribe {}",
        "{}",
        "unsubscribe%20{}",
        "unsubscribe+{}",
        "unsubscribe\n {}",
        "unsubscribe  {}.",
        "<unsubscribe {}>",
    ],
)
def test_the_token_in_the_subject_is_enough(database, reader, read, subject):
    subject = subject.format(TOKENS.unsubscribe(reader, "daily"))
    raw = request("digest@example.org", subject)

    assert read(apple(raw)).unsubscribed == 1
    assert has(database) == ["weekly"]


def test_the_subject_may_be_encoded(database, reader, read):
    encoded = Header(f"unsubscribe {TOKENS.unsubscribe(reader, '')}", "utf-8", maxlinelen=60).encode()

    assert read(request("digest@example.org", encoded)).unsubscribed == 1
    assert has(database) == []


def reports(reader: int) -> dict[str, bytes]:
    """Return mails that go to the unsubscribe address and ask for nothing."""
    to = address(reader)
    subject = f"unsubscribe {TOKENS.unsubscribe(reader, 'daily')}"
    return {
        "dsn": dsn(to=to),
        "dsn about the request": dsn(to=to).replace(b"Undelivered Mail", subject.encode()),
        "delay": dsn(block("delayed", "4.4.1"), to=to),
        "receipt": dsn(to=to).replace(b"delivery-status", b"disposition-notification"),
        "in words": (
            f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: {to}\nSubject: failure notice\n\n"
            "Sorry, it did not work out.\n"
        ).encode(),
        "by a postmaster": (
            f"Return-Path: <>\nFrom: postmaster@mx.example\nTo: {to}\nSubject: Undeliverable: {subject}\n\nNo.\n"
        ).encode(),
        "exim": (
            f"X-Failed-Recipients: x@example.net\nFrom: Mail <a@mx.example>\nTo: {to}\nSubject: {subject}\n\nNo.\n"
        ).encode(),
        "feedback": arf("not-spam", returned="To: x\n").replace(b"abuse@example.org", to.encode()),
    }


@pytest.mark.parametrize("kind", sorted(reports(1)))
def test_a_report_to_the_address_asks_for_nothing(database, reader, read, kind):
    assert read(reports(reader)[kind]).unsubscribed == 0
    assert has(database) == ["daily", "weekly"]
    assert queued(database) == []


def test_nothing_else_asks_for_it(database, reader, read):
    token = TOKENS.unsubscribe(reader, "daily")
    other = Tokens("another secret")
    report = read(
        apple(request(return_path(reader), name="1")).replace(b"X-Apple-Unsubscribe: true\n", b""),
        request(return_path(reader), name="2"),
        request(f"bounce+{'0' * 40}@{DOMAIN}", name="3"),
        request(address(reader, tokens=other), f"unsubscribe {other.unsubscribe(reader, 'daily')}", name="4"),
        request(f"bounce@{DOMAIN}", name="5"),
        request("digest@example.org", f"unsubscribe {token[:-1]}", name="6"),
        request("digest@example.org", "Re: Trending papers", name="7")
        + f"> /unsubscribe/{token}\n> to {address(reader)}\n".encode(),
        request(address(reader, "monthly"), name="8"),
        request(address(reader + 99), name="9"),
    )

    assert (report.unsubscribed, report.suppressed) == (0, 0)
    assert has(database) == ["daily", "weekly"]


def test_a_return_path_and_an_unsubscribe_address_are_never_taken_for_one_another(database, reader, read):
    assert read(dsn(block(said="550 5.1.1 no such user"), to=address(reader))).suppressed == 0
    assert read(request(return_path(reader))).unsubscribed == 0


def test_reading_a_mailbox_again_does_not_unsubscribe_people_who_returned(database, reader, read):
    raw = request(address(reader))
    assert read(raw).unsubscribed == 1
    with database.begin() as connection:
        subscribers.subscribe(connection, reader, Subscription(digest="daily"), THURSDAY + timedelta(days=1))

    assert (read(raw).repeated, has(database)) == (1, ["daily", "weekly"])
    assert read(request(address(reader), name="2")).unsubscribed == 1


def test_an_old_unsubscribe_email_has_no_effect_after_a_new_subscription(database, reader, read):
    with database.begin() as connection:
        subscribers.remove(connection, READER, THURSDAY)
    raw = request(address(reader))
    assert read(raw).unsubscribed == 0
    with database.begin() as connection:
        subscribers.add(connection, READER, THURSDAY)
        subscribers.subscribe(connection, reader, Subscription(digest="daily"), THURSDAY)

    assert (read(raw).unsubscribed, has(database)) == (0, ["daily"])


def test_tokens_of_earlier_secrets_still_work_and_forgotten_ones_do_not(database, reader, read):
    raw = request(address(reader))

    assert read(raw, tokens=Tokens("new")).unsubscribed == 0
    assert read(raw, tokens=Tokens("new", "secret")).unsubscribed == 1


def test_the_unsubscribe_address_is_short_enough_for_mail_servers(reader):
    local = f"{'b' * 23}+{TOKENS.mailto_token(2**48 - 1, 'd' * 40)}"

    assert len(local) == 64
    assert local == local.lower()
