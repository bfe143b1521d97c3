"""What RFC 4287 demands of a feed document, checked on the bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

ATOM = "{http://www.w3.org/2005/Atom}"
# RFC 3339 with a capital T and Z (RFC 4287 section 3.3).
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
TEXTS = {"title", "subtitle", "summary", "rights", "content"}
PERSONS = {"author", "contributor"}
DATES = {"updated", "published"}
ONCE_IN_FEED = {"id", "title", "updated"}
AT_MOST_ONCE_IN_FEED = {"generator", "icon", "logo", "rights", "subtitle"}
ONCE_IN_ENTRY = {"id", "title", "updated"}
AT_MOST_ONCE_IN_ENTRY = {"content", "published", "rights", "source", "summary"}
IN_FEED = ONCE_IN_FEED | AT_MOST_ONCE_IN_FEED | PERSONS | {"category", "link", "entry"}
IN_ENTRY = ONCE_IN_ENTRY | AT_MOST_ONCE_IN_ENTRY | PERSONS | {"category", "link"}


def broken_atom_rules(document: bytes) -> list[str]:
    """Return what a feed document breaks, in words; nothing if it is valid."""
    root = ET.fromstring(document)  # noqa: S314 - our own
    if root.tag != f"{ATOM}feed":
        return [f"the root is {root.tag}"]
    entries = root.findall(f"{ATOM}entry")
    found = [*_container(root, IN_FEED, ONCE_IN_FEED, AT_MOST_ONCE_IN_FEED)]
    if not any(link.get("rel") == "self" for link in root.findall(f"{ATOM}link")):
        found.append("the feed has no link to itself (4.1.1)")
    if root.find(f"{ATOM}author") is None and any(entry.find(f"{ATOM}author") is None for entry in entries):
        found.append("neither the feed nor every entry has an author (4.1.1)")
    for entry in entries:
        found += _container(entry, IN_ENTRY, ONCE_IN_ENTRY, AT_MOST_ONCE_IN_ENTRY)
        links = entry.findall(f"{ATOM}link")
        if entry.find(f"{ATOM}content") is None and not any(
            link.get("rel", "alternate") == "alternate" for link in links
        ):
            found.append("an entry without content has no alternate link (4.1.2)")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    if len(set(ids)) < len(ids):
        found.append("two entries have one id (4.1.1)")
    return found


def _container(node: ET.Element, known: set[str], once: set[str], at_most_once: set[str]) -> Iterator[str]:
    names = [child.tag.removeprefix(ATOM) for child in node]
    yield from (f"{name} is no element of {node.tag}" for name in set(names) - known)
    yield from (f"{node.tag} has {names.count(name)} {name}" for name in once if names.count(name) != 1)
    yield from (f"{node.tag} has several {name}" for name in at_most_once if names.count(name) > 1)
    alternates = [
        (link.get("type"), link.get("hreflang"))
        for link in node.findall(f"{ATOM}link")
        if link.get("rel", "alternate") == "alternate"
    ]
    if len(set(alternates)) < len(alternates):
        yield "two alternate links of one type (4.1.1)"
    for child in node:
        yield from _child(child, child.tag.removeprefix(ATOM))


def _child(child: ET.Element, name: str) -> Iterator[str]:
    text = child.text or ""
    if name == "id" and not re.match(r"[a-z][a-z0-9+.-]*:\S+\Z", text):
        yield f"id {text!r} is no IRI (4.2.6)"
    if name in DATES and not DATE.fullmatch(text):
        yield f"{name} {text!r} is no date (3.3)"
    if name in TEXTS and child.get("type", "text") not in {"text", "html"}:
        yield f"{name} has the type {child.get('type')}"
    if name in TEXTS and len(child):
        yield f"{name} has child elements (3.1.1)"
    if name == "title" and not text.strip():
        yield "a title is empty"
    if name in PERSONS and not (child.findtext(f"{ATOM}name") or "").strip():
        yield f"{name} has no name (3.2.1)"
    if name == "link" and not urlsplit(child.get("href", "")).scheme:
        yield "a link has no absolute href (4.2.7.1)"
