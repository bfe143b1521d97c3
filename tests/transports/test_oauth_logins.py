"""Logins with access tokens: both mechanisms, refused tokens, and blame."""

from __future__ import annotations

import pytest
from sending import session

from digestmail.errors import TransportError
from digestmail.transports.sasl import bearer, challenge_text, choose
from digestmail.transports.smtp.client import SmtpTransport
from digestmail.transports.smtp.login import Login, RefusedTokenError

from .contract import envelope, letter
from .scripted import HOST, Account, ScriptedServer, scripted

LONG = "t" * 3000
"""Longer than a command line, as Microsoft's tokens are."""


class Tokens:
    """Has these tokens, one after the other."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.refused: list[str] = []

    def get(self) -> str:
        return self.tokens[0]

    def renew(self, refused: str) -> str | None:
        self.refused.append(refused)
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return None if self.tokens[0] == refused else self.tokens[0]


def transport(server: ScriptedServer, tokens: Tokens) -> SmtpTransport:
    login = Login(username="me", tokens=tokens)
    return SmtpTransport(host=HOST, port=server.port, security="none", timeout=5, login=login)


def sends(server: ScriptedServer, tokens: Tokens) -> None:
    with session(transport(server, tokens)) as opened:
        opened.send(envelope(), letter("one"))
    assert len(server.messages) == 1


@pytest.mark.parametrize("token", ["short", LONG])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_logs_in_by_both_mechanisms_and_a_long_one_waits_for_the_challenge(mechanism, token):
    with scripted(extensions=[f"AUTH LOGIN {mechanism}"], account=Account("me", token)) as server:
        sends(server, Tokens(token))
        (command,) = [each for each in server.commands if each.startswith("AUTH")]
    assert (command == f"AUTH {mechanism}") == (token == LONG)
    assert all(len(each) <= 510 for each in server.commands)


@pytest.mark.parametrize(
    ("offered", "used"),
    [("XOAUTH2 OAUTHBEARER", "OAUTHBEARER"), ("LOGIN XOAUTH2", "XOAUTH2"), ("xoauth2 plain", "XOAUTH2")],
)
def test_the_standard_is_preferred_to_googles_own_format(offered, used):
    with scripted(extensions=[f"AUTH {offered}"], account=Account("me", "token")) as server:
        sends(server, Tokens("token"))
        assert any(command.startswith(f"AUTH {used}") for command in server.commands)


def test_a_server_that_accepts_passwords_only_is_never_sent_the_token():
    with (
        scripted(extensions=["AUTH PLAIN LOGIN"], account=Account("me", "token")) as server,
        pytest.raises(TransportError, match=r"offers no login with OAuth 2, only PLAIN, LOGIN") as caught,
    ):
        sends(server, Tokens("token"))
    assert not isinstance(caught.value, RefusedTokenError)
    assert "AUTH" not in server.verbs()


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_refused_token_is_replaced_once_over_a_new_connection(mechanism):
    tokens = Tokens("old-token", "new-token", "never")
    with scripted(extensions=[f"AUTH {mechanism}"], account=Account("me", "new-token")) as server:
        sends(server, tokens)
        assert server.connections == 2
    assert tokens.refused == ["old-token"]
    assert server.after_errors == [b"" if mechanism == "XOAUTH2" else b"\1"]


def test_a_second_refusal_is_final_and_says_what_the_server_says():
    tokens = Tokens("old-token", "new-token", "never")
    with (
        scripted(extensions=["AUTH XOAUTH2"], account=Account("me", "another")) as server,
        pytest.raises(TransportError, match=r"535 5\.7\.8 bad credentials \(status 401, scope mail\)") as caught,
    ):
        sends(server, tokens)
    assert caught.value.code == 535
    assert server.connections == 2
    assert "token" not in str(caught.value)


def test_a_temporary_failure_says_nothing_about_the_token():
    tokens = Tokens("token", "another")
    answers = {"AUTH": ["454 4.7.0 Temporary authentication failure"]}
    with (
        scripted(answers, extensions=["AUTH XOAUTH2"], account=Account("me", "token")) as server,
        pytest.raises(TransportError, match="454") as caught,
    ):
        sends(server, tokens)
    assert not isinstance(caught.value, RefusedTokenError)
    assert tokens.refused == []
    assert server.connections == 1


def test_a_server_that_quotes_the_token_is_not_quoted():
    tokens = Tokens("secret-token")
    answers = {"AUTH": ["535 5.7.8 secret-token was not accepted"]}
    with (
        scripted(answers, extensions=["AUTH OAUTHBEARER"], account=Account("me", "secret-token")) as server,
        pytest.raises(TransportError, match=r"535 5\.7\.8 \*\*\* was not accepted") as caught,
    ):
        sends(server, tokens)
    assert "secret-token" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_user_name_is_escaped_in_the_header_of_the_standard():
    sent = bearer("OAUTHBEARER", "a,b=c@example.org", "vF9dft4qmT", host="server.example.com", port=143)
    assert sent.initial == (
        b"n,a=a=2Cb=3Dc@example.org,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4qmT\1\1"
    )


@pytest.mark.parametrize(
    ("challenge", "text"),
    [
        (b'{"status":"invalid_token","scope":"mail"}', "status invalid_token, scope mail"),
        (b'{"status":"401","schemes":"bearer\\r\\n250 ok"}', "status 401, schemes bearer 250 ok"),
        (b"not json", "not json"),
        (b"[1]", "[1]"),
        (b"", ""),
        (b"[" * 100_000, "[" * 400),
    ],
)
def test_a_challenge_becomes_one_line(challenge, text):
    assert challenge_text(challenge) == text


def test_no_mechanism_is_chosen_from_none():
    assert choose([]) is None
