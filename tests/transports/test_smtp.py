from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sending import session

from digestmail.errors import DeliveryError, TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.smtp import transaction
from digestmail.transports.smtp.client import Security, SmtpTransport
from digestmail.transports.smtp.login import Login
from digestmail.transports.smtp.transaction import dot_stuffed

from .contract import SENDER, Arrived, Stage, TransportContract, envelope, letter
from .scripted import HOST, Act, Answer, Farewell, ScriptedServer, scripted


def transport(
    server: ScriptedServer,
    *,
    host: str = HOST,
    security: Security = "none",
    username: str | None = None,
    password: str | None = None,
    timeout: float = 5,
) -> SmtpTransport:
    return SmtpTransport(
        host=host,
        port=server.port,
        security=security,
        login=None if username is None else Login(username=username, password=password or ""),
        timeout=timeout,
        local_hostname="client.example.org",
    )


def refusal(server: ScriptedServer, recipient: str = "reader@example.org", timeout: float = 5) -> DeliveryError:
    """Send a message that is refused, then one that is not."""
    with session(transport(server, timeout=timeout)) as opened:
        with pytest.raises(DeliveryError) as caught:
            opened.send(envelope(recipient), letter("refused"))
        assert opened.send(envelope(), letter("next")).code == 250
    return caught.value


def breakdown(server: ScriptedServer, timeout: float = 5) -> TransportError:
    """Open a session, send one message, and see the way out break on the way."""
    with pytest.raises(TransportError) as caught, session(transport(server, timeout=timeout)) as opened:
        opened.send(envelope(), letter("one"))
    return caught.value


class TestSmtpTransport(TransportContract):
    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        with scripted() as server:
            yield Stage(
                transport(server),
                lambda: [Arrived(mail.sender, *mail.recipients, mail.content) for mail in server.messages],
            )


# -- one connection ------------------------------------------------------------------------------------------------


def test_nothing_is_connected_before_it_is_opened() -> None:
    with scripted() as server:
        transport(server)
        assert server.connections == 0


def test_a_session_is_one_connection_and_ends_with_quit() -> None:
    with scripted() as server:
        with session(transport(server)) as opened:
            for name in ("one", "two", "three"):
                assert opened.send(envelope(), letter(name)).text == "2.0.0 queued"
        assert server.connections == 1
        assert server.verbs() == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]


def test_a_session_that_ends_in_an_exception_ends_without_quit() -> None:
    with scripted() as server:
        with pytest.raises(KeyboardInterrupt), session(transport(server)):
            raise KeyboardInterrupt
        assert "QUIT" not in server.verbs()


def test_a_server_that_knows_only_helo_is_served() -> None:
    with scripted({"EHLO": ["502 5.5.1 what?"]}) as server:
        with session(transport(server)) as opened:
            opened.send(envelope(), letter("one"))
        assert server.verbs()[:2] == ["EHLO", "HELO"]
        assert f"MAIL FROM:<{SENDER}>".upper() in [command.upper() for command in server.commands]


@pytest.mark.parametrize("answer", ["421 4.3.2 idle too long", Act.DROP, Act.RESET])
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_connection_the_server_ended_is_opened_afresh(step: str, answer: Answer) -> None:
    said = Farewell(answer) if isinstance(answer, str) else answer
    with scripted({step: [said]}) as server:
        with session(transport(server)) as opened:
            opened.send(envelope(), letter("one"))
            opened.send(envelope(), letter("two"))
        assert [mail.content for mail in server.messages] == [letter("one"), letter("two")]
        assert server.connections == 2


@pytest.mark.parametrize("answer", [Farewell("421 4.3.2 overloaded"), Act.DROP, Act.RESET])
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_connection_that_is_ended_twice_is_the_transports_fault(step: str, answer: Answer) -> None:
    with scripted({step: [answer, answer]}) as server:
        error = breakdown(server)
        assert error.code == (421 if isinstance(answer, Farewell) else None)
        assert server.connections == 2
        assert server.messages == []


def test_a_server_that_cannot_be_reached_again_is_the_transports_fault() -> None:
    with scripted({"MAIL": [Act.DROP], "GREETING": ["220 hello", "554 5.3.2 go away"]}) as server:
        assert breakdown(server).code == 554


