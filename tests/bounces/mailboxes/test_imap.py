"""IMAP against a small scripted server on loopback."""

from __future__ import annotations

import socket
import threading

import pytest
from imapserver import ImapServer
from loopback import listening, stalling

from digestmail.bounces.mailboxes.base import MailboxError
from digestmail.bounces.mailboxes.imap import ImapMailbox


def reader(port: int, **changes) -> ImapMailbox:
    fields = {
        "host": "127.0.0.1", "port": port, "security": "none", "username": "reader", "password": "secret",
        "folder": "Bounces", "timeout": 5.0, "max_bytes": 1000,
    }  # fmt: skip
    return ImapMailbox(**(fields | changes))


def test_unseen_mails_are_read_and_flagged_only_when_they_are_done():
    server = ImapServer(b"Subject: 1\r\n\r\n\0\xff one", b"Subject: 2\r\n\r\ntwo", b"Subject: 3\r\n\r\nthree")
    server.seen.add(12)
    with listening(server.talk) as listener:
        box = reader(listener.port)
        mails = box.messages()
        first = next(mails)
        assert server.seen == {12}
        box.mark_done(first)
        assert [first.raw, *(mail.raw for mail in mails)] == [server.mails[11], server.mails[13]]
        assert server.seen == {11, 12}
        assert [mail.raw for mail in box.messages()] == [server.mails[13]]
    assert any(command.startswith('SELECT "Bounces"') for command in server.commands)
    assert server.commands[-1] == "LOGOUT"


def test_no_more_of_a_mail_is_fetched_than_was_allowed():
    with listening(ImapServer(b"x" * 5000).talk) as listener:
        assert [len(mail.raw) for mail in reader(listener.port).messages()] == [1000]


def test_a_message_that_was_deleted_meanwhile_is_skipped():
    server = ImapServer(b"1", b"2", b"3")
    with listening(server.talk) as listener:
        mails = reader(listener.port).messages()
        next(mails)
        del server.mails[12]
        assert [mail.raw for mail in mails] == [b"3"]


@pytest.mark.parametrize("command", ["LOGIN", "SELECT", "UID SEARCH", "UID STORE"])
def test_what_the_server_refuses_is_a_clear_error_without_the_password(command):
    server = ImapServer(b"1")
    server.refuses = command
    with listening(server.talk) as listener:
        box = reader(listener.port)
        with pytest.raises(MailboxError, match=r"127\.0\.0\.1: ") as caught:
            list(map(box.mark_done, box.messages()))
        assert "secret" not in str(caught.value)


def test_a_server_that_is_silent_or_not_there_is_a_clear_error():
    with listening(stalling) as listener, pytest.raises(MailboxError, match="timed out"):
        list(reader(listener.port, timeout=0.2).messages())
    with pytest.raises(MailboxError):
        list(reader(1, timeout=1.0).messages())


def test_a_server_that_hangs_up_in_the_middle_is_a_clear_error():
    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"* OK hello\r\n")
        connection.recv(1000)

    with listening(talk) as listener, pytest.raises(MailboxError):
        list(reader(listener.port).messages())


def test_tls_is_asked_for_and_a_server_without_it_gets_no_password():
    server = ImapServer(b"1")
    for security in ("tls", "starttls"):
        with listening(server.talk) as listener, pytest.raises(MailboxError):
            list(reader(listener.port, security=security).messages())
    assert not any("secret" in command for command in server.commands)


def test_an_unreadable_message_is_copied_to_a_subfolder_and_marked_as_seen():
    server = ImapServer(b"Subject: 1\r\n\r\n", b"Subject: 2\r\n\r\n")
    with listening(server.talk) as listener:
        box = reader(listener.port)
        assert box.count_quarantined() == 0
        for message in box.messages():
            assert box.quarantine(message)
        assert box.count_quarantined() == 2
    assert server.folders == {"Bounces.quarantine": list(server.mails.values())}, "the server separates levels by a dot"
    assert server.seen == {11, 12}
    assert server.flagged == set()
    assert not any("EXPUNGE" in command for command in server.commands)


