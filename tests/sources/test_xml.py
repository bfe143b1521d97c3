"""DOCTYPE in the prolog, however it is dressed."""

from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceUnreadableError
from digestmail.sources.xml import refuse_doctype

BOMB = '<!DOCTYPE rss [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><rss><title>&b;</title></rss>'
FEED = "<rss><channel><title>Papers</title></channel></rss>"


def is_refused(body: bytes) -> bool:
    try:
        refuse_doctype(body)
    except SourceUnreadableError:
        return True
    return False


PROLOGS = [
    "",
    "\n\t ",
    "<?xml version='1.0' encoding='UTF-8'?>",
    "<?xml version='1.0'?>\n<?xml-stylesheet href='a>b'?>\n",
    "<!-- <rss> -->",
    "<!--><rss>-->",
    "<!-- a -- b - -->\n<!-- -->",
    "<?pi <rss> ?>",
    "junk & ]]> before ",
]


@pytest.mark.parametrize("prolog", PROLOGS)
def test_a_doctype_before_the_first_element_is_refused(prolog):
    assert is_refused((prolog + BOMB).encode())
    assert is_refused((prolog + BOMB.replace("<!DOCTYPE", "<!doctype")).encode())


@pytest.mark.parametrize("prolog", PROLOGS)
def test_a_document_without_one_passes(prolog):
    refuse_doctype((prolog + FEED).encode())


@pytest.mark.parametrize(
    "content",
    [
        "<rss><![CDATA[<!DOCTYPE html><p>quoted page</p>]]></rss>",
        "<rss><!-- <!DOCTYPE html> --></rss>",
        "<rss>&lt;!DOCTYPE html&gt;</rss>",
        "<!-- <!DOCTYPE html> --><rss/>",
        "<?note <!DOCTYPE html> ?><rss/>",
        "<rss/><!DOCTYPE html>",
    ],
)
def test_a_doctype_that_declares_nothing_is_left_alone(content):
    refuse_doctype(content.encode())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("marked", [True, False])
def test_wide_encodings_hide_nothing(encoding, marked):
    mark = "\ufeff" if marked else ""
    declaration = f'<?xml version="1.0" encoding="{encoding[:6]}"?>\n'
    assert is_refused((mark + declaration + BOMB).encode(encoding))
    assert is_refused((mark + BOMB).encode(encoding))
    refuse_doctype((mark + declaration + FEED).encode(encoding))


def test_a_utf_8_mark_hides_nothing():
    assert is_refused(codecs.BOM_UTF8 + BOMB.encode())
    refuse_doctype(codecs.BOM_UTF8 + FEED.encode())


@pytest.mark.parametrize(
    ("encoding", "hidden"),
    [
        ("utf-7", b"+ADwAIQ-DOCTYPE rss>"),
        ("U7", b"+ADwAIQ-DOCTYPE rss>"),
        ("iso-2022-jp", b"<\x1b(B!DOCTYPE rss>"),
        ("unicode_escape", b"\\x3c!DOCTYPE rss>"),
        ("hz-gb-2312", b"<~{~}!DOCTYPE rss>"),
    ],
)
def test_encodings_that_spell_markup_otherwise_are_refused(encoding, hidden):
    body = f"<?xml version='1.0' encoding='{encoding}'?>".encode() + hidden + b"<rss/>"
    assert "<!DOCTYPE" in body.decode(encoding)
    assert is_refused(body)


def test_a_document_in_ebcdic_is_refused():
    assert is_refused(f"<?xml version='1.0' encoding='cp037'?>{BOMB}".encode("cp037"))


@pytest.mark.parametrize("encoding", ["bogus", "windows-1251", "shift_jis", "gb2312", "utf-16", "ISO-8859-1"])
def test_other_encodings_even_wrong_ones_are_not_its_business(encoding):
    refuse_doctype(f'<?xml version="1.0" encoding="{encoding}"?>{FEED}'.encode())


@pytest.mark.parametrize("body", [b"", b"<", b"<!", b"<!-", b"<!--", b"<?", b"\x00", b"\xff\xfe", b"\xff\xfe<", b"[]"])
def test_scraps_do_not_upset_it(body):
    assert is_refused(body) == (body in {b"<!", b"<!-"})


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_pass(body):
    is_refused(body)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([" ", "\n", "<?x y?>", "<!---->"]),
            st.text("ab<>!?- ", max_size=9).filter(lambda t: "--" not in t + "-").map("<!--{}-->".format),
        ),
        max_size=8,
    )
)
def test_no_prolog_of_comments_hides_a_doctype(parts):
    prolog = "".join(parts)
    assert is_refused((prolog + BOMB).encode())
    refuse_doctype((prolog + FEED).encode())


@pytest.mark.parametrize("piece", [b"<!---->", b"<?a?>", b"<!-- - ", b"<? ", b" ", b"x<!--", b"-->", b"\x00\x00<"])
def test_its_time_grows_no_faster_than_the_document(piece):
    body = piece * (5_000_000 // len(piece))
    began = time.process_time()
    is_refused(b"<?xml version='1.0' encoding='" + body)
    is_refused(body)
    assert time.process_time() - began < 3