# -- refused recipients and messages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        ("550 5.1.1 no such user", True),
        ("553 5.1.3 bad address", True),
        ("550 no such user", True),
        ("550 5.7.1 recipient takes mail from members only", True),
        ("550 5.1.1 <spam.policy@example.org>: no such user", True),
        ("550 5.7.1 <relay.denied@example.org>: recipient address rejected", True),
        ("450 4.2.1 mailbox busy", False),
        ("451 4.7.1 greylisted, come back", False),
        ("452 4.2.2 mailbox full", False),
    ],
)
@pytest.mark.parametrize("step", ["RCPT", "DATA", "END"])
def test_a_refusal_is_about_this_recipient_and_the_next_message_goes_through(
    step: str, reply: str, permanent: bool
) -> None:
    with scripted({step: [reply]}) as server:
        error = refusal(server)
        assert (error.code, error.permanent) == (int(reply[:3]), permanent)
        assert reply in str(error)
        assert [mail.content for mail in server.messages] == [letter("next")]
        assert server.connections == 1
        # The answer to the message ends the transaction by itself (RFC 5321 section 4.1.1.4).
        assert ("RSET" in server.verbs()) == (step != "END")


@pytest.mark.parametrize(
    "reply",
    [
        "530 5.7.0 authentication required",
        "535 5.7.8 bad credentials",
        "550 5.7.515 access denied, authentication level of the domain too low",
        "550-5.7.26 this mail has been blocked\n550 5.7.26 because it is not authenticated",
        "554 5.7.1 the domain's DMARC policy forbids this",
        "550 5.7.1 DKIM signature missing",
        "550 5.7.1 SPF check failed",
        "550 5.7.1 against our policy",
        "554 5.7.1 client host blocked using a list",
        "550 5.7.60 client may not send as this sender",
        "550 5.7.23 SPF validation failed",
        "554 5.7.1 <reader@example.org>: Relay access denied",
        "550 relay not permitted",
    ],
)
@pytest.mark.parametrize("step", ["RCPT", "END"])
def test_the_senders_own_fault_blames_no_address(step: str, reply: str) -> None:
    with scripted({step: [reply]}) as server:
        assert breakdown(server).code == int(reply[:3])


@pytest.mark.parametrize("reply", ["550 5.7.1 not you", "451 4.3.0 later", "530 5.7.0 log in", "553 5.1.8 bad sender"])
def test_a_refused_sender_blames_no_address(reply: str) -> None:
    with scripted({"MAIL": [reply]}) as server:
        assert breakdown(server).code == int(reply[:3])


def test_a_refused_reset_costs_the_connection_and_nothing_else() -> None:
    with scripted({"RCPT": ["550 5.1.1 no such user"], "RSET": [Farewell("421 4.3.2 enough")]}) as server:
        assert refusal(server).code == 550
        assert server.connections == 2


def test_421_after_the_final_dot_is_a_refusal_and_not_a_reason_to_send_again() -> None:
    with scripted({"END": [Farewell("421 4.3.2 shutting down")]}) as server:
        error = refusal(server)
        assert (error.code, error.permanent) == (421, False)
        assert [mail.content for mail in server.messages] == [letter("next")]


@pytest.mark.parametrize(
    "answer", [Act.DROP, Act.RESET, Act.STALL, b"what?\r\n", "354 go on", b"250 " + b"x" * 9000 + b"\r\n"]
)
def test_without_an_answer_to_the_final_dot_the_outcome_is_unknown(answer: Answer) -> None:
    with scripted({"END": [answer]}) as server:
        error = refusal(server, timeout=0.3)
        assert (error.code, error.permanent) == (None, False)
        assert "outcome is unknown" in str(error)
        assert server.commands.count("DATA") == 2  # the refused one and the next: none was sent twice


def test_the_words_of_a_server_become_one_printable_line() -> None:
    with scripted({"RCPT": [b"550-5.1.1 no\x1b[31m\r\n550 such \xff user" + b"!" * 1000 + b"\r\n"]}) as server:
        text = str(refusal(server))
        assert text.isprintable()
        assert "550 5.1.1 no [31m such \N{REPLACEMENT CHARACTER} user!!!" in text
        assert len(text) < 500


