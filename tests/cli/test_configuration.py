"""`digestmail config`: path, show and edit."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from clirun import digestmail

from digestmail.config.load import load
from digestmail.config.settings import Config

ROOT = Path(__file__).resolve().parents[2]
SECRETS = [f"made-up-secret-number-{number:02}" for number in range(12)]
CONFIG = f"""
database = "postgresql://digest:{SECRETS[0]}@db.example.org/digestmail"
[mail]
sender = "digest@example.org"
[mail.smtp]
host = "smtp.example.org"
security = "starttls"
username = "digest"
password = "{SECRETS[1]}"
[[mail.domains]]
name = "example.net"
connections = 2
[bounces]
kind = "imap"
host = "imap.example.org"
username = "bounce"
password_file = "imap-password"
[network]
proxy = "http://proxy.example.org:3128"
proxy_username = "someone"
proxy_password = "{SECRETS[2]}"
[embeddings]
url = "https://embeddings.example.org/v1"
model = "made-up"
api_key = "{SECRETS[3]}"
[profile]
zotero = "users/123"
zotero_key = "{SECRETS[4]}"
[web]
admin_token = "{SECRETS[5]}"
webhook_secret = "{SECRETS[6]}"
[[sources]]
name = "blog"
kind = "feed"
url = "https://feeds.example.org/feed.xml?token={SECRETS[7]}"
headers = {{ X-Api-Key = "{SECRETS[8]}" }}
username = "me"
password = "{SECRETS[9]}"
[sources.block]
patterns = ["(?i)call\\\\.for"]
[[topics]]
name = "Größe \\u0022and\\u0022 weight"
keywords = ["größe"]
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["blog"]
topics = ["Größe \\u0022and\\u0022 weight"]
[digests.theme]
card = "#fffffe"
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    for name in ("DIGESTMAIL_CONFIG", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "imap-password").write_text(SECRETS[10])
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    return tmp_path


def test_the_path_is_that_of_the_file_that_is_used(site, monkeypatch):
    assert digestmail(site, "config", "path") == f"{site / 'config.toml'}\n"
    monkeypatch.setenv("DIGESTMAIL_CONFIG", str(site / "none.toml"))
    assert f"there is no configuration file {site / 'none.toml'}" in digestmail(site, "config", "path", status=2)


def test_what_is_shown_is_in_effect_names_its_origin_and_holds_no_secret(site, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_MAIL__SMTP__HOST", "other.example.org")
    monkeypatch.setenv("DIGESTMAIL_WEB__WEBHOOK_SECRET", SECRETS[11])
    shown = digestmail(site, "config", "show")
    assert not [secret for secret in SECRETS if secret in shown]
    lines = shown.splitlines()
    assert lines[0] == f"# {site / 'config.toml'}"
    assert 'host = "other.example.org"  # DIGESTMAIL_MAIL__SMTP__HOST' in lines
    assert 'security = "starttls"  # file' in lines
    assert "connections = 16  # default" in lines
    assert "connections = 2  # file" in lines
    assert "#password = (not shown)  # password_file" in lines
    assert "#webhook_secret = (not shown)  # DIGESTMAIL_WEB__WEBHOOK_SECRET" in lines
    assert "#templates_dir =  # not set" in lines
    assert 'database = "postgresql://***@db.example.org/digestmail"  # file' in lines


def test_what_is_shown_can_be_used_as_a_configuration(site):
    shown = digestmail(site, "config", "show")
    found = tomllib.loads(shown)
    assert found["topics"][0]["name"] == 'Größe "and" weight'
    assert found["digests"][0]["theme"]["card"] == "#fffffe"
    copied = re.sub(r"(?m)^#(\w*(?:password|key|token|secret)) = .*$", rf'\1 = "{SECRETS[0]}"', shown)
    (site / "copy.toml").write_text(copied, "utf-8")
    before, after = (load(site / name).model_dump() for name in ("config.toml", "copy.toml"))
    assert after["digests"] == before["digests"]
    assert after["topics"] == before["topics"]
    assert after["mail"]["domains"] == before["mail"]["domains"]


def test_every_key_of_the_example_can_be_shown(site):
    text = (ROOT / "config.example.toml").read_text("utf-8")
    (site / "config.toml").write_text(text, "utf-8")
    shown = tomllib.loads(digestmail(site, "config", "show"))
    optional = {"alerts", "embeddings", "enrichment", "profile", "summaries"}
    assert set(shown) >= set(Config.model_fields) - optional - {"templates_dir", "data_dir"}


def test_a_configuration_that_is_not_valid_is_not_shown(site):
    (site / "config.toml").write_text("x = 1", "utf-8")
    assert "x: unknown key" in digestmail(site, "config", "show", status=2)
