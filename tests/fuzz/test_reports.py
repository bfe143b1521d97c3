"""For any octets, emails and webhook requests become reports with bounded texts, or raise EventsError."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from bounce_messages import TOKENS, arf, block, dsn, original, return_path
from fuzzing import Target, attack
from hooks import generic, mailgun, mailgun_event, postmark, sendgrid, sendgrid_bounce, ses_bounce, ses_complaint, sns
from hypothesis import strategies as st

from digestmail.bounces.identify import failure_for, identify, request_of
from digestmail.bounces.parsing.parse import read
from digestmail.bounces.parsing.report import InboundReport, Kind
from digestmail.bounces.webhooks import mailgun as signatures
from digestmail.bounces.webhooks.payload import Provider
from digestmail.bounces.webhooks.payload import read as read_events
from digestmail.errors import EventsError

NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)
UNEXPECTED = re.compile(r"\w+ in [\w.]+, line \d+")
"""What the readers say about an error of their own, which never ends a run but is a fault all the same."""
NOTICE = f"""From: Mail Delivery System <MAILER-DAEMON@mx.example>
To: {return_path()}
Subject: =?utf-8?q?Undelivered_Mail_Returned?= to Sender
X-Failed-Recipients: reader@example.net
Message-ID: <3@mx.example>
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>&lt;reader@example.net&gt;: host mx.example said: 550 5.1.1 User unknown =
(in reply to RCPT TO)</p>

--b
Content-Type: message/rfc822

{original()}
Hello.
--b--
""".encode()
UNSUBSCRIBE = f"""From: Reader <reader@example.net>
To: {return_path()}
Subject: unsubscribe {TOKENS.unsubscribe(1, "daily")}
Message-ID: <4@example.net>
Auto-Submitted: auto-replied

""".encode()
VACATION = b"""From: reader@example.net
Subject: Out of office: Trending papers
Auto-Submitted: auto-replied
Message-ID: <5@example.net>

I am away until Monday. 4.2.2 mailbox full
"""
GOOD = dsn(block(said="550 5.1.1 unknown"), to=return_path(), returned=original())
EXPIRED = dsn(
    block("delayed", "4.4.1", "connect to mx.example: timed out"),
    block("failed", "5.4.7", "421 4.4.2 expired", recipient="other@example.net"),
    to=return_path(),
    returned=original(),
)
PROVIDERS = {
    Provider.SES: [json.dumps(ses_bounce()).encode(), json.dumps(ses_complaint()).encode(), sns(ses_bounce())],
    Provider.MAILGUN: [mailgun(mailgun_event(), NOW), mailgun(mailgun_event("complained"), NOW)],
    Provider.SENDGRID: [json.dumps([sendgrid_bounce(), sendgrid("spamreport")]).encode()],
    Provider.POSTMARK: [json.dumps(postmark()).encode()],
    Provider.GENERIC: [json.dumps([generic(), generic("complaint")]).encode()],
}
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.sampled_from(["\ud800", "\0"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


def check_report(report: InboundReport) -> None:
    assert isinstance(report.kind, Kind)
    assert report.identity
    assert not UNEXPECTED.fullmatch(report.detail)
    for text in (report.detail, *(failure.text for failure in report.failures)):
        assert len(text) <= 500
        assert text.isprintable(), "texts are shown on terminals"
    identify(report.proof, TOKENS)
    request_of(report, TOKENS, ["daily"])
    failure_for(report.failures, "reader@example.net")


def mail(raw: bytes) -> None:
    report = read(raw, ["bounce@bounce.example.org"])
    check_report(report)
    assert read(raw, ["bounce@bounce.example.org"]) == report, "the same message is the same report"


def events(provider: Provider, body: bytes) -> None:
    signatures.is_signed(body, "key", NOW)
    try:
        batch = read_events(provider, body)
    except EventsError as error:
        assert not UNEXPECTED.search(str(error))  # noqa: PT017 - other bodies raise nothing
        return
    for event in batch.events:
        check_report(event)
    assert batch.confirm == "" or batch.confirm.startswith("https://")
    with suppress(ValueError):
        assert batch.unreadable <= len(json.loads(body)) + 1


def with_a_change(body: bytes) -> st.SearchStrategy[bytes]:
    """Return `body` with another value in one or two places, at any depth."""
    return st.lists(st.tuples(st.integers(0, 200), VALUES), min_size=1, max_size=2).map(
        lambda changes: json.dumps(_changed(json.loads(body), dict(changes))).encode()
    )


def _changed(found: object, changes: dict[int, object]) -> object:
    """Replace the values at some places, counted in the order of the document."""
    places = iter(range(10_000))

    def walk(value: object) -> object:
        place = next(places)
        if place in changes:
            return changes[place]
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items()}
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    return walk(found)


def _hook(provider: Provider, seeds: list[bytes]) -> Target:
    return Target(
        name=f"webhook-{provider}",
        check=lambda body: events(provider, body),
        seeds=seeds,
        documents=st.one_of(*(with_a_change(seed) for seed in seeds)),
    )


TARGETS = [
    Target(name="mail", check=mail, seeds=[GOOD, arf(returned=original()), NOTICE, UNSUBSCRIBE, VACATION, EXPIRED]),
    *(_hook(provider, seeds) for provider, seeds in PROVIDERS.items()),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_any_octets_are_read_or_refused(target):
    attack(target)
