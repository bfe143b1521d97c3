"""The operator's pages: only with the admin token, and each form does one thing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from fakes import FakeClock
from operator_fixture import NOW, READERS, hostile
from pydantic import SecretStr, TypeAdapter
from sqlalchemy import delete, update
from websites import TOKEN, ask, create_app, open_app

from digestmail.delivery import admin as deliveries
from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import Limits
from digestmail.model.editions import Edition
from digestmail.model.subscribers import SubscriberState
from digestmail.storage import editions
from digestmail.storage.schema import deliveries as stored
from digestmail.storage.schema import editions as stored_editions
from digestmail.subscribers import admin

PATHS = [
    "/operator",
    "/operator/editions/daily/2026-04-02",
    "/operator/subscribers",
    "/operator/subscribers/1",
    "/operator/next/daily",
    "/operator/next/daily/email",
]
ACTIONS = ["pause", "resume", "retry", "suppress", "lift", "sign-out"]


class Operator:
    """A browser without pages: it keeps the cookie, and sends forms with the token of the last page."""

    def __init__(self, app):
        self.app = app
        self.web = create_app(app)
        self.cookie = ""
        self.token = ""

    def get(self, path: str, *, status: int = 200, **headers: str) -> str:
        answer = ask(self.web, path, headers={"cookie": self.cookie, **headers})
        assert answer.status == status, answer.text
        assert answer.headers["cache-control"] == "no-store"
        found = re.search(r'name="token" value="([^"]+)"', answer.text)
        self.token = found[1] if found else self.token
        return answer.text

    def post(self, path: str, *, status: int = 303, headers: dict[str, str] | None = None, **fields: str) -> str:
        """Send a form; return where it leads, or the page."""
        form = urlencode({"token": self.token} | fields).encode()
        typed = {"content-type": "application/x-www-form-urlencoded", "cookie": self.cookie} | (headers or {})
        answer = ask(self.web, path, method="POST", headers=typed, raw=form)
        assert answer.status == status, answer.text
        if "set-cookie" in answer.headers:
            self.set_cookie = answer.headers["set-cookie"]
            self.cookie = self.set_cookie.split(";")[0]
        return answer.headers.get("location", answer.text)

    def sign_in(self) -> None:
        self.get("/operator")
        assert self.post("/operator/sign-in", admin_token=TOKEN) == "/operator"


@pytest.fixture
def operator(filled_url):
    with open_app(filled_url(hostile), base_url=None) as app:
        app.clock = app.wall_clock = FakeClock(NOW)
        yield Operator(app)


@pytest.fixture
def signed_in(operator):
    operator.sign_in()
    return operator


def test_without_signing_in_every_page_is_the_one_to_sign_in(operator):
    for path in PATHS:
        said = operator.get(path)
        assert "Admin token" in said
        assert "reader1@" not in said
    for action in ACTIONS:
        assert "Admin token" in operator.post(f"/operator/{action}", status=403, hours="1")
    assert deliveries.pauses(operator.app.database, NOW) == ()


def test_a_wrong_token_opens_nothing_and_too_many_attempts_are_refused(operator):
    operator.get("/operator")
    for _ in range(10):
        assert "This is not the admin token" in operator.post("/operator/sign-in", status=403, admin_token="x" * 20)
    assert "Too many attempts" in operator.post("/operator/sign-in", status=429, admin_token=TOKEN)


def test_the_cookie_is_for_these_pages_only_and_ends_after_a_day(signed_in):
    assert re.search(r"Path=/operator\b", signed_in.set_cookie)
    assert "HttpOnly" in signed_in.set_cookie
    assert "SameSite=strict" in signed_in.set_cookie
    assert TOKEN not in signed_in.set_cookie
    assert "All well" in signed_in.get("/operator") or "problem" in signed_in.get("/operator")
    signed_in.app.wall_clock.sleep(timedelta(hours=25).total_seconds())
    assert "Admin token" in signed_in.get("/operator")


def test_another_admin_token_ends_the_session(signed_in):
    web = signed_in.app.config.web.model_copy(update={"admin_token": SecretStr("another-made-up-token")})
    signed_in.web.state.digestmail.config = signed_in.app.config.model_copy(update={"web": web})
    assert "Admin token" in signed_in.get("/operator")


def test_without_an_admin_token_there_are_no_such_pages(operator):
    web = operator.app.config.web.model_copy(update={"admin_token": None})
    operator.web.state.digestmail.config = operator.app.config.model_copy(update={"web": web})
    for path in PATHS:
        operator.get(path, status=404)


def test_signing_out_forgets_the_session(signed_in):
    signed_in.get("/operator")
    assert signed_in.post("/operator/sign-out") == "/operator"
    assert "Admin token" in signed_in.get("/operator")


def test_the_status_shows_sources_editions_runs_and_recipients(signed_in):
    said = signed_in.get("/operator")
    assert "source huggingface: unavailable" in said
    assert "2 failed" in said
    assert "12 sent" in said or f"{READERS} sent" in said
    assert said.count("<rect class=") == 14
    assert "14.29 %" not in said
    assert "<script" not in said


def test_an_edition_lists_its_deliveries_by_state_with_the_replies(signed_in):
    said = signed_in.get("/operator/editions/daily/2026-04-02?state=failed")
    assert said.count("@example.org</a>") == 2
    assert "550 5.1.1 &lt;b&gt;no such user&lt;/b&gt;" in said
    signed_in.get("/operator/editions/daily/2026-01-01", status=404)


@pytest.mark.parametrize(("most", "said"), [(2, "2 papers"), (1, "1 paper")])
def test_an_edition_counts_the_papers_that_readers_of_all_topics_get(signed_in, most, said):
    with signed_in.app.database.begin() as connection:
        known = editions.latest(connection, "daily").edition
        limited = replace(known, limits=Limits(max_papers=most, max_per_topic=most))
        assert len(known.entries) > most
        content = {"content": TypeAdapter(Edition).dump_json(limited).decode()}
        connection.execute(update(stored_editions).values(content))
    assert f"{known.title} · {said}</p>" in signed_in.get("/operator/editions/daily/2026-04-02")


@pytest.mark.parametrize("state", list(DeliveryState))
def test_an_edition_is_shown_whatever_became_of_its_deliveries(signed_in, state):
    with signed_in.app.database.begin() as connection:
        open_until = NOW if state in {DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED} else None
        connection.execute(update(stored).values(state=state, due_at=open_until))
    said = signed_in.get("/operator/editions/daily/2026-04-02")
    assert f"{READERS} {state}" in said
    settled = state in {DeliveryState.FAILED, DeliveryState.AMBIGUOUS}
    assert ("Send the failed and ambiguous ones again" in said) == settled


def test_an_edition_without_recipients_is_shown(signed_in):
    with signed_in.app.database.begin() as connection:
        connection.execute(delete(stored))
    assert "no recipients" in signed_in.get("/operator/editions/daily/2026-04-02")


def test_a_subscriber_is_found_by_a_part_of_the_address(signed_in):
    said = signed_in.get("/operator/subscribers?q=READER1")
    assert set(re.findall(r"reader(\d+)@example.org", said)) == {"1", "10", "11", "12", "13"}
    assert "No address contains this text" in signed_in.get("/operator/subscribers?q=100%25")
    said = signed_in.get("/operator/subscribers/1?digest=daily&slot=2026-04-02")
    assert "failed after 0.120 s: 550" in said
    for missing in ("99", "99999999999999999999"):
        signed_in.get(f"/operator/subscribers/{missing}", status=404)


def test_the_next_edition_and_its_email_are_shown_before_anyone_gets_them(signed_in):
    assert "as it would be published now" in signed_in.get("/operator/next/daily")
    answer = ask(signed_in.web, "/operator/next/daily/email", headers={"cookie": signed_in.cookie})
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script" not in answer.headers["content-security-policy"]
    signed_in.get("/operator/next/none", status=404)


def test_sending_is_paused_and_resumed(signed_in):
    signed_in.get("/operator")
    assert "paused+for+4+hours" in signed_in.post("/operator/pause", hours="4")
    (pause,) = deliveries.pauses(signed_in.app.database, NOW)
    assert (pause.until, pause.reason) == (NOW + timedelta(hours=4), "paused by the operator")
    assert "paused by the operator" in signed_in.get("/operator")
    signed_in.post("/operator/resume")
    assert deliveries.pauses(signed_in.app.database, NOW) == ()


@pytest.mark.parametrize("hours", ["", "0", "25", "-1", "1.5", "¹", "x", "9" * 5000])
def test_a_pause_of_another_length_is_refused(signed_in, hours):
    signed_in.get("/operator")
    signed_in.post("/operator/pause", status=400, hours=hours)


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "²", "x", str(2**31), str(-(2**70)), "9" * 5000])
def test_a_number_that_no_subscriber_can_have_names_none(signed_in, number):
    signed_in.get("/operator")
    signed_in.post("/operator/retry", status=400, digest="daily", slot="2026-04-02", subscriber=number)
    assert "reader1@" in signed_in.get(f"/operator/subscribers?after={quote(number)}")
    answer = ask(signed_in.web, f"/operator/subscribers/{quote(number)}", headers={"cookie": signed_in.cookie})
    assert answer.status in {400, 404}


def test_failed_deliveries_are_sent_again_all_or_one(signed_in):
    signed_in.get("/operator")
    said = signed_in.post("/operator/retry", digest="daily", slot="2026-04-02", subscriber="2")
    assert said.startswith("/operator/subscribers/2?done=1+email")
    assert "1+email" in signed_in.post("/operator/retry", digest="daily", slot="2026-04-02")
    states = {one.subscriber_id: one.state for one in deliveries.list_deliveries(signed_in.app.database)}
    assert [states[1], states[2]] == [DeliveryState.DEFERRED] * 2
    signed_in.post("/operator/retry", status=400, digest="", slot="")


def test_an_address_is_suppressed_and_the_suppression_is_lifted(signed_in):
    signed_in.get("/operator")
    signed_in.post("/operator/suppress", subscriber="5", address="reader4@example.org")
    person = admin.show(signed_in.app.database, "reader4@example.org")
    assert person.state is SubscriberState.SUPPRESSED
    assert "Lift the suppression" in signed_in.get(f"/operator/subscribers/{person.id}")
    signed_in.post("/operator/lift", key="reader4@example.org")
    assert admin.suppression_of(signed_in.app.database, "reader4@example.org") is None
    signed_in.post("/operator/lift", status=404, key="reader4@example.org")
    signed_in.post("/operator/suppress", status=400, address="not an address")


def test_a_form_from_elsewhere_or_of_another_session_does_nothing(signed_in):
    signed_in.get("/operator")
    token = signed_in.token
    signed_in.post("/operator/pause", status=403, hours="1", token="x")
    signed_in.post("/operator/pause", status=403, hours="1", headers={"sec-fetch-site": "cross-site"})
    signed_in.app.wall_clock.sleep(60)
    signed_in.cookie = ""
    signed_in.sign_in()
    signed_in.post("/operator/pause", status=403, hours="1", token=token)
    assert deliveries.pauses(signed_in.app.database, NOW) == ()


def test_a_get_request_does_nothing(signed_in):
    for action in (*ACTIONS, "sign-in"):
        signed_in.get(f"/operator/{action}?hours=1", status=404)