# -- faults at every step ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [["PIPELINING"], []], ids=str)
@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_silent_server_is_left_after_the_time_out(step: str, extensions: list[str]) -> None:
    with scripted({step: [Act.STALL] * 2}, extensions=extensions) as server:
        error = breakdown(server, timeout=0.3)
        assert error.code is None
        assert "time" in str(error)
        # What went ahead of its replies may be all that was wrong: it is said once more, one by one.
        assert server.connections == (2 if extensions and step in {"RCPT", "DATA"} else 1)


@pytest.mark.parametrize("answer", [b"what?\r\n", b"\r\n", b"999 huge\r\n", b"220-" + b"x" * 9000 + b"\r\n"])
@pytest.mark.parametrize("step", ["GREETING", "MAIL", "RCPT", "DATA"])
def test_garbage_is_the_transports_fault(step: str, answer: bytes) -> None:
    with scripted({step: [answer]}) as server:
        breakdown(server)
        assert server.messages == []


@pytest.mark.parametrize("answer", ["554 5.3.2 no service", "421 4.3.2 busy", Act.DROP, Act.RESET])
@pytest.mark.parametrize("step", ["GREETING", "EHLO"])
def test_trouble_at_the_door_is_the_transports_fault(step: str, answer: Answer) -> None:
    answers: dict[str, Sequence[Answer]] = {step: [answer], "HELO": ["554 5.3.2 no service"]}
    with scripted(answers) as server:
        error = breakdown(server)
        assert f"{HOST}:{server.port}" in str(error)


def test_a_port_where_nobody_listens_is_the_transports_fault() -> None:
    with scripted() as server:
        pass
    with pytest.raises(TransportError, match="no connection"), session(transport(server)):
        pass


def test_a_host_name_that_cannot_be_one_is_the_transports_fault() -> None:
    with (
        scripted() as server,
        pytest.raises(TransportError),
        session(transport(server, host="a" * 70 + ".example.org")),
    ):
        pass


# -- extensions ----------------------------------------------------------------------------------------------------


def test_the_size_of_the_message_is_declared_where_the_server_asks_for_it() -> None:
    with scripted(extensions=["SIZE"]) as server:
        with session(transport(server)) as opened:
            opened.send(envelope(), letter("one"))
        assert f"MAIL FROM:<{SENDER}> SIZE={len(letter('one'))}" in server.commands


def test_a_message_over_the_servers_limit_is_refused_before_a_word_is_said() -> None:
    with scripted(extensions=["SIZE 100"]) as server:
        with session(transport(server)) as opened, pytest.raises(DeliveryError, match="takes 100") as caught:
            opened.send(envelope(), letter("one", b"x\r\n" * 100))
        assert (caught.value.code, caught.value.permanent) == (552, True)
        assert server.verbs() == ["EHLO", "QUIT"]


@pytest.mark.parametrize("extension", ["SIZE 0", "SIZE", "SIZE many", "SIZE " + "9" * 30])
def test_a_server_that_names_no_limit_has_none(extension: str) -> None:
    with scripted(extensions=[extension]) as server:
        with session(transport(server)) as opened:
            opened.send(envelope(), letter("one", b"x\r\n" * 10_000))
        assert len(server.messages) == 1


def test_a_declared_size_the_server_does_not_like_is_about_this_message() -> None:
    with scripted({"MAIL": ["552 5.3.4 too big"]}, extensions=["SIZE"]) as server:
        error = refusal(server)
        assert (error.code, error.permanent) == (552, True)


def test_an_international_local_part_is_sent_with_smtputf8_where_it_is_offered() -> None:
    with scripted(extensions=["SMTPUTF8", "8BITMIME"]) as server:
        with session(transport(server)) as opened:
            opened.send(envelope("jürgen@example.org"), letter("one"))
            opened.send(envelope("reader@example.org"), letter("two"))
        first, second = (command for command in server.commands if command.startswith("MAIL"))
        assert first.endswith(" BODY=8BITMIME SMTPUTF8")
        assert "SMTPUTF8" not in second
        assert server.messages[0].recipients == ("jürgen@example.org",)


