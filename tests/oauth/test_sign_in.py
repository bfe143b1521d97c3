"""Signing in with a code (RFC 8628) and in a browser, against a token endpoint on loopback."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from fakes import FakeClock
from tokenserver import TokenServer, application, endpoint, issued

from digestmail.oauth.answers import OAuthError
from digestmail.oauth.sign_in import code_in, in_browser, next_interval, parse_device_code, redeem, with_code

CODE = {
    "device_code": "device-secret",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://login.example.org/device",
    "expires_in": 900,
    "interval": 5,
}


def pending(error: str = "authorization_pending") -> tuple[int, dict[str, str]]:
    return 400, {"error": error}


def sign_in(server: TokenServer, clock: FakeClock):
    app = application(server.url, device_url=f"http://127.0.0.1:{server.port}/device", client_secret=None)
    shown: list[str] = []
    return with_code(app, endpoint(clock), clock, lambda code: shown.append(f"{code.address} {code.user_code}")), shown


def test_a_code_is_shown_and_tokens_are_requested_until_someone_entered_it():
    clock = FakeClock()
    began = clock.time
    answers = [(200, CODE), pending(), pending("slow_down"), pending(), issued(1, refresh="refresh-1")]
    with TokenServer(*answers).running() as server:
        grant, shown = sign_in(server, clock)
    assert shown == ["https://login.example.org/device ABCD-EFGH"]
    assert (grant.access_token, grant.refresh_token) == ("access-1", "refresh-1")
    assert (clock.time - began).total_seconds() == 5 + 5 + 10 + 10
    assert server.forms[0] == {"client_id": "me", "scope": "mail offline_access"}
    assert server.forms[1] == {
        "client_id": "me",
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "device-secret",
    }


def test_requests_get_rarer_while_the_server_is_in_trouble():
    clock = FakeClock()
    began = clock.time
    with TokenServer((200, CODE), (503, b""), (502, b"x"), issued(1, refresh="r")).running() as server:
        sign_in(server, clock)
    assert (clock.time - began).total_seconds() == 5 + 10 + 20


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        ("access_denied", "access_denied", "declined"),
        ("authorization_declined", "access_denied", "declined"),
        ("expired_token", "expired_token", "expired"),
        ("invalid_client", "invalid_client", "client_secret"),
    ],
)
def test_a_refusal_ends_the_sign_in(error, code, text):
    with (
        TokenServer((200, CODE), pending(error)).running() as server,
        pytest.raises(OAuthError, match=text) as caught,
    ):
        sign_in(server, FakeClock())
    assert caught.value.error == code
    assert len(server.forms) == 2


def test_no_request_is_made_after_the_code_has_expired():
    clock = FakeClock()
    with (
        TokenServer((200, CODE | {"expires_in": 22}), *[pending()] * 4).running() as server,
        pytest.raises(OAuthError, match="expired before someone entered it"),
    ):
        sign_in(server, clock)
    assert len(server.forms) == 1 + 4


def test_tokens_that_cannot_be_renewed_are_refused():
    with (
        TokenServer((200, CODE), issued(1)).running() as server,
        pytest.raises(OAuthError, match=r"no refresh token .*offline_access"),
    ):
        sign_in(server, FakeClock())
    assert len(server.forms) == 2, "asking again would not help"


def test_a_code_without_an_interval_is_asked_for_every_five_seconds():
    found = parse_device_code(
        b'{"device_code": "d", "user_code": "u\\u001b[2J", "verification_url": "https://a", "expires_in": "x"}', "here"
    )
    assert (found.interval, found.lifetime, found.address) == (5.0, 1800.0, "https://a")
    assert found.user_code.isprintable()
    assert "device_code" not in repr(found)


@pytest.mark.parametrize("body", [b"{}", b'{"device_code": "d"}', b'{"device_code": 1, "user_code": "u"}'])
def test_a_response_without_a_code_is_an_error(body):
    with pytest.raises(OAuthError, match="without a code"):
        parse_device_code(body, "here")


def test_the_interval_is_bounded():
    assert next_interval(OAuthError("x"), 50.0) == 60.0
    assert next_interval(OAuthError("x", error="slow_down"), 5.0) == 10.0


# -- in a browser ------------------------------------------------------------------------------------------------------


def test_the_code_that_a_browser_was_sent_is_redeemed_with_its_proof():
    with TokenServer(issued(1, refresh="refresh-1")).running() as server:
        app = application(server.url, authorization_url="https://login.example.org/auth?x=1")
        # The verifier and challenge of RFC 7636 appendix B.
        begun = in_browser(app, "the-state", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        query = parse_qs(urlsplit(begun.address).query)
        pasted = "http://127.0.0.1:8023/?state=the-state&code=the%2Fcode\n"
        grant = redeem(app, endpoint(FakeClock()), begun, pasted)
    assert query["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    assert (query["x"], query["state"], query["access_type"]) == (["1"], ["the-state"], ["offline"])
    assert grant.refresh_token == "refresh-1"
    assert server.forms[0]["code"] == "the/code"
    assert server.forms[0]["code_verifier"] == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("", "contains no code"),
        ("hello", "contains no code"),
        ("http://[", "contains no code"),
        ("http://127.0.0.1/?code=a", "another sign-in"),
        ("http://127.0.0.1/?code=a&state=other", "another sign-in"),
        ("http://127.0.0.1/?error=access_denied&state=s", "access_denied"),
    ],
)
def test_an_address_without_the_right_code_is_an_error(pasted, text):
    with pytest.raises(OAuthError, match=text):
        code_in(pasted, "s")
