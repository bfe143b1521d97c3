"""A provider's webhook, from the request to an address nothing is sent to."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

import pytest
from fakes import FakeClock
from hooks import (
    READER,
    SECRET,
    body,
    generic,
    mailgun,
    mailgun_event,
    postmark,
    sendgrid,
    sendgrid_bounce,
    ses_bounce,
    ses_complaint,
    ses_mail,
    sns,
    subscription,
)
from outbox import edition
from outbox import publish as queue
from websites import THURSDAY, TOKEN, ask, create_app, open_app

from digestmail.app import App
from digestmail.bounces.processor import record_event
from digestmail.errors import StorageError
from digestmail.model.subscribers import SubscriberState, SuppressionReason
from digestmail.storage import deliveries, subscribers, suppressions
from digestmail.subscribers import admin

BEARER = {"authorization": f"Bearer {SECRET}"}


def basic(password: str = SECRET, user: str = "anybody") -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def opened(database_url: str, **web) -> App:
    app = open_app(database_url, **{"webhook_secret": SECRET} | web)
    app.wall_clock = FakeClock(THURSDAY)
    return app


@pytest.fixture
def app(database, database_url):
    with opened(database_url) as app:
        yield app


@pytest.fixture
def site(app):
    return create_app(app)


@pytest.fixture
def reader(database) -> int:
    with database.begin() as connection:
        return subscribers.add(connection, READER, THURSDAY)


def post(site, provider: str, raw: bytes, headers: dict[str, str] | None = None):
    return ask(
        site, f"/api/v1/events/{provider}", method="POST", headers=BEARER if headers is None else headers, raw=raw
    )


def counts(answer) -> dict[str, int]:
    """Return the numbers of an answer that are not 0."""
    assert answer.status == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return {name: number for name, number in answer.json.items() if number}


def state(database) -> SubscriberState:
    return admin.show(database, READER).state


def reason(database) -> SuppressionReason | None:
    with database.connect() as connection:
        return suppressions.reason_for(connection, READER)


HARD = {
    "ses": sns(ses_bounce()),
    "mailgun": mailgun(mailgun_event(), THURSDAY),
    "sendgrid": body([sendgrid_bounce()]),
    "postmark": body(postmark()),
    "generic": body([generic(permanent=True)]),
}
COMPLAINTS = {
    "ses": sns(ses_complaint()),
    "mailgun": mailgun(mailgun_event("complained"), THURSDAY),
    "sendgrid": body([sendgrid("spamreport")]),
    "postmark": body(postmark("SpamComplaint", "SpamComplaint")),
    "generic": body([generic("complaint")]),
}


# -- what becomes of an event ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", HARD)
def test_an_unknown_address_is_suppressed(site, database, reader, provider):
    assert counts(post(site, provider, HARD[provider])) == {"recorded": 1}
    assert state(database) is SubscriberState.SUPPRESSED
    assert reason(database) is SuppressionReason.BOUNCED


@pytest.mark.parametrize("provider", COMPLAINTS)
def test_a_complaint_is_enough_at_once(site, database, reader, provider):
    assert counts(post(site, provider, COMPLAINTS[provider])) == {"recorded": 1}
    assert reason(database) is SuppressionReason.COMPLAINED


def test_what_waits_for_the_reader_is_cancelled(site, database, reader):
    with database.begin() as connection:
        edition_id = queue(connection, edition(), [reader])
    assert counts(post(site, "ses", HARD["ses"])) == {"recorded": 1}
    with database.connect() as connection:
        assert deliveries.counts(connection, edition_id) == {"cancelled": 1}


def test_a_full_mailbox_is_enough_only_in_the_end(app, site, database, reader):
    states = []
    for day in range(6):
        full = [{"emailAddress": READER, "status": "5.2.2", "diagnosticCode": "smtp; 552 5.2.2 full"}]
        raw = sns(ses_bounce("Transient", "MailboxFull", recipients=full, feedback_id=f"bounce-{day}"))
        assert counts(post(site, "ses", raw)) == {"recorded": 1}
        states.append(state(database))
        app.wall_clock.sleep(86_400)
    assert states == [SubscriberState.ACTIVE] * 5 + [SubscriberState.SUPPRESSED]


def test_a_valid_token_takes_precedence_over_the_address(app, site, database, reader):
    path = f"bounce+{app.tokens.verp(5, reader)}@bounce.example.org"
    raw = sns(ses_bounce(mail=ses_mail(path, "somebody-else@example.net")))
    assert counts(post(site, "ses", raw)) == {"recorded": 1}
    assert state(database) is SubscriberState.SUPPRESSED


@pytest.mark.parametrize("provider", HARD)
def test_a_request_sent_again_counts_once(site, database, reader, provider):
    assert counts(post(site, provider, HARD[provider])) == {"recorded": 1}
    assert counts(post(site, provider, HARD[provider])) == {"repeated": 1}
    admin.lift(database, READER, THURSDAY)
    assert counts(post(site, provider, HARD[provider])) == {"repeated": 1}
    assert reason(database) is None


def test_unknown_addresses_are_counted_but_not_suppressed(site, database, reader):
    strangers = ["stranger@example.org", "no address", "a\0@example.org", "\ud800@example.org", f"{READER}.invalid"]
    events = [generic("complaint", id=str(number), recipient=one) for number, one in enumerate(strangers)]
    assert counts(post(site, "generic", body(events))) == {"unknown": len(strangers)}
    assert list(admin.suppressed(database)) == []


def test_the_address_may_be_written_in_any_case(site, database, reader):
    assert counts(post(site, "generic", body([generic("complaint", recipient="Reader@EXAMPLE.org")]))) == {
        "recorded": 1
    }


def test_a_batch_counts_each_event_and_one_bad_event_hurts_no_other(site, database, reader, caplog):
    events = [
        sendgrid("open"),
        7,
        sendgrid_bounce() | {"sg_event_id": None},
        sendgrid("spamreport", email="stranger@example.org"),
        sendgrid_bounce("Reputation", sg_event_id="ours"),
        sendgrid_bounce(),
        sendgrid_bounce(),
    ]
    found = counts(post(site, "sendgrid", body(events)))
    assert found == {"skipped": 4, "unknown": 1, "recorded": 1, "repeated": 1}
    assert "provider=sendgrid unreadable=2" in caplog.text
    assert "@" not in caplog.text


def test_any_server_reply_can_be_stored(site, database, reader):
    event = generic(permanent=True, text="550 \0 \ud800 ☃ " * 500, status="\0")
    assert counts(post(site, "generic", body([event]))) == {"recorded": 1}


# -- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [BEARER, basic(), basic(user=""), {"authorization": f"bearer {SECRET}"}])
def test_the_secret_is_a_password_or_a_bearer_token(site, database, said):
    assert counts(post(site, "postmark", body(postmark(record="Open")), said)) == {"skipped": 1}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"authorization": ""},
        {"authorization": SECRET},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic %%%"},
        {"authorization": "Basic bm8="},
        basic("wrong"),
        basic(""),
        basic(user=SECRET, password="x"),
        basic("é" * 20),
    ],
)
@pytest.mark.parametrize("provider", HARD)
def test_without_the_secret_neither_body_nor_database_is_read(tmp_path, provider, said):
    with opened(f"sqlite:///{tmp_path / 'missing' / 'x.db'}") as app:
        raw = HARD[provider].replace(b'"signature": "', b'"signature": "0')
        answer = post(create_app(app), provider, raw, said)
    assert (answer.status, answer.json["status"]) == (401, 401)
    assert answer.headers["www-authenticate"] == 'Basic realm="digestmail"'


@pytest.mark.parametrize("provider", HARD)
@pytest.mark.parametrize("said", [{}, BEARER, basic(""), {"authorization": "Bearer "}])
def test_without_a_configured_secret_all_webhooks_are_refused(database_url, provider, said):
    with opened(database_url, webhook_secret=None) as app:
        assert post(create_app(app), provider, HARD[provider], said).status == 401


def test_the_admin_token_is_another(site):
    assert post(site, "postmark", b"{}", {"authorization": f"Bearer {TOKEN}"}).status == 401
    assert ask(site, "/api/v1/statistics", headers=BEARER).status == 401


def test_mailgun_needs_no_header_and_its_signature_grows_old(app, site, database, reader):
    app.wall_clock.sleep(timedelta(minutes=16).total_seconds())
    assert post(site, "mailgun", HARD["mailgun"], {}).status == 401
    app.wall_clock.sleep(-timedelta(minutes=6).total_seconds())
    assert counts(post(site, "mailgun", HARD["mailgun"], {})) == {"recorded": 1}
    forged = mailgun(mailgun_event(), THURSDAY, "another-key-of-somebody")
    assert post(site, "mailgun", forged, BEARER).status == 401


def test_one_click_needs_no_form_token(site, database):
    said = BEARER | {
        "sec-fetch-site": "cross-site",
        "origin": "https://elsewhere.example",
        "content-type": "text/plain",
    }
    for _ in range(40):
        assert post(site, "ses", sns("hello"), said).status == 200


# -- what is answered otherwise ----------------------------------------------------------------------------------------


def test_an_sns_subscription_is_reported_to_the_operator_and_not_fetched(tmp_path, monkeypatch, caplog):
    with opened(f"sqlite:///{tmp_path / 'x.db'}") as app:
        site = create_app(app)
        monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("something was fetched"))
        monkeypatch.setattr("socket.getaddrinfo", lambda *_: pytest.fail("something was looked up"))
        assert counts(post(site, "ses", subscription(), basic())) == {"skipped": 1}
    assert "open https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription" in caplog.text


@pytest.mark.parametrize("provider", ["ses", "sendgrid", "postmark", "generic"])
def test_a_body_that_is_not_the_provider_s_is_a_problem(site, database, provider):
    assert post(site, provider, b"7").status == 422
    assert post(site, provider, b"not JSON").json["detail"] == "the body is not JSON"


def test_an_unknown_provider_is_an_error(site):
    assert post(site, "somebody", b"[]").status == 422


@pytest.mark.parametrize("provider", HARD)
def test_a_body_that_is_too_large_is_refused(site, provider):
    assert post(site, provider, b" " * 1_000_001).status == 413


@pytest.mark.parametrize("provider", HARD)
def test_while_the_database_is_down_the_provider_is_to_try_again(tmp_path, provider):
    with opened(f"sqlite:///{tmp_path / 'missing' / 'x.db'}") as app:
        assert post(create_app(app), provider, HARD[provider]).status == 503


def test_a_batch_that_failed_because_of_the_database_is_repeated_and_counts_once(site, database, reader, monkeypatch):
    events = body([generic(id=str(number)) for number in range(3)])
    with monkeypatch.context() as patch:
        patch.setattr("digestmail.bounces.processor.record_event", failing_after(2, record_event))
        assert post(site, "generic", events).status == 503
    assert counts(post(site, "generic", events)) == {"repeated": 2, "recorded": 1}


def failing_after(count: int, do):
    calls = iter(range(count))

    def did(*given):
        if next(calls, None) is None:
            raise StorageError("the disk is full")
        return do(*given)

    return did


def test_reading_the_address_does_nothing(site):
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert ask(site, "/api/v1/events/ses", method=method, headers=BEARER).status == 405
