"""Whatever comes over the wire, and however it is cut: the same replies, in bounded memory."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digestmail.errors import TransportError
from digestmail.transports.smtp.reply_reader import ProtocolError, Reply, ReplyReader

LINES = st.one_of(
    st.sampled_from(
        [b"250 ok\r\n", b"250-first\r\n", b"250 last\n", b"354 go\r\n", b"421\r\n", b"550-no\r\n", b"\r\n"]
    ),
    st.binary(max_size=30),
)
HEARD = st.lists(LINES, max_size=12).map(b"".join)


class Line(asyncio.Transport):
    """The transport below, which only remembers that it was dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def set_protocol(self, protocol) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return 0


@contextmanager
def loop_of_its_own():
    with asyncio.Runner() as runner:
        yield runner


def hear(pieces: list[bytes]) -> tuple[list[Reply], type[TransportError] | None]:
    """Return what a wire makes of `pieces`: the replies, and how it broke."""

    async def listen():
        wire = ReplyReader(Line())
        for piece in pieces:
            wire.data_received(piece)
        replies = []
        while (reply := wire.leftover()) is not None:
            replies.append(reply)
        return replies, type(wire._broken) if wire._broken else None

    with loop_of_its_own() as runner:
        return runner.run(listen())


@settings(max_examples=300, deadline=None)
@given(HEARD, st.lists(st.integers(0, 400), max_size=8))
@example(b"250-a\r\n250 b\r\n", [1, 2, 3, 4, 5, 6, 7, 8])
@example(b"250 a\r\nwhat\r\n250 b\r\n", [9])
def test_replies_are_the_same_however_they_are_cut(heard, cuts):
    places = sorted({min(cut, len(heard)) for cut in cuts} | {0, len(heard)})
    pieces = [heard[start:end] for start, end in pairwise(places)] or [heard]
    assert hear(pieces) == hear([heard])


@settings(max_examples=300, deadline=None)
@given(HEARD)
def test_a_reply_is_one_printable_line_with_a_code_of_the_grammar(heard):
    replies, _ = hear([heard])
    for reply in replies:
        assert 200 <= reply.code <= 599
        assert reply.text.isprintable()
        assert len(reply.text) <= 400


@pytest.mark.parametrize(
    "flood",
    [b"2" * 100_000, b"250-more\r\n" * 10_000, b"250 " + b"x" * 10_000 + b"\r\n", b"250 again\r\n" * 10_000],
    ids=["no line end", "no last line", "a long line", "replies nobody asked for"],
)
@pytest.mark.parametrize("size", [1 << 20, 1000])
def test_a_flood_breaks_the_connection_and_is_not_kept(flood, size):
    async def listen():
        wire = ReplyReader(line := Line())
        for start in range(0, len(flood), size):
            wire.data_received(flood[start : start + size])
        assert line.aborted
        assert isinstance(wire._broken, ProtocolError)
        assert len(wire._rest) + sum(map(len, wire._lines)) < 50_000
        assert len(wire._replies) <= 2000

    with loop_of_its_own() as runner:
        runner.run(listen())
