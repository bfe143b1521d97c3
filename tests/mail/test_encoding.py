"""The encodings of text parts: each text arrives, in the smaller form, whatever its token."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.mail.encoding import MARKER, Base64, QuotedPrintable, smaller

TOKENS = st.text(alphabet="abcXYZ019_-.", max_size=120)


def whole(part, token: str) -> bytes:
    return part.start + b"".join(part.rest(token.encode()))


def decoded(part, token: str) -> str:
    body = whole(part, token)
    octets = base64.b64decode(body) if part.encoding == "base64" else quopri.decodestring(body)
    return octets.decode().replace("\r\n", "\n")


@settings(deadline=None)
@given(st.lists(st.text(max_size=90, alphabet="aé注😀 \n.="), min_size=1, max_size=5), st.lists(TOKENS, min_size=1))
def test_a_text_arrives_in_either_encoding_for_one_recipient_after_the_other(pieces: list[str], tokens: list[str]):
    for make in (Base64, QuotedPrintable):
        part = make(MARKER.join(pieces))
        for token in tokens:
            assert decoded(part, token) == token.join(pieces)


@settings(deadline=None)
@given(st.text(), TOKENS, st.text())
def test_base64_is_canonical(before: str, token: str, after: str):
    body = whole(Base64(before.replace(MARKER, "") + MARKER + after.replace(MARKER, "")), token)

    lines = body.split(b"\r\n")
    assert all(len(line) <= 76 and len(line) % 4 == 0 for line in lines)
    assert b"=" not in b"".join(lines[:-1])
    base64.b64decode(b"".join(lines), validate=True)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Plain words in English.\n" * 20, "quoted-printable"),
        ("Über die Größe von Modellen.\n" * 20, "quoted-printable"),
        ("מודל קטן לומד אילו משכבותיו נחוצות לשאלה\n" * 20, "base64"),
        ("注意力机制与稀疏模型。\n" * 20, "base64"),
        ("", "quoted-printable"),
    ],
)
def test_the_encoding_is_the_smaller_one(text: str, encoding: str):
    part = smaller(text)

    assert part.encoding == encoding
    assert len(whole(part, "")) == min(len(whole(make(text), "")) for make in (Base64, QuotedPrintable))
