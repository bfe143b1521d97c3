"""Without a configured or given secret, everything is refused, whatever the header."""

from __future__ import annotations

from base64 import b64encode

import pytest
from fakes import FakeClock
from hooks import body, generic, mailgun, mailgun_event
from pydantic import SecretStr, ValidationError
from websites import THURSDAY, ask, create_app, open_app

SET = "5f8d0c1be7a94c0f-of-the-tests"
HEADERS = [
    None, "", " ", "Bearer", "Bearer ", "Bearer  ", "bearer ", "Basic", "Basic ", "Basic Og==", "Basic =",
    f"Basic {b64encode(b'me:').decode()}", "Digest x", "Token ", ":", "Bearer None", "Bearer null", "Bearer x",
    f"Token {SET}", f"Bearer {SET[:-1]}", f"Bearer {SET}x", SET,
]  # fmt: skip
PATHS = [
    ("GET", "/api/v1/statistics"),
    ("GET", "/api/v1/subscribers"),
    ("GET", "/api/v1/suppressions"),
    ("GET", "/metrics"),
    ("POST", "/api/v1/events/generic"),
    ("POST", "/api/v1/events/ses"),
    ("POST", "/api/v1/events/mailgun"),
]


@pytest.fixture(params=["absent", "empty", "forced empty", "set"])
def site(request, database, database_url):
    """Yield the pages; `forced empty` is what no configuration can bring about."""
    secret = {"absent": None, "set": SET}.get(request.param, "")
    with open_app(database_url, admin_token=secret, webhook_secret=secret, metrics_token=secret) as app:
        app.wall_clock = FakeClock(THURSDAY)
        if request.param == "forced empty":
            hollow = dict.fromkeys(("admin_token", "webhook_secret", "metrics_token"), SecretStr(""))
            app.config = app.config.model_copy(update={"web": app.config.web.model_copy(update=hollow)})
        yield create_app(app)


@pytest.mark.parametrize("header", HEADERS, ids=repr)
def test_nothing_is_open_without_the_secret(site, header):
    headers = {} if header is None else {"authorization": header}
    for method, path in PATHS:
        answer = ask(site, path, method=method, headers=headers, raw=body([generic(permanent=True)]))
        assert answer.status == 401, (method, path)


def test_a_signature_with_an_empty_key_proves_nothing(site):
    signed = mailgun(mailgun_event(), THURSDAY, key="")
    assert ask(site, "/api/v1/events/mailgun", method="POST", headers={}, raw=signed).status == 401


@pytest.mark.parametrize("name", ["admin_token", "metrics_token", "webhook_secret"])
def test_a_short_secret_is_no_configuration(database_url, name):
    with pytest.raises(ValidationError, match="16 to 200"):
        open_app(database_url, **{name: "short"})
