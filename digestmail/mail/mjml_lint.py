"""A linter for rendered MJML, because the compiler silently ignores what it does not know. Pure.

It knows the tags and attributes of MJML 4.15 (https://documentation.mjml.io) that these emails may need.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

_BOX = {"padding", "padding-top", "padding-right", "padding-bottom", "padding-left", "css-class"}
_FONT = {"font-family", "font-size", "font-style", "font-weight", "letter-spacing", "line-height", "color"}
_BACKGROUND = {
    "background-color",
    "border",
    "border-radius",
    "border-top",
    "border-right",
    "border-bottom",
    "border-left",
}
_CONTENT = {*_BOX, "align", "container-background-color"}

_BODIES = ("mj-section", "mj-wrapper", "mj-raw")
_CONTENTS = ("mj-text", "mj-table", "mj-image", "mj-button", "mj-divider", "mj-spacer", "mj-raw")

TAGS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    name: (frozenset(attributes), frozenset(inside))
    for name, attributes, inside in (
        ("mjml", {"lang", "dir"}, ()),
        ("mj-head", set(), ("mjml",)),
        ("mj-title", set(), ("mj-head",)),
        ("mj-preview", set(), ("mj-head",)),
        ("mj-style", {"inline"}, ("mj-head",)),
        ("mj-breakpoint", {"width"}, ("mj-head",)),
        ("mj-attributes", set(), ("mj-head",)),
        ("mj-all", _FONT | _BOX, ("mj-attributes",)),
        ("mj-raw", {"position"}, ("mj-head", "mj-body", "mj-section", "mj-column", "mj-wrapper")),
        ("mj-body", {"width", "background-color", "css-class"}, ("mjml",)),
        ("mj-wrapper", _BOX | _BACKGROUND | {"full-width", "text-align"}, ("mj-body",)),
        ("mj-section", _BOX | _BACKGROUND | {"direction", "full-width", "text-align"}, ("mj-body", "mj-wrapper")),
        ("mj-group", _BACKGROUND | {"width", "direction", "vertical-align", "css-class"}, ("mj-section",)),
        ("mj-column", _BOX | _BACKGROUND | {"width", "direction", "vertical-align"}, ("mj-section", "mj-group")),
        ("mj-text", _CONTENT | _FONT | {"height", "text-decoration", "text-transform"}, ("mj-column",)),
        (
            "mj-table",
            _CONTENT | _FONT | {"width", "cellpadding", "cellspacing", "role", "table-layout"},
            ("mj-column",),
        ),
        ("mj-image", _CONTENT | {"src", "alt", "href", "width", "height", "title", "border-radius"}, ("mj-column",)),
        (
            "mj-button",
            _CONTENT | _FONT | _BACKGROUND | {"href", "width", "height", "inner-padding", "text-decoration"},
            ("mj-column",),
        ),
        ("mj-divider", _CONTENT | {"border-color", "border-style", "border-width", "width"}, ("mj-column",)),
        ("mj-spacer", _CONTENT | {"height"}, ("mj-column",)),
    )
}
"""Each tag with its attributes and its allowed parents. `mj-attributes` may contain any tag."""

_TAG = re.compile(r"<(/?)(mj[a-z-]*)((?:\s[^<>]*)?)>", re.DOTALL)
_LINKED = re.compile(r"<(a|img)\s([^<>]*)>", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_SIZED = ("width", "height", "alt")


def mjml_problems(source: str) -> list[str]:
    """Return the errors in `source`, the MJML before compilation: one sentence each, with its line.

    Tags and attributes must be known and in an allowed place, tags must be closed, images need a size and alternative
    text, and links need http, https, mailto or an anchor in the email.
    """
    return [*_tag_problems(source), *_link_problems(source)]


def _tag_problems(source: str) -> Iterator[str]:
    opened: list[str] = []
    for match in _TAG.finditer(source):
        closing, name, attributes = match.groups()
        line = source.count("\n", 0, match.start()) + 1
        if closing:
            if not opened or opened.pop() != name:
                yield f"line {line}: </{name}> has no opening tag"
                return
            continue
        yield from (f"line {line}: {problem}" for problem in _opening_problems(name, attributes, opened))
        if not attributes.endswith("/"):
            opened.append(name)
    yield from (f"<{name}> is not closed" for name in opened)


def _opening_problems(name: str, attributes: str, opened: list[str]) -> Iterator[str]:
    if name not in TAGS:
        yield f"<{name}> is not an MJML tag"
        return
    known, inside = TAGS[name]
    parent = opened[-1] if opened else ""
    if parent != "mj-attributes" and (parent not in inside if inside else parent):
        yield f"<{name}> is not allowed in <{parent}>" if parent else f"<{name}> must be inside another tag"
    values = _values(attributes)
    yield from (f"<{name}> has no attribute {key}" for key in values if key not in known)
    if name == "mj-image" and parent != "mj-attributes":
        yield from _picture_problems(name, values)
    if "href" in values:
        yield from _href_problems(name, values["href"])


def _link_problems(source: str) -> Iterator[str]:
    for match in _LINKED.finditer(source):
        name, values = match[1], _values(match[2])
        problems = _href_problems(name, values.get("href", "")) if name == "a" else _picture_problems(name, values)
        for problem in problems:
            yield f"line {source.count(chr(10), 0, match.start()) + 1}: {problem}"


def _picture_problems(name: str, values: dict[str, str]) -> Iterator[str]:
    yield from (f"<{name}> has no {key}" for key in _SIZED if not values.get(key))
    if not values.get("src", "").startswith("https://"):
        yield f"<{name}> has no https URL"


def _href_problems(name: str, href: str) -> Iterator[str]:
    if href.startswith(("https://", "http://", "#", "mailto:")) and href != "#":
        return
    yield f"<{name}> leads to {urlsplit(href).scheme + ':' if ':' in href else href or 'nothing'!r}"


def _values(attributes: str) -> dict[str, str]:
    return {match[1]: match[2] if match[2] is not None else match[3] for match in _ATTRIBUTE.finditer(attributes)}
