"""From the mailto: of a mail that was sent, through every kind of mailbox, to a goodbye."""

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
from contextlib import contextmanager
from email import message_from_bytes, policy

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeSource, reading, sighting
from imapserver import ImapServer
from leaving import apple, request, target_of
from loopback import listening

from digestmail.cli.options import open_app
from digestmail.collect.collector import collect
from digestmail.editions.publish import publish

READER = "reader@example.net"
CONFIG = """
{top}
[mail]
sender = "Trending papers <digest@example.org>"
transport = "maildir"
{mail}
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["hf"]
"""
BOUNCE = 'bounce_address = "bounce@bounce.example.org"'
PAGES = 'base_url = "https://digest.example.org"'


def configure(directory, *, top: str = "", mail: str = BOUNCE) -> None:
    (directory / "config.toml").write_text(CONFIG.format(top=top, mail=mail), "utf-8")


def sent(directory):
    """Publish an edition and deliver it; return the mail that arrived."""
    digestmail(directory, "subscribers", "add", READER, "--digest", "daily")
    with open_app(directory / "config.toml") as app:
        collect(app.database, [FakeSource("hf", reading(sighting(1)))], THURSDAY)
        publish(app.database, app.digests, app.mail.render, THURSDAY, queued_at=app.wall_clock.now())
        assert app.deliver().sent == 1
    (mail,) = mails(directory)
    return mail


def mails(directory):
    box = mailbox.Maildir(directory / "mail", factory=None)
    found = [message_from_bytes(box.get_bytes(name), policy=policy.default) for name in box.keys()]  # noqa: SIM118 - a mailbox iterates over messages, not keys
    return sorted(found, key=lambda mail: "goodbye" in str(mail["Subject"]) or "unsubscribed" in str(mail["Subject"]))


def left(directory) -> bool:
    return json.loads(digestmail(directory, "subscribers", "show", READER, "--json"))["state"] == "unsubscribed"


def goodbyes(directory) -> list[str]:
    return [mail["To"] for mail in mails(directory) if "unsubscribed" in mail["Subject"]]


@pytest.mark.parametrize("top", ["", PAGES], ids=["no pages", "pages"])
@pytest.mark.parametrize("shape", [lambda raw: raw, apple], ids=["plain", "apple"])
def test_by_a_maildir(tmp_path, top, shape):
    configure(tmp_path, top=top)
    to, subject = target_of(sent(tmp_path))
    box = mailbox.Maildir(tmp_path / "bounces")
    for name in ("1", "1", "2"):
        box.add(shape(request(to, subject, sender="another@example.com", name=name)))

    assert digestmail(tmp_path, "bounces") == "bounces  3 read, 1 unsubscribed, 2 seen before\n"
    assert left(tmp_path)
    assert goodbyes(tmp_path) == [READER], "to the subscriber, not to who wrote"
    text = mails(tmp_path)[-1].get_body(("plain",)).get_content()
    assert ("/undo/" in text, "reply to this email" in text) == (bool(top), not top)


def test_by_an_mbox_that_is_read_again_and_again(tmp_path):
    configure(tmp_path, mail=f'{BOUNCE}\n[bounces]\nkind = "mbox"\npath = "spool"')
    to, subject = target_of(sent(tmp_path))
    (tmp_path / "spool").write_bytes(b"From x Thu Apr  2 08:00:00 2026\n" + request(to, subject))

    assert "1 unsubscribed" in digestmail(tmp_path, "bounces")
    assert "1 seen before" in digestmail(tmp_path, "bounces")
    digestmail(tmp_path, "subscribers", "add", READER, "--digest", "daily")
    assert "1 seen before" in digestmail(tmp_path, "bounces")
    assert not left(tmp_path)


def test_by_imap_and_the_mailbox_replies_go_to(tmp_path):
    """Without an address for bounces the mailto: is that of the sender, with the token in the subject."""
    server = ImapServer()
    with listening(server.talk) as listener:
        table = f'[bounces]\nkind = "imap"\nhost = "127.0.0.1"\nport = {listener.port}\nsecurity = "none"'
        configure(tmp_path, mail=f'{table}\nusername = "reader"\npassword = "secret"')
        to, subject = target_of(sent(tmp_path))
        assert to == "digest@example.org"
        server.mails[11] = request(to, subject)
        assert "1 unsubscribed" in digestmail(tmp_path, "bounces")
    assert server.seen == {11}
    assert left(tmp_path)
    assert goodbyes(tmp_path) == [READER]


@contextmanager
def bounces_listening(directory, protocol: str):
    """Run `digestmail bounces` as a listener; yield its port and its final output."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    table = f'[bounces]\nkind = "listen"\nhost = "127.0.0.1"\nport = {port}\nprotocol = "{protocol}"'
    configure(directory, mail=f"{BOUNCE}\n{table}")
    command = [sys.executable, "-m", "digestmail", "bounces", "--json", "--config", str(directory / "config.toml")]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
        try:
            wait_until(lambda: answers(port))
            yield port, said
            process.send_signal(signal.SIGTERM)
            said.append(process.communicate(timeout=60)[0].decode())
        finally:
            process.kill()


def answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def wait_until(happened) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("protocol", "client"), [("lmtp", smtplib.LMTP), ("smtp", smtplib.SMTP)])
def test_by_the_listener_in_whatever_case(tmp_path, protocol, client):
    configure(tmp_path)
    to, subject = target_of(sent(tmp_path))
    with bounces_listening(tmp_path, protocol) as (port, said):
        with client("127.0.0.1", port) as connection:
            connection.sendmail("a@example.net", [to.upper()], request("elsewhere@example.org", "x"))
            connection.sendmail("a@example.net", [to], request(to, subject, name="2"))
        wait_until(lambda: goodbyes(tmp_path))
    assert (json.loads(said[0])["unsubscribed"], json.loads(said[0])["repeated"]) == (1, 1)
    assert left(tmp_path)
    assert goodbyes(tmp_path) == [READER]


@pytest.mark.parametrize(
    ("top", "mail", "noted"),
    [("", "", True), (PAGES, "", False), ("", BOUNCE, False), ("", '[bounces]\npath = "inbox"', False)],
)
def test_check_says_when_nobody_can_leave_on_their_own(tmp_path, top, mail, noted):
    (tmp_path / "inbox" / "new").mkdir(parents=True)
    configure(tmp_path, top=top, mail=mail)
    digestmail(tmp_path, "subscribers", "add", READER, "--digest", "daily")

    said = digestmail(tmp_path, "check")
    assert ("subscribers cannot unsubscribe by themselves" in said) is noted
    assert "all well" in said


def test_the_operator_moves_a_subscription_to_another_address(tmp_path):
    configure(tmp_path)
    to, subject = target_of(sent(tmp_path))
    digestmail(tmp_path, "subscribers", "add", "taken@example.net", "--digest", "daily")

    assert "new@example.net" in digestmail(tmp_path, "subscribers", "change-address", READER, "new@EXAMPLE.net")
    assert "not a subscriber" in digestmail(tmp_path, "subscribers", "show", READER, status=1)
    taken = digestmail(tmp_path, "subscribers", "change-address", "new@example.net", "taken@example.net", status=1)
    assert "already has a subscription" in taken
    assert "not a subscriber" in digestmail(
        tmp_path, "subscribers", "change-address", READER, "x@example.net", status=1
    )
    mailbox.Maildir(tmp_path / "bounces").add(request(to, subject))
    assert "1 unsubscribed" in digestmail(tmp_path, "bounces"), "the links of older mails stay good"
    assert goodbyes(tmp_path) == ["new@example.net"]
