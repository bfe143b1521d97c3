"""What reaches an XML parser: text without DOCTYPE and entities, however they are dressed."""

from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceUnreadableError
from digestmail.sources.strict import parse_strictly
from digestmail.sources.xml import without_doctype, xml_text

BOMB = '<!DOCTYPE rss [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><rss><title>&b;</title></rss>'
FEED = "<rss><channel><title>Papers</title></channel></rss>"
NETSCAPE = '<!DOCTYPE rss PUBLIC "-//Example//DTD RSS 0.91//EN" "http://dtd.example.org/rss-0.91.dtd">'


def is_refused(body: bytes) -> bool:
    try:
        xml_text(body)
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
def test_entities_declared_before_the_first_element_are_refused(prolog):
    for document in (prolog + BOMB, prolog + BOMB.replace("<!DOCTYPE", "<!doctype").replace("<!ENTITY", "<!entity")):
        with pytest.raises(SourceUnreadableError, match="declares entities") if "junk" not in prolog else no_bomb():
            assert "ENTITY" not in xml_text(document.encode()).upper()


class no_bomb:  # noqa: N801 - used like a function, beside pytest.raises
    """What stands before a document may be dropped together with the declarations in it, or all of it is refused."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        return kind is not None and issubclass(kind, SourceUnreadableError)


@pytest.mark.parametrize("prolog", PROLOGS)
def test_a_document_without_one_passes(prolog):
    assert xml_text((prolog + FEED).encode()).endswith(FEED)


@pytest.mark.parametrize(
    "doctype",
    [
        NETSCAPE,
        "<!DOCTYPE rss>",
        "<!doctype rss SYSTEM 'a > b.dtd' >",
        '<!DOCTYPE feed SYSTEM "a[b].dtd">',
        "<!DOCTYPE rss []>",
        "<!DOCTYPE rss [ <!ELEMENT rss (channel)> <!-- none --> ] >",
    ],
)
@pytest.mark.parametrize("prolog", ["", "<?xml version='1.0'?>\n", "<!-- a -->"])
def test_a_doctype_without_entities_is_dropped_and_the_rest_is_read(prolog, doctype):
    text = xml_text(f"{prolog}{doctype}\n{FEED}".encode())
    assert text.endswith(FEED)
    assert "DOCTYPE" not in text.upper()


def test_the_message_says_what_is_wrong_and_what_to_do():
    with pytest.raises(SourceUnreadableError, match=r"entities.*expand without limit.*ask the publisher"):
        xml_text(b'<!DOCTYPE rss [<!ENTITY nbsp "&#160;">]><rss/>')


@pytest.mark.parametrize(
    "prolog",
    [
        "<!DOCTYPE rss",
        "<!DOCTYPE rss [",
        '<!DOCTYPE rss SYSTEM "a>',
        "<!DOCTYPE rss><!DOCTYPE rss>",
        f"{NETSCAPE}{BOMB}",
        "<!ELEMENT rss>",
        "<![CDATA[x]]>",
        '<!DOCTYPE rss [<!ATTLIST a b CDATA "]>"><!ENTITY c "d">]>',
        '<!DOCTYPE rss [<!-- ]> --><!ENTITY c "d">]>',
        "<!DOCTYPE rss [%remote;]>",
    ],
)
def test_any_other_declaration_before_the_first_element_is_refused(prolog):
    assert is_refused(f"{prolog}{FEED}".encode())


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
    assert without_doctype(content) == content


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("marked", [True, False])
def test_wide_encodings_hide_nothing(encoding, marked):
    mark = "\ufeff" if marked else ""
    declaration = f'<?xml version="1.0" encoding="{encoding[:6]}"?>\n'
    assert is_refused((mark + declaration + BOMB).encode(encoding))
    assert is_refused((mark + BOMB).encode(encoding))
    assert xml_text((mark + declaration + FEED).encode(encoding)) == FEED


def test_a_utf_8_mark_hides_nothing():
    assert is_refused(codecs.BOM_UTF8 + BOMB.encode())
    assert xml_text(codecs.BOM_UTF8 + FEED.encode()) == FEED


@pytest.mark.parametrize(
    ("encoding", "hidden"),
    [
        ("utf-7", b"+ADwAIQ-DOCTYPE rss [+ADwAIQ-ENTITY a 'b'>]>"),
        ("U7", b"+ADwAIQ-DOCTYPE rss [+ADwAIQ-ENTITY a 'b'>]>"),
        ("iso-2022-jp", b"<\x1b(B!DOCTYPE rss [<!ENTITY a 'b'>]>"),
        ("unicode_escape", b"\\x3c!DOCTYPE rss [\\x3c!ENTITY a 'b'>]>"),
        ("hz-gb-2312", b"<~{~}!DOCTYPE rss [<!ENTITY a 'b'>]>"),
    ],
)
def test_encodings_that_spell_markup_otherwise_hide_nothing_from_the_parser(encoding, hidden):
    body = f"<?xml version='1.0' encoding='{encoding}'?>".encode() + hidden + b"<rss><channel/></rss>"
    assert "<!DOCTYPE" in body.decode(encoding)
    try:
        text = xml_text(body)
    except SourceUnreadableError:
        return
    # The parsers get just this text, so what is no markup here is none for them.
    assert "<!DOCTYPE" not in text
    assert "encoding" not in text


def test_a_document_in_ebcdic_is_refused():
    assert is_refused(f"<?xml version='1.0' encoding='cp037'?>{BOMB}".encode("cp037"))


def test_characters_that_xml_does_not_have_are_dropped():
    assert xml_text(b"<rss>a\x0bb\x00c\x1f</rss>") == "<rss>abc</rss>"


def test_what_stands_before_the_document_is_dropped():
    warning = b"<br />\n<b>Notice</b>: something is wrong in <b>feed.php</b> on line 7<br />\n"
    assert xml_text(b"Notice: something is wrong\n<?xml version='1.0'?>" + FEED.encode()) == FEED
    assert xml_text(b"   \n " + FEED.encode()) == FEED
    assert xml_text(warning + FEED.encode()).endswith(FEED)


def test_the_quick_parser_gets_no_entities_either():
    with pytest.raises(SourceUnreadableError):
        parse_strictly(BOMB.encode())
    assert parse_strictly((NETSCAPE + FEED).encode()) is not None


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
    assert xml_text((prolog + FEED).encode()).endswith(FEED)


@pytest.mark.parametrize(
    "piece",
    [
        b"<!---->",
        b"<?a?>",
        b"<!-- - ",
        b"<? ",
        b" ",
        b"x<!--",
        b"-->",
        b"\x00\x00<",
        b"<!DOCTYPE a'",
        b"<!DOCTYPE a[",
        b"]",
    ],
)
def test_its_time_grows_no_faster_than_the_document(piece):
    body = piece * (5_000_000 // len(piece))
    began = time.process_time()
    is_refused(b"<?xml version='1.0' encoding='" + body)
    is_refused(b"<!DOCTYPE a [" + body)
    is_refused(body)
    assert time.process_time() - began < 4
