"""What token endpoints answer, and what you are advised to do."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from digestmail.oauth.answers import OAuthError, failure, parse_grant


def body(**values) -> bytes:
    return json.dumps({"access_token": "access", "token_type": "Bearer"} | values).encode()


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3599, 3599),
        ("3599", 3599),
        (3599.5, 3599.5),
        (10**400, 600),
        (1e300, 86400),
        (0, 600),
        (-5, 600),
        ("soon", 600),
        (None, 600),
        ([], 600),
        ("nan", 600),
        ("inf", 86400),
    ],
)
def test_a_lifetime_is_read_in_every_form_and_is_never_longer_than_a_day(expires_in, seconds):
    assert parse_grant(body(expires_in=expires_in), "here").lifetime == timedelta(seconds=seconds)


def test_a_missing_lifetime_is_short():
    assert parse_grant(body(), "here").lifetime == timedelta(minutes=10)


def test_a_refresh_token_is_optional_and_an_empty_one_is_none():
    assert parse_grant(body(refresh_token="r"), "here").refresh_token == "r"
    assert parse_grant(body(refresh_token=""), "here").refresh_token is None
    assert parse_grant(body(), "here").refresh_token is None


@pytest.mark.parametrize("token", [None, "", 5, "with a blank", "with\r\nline", "ümlaut", "x" * 20_000, ["a"]])
def test_what_cannot_be_sent_as_a_token_is_an_error_that_does_not_show_it(token):
    with pytest.raises(OAuthError, match="here answered without an access token") as caught:
        parse_grant(body(access_token=token), "here")
    assert caught.value.error == "invalid_response"


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_response_that_is_no_json_object_is_an_error(content):
    with pytest.raises(OAuthError, match="other than a JSON object"):
        parse_grant(content, "here")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("invalid_grant", "sign in again with `digestmail oauth login`"),
        ("invalid_client", "client_secret"),
        ("unauthorized_client", "grant"),
        ("invalid_scope", "scope"),
        ("unsupported_grant_type", "token_command"),
    ],
)
def test_a_refusal_names_its_remedy(error, advice):
    said = failure(
        400, json.dumps({"error": error, "error_description": "why\r\nnot"}).encode(), "here", "digestmail oauth login"
    )
    assert said.error == error
    assert f"here refused to issue a token (400 {error}: why not)" in str(said)
    assert advice in str(said)


@pytest.mark.parametrize("content", [b"", b"busy", b'{"error": 5}', b'{"error_description": 5}', b"{}"])
def test_a_failure_without_a_code_has_none(content):
    said = failure(503, content, "here", "login")
    assert (said.error, str(said)) == ("", "here refused to issue a token (503)")
