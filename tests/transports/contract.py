"""What every transport promises; its test class inherits this and says how to set the stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending import session

from digestmail.model.deliveries import Envelope
from digestmail.transports.base import Transport

SENDER = "bounce+42.abc@bounce.example.org"


@dataclass(frozen=True)
class Arrived:
    """A message at its destination, with CRLF line ends and without what the way added."""

    sender: str
    recipient: str
    message: bytes


@dataclass(frozen=True)
class Stage:
    """A transport, and a look at where it leads."""

    transport: Transport
    arrived: Callable[[], list[Arrived]]


def envelope(recipient: str = "reader@example.org") -> Envelope:
    return Envelope(sender=SENDER, recipient=recipient)


def letter(name: str, body: bytes = b"Good morning.\r\n") -> bytes:
    return b"Message-ID: <%s@example.org>\r\nSubject: Papers\r\n\r\n" % name.encode() + body


# Pieces that hold every way of writing, and of nearly writing, the end of a message.
_LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b".QUIT", b"RSET", b"x" * 998, b" . ", b"MAIL FROM:<a@b>"]), max_size=8
)


class TransportContract:
    """Inherit and define a fixture `stage`."""

    def test_it_delivers_a_message_octet_for_octet(self, stage: Stage) -> None:
        with session(stage.transport) as opened:
            receipt = opened.send(envelope(), letter("one"))
        assert receipt.code // 100 == 2
        assert stage.arrived() == [Arrived(SENDER, "reader@example.org", letter("one"))]

    def test_it_delivers_many_messages_through_one_session(self, stage: Stage) -> None:
        recipients = [f"reader{number}@example.org" for number in range(20)]
        with session(stage.transport) as opened:
            for recipient in recipients:
                opened.send(envelope(recipient), letter(recipient))
        assert sorted(arrived.recipient for arrived in stage.arrived()) == sorted(recipients)

    def test_it_opens_as_often_as_asked(self, stage: Stage) -> None:
        for name in ("one", "two"):
            with session(stage.transport) as opened:
                opened.send(envelope(), letter(name))
        assert len(stage.arrived()) == 2

    def test_it_does_nothing_in_a_session_without_messages(self, stage: Stage) -> None:
        with session(stage.transport):
            pass
        assert stage.arrived() == []

    @pytest.mark.parametrize(
        "body",
        [b".\r\n", b"\r\n.\r\n", b"..\r\n.\r\n..\r\n", b".hidden\r\n", b"a\r\n.\r\nMAIL FROM:<evil@example.org>\r\n"],
    )
    def test_dots_that_look_like_the_end_of_a_message_arrive_as_part_of_it(self, stage: Stage, body: bytes) -> None:
        with session(stage.transport) as opened:
            opened.send(envelope(), letter("dots", body))
        assert [arrived.message for arrived in stage.arrived()] == [letter("dots", body)]

    @pytest.mark.parametrize(
        "body",
        [
            b"a\n.\nb\r\n",
            b"a\r.\rb\r\n",
            b"a\n.\r\nb\r\n",
            b"a\r\n.\rb\r\n",
            b"a\r\r\n",
            b"\0\r\n",
            b"x" * 999 + b"\r\n",
        ],
    )
    def test_it_refuses_what_could_be_smuggled_and_lets_the_next_message_through(
        self, stage: Stage, body: bytes
    ) -> None:
        with session(stage.transport) as opened:
            with pytest.raises(ValueError, match="the message has"):
                opened.send(envelope(), letter("bad", body))
            opened.send(envelope(), letter("good"))
        assert [arrived.message for arrived in stage.arrived()] == [letter("good")]

    @pytest.mark.parametrize(
        "recipient",
        [
            "",
            "reader",
            "a b@example.org",
            "a@b@example.org",
            "x@example.org\r\nRSET",
            "<a@example.org>",
            "a@b,c@d",
            "a\0@b",
        ],
    )
    def test_it_refuses_a_recipient_that_is_no_address(self, stage: Stage, recipient: str) -> None:
        with session(stage.transport) as opened, pytest.raises(ValueError, match="the recipient is not an address"):
            opened.send(envelope(recipient), letter("one"))
        assert stage.arrived() == []

    def test_it_refuses_a_sender_that_is_no_address_but_not_an_empty_one(self, stage: Stage) -> None:
        with session(stage.transport) as opened:
            with pytest.raises(ValueError, match="the sender is not an address"):
                opened.send(Envelope(sender="a b", recipient="reader@example.org"), letter("one"))
            opened.send(Envelope(sender="", recipient="reader@example.org"), letter("one"))
        assert [arrived.sender for arrived in stage.arrived()] == [""]

    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(lines=_LINES)
    def test_any_lines_arrive_as_exactly_one_message(self, stage: Stage, lines: list[bytes]) -> None:
        before = {arrived.message for arrived in stage.arrived()}
        body = b"".join(line + b"\r\n" for line in lines)
        message = letter(f"lines{len(before)}", body)
        with session(stage.transport) as opened:
            opened.send(envelope(), message)
        assert {arrived.message for arrived in stage.arrived()} - before == {message}