def test_an_international_local_part_fails_for_good_where_smtputf8_is_not_offered() -> None:
    with scripted() as server:
        with session(transport(server)) as opened, pytest.raises(DeliveryError, match="SMTPUTF8") as caught:
            opened.send(envelope("jürgen@example.org"), letter("one"))
        assert (caught.value.code, caught.value.permanent) == (None, True)
        assert server.verbs() == ["EHLO", "QUIT"]


def test_an_international_sender_the_server_cannot_take_blames_no_recipient() -> None:
    with scripted() as server, pytest.raises(TransportError, match="sender"), session(transport(server)) as opened:
        opened.send(Envelope(sender="jürgen@example.org", recipient="reader@example.org"), letter("one"))


@pytest.mark.parametrize("password", ["open sesame", "p"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_server_that_quotes_the_login_does_not_make_us_say_the_password(mechanism: str, password: str) -> None:
    sent = base64.b64encode(password.encode() if mechanism == "LOGIN" else f"\0me\0{password}".encode()).decode()
    replies = [f"535 5.7.8 wrong: {sent} ({password}), appeal to the postmaster"]
    if mechanism == "LOGIN":
        replies = ["334 UGFzc3dvcmQ6", *replies]
    with (
        scripted({"AUTH": replies, sent.upper(): replies[1:]}, extensions=[f"AUTH {mechanism}"]) as server,
        pytest.raises(TransportError) as caught,
        session(transport(server, username="me", password=password)),
    ):
        pass
    assert sent not in str(caught.value)
    assert "appeal to the postmaster" in str(caught.value)
    assert len(password) == 1 or password not in str(caught.value)


@pytest.mark.parametrize(
    ("domain", "wire"),
    [("bücher.example", "xn--bcher-kva.example"), ("straße.example", "xn--strae-oqa.example")],
)
def test_an_international_domain_needs_no_smtputf8(domain: str, wire: str) -> None:
    with scripted() as server:
        with session(transport(server)) as opened:
            opened.send(envelope(f"reader@{domain}"), letter("one"))
        assert server.messages[0].recipients == (f"reader@{wire}",)


# -- TLS and logging in --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_goes_through_a_verified_line(tls: ssl.SSLContext, security: Security) -> None:
    with scripted(tls=tls, immediate_tls=security == "tls") as server:
        with session(transport(server, security=security)) as opened:
            opened.send(envelope(), letter("one"))
        assert [mail.content for mail in server.messages] == [letter("one")]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_nobody_vouches_for_is_not_accepted(tls: ssl.SSLContext, security: Security) -> None:
    with scripted(tls=tls, immediate_tls=security == "tls") as server:
        with (
            pytest.raises(TransportError, match=r"certificate is not valid: .*; set ca_file "),
            session(transport(server, security=security)),
        ):
            pass
        assert "MAIL" not in server.verbs()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_name_is_not_accepted(tls: ssl.SSLContext, security: Security) -> None:
    with (
        scripted(tls=tls, immediate_tls=security == "tls") as server,
        pytest.raises(TransportError, match="not valid for"),
        session(transport(server, host="localhost", security=security)),
    ):
        pass


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("security", "advice"), [("none", 'set security = "starttls", or '), ("starttls", "")])
def test_a_server_that_offers_no_login_is_named_with_what_to_change(
    tls: ssl.SSLContext, security: Security, advice: str
) -> None:
    with scripted(extensions=["PIPELINING"], tls=tls) as server:
        with (
            pytest.raises(TransportError, match=f"offers no login: {advice}remove username$"),
            session(transport(server, security=security, username="me", password="secret")),
        ):
            pass
        assert "AUTH" not in server.verbs()


def test_a_server_without_starttls_gets_nothing_in_the_clear() -> None:
    with scripted(extensions=["AUTH PLAIN"]) as server:
        with (
            pytest.raises(TransportError, match=r"offers no STARTTLS: .*587.*security = ") as caught,
            session(transport(server, security="starttls", username="me", password="secret")),
        ):
            pass
        assert server.verbs() == ["EHLO"]
        assert f"127.0.0.1:{server.port}" in str(caught.value)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("answer", ["454 4.7.0 not now", b"what?\r\n", Act.DROP, Act.STALL])
def test_trouble_at_starttls_is_the_transports_fault(tls: ssl.SSLContext, answer: Answer) -> None:
    with scripted({"STARTTLS": [answer]}, tls=tls) as server:
        with pytest.raises(TransportError), session(transport(server, security="starttls", timeout=0.3)):
            pass
        assert server.verbs() == ["EHLO", "STARTTLS"]


@pytest.mark.usefixtures("trusted")
def test_what_is_said_before_the_line_is_secure_does_not_count(tls: ssl.SSLContext) -> None:
    smuggled = b"220 2.0.0 go ahead\r\n250-evil.example.org\r\n250 SIZE 1\r\n"
    with scripted({"STARTTLS": [smuggled]}, tls=tls) as server:
        with session(transport(server, security="starttls")) as opened:
            opened.send(envelope(), letter("one"))
        assert server.verbs() == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


def test_it_logs_in_where_a_user_is_named() -> None:
    with scripted(extensions=["AUTH PLAIN LOGIN"]) as server:
        with session(transport(server, username="me", password="secret")) as opened:
            opened.send(envelope(), letter("one"))
        assert server.verbs()[:3] == ["EHLO", "AUTH", "MAIL"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [("535 5.7.8 wrong password", 535), ("454 4.7.0 later", 454), (Act.DROP, None), (Act.STALL, None)],
)
def test_a_refused_login_is_the_transports_fault_and_tells_no_password(answer: Answer, code: int | None) -> None:
    with scripted({"AUTH": [answer]}, extensions=["AUTH PLAIN"]) as server:
        with (
            pytest.raises(TransportError) as caught,
            session(transport(server, username="me", password="hunter2", timeout=0.3)),
        ):
            pass
        assert caught.value.code == code
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("extensions", [[], ["AUTH GSSAPI"], ["AUTH"]])
def test_a_server_that_offers_no_way_to_log_in_is_the_transports_fault(extensions: list[str]) -> None:
    with (
        scripted(extensions=extensions) as server,
        pytest.raises(TransportError),
        session(transport(server, username="me", password="hunter2")),
    ):
        pass


def test_a_password_beyond_ascii_is_sent_as_utf_8() -> None:
    """RFC 4616 section 2."""
    with scripted(extensions=["AUTH PLAIN"]) as server:
        with session(transport(server, username="me", password="pässword")):
            pass
        said = next(command for command in server.commands if command.startswith("AUTH PLAIN "))
        assert base64.b64decode(said.removeprefix("AUTH PLAIN ")) == "\0me\0pässword".encode()


# -- the octets after DATA -----------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet=".ax ", max_size=5), min_size=1, max_size=6))
def test_unstuffing_gives_back_the_message(lines: list[str]) -> None:
    message = "".join(f"{line}\r\n" for line in lines).encode()
    *stuffed, final, rest = dot_stuffed(message).split(b"\r\n")
    assert (final, rest) == (b".", b"")
    assert b".\r\n" not in [line + b"\r\n" for line in stuffed]
    assert b"".join(line.removeprefix(b".") + b"\r\n" for line in stuffed) == message


def test_a_message_without_a_last_line_end_gets_one() -> None:
    assert dot_stuffed(b"a") == b"a\r\n.\r\n"


class HurriedOnce:
    """How many times longer the answer to the final dot may take: no time at all, and then all the time there is."""

    def __init__(self) -> None:
        self.waits = [0.2]

    def __rmul__(self, timeout: float) -> float:
        return self.waits.pop() if self.waits else timeout * 10


def test_a_message_that_could_not_be_handed_over_whole_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server stops reading: the final dot never left, so it cannot have accepted anything."""
    monkeypatch.setattr(transaction, "_AFTER_THE_DOT", HurriedOnce())
    with scripted({"DATA": [Act.DEAF]}, extensions=["PIPELINING"]) as server:
        with session(transport(server, timeout=60)) as opened:
            opened.send(envelope(), letter("one", (b"x" * 70 + b"\r\n") * 500_000))
        assert len(server.messages) == 1
        assert server.connections == 2