@pytest.mark.parametrize("command", ["CREATE", "UID COPY"])
def test_an_unreadable_message_is_flagged_if_the_server_allows_no_subfolder(command):
    server = ImapServer(b"1", b"2")
    server.refuses = command
    with listening(server.talk) as listener:
        box = reader(listener.port)
        assert [box.quarantine(message) for message in box.messages()] == [True, True]
    assert (server.seen, server.flagged) == ({11, 12}, {11, 12})


def test_a_message_that_the_server_refuses_to_return_has_a_problem():
    server = ImapServer(b"1")
    server.refuses = "UID FETCH"
    with listening(server.talk) as listener:
        (message,) = reader(listener.port).messages()
    assert message.problem == "the server refused to return it"


def test_a_message_that_is_too_large_has_a_problem():
    with listening(ImapServer(b"x" * 1001, b"x" * 1000).talk) as listener:
        first, second = reader(listener.port).messages()
    assert first.problem == "it is larger than 1,000 bytes (bounces.max_bytes)"
    assert second.problem == ""


# -- access tokens -----------------------------------------------------------------------------------------------------


class Tokens:
    """Has these tokens, one after the other."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    def get(self) -> str:
        return self.tokens[0]

    def renew(self, refused: str) -> str | None:
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return None if self.tokens[0] == refused else self.tokens[0]


def xoauth2(token: str) -> bytes:
    return f"user=reader\1auth=Bearer {token}\1\1".encode()


@pytest.mark.parametrize("mechanisms", [("XOAUTH2",), ("PLAIN", "XOAUTH2"), ("OAUTHBEARER", "XOAUTH2")])
def test_an_access_token_logs_in_instead_of_the_password(mechanisms):
    server = ImapServer(b"Subject: 1\r\n\r\none")
    server.mechanisms = mechanisms
    with listening(server.talk) as listener:
        where = f"host=127.0.0.1\1port={listener.port}"
        standard = f"n,a=reader,\1{where}\1auth=Bearer token\1\1".encode()
        server.accepts = standard if "OAUTHBEARER" in mechanisms else xoauth2("token")
        (mail,) = reader(listener.port, tokens=Tokens("token")).messages()
    assert mail.raw == server.mails[11]
    assert server.proofs == [server.accepts]
    assert not any(command.startswith("LOGIN") for command in server.commands)


def test_a_refused_token_is_replaced_once():
    server = ImapServer(b"1")
    server.mechanisms = ("XOAUTH2",)
    server.accepts = xoauth2("new")
    with listening(server.talk) as listener:
        assert len(list(reader(listener.port, tokens=Tokens("old", "new")).messages())) == 1
        assert listener.connections == 2
    assert server.proofs == [xoauth2("old"), b"", xoauth2("new")]


@pytest.mark.parametrize(("mechanism", "dummy"), [("XOAUTH2", b""), ("OAUTHBEARER", b"\1")])
def test_the_error_of_a_refused_token_is_decoded_and_shows_no_token(mechanism, dummy):
    server = ImapServer(b"1")
    server.mechanisms = (mechanism,)
    with listening(server.talk) as listener:
        with pytest.raises(MailboxError, match="status 401, schemes bearer, scope mail") as caught:
            list(reader(listener.port, tokens=Tokens("secret-token")).messages())
        assert listener.connections == 1
    assert "AUTHENTICATE failed" in str(caught.value)
    assert "secret-token" not in str(caught.value)
    assert server.proofs[1] == dummy


def test_a_server_without_tokens_is_never_sent_one():
    server = ImapServer(b"1")
    server.mechanisms = ("PLAIN",)
    with listening(server.talk) as listener, pytest.raises(MailboxError, match="no login with OAuth 2, only PLAIN"):
        list(reader(listener.port, tokens=Tokens("token")).messages())
    assert server.proofs == []
