"""Whoever gets a copy of the database, or reads the log, learns no secret of the configuration."""

from __future__ import annotations

import logging
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from websites import ask
from werkzeug import Request, Response

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.config.load import load
from digestmail.errors import DigestmailError
from digestmail.web.app import create_app

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import Account, scripted

SECRETS = {
    name: f"made-up-{name}-value"
    for name in (
        "smtp-password",
        "feed-password",
        "feed-header",
        "zotero-key",
        "imap-password",
        "admin-token",
        "webhook-secret",
    )
}
CONFIG = """
database = "sqlite:///digestmail.db"
[mail]
sender = "digest@example.org"
bounce_address = "bounce@example.org"
[mail.smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
username = "digest"
password = "{smtp-password}"
[mail.dkim]
ed25519_selector = "digest"
ed25519_key_file = "key.pem"
[bounces]
kind = "imap"
host = "127.0.0.1"
port = 1
security = "none"
username = "bounce"
password = "{imap-password}"
[web]
admin_token = "{admin-token}"
webhook_secret = "{webhook-secret}"
[network]
allow_private_hosts = ["{host}"]
[[sources]]
name = "open"
kind = "feed"
url = "http://{host}/open"
username = "reader"
password = "{feed-password}"
[[sources]]
name = "closed"
kind = "feed"
url = "http://{host}/closed"
headers = {{ "X-Key" = "{feed-header}" }}
[[sources]]
name = "library"
kind = "zotero"
library = "groups/7"
base_url = "http://{host}"
api_key = "{zotero-key}"
[[digests]]
name = "daily"
title = "Papers"
schedule = "* * * * *"
sources = ["open"]
"""
FEED = "<rss version='2.0'><channel><item><title>A paper</title><link>https://a.example.org/1</link></item></channel></rss>"


def answer(request: Request) -> Response:
    """Return the feed to who logged in; refuse the others, and quote what they sent."""
    if request.path == "/open" and request.authorization:
        return Response(FEED, mimetype="application/rss+xml")
    return Response(f"no entry with {request.headers}", status=403, mimetype="text/plain")


def spellings(secret: str) -> list[str]:
    """Return a secret as it is, and as it is sent."""
    logins = [f"{user}:{secret}" for user in ("reader", "digest", "bounce")] + [f"\0digest\0{secret}"]
    return [secret, *(b64encode(text.encode()).decode() for text in (secret, *logins))]


def test_no_secret_of_the_configuration_is_stored_or_logged(tmp_path, httpserver: HTTPServer, caplog, capfd):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    httpserver.expect_request("/open").respond_with_handler(answer)
    httpserver.expect_request("/closed").respond_with_handler(answer)
    httpserver.expect_request("/groups/7/items/top").respond_with_handler(answer)
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(key)
    caplog.set_level(logging.DEBUG, "digestmail")
    bearer = {"authorization": f"Bearer {SECRETS['admin-token']}"}
    with scripted(extensions=["AUTH PLAIN"], account=Account("digest", "another")) as server:
        host = f"{httpserver.host}:{httpserver.port}"
        (tmp_path / "config.toml").write_text(CONFIG.format_map(SECRETS | {"smtp": server.port, "host": host}), "utf-8")
        with App(load(tmp_path / "config.toml", None), tmp_path, SystemClock()) as app:
            web = create_app(app)
            body = {"address": "reader@example.net", "digest": "daily", "topics": []}
            written = ask(
                web,
                "/api/v1/subscribers",
                method="POST",
                headers=bearer | {"idempotency-key": "first-write-1"},
                json_body=body,
            )
            assert written.status == 200
            report = app.run()
            with pytest.raises(DigestmailError) as refused:
                app.read_bounces()
            health = {row.source: row.failed for row in report.collect.sources}
            assert report.deliver is not None
    assert health == {"open": False, "closed": True, "library": True}
    assert "bad credentials" in report.deliver.stopped
    assert any(command.startswith("AUTH PLAIN") for command in server.commands)
    stored = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("digestmail.*")))
    assert b"reader@example.net" in stored
    shown = f"{caplog.text}{report}{refused.value}{''.join(capfd.readouterr())}"
    private = key.decode().splitlines()[1]
    for secret in (*(one for value in SECRETS.values() for one in spellings(value)), private):
        assert secret.encode() not in stored, secret
        assert secret not in shown, secret
