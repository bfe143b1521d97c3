"""`digestmail init`: by options, and by questions on a terminal."""

from __future__ import annotations

import base64
import socket
import stat
import sys
import threading
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from clirun import digestmail
from loopback import listening
from terminal import on_terminal

from digestmail.config.load import load

SENDER = "digest@example.org"


class MailServer:
    """A mail server with a login, on one connection after the other."""

    def __init__(self) -> None:
        self.login = base64.b64encode(b"\0digest\0right")
        self.messages: list[bytes] = []

    def talk(self, connection: socket.socket, over: threading.Event) -> None:
        del over
        connection.settimeout(60)
        connection.sendall(b"220 mx.example.org ESMTP\r\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                verb, *rest = line.split()
                if verb.upper() == b"EHLO":
                    connection.sendall(b"250-mx.example.org\r\n250 AUTH PLAIN\r\n")
                elif verb.upper() == b"AUTH":
                    good = rest[-1] == self.login
                    connection.sendall(b"235 2.7.0 ok\r\n" if good else b"535 5.7.8 wrong password\r\n")
                elif verb.upper() == b"DATA":
                    connection.sendall(b"354 go on\r\n")
                    self.messages.append(b"".join(iter(lines.readline, b".\r\n")))
                    connection.sendall(b"250 2.0.0 taken\r\n")
                else:
                    connection.sendall(b"250 ok\r\n")


@pytest.fixture
def server():
    found = MailServer()
    with listening(found.talk) as listener:
        yield found, f"127.0.0.1:{listener.port}"


# -- options -----------------------------------------------------------------------------------------------------------


def test_everything_can_be_an_option(tmp_path):
    (tmp_path / "secret").write_text("right")
    digestmail(
        tmp_path, "init", "--sender", SENDER, "--smtp", "smtp.example.org:587", "--username", "digest",
        "--password-file", "secret", "--no-huggingface", "--arxiv", "cs.LG, cs.CL",
        "--feed", "https://blog.example.org/feed.xml", "--topic", "Größe: größe, klein",
    )  # fmt: skip
    config = load(tmp_path / "config.toml")
    assert config.mail.smtp.password is not None
    assert config.mail.smtp.password.get_secret_value() == "right"
    assert [(table.name, table.kind) for table in config.sources] == [
        ("arxiv", "arxiv-feed"), ("blog-example-org", "feed")
    ]  # fmt: skip
    assert [(topic.name, topic.keywords) for topic in config.topics] == [("Größe", ("größe", "klein"))]
    assert config.digests[0].sources == ("arxiv", "blog-example-org")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-huggingface"], "a digest needs at least one source"),
        (["--arxiv", "machine learning"], 'a category is written like "cs.LG"'),
        (["--feed", "ftp://example.org"], "ftp://example.org: not a web address"),
        (["--topic", "Agents"], "'Agents' is not a topic: write its name, a colon, and keywords"),
        (["--topic", ": a"], "is not a topic"),
        (["--username", "digest"], "a login needs both"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(tmp_path, words, said):
    assert said in " ".join(digestmail(tmp_path, "init", "--sender", SENDER, *words, status=2).split())
    assert not list(tmp_path.iterdir())


def test_without_a_terminal_the_sender_has_to_be_given(tmp_path, monkeypatch):
    with Path("/dev/null").open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert "there is no terminal to ask on" in digestmail(tmp_path, "init", status=2)
    assert not list(tmp_path.iterdir())


# -- questions ---------------------------------------------------------------------------------------------------------


def test_questions_are_asked_the_login_is_tested_and_a_test_email_sent(tmp_path, server):
    mail, address = server
    with on_terminal(tmp_path, "init") as screen:
        screen.answer("Sender", "no address")
        screen.expect("not a mail address")
        screen.answer("Sender", f"Papers <{SENDER}>")
        screen.answer(r"SMTP server.*\[localhost:25\]", address)
        screen.answer(r"User name.*\[-\]", "digest")
        # The space behind the question comes when nothing is shown any more.
        screen.answer(r"Password \(not shown\): ", "wrong")
        screen.expect("failed\n.*wrong password")
        screen.answer(r"Change the server or the login\? \[Y/n\]", "y")
        screen.answer(rf"SMTP server.*\[{address}\]")
        screen.answer(r"User name.*\[digest\]")
        screen.answer(r"Password \(not shown\): ", "right")
        screen.expect("logged in")
        screen.answer("Hugging Face", "n")
        screen.answer("arXiv categories", "cs.RO")
        screen.answer("Address of a feed", "https://blog.example.org/feed.xml")
        screen.answer("Address of a feed")
        screen.answer("Topic", "Robots")
        screen.expect("is not a topic")
        screen.answer("Topic", "Robots: robot, gripper")
        screen.answer("Topic")
        screen.expect("wrote config.toml")
        screen.answer(rf"Send a test email to.*\[{SENDER}\]", "me@example.org")
        screen.expect("Sent to me@example.org: 250 2.0.0 taken")
        assert screen.end() == 0, screen.screen
    assert "right" not in screen.screen.replace("copyright", ""), "a password is not shown"
    config = load(tmp_path / "config.toml")
    assert config.mail.smtp.username == "digest"
    assert stat.S_IMODE((tmp_path / "smtp-password").stat().st_mode) == 0o600
    assert [table.name for table in config.sources] == ["arxiv", "blog-example-org"]
    assert config.topics[0].keywords == ("robot", "gripper")
    (message,) = mail.messages
    assert message_from_bytes(message, policy=policy.default)["To"] == "me@example.org"


def test_empty_answers_make_a_working_configuration(tmp_path):
    with on_terminal(tmp_path, "init", "--maildir", "mail", "--config", "my.toml") as screen:
        screen.answer("Sender", SENDER)
        screen.answer("Hugging Face")
        screen.answer(r"arXiv categories.*\[cs.LG, cs.CL, cs.AI\]", "-")
        screen.answer("Address of a feed")
        screen.answer("Topic")
        screen.expect("wrote my.toml")
        screen.expect("digestmail check --config my.toml")
        assert screen.end() == 0, screen.screen
    assert [table.name for table in load(tmp_path / "my.toml").sources] == ["huggingface"]
    assert len(load(tmp_path / "my.toml").topics) == 4


def test_a_server_that_cannot_be_reached_can_be_taken_as_it_is(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with on_terminal(tmp_path, "init") as screen:
        screen.answer("Sender", SENDER)
        screen.answer("SMTP server", f"127.0.0.1:{port}")
        screen.answer("User name")
        screen.expect("failed\n.*127.0.0.1")
        screen.answer("Change the server", "n")
        screen.answer("Hugging Face")
        screen.answer("arXiv")
        screen.answer("Address of a feed")
        screen.answer("Topic")
        screen.answer("Send a test email", "-")
        assert screen.end() == 0, screen.screen
    assert load(tmp_path / "config.toml").mail.smtp.port == port


def test_a_password_is_never_sent_in_clear_text_over_the_network(tmp_path):
    with on_terminal(tmp_path, "init") as screen:
        screen.answer("Sender", SENDER)
        screen.answer("SMTP server", "smtp.example.org:25")
        screen.answer("User name", "digest")
        screen.expect("Port 25 is not encrypted: take 587 or 465 for a login")
        screen.expect("SMTP server")


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_who_stops_leaves_nothing_behind(tmp_path, key):
    with on_terminal(tmp_path, "init") as screen:
        screen.answer("Sender", SENDER)
        screen.answer("SMTP server", key)
        assert screen.end() == 1, screen.screen
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_said_before_the_first_question(tmp_path):
    (tmp_path / "config.toml").write_text("mine")
    with on_terminal(tmp_path, "init") as screen:
        screen.expect("exists and was not changed")
        assert screen.end() == 1
    assert "Sender" not in screen.screen
    assert (tmp_path / "config.toml").read_text() == "mine"


# -- edit, on a terminal -----------------------------------------------------------------------------------------------


def test_an_edit_with_problems_is_edited_again_or_discarded(tmp_path):
    digestmail(tmp_path, "init", "--sender", SENDER)
    before = (tmp_path / "config.toml").read_text("utf-8")
    (tmp_path / "editor.py").write_text(
        "import pathlib, sys\n"
        "file, runs = pathlib.Path(sys.argv[1]), pathlib.Path('runs')\n"
        "runs.write_text('x' * (1 + len(runs.read_text() if runs.exists() else '')))\n"
        "text = file.read_text('utf-8')\n"
        "if len(runs.read_text()) == 3:\n"
        "    text = text.replace('prot = 1\\n', '').replace('title = \"Trending', 'title = \"Found')\n"
        "else:\n"
        "    text = text.replace('[mail]', '[mail]\\nprot = 1')\n"
        "file.write_text(text, 'utf-8')\n"
    )
    environment = {"VISUAL": f"{sys.executable} editor.py"}
    with on_terminal(tmp_path, "config", "edit", environment=environment) as screen:
        screen.expect("mail.prot: unknown key")
        screen.answer("Edit again, or discard", "d")
        screen.expect("was not changed")
        assert screen.end() == 1
    assert (tmp_path / "config.toml").read_text("utf-8") == before
    with on_terminal(tmp_path, "config", "edit", environment=environment) as screen:
        screen.answer("Edit again, or discard")
        screen.expect("is valid and saved")
        assert screen.end() == 0
    assert load(tmp_path / "config.toml").digests[0].title == "Found papers"
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "editor.py", "runs"}
