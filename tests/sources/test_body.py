"""Packed bodies: right ones, damaged ones, bombs."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceUnreadableError
from digestmail.sources.http.body import read_body

LIMIT = 1_000_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    " GZIP ": gzip.compress,
    "deflate": zlib.compress,
}


DOCUMENTS = st.binary(max_size=300).filter(lambda data: not data.startswith(b"\x1f\x8b\x08"))
"""What is no gzip file itself."""


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("coding", PACKERS)
@given(data=DOCUMENTS, size=st.integers(1, 50))
def test_it_undoes_what_was_packed_however_it_arrives(coding, data, size):
    assert read_body(pieces(PACKERS[coding](data), size), coding=coding, limit=LIMIT) == data


@given(data=DOCUMENTS.filter(bool), size=st.integers(1, 50))
def test_deflate_without_its_wrapper_is_understood(data, size):
    assert read_body(pieces(raw_deflate(data), size), coding="deflate", limit=LIMIT) == data


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 900_000])
def test_nothing_is_left_inside_at_the_end_of_a_piece(size):
    data = b"abc" * (size // 3) + b"x" * (size % 3)
    assert read_body([gzip.compress(data)], coding="gzip", limit=LIMIT) == data


def test_nothing_is_left_inside_where_no_checksum_follows():
    # One match of 258 bytes reaches over the end of the piece, and the input ends with it.
    for size in range(65_537, 65_537 + 258):
        assert read_body([raw_deflate(bytes(size))], coding="deflate", limit=LIMIT) == bytes(size)


@pytest.mark.parametrize("size", [7, 1000])
def test_a_gzip_file_of_several_parts_is_read_whole(size):
    packed = gzip.compress(b"one ") + gzip.compress(b"two ") + gzip.compress(b"three")
    assert read_body(pieces(packed, size), coding="gzip", limit=LIMIT) == b"one two three"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_follows_the_packed_data_is_ignored(coding):
    packed = PACKERS[coding](b"feed") + b"\x00\x00 trailing"
    assert read_body(pieces(packed, 5), coding=coding, limit=LIMIT) == b"feed"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_empty_body_is_empty_packed_or_not(coding):
    assert read_body([], coding=coding, limit=LIMIT) == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "x" * 5000])
def test_a_coding_nobody_asked_for_is_refused(coding):
    with pytest.raises(SourceUnreadableError, match="packed as") as caught:
        read_body([b"data"], coding=coding, limit=LIMIT)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_damage_is_noticed(coding):
    packed = bytearray(PACKERS[coding](b"a feed of some length, with words in it" * 9))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(SourceUnreadableError):
        read_body([bytes(packed)], coding=coding, limit=LIMIT)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_cut_is_noticed(coding):
    with pytest.raises(SourceUnreadableError, match="cut off"):
        read_body([PACKERS[coding](b"a feed" * 99)[:-5]], coding=coding, limit=LIMIT)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "utf-8", "none"])
@pytest.mark.parametrize(
    "body", [b"<rss></rss>", b"\xef\xbb\xbf\n <?xml version='1.0'?><feed/>", b'[{"paper": 1}]', b"{}"]
)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_document_that_was_announced_as_packed_and_is_not_is_read(coding, body, size):
    assert read_body(pieces(body, size), coding=coding, limit=LIMIT) == body


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_anything_else_that_was_never_packed_is_damaged(coding):
    with pytest.raises(SourceUnreadableError, match="damaged"):
        read_body([b"Rate exceeded."], coding=coding, limit=LIMIT)


@pytest.mark.parametrize("coding", ["", "identity", "gzip"])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_packed_file_is_unpacked_though_nobody_announced_it_or_twice(coding, size):
    file = gzip.compress(b"<rss></rss>")
    assert read_body(pieces(PACKERS[coding](file), size), coding=coding, limit=LIMIT) == b"<rss></rss>"


def test_a_bomb_in_a_packed_file_costs_about_the_limit():
    bomb = gzip.compress(bytes(100_000_000))
    assert peak_of_reading([bomb], "", LIMIT) < 2 * LIMIT + len(bomb)
    assert peak_of_reading([gzip.compress(bomb)], "gzip", LIMIT) < 3 * LIMIT + len(bomb)


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_the_limit_holds_to_the_byte(coding):
    packed = PACKERS[coding](b"x" * 2000)
    assert len(read_body([packed], coding=coding, limit=2000)) == 2000
    with pytest.raises(SourceUnreadableError, match="larger than 1999 bytes"):
        read_body([packed], coding=coding, limit=1999)


def test_packed_bytes_count_too():
    taken = 0

    def endless_header():
        nonlocal taken
        # A gzip header with a file name that never ends: much read, nothing made.
        yield b"\x1f\x8b\x08\x08" + bytes(6)
        while True:
            taken += 1000
            yield b"n" * 1000

    with pytest.raises(SourceUnreadableError, match="larger than"):
        read_body(endless_header(), coding="gzip", limit=50_000)
    assert taken <= 51_000


def test_empty_parts_without_end_are_refused():
    with pytest.raises(SourceUnreadableError, match="parts"):
        read_body([gzip.compress(b"") * 5000], coding="gzip", limit=LIMIT)


def peak_of_reading(packed: list[bytes], coding: str, limit: int) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(SourceUnreadableError, match="larger than"):
            read_body(packed, coding=coding, limit=limit)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_costs_about_the_limit(coding):
    bomb = PACKERS[coding](bytes(300_000_000))
    assert peak_of_reading([bomb], coding, LIMIT) < 2 * LIMIT + len(bomb)
    assert peak_of_reading(pieces(bomb, 1 << 16), coding, LIMIT) < 2 * LIMIT
