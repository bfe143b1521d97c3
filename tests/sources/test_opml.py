"""Lists of feeds, as feed readers write them."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceUnreadableError
from digestmail.sources.opml import Outline, parse_opml, render_opml

NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)


def opml(rows: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    return f'{head}\n<opml version="2.0"><head/><body>{rows}</body></opml>'.encode()


def test_nested_folders_and_missing_titles_are_fine():
    found = parse_opml(
        opml("""
        <outline text="Labs"><outline text="Far"><outline type="rss" text="One" title="First lab"
            xmlUrl="https://one.example/feed"/></outline>
          <outline type="rss" text=" Two
            lines " xmlUrl="https://two.example/feed"/></outline>
        <outline xmlUrl="https://three.example/feed"/>
        <outline text="no feed" htmlUrl="https://four.example/"/>
        """)
    )
    assert found == (
        Outline(title="First lab", url="https://one.example/feed"),
        Outline(title="Two lines", url="https://two.example/feed"),
        Outline(title="", url="https://three.example/feed"),
    )


@pytest.mark.parametrize("attribute", ["xmlUrl", "xmlurl", "XMLURL"])
def test_the_case_of_an_attribute_does_not_matter(attribute):
    assert parse_opml(opml(f'<OUTLINE {attribute}="https://a.example/"/>'))[0].url == "https://a.example/"


def test_what_is_not_quite_xml_is_read_as_it_was_meant():
    found = parse_opml(
        opml('<outline text="R&D &uuml;ber &nbsp;x &amp; y &#65; &bogus;" xmlUrl="https://a.example/?a=1&b=2&copy=3"/>')
    )
    assert found == (Outline(title="R&D über x & y A &bogus;", url="https://a.example/?a=1&b=2&copy=3"),)


def test_other_encodings_and_a_byte_order_mark_are_read():
    row = '<outline text="Zoë" xmlUrl="https://a.example/"/>'
    latin = opml(row, '<?xml version="1.0" encoding="ISO-8859-1"?>').decode().encode("latin-1")
    for body in (latin, b"\xef\xbb\xbf" + opml(row), b"\n\n" + opml(row), opml(row, "<!DOCTYPE opml>")):
        assert parse_opml(body)[0].title == "Zoë"


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE opml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE opml [<!ENTITY % x SYSTEM "http://127.0.0.1/x">%x;]>',
    ],
)
def test_entities_are_refused(head):
    with pytest.raises(SourceUnreadableError, match="entities"):
        parse_opml(opml('<outline text="&b;&x;" xmlUrl="https://a.example/"/>', head))


@pytest.mark.parametrize("body", [b"", b"<html><body/></html>", b"<rss/>", b"x = 1", b"<opml><body>", b"\x00\xff"])
def test_what_is_no_list_is_said_to_be_none(body):
    with pytest.raises(SourceUnreadableError, match="not OPML"):
        parse_opml(body)


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=30
)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_what_is_exported_can_be_imported(rows):
    outlines = [
        Outline(title=" ".join(title.split()), url="https://a.example/" + "".join(path.split())) for title, path in rows
    ]
    written = render_opml(outlines, title="digestmail", now=NOW)
    assert list(parse_opml(written.encode())) == outlines


def test_an_export_is_opml_2_as_feed_readers_want_it():
    written = render_opml([Outline(title="R&D <x>", url="https://a.example/?a=1&b=2")], title="Me & you", now=NOW)
    root = ET.fromstring(written)  # noqa: S314 - our own
    assert (root.tag, root.get("version")) == ("opml", "2.0")
    assert root.findtext("head/title") == "Me & you"
    assert root.findtext("head/dateCreated") == "Thu, 02 Apr 2026 08:00:00 GMT"
    (row,) = root.findall("body/outline")
    assert row.attrib == {"type": "rss", "text": "R&D <x>", "title": "R&D <x>", "xmlUrl": "https://a.example/?a=1&b=2"}
