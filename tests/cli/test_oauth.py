"""`digestmail oauth login`: with a code, in a browser, and what cannot be signed in to."""

from __future__ import annotations

import io
import re
import sys

import pytest
from clirun import digestmail
from sqlalchemy import select
from tokenserver import TokenServer, issued

from digestmail.cli import oauth
from digestmail.clock import SystemClock
from digestmail.storage import schema
from digestmail.storage.database import Database

CODE = {
    "device_code": "device-secret", "user_code": "ABCD-EFGH", "verification_uri": "https://login.example.org/device",
    "expires_in": 900, "interval": 0.001,
}  # fmt: skip
CONFIG = """
database = "sqlite:///test.db"
[mail]
sender = "digest@example.org"
[mail.smtp]
username = "digest@example.org"
[mail.smtp.oauth]
client_id = "client"
scope = "mail offline_access"
token_url = "{url}"
{more}
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["hf"]
"""


@pytest.fixture
def site(tmp_path):
    def site(url: str, more: str = ""):
        (tmp_path / "config.toml").write_text(CONFIG.format(url=url, more=more))
        return tmp_path

    return site


def stored(site) -> list[tuple[str, str, str]]:
    database = Database.open("sqlite:///test.db", base=site)
    try:
        with database.connect() as connection:
            table = schema.oauth_tokens.c
            rows = connection.execute(select(table.server, table.access_token, table.refresh_token)).all()
            return [tuple(row) for row in rows]
    finally:
        database.close()


def test_a_code_signs_in_and_the_refresh_token_is_stored(site, monkeypatch):
    monkeypatch.setattr(SystemClock, "sleep", lambda *_: None)
    answers = [(200, CODE), (400, {"error": "authorization_pending"}), issued(1, refresh="refresh-1")]
    with TokenServer(*answers).running() as server:
        place = site(server.url, f'device_url = "{server.url}/device"')
        before = digestmail(place, "check", status=1)
        assert "mail.smtp.oauth: no one has signed in: run `digestmail oauth login --server smtp`" in before
        said = digestmail(place, "oauth", "login")
        assert "no one has signed in" not in digestmail(place, "check", status=1)
    assert "Open https://login.example.org/device in a browser, enter the code ABCD-EFGH" in said
    assert "signed in" in said
    assert stored(place) == [("mail.smtp", "access-1", "refresh-1")]
    assert not re.search("access-1|refresh-1|device-secret", said)


def test_a_pasted_address_signs_in(site, monkeypatch):
    monkeypatch.setattr("digestmail.text.credentials.new_secret", lambda: "state-and-verifier")
    monkeypatch.setattr(sys, "stdin", io.StringIO("http://127.0.0.1:8023/?code=c&state=state-and-verifier\n"))
    with TokenServer(issued(1, refresh="refresh-1")).running() as server:
        place = site(server.url, 'authorization_url = "https://login.example.org/auth"')
        said = digestmail(place, "oauth", "login")
    assert "https://login.example.org/auth?client_id=client" in said
    assert stored(place) == [("mail.smtp", "access-1", "refresh-1")]


def test_a_declined_sign_in_stores_nothing(site, monkeypatch):
    monkeypatch.setattr(SystemClock, "sleep", lambda *_: None)
    with TokenServer((200, CODE), (400, {"error": "access_denied"})).running() as server:
        place = site(server.url, f'device_url = "{server.url}/device"')
        assert "declined" in digestmail(place, "oauth", "login", status=1)
    assert stored(place) == []


@pytest.mark.parametrize(
    ("more", "server", "problem"),
    [
        ("", "smtp", "mail.smtp.oauth.device_url: to sign in, set device_url or authorization_url"),
        ('grant = "client_credentials"\nclient_secret = "long-secret"', "smtp", "no one has to sign in"),
        ("", "bounces", "bounces.oauth: no token endpoint is configured"),
        ("", "fallback", "mail.fallback.oauth: no token endpoint is configured"),
    ],
)
def test_what_cannot_be_signed_in_to_is_a_configuration_error(site, more, server, problem):
    place = site("http://127.0.0.1:1/token", more)
    assert problem in digestmail(place, "oauth", "login", "--server", server, status=2)


def test_the_servers_of_the_command_are_the_tables_that_have_a_login():
    assert set(oauth._TABLES.values()) == {"mail.smtp", "mail.fallback", "bounces"}
