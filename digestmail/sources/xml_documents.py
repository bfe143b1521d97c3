"""From the bytes of a well-formed XML document to its elements."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from digestmail.errors import SourceUnreadableError
from digestmail.sources.parsed import beginning, single_line
from digestmail.sources.web_page import instead_of_a_feed
from digestmail.sources.xml import xml_text
from digestmail.sources.xml_limits import within_limits
from digestmail.text.scripts import script_of_markup


def parse_xml(body: bytes, content_type: str = "", url: str = "") -> ET.Element:
    """Return the root of an XML document that was fetched from `url`, within the limits of `xml_limits`.

    Raises SourceUnreadableError if it is not well-formed, declares entities or exceeds a limit.
    """
    text, skipped = within_limits(xml_text(body, content_type))
    if skipped:
        raise SourceUnreadableError(f"not read, because it is too expensive: {skipped[0].reason}")
    try:
        return ET.fromstring(text)  # noqa: S314 - without a DOCTYPE expat has no entities to expand
    except (ET.ParseError, ValueError) as error:
        page = instead_of_a_feed(body, content_type, url)
        raise SourceUnreadableError(page or f"not XML ({error}): {beginning(body)}") from error


def text_in(element: ET.Element | None) -> str:
    """Return all text in an element and the elements in it, on one line; empty if there is no element."""
    return "" if element is None else single_line(_text(element))


def _text(element: ET.Element) -> str:
    parts = [element.text or ""]
    for child in element:
        name = child.tag.rpartition("}")[2]
        text = _text(child)
        parts += (script_of_markup(name, text) if name in {"sub", "sup"} else text, child.tail or "")
    return "".join(parts)
