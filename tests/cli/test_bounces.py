"""`digestmail bounces` and `suppressions`, from the configuration to the output."""

from __future__ import annotations

import json
import mailbox
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time

import pytest
from bounce_messages import READER, arf, block, dsn, original, return_path
from clirun import digestmail

from digestmail.cli.options import open_app

CONFIG = """
[mail]
sender = "digest@example.org"
bounce_address = "bounce@bounce.example.org"
transport = "maildir"
{more}
[[sources]]
name = "huggingface"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG.format(more=""), "utf-8")
    digestmail(tmp_path, "subscribers", "add", READER, "--digest", "daily")
    return tmp_path


@pytest.fixture
def tokens(site):
    with open_app(site / "config.toml") as app:
        return app.tokens


def test_a_maildir_of_bounces(site, tokens):
    box = mailbox.Maildir(site / "bounces")
    box.add(dsn(block(said="550 5.1.1 no such user"), to=return_path(tokens=tokens)))
    box.add(dsn(block("delayed", "4.4.1"), to=return_path(tokens=tokens)))
    box.add(b"Subject: hello\n\n")

    assert digestmail(site, "bounces") == "bounces  3 read, 1 hard, 1 suppressed, 1 delayed, 1 no reports\n"
    assert digestmail(site, "bounces", "--quiet") == ""
    assert json.loads(digestmail(site, "bounces", "--json"))["read"] == 0
    assert "suppressed" in digestmail(site, "subscribers", "show", READER)
    assert f"{READER}  bounced" in digestmail(site, "suppressions", "list")


def test_an_mbox_is_named_in_the_configuration(site, tokens):
    more = '[bounces]\nkind = "mbox"\npath = "spool"'
    (site / "config.toml").write_text(CONFIG.format(more=more), "utf-8")
    (site / "spool").write_bytes(b"From x Thu Apr  2 08:00:00 2026\n" + arf(returned=original(tokens=tokens)))

    assert "1 complaints, 1 suppressed" in digestmail(site, "bounces")
    assert "1 seen before" in digestmail(site, "bounces")
    (row,) = json.loads(digestmail(site, "suppressions", "list", "--json"))
    assert (row["key"], row["reason"], row["detail"]) == (READER, "complained", "abuse")


def test_a_mailbox_that_is_not_there_fails(site):
    assert "is not a Maildir" in digestmail(site, "bounces", status=1)


def test_the_operator_suppresses_and_lifts(site):
    assert "is suppressed" in digestmail(site, "suppressions", "add", "Other@example.net", "--reason=asked by letter")
    assert "other@example.net  operator" in digestmail(site, "suppressions", "list")
    assert "suppressed" in digestmail(site, "subscribers", "add", "other@example.net", "--digest", "daily", status=1)
    assert "no longer" in digestmail(site, "suppressions", "remove", "other@example.net")
    assert "not suppressed" in digestmail(site, "suppressions", "remove", "other@example.net", status=1)
    digestmail(site, "subscribers", "add", "other@example.net", "--digest", "daily")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[bounces]\nkind = "imap"', "bounces.username"),
        ('[bounces]\nkind = "pop"', "bounces.kind"),
        ("[bounces]\nthreshhold = 2", "did you mean 'threshold'"),
        ("[bounces]\nhalf_life_days = 0", "bounces.half_life_days"),
        ('[bounces]\npassword_file = "nowhere"', "bounces.password_file"),
    ],
)
def test_a_wrong_table_is_told(site, more, says):
    (site / "config.toml").write_text(CONFIG.format(more=more), "utf-8")

    assert says in digestmail(site, "bounces", status=2)


def test_what_is_wrong_with_secrets_and_keys_is_told_at_once(site):
    more = """[mail.smtp]
password_file = "nowhere"
[mail.dkim]
rsa_key_file = "nowhere"
[bounces]
kind = "imap"
password_file = "nowhere"
"""
    (site / "config.toml").write_text(CONFIG.format(more=more), "utf-8")

    said = digestmail(site, "bounces", status=2).splitlines()
    assert [line.split(":")[1].strip() for line in said] == [
        "mail.dkim.rsa_key_file", "mail.smtp.password_file", "bounces.password_file", "bounces.username",
    ]  # fmt: skip


@pytest.mark.parametrize("address", ["a+b@example.org", "Bounces <b@example.org>", "b", f"{'x' * 24}@example.org"])
def test_a_return_path_a_token_does_not_fit_into_is_told(site, address):
    text = CONFIG.format(more="").replace("bounce@bounce.example.org", address)
    (site / "config.toml").write_text(text, "utf-8")

    assert "mail.bounce_address" in digestmail(site, "bounces", status=2)


def test_the_listener_takes_bounces_until_it_is_told_to_stop(site, tokens):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    more = f'[bounces]\nkind = "listen"\nhost = "127.0.0.1"\nport = {port}'
    (site / "config.toml").write_text(CONFIG.format(more=more), "utf-8")
    command = [sys.executable, "-m", "digestmail", "bounces", "--json", "--config", str(site / "config.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
        try:
            wait_for(port)
            with smtplib.LMTP("127.0.0.1", port) as client:
                client.sendmail("", [return_path(tokens=tokens)], dsn())
                client.sendmail("", ["bounce@bounce.example.org"], arf("not-spam", returned=original(tokens=tokens)))
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    client.sendmail("", ["bounce+" + "a" * 32 + "@bounce.example.org"], dsn())
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    report = json.loads(said)
    assert (report["read"], report["hard"], report["suppressed"], report["not_spam"]) == (2, 1, 1, 1)
    assert process.returncode == 0


def wait_for(port: int) -> None:
    """Connect as soon as the server accepts connections."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise TimeoutError("nobody listens")
