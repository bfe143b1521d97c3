"""The rules of a correct digest mail, checked on the bytes that go out: one sentence for each rule that is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from urllib.parse import urlsplit

CLIPPED_AT = 100_000
_ONCE = (
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Id", "List-Unsubscribe", "List-Help",
    "List-Owner", "Auto-Submitted", "Precedence", "Feedback-ID",
)  # fmt: skip
_FORBIDDEN_TAGS = {"script", "form", "input", "iframe", "object", "embed", "link", "base", "svg"}


def broken_rules(raw: bytes) -> list[str]:
    """Return what is wrong with the message `raw`; nothing, if it is as a digest mail should be."""
    return list(_broken(raw))


def visible(html: str) -> str:
    """Return the text a reader sees, white space folded."""
    parser = _Page()
    parser.feed(html)
    return " ".join(" ".join(parser.text).split())


def part(raw: bytes, kind: str) -> str:
    """Return the decoded text of the part `text/kind`, its line ends LF."""
    message = message_from_bytes(raw, policy=policy.default)
    body = message.get_body(preferencelist=(kind,))
    assert body is not None, f"there is no text/{kind}"
    content = body.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def _broken(raw: bytes) -> Iterator[str]:
    yield from _broken_wire(raw)
    message = message_from_bytes(raw, policy=policy.default)
    if message.defects:
        yield f"the message is malformed: {message.defects}"
    problems = list(_injected(message))
    yield from problems
    if problems:
        return
    yield from _broken_headers(message)
    yield from _broken_list_headers(raw, message)
    yield from _broken_structure(message, raw)


def _broken_wire(raw: bytes) -> Iterator[str]:
    """Rule 7."""
    if b"\0" in raw:
        yield "7: a NUL"
    if re.search(rb"(?<!\r)\n|\r(?!\n)", raw):
        yield "7: a bare CR or LF"
    lines = raw.split(b"\r\n")
    if max(map(len, lines)) > 998:
        yield "7: a line over 998 octets"
    if not raw.isascii():
        yield "7: not 7-bit"
    body = raw.split(b"\r\n\r\n", 1)[1]
    if max(map(len, body.split(b"\r\n"))) > 76:
        yield "7: a quoted-printable line over 76 octets"


def _injected(message: EmailMessage) -> Iterator[str]:
    """Rule 8, and that every header is there once."""
    counts = {name: len(message.get_all(name, [])) for name in _ONCE}
    if wrong := {name: count for name, count in counts.items() if count != 1}:
        yield f"8: headers not there once: {wrong}"
    known = {*map(str.lower, _ONCE), "reply-to", "list-unsubscribe-post", "list-archive", "content-type"}
    if unknown := {name.lower() for name in message} - known:
        yield f"8: unexpected headers {unknown}"
    for name, value in message.items():
        if re.search("[\r\n\0\u2028\u2029]", value):
            yield f"8: a line end in {name}"
        if value.defects:
            yield f"8: {name} is malformed: {value.defects}"


def _broken_headers(message: EmailMessage) -> Iterator[str]:
    """Rules 4 and 5."""
    for name in ("From", "To"):
        if len(message[name].addresses) != 1:
            yield f"5: {name} is not one mailbox"
    if parsedate_to_datetime(message["Date"]).tzinfo is None:
        yield "5: Date without a zone"
    if not re.fullmatch(r"<[a-z0-9.-]+@[a-z0-9.-]+>", message["Message-ID"]):
        yield "5: an odd Message-ID"
    if message["Auto-Submitted"] != "auto-generated" or message["Precedence"] != "bulk":
        yield "4: not marked as bulk mail"
    if not re.fullmatch(r"([^:\s]+:){3}[^:\s]{5,15}", message["Feedback-ID"]):
        yield "4: an odd Feedback-ID"


def _broken_list_headers(raw: bytes, message: EmailMessage) -> Iterator[str]:
    """Rules 1 and 3."""
    line = re.search(rb"(?m)^List-Unsubscribe: (.*)\r$", raw)
    if line is None or len(line[0]) > 998:
        yield "1: List-Unsubscribe is not on one line"
        return
    links = re.fullmatch(rb"(?:<https://[^<>\s]+>, )?<mailto:[^<>\s]+>", line[1])
    if links is None:
        yield f"1: List-Unsubscribe is not an https link and a mailto: {line[1]!r}"
    one_click = message["List-Unsubscribe-Post"]
    if (b"<https://" in line[1]) != (one_click == "List-Unsubscribe=One-Click"):
        yield "1: one-click is promised if and only if there is an https link"
    if not re.search(r"<[a-z0-9-]+\.[a-z0-9.-]+>$", message["List-Id"]):
        yield "3: an odd List-Id"
    for name in ("List-Help", "List-Owner", "List-Archive"):
        if name in message and not re.fullmatch(r"<(https?://|mailto:)[^<>\s]+>", message[name]):
            yield f"3: an odd {name}"


def _broken_structure(message: EmailMessage, raw: bytes) -> Iterator[str]:
    """Rules 6 and 14."""
    kinds = [body.get_content_type() for body in message.walk()]
    if kinds != ["multipart/alternative", "text/plain", "text/html"]:
        yield f"6: the parts are {kinds}"
        return
    encoded = raw.rsplit(b"Content-Type: text/html", 1)[1].split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 2)[0]
    if len(encoded) >= CLIPPED_AT:
        yield f"14: the HTML part has {len(encoded)} octets"
    token = re.search(r"unsubscribe(?:/|%20)([A-Za-z0-9_.-]+)>", message["List-Unsubscribe"])
    for kind in ("plain", "html"):
        text = part(raw, kind)
        if token is None or token[1] not in text:
            yield f"1: no unsubscribe link in text/{kind}"
        if re.search("[\x00-\x08\x0b-\x1f\x7f\ufdd0-\ufdef]", text):
            yield f"15: an unprintable character in text/{kind}"
    yield from _broken_html(part(raw, "html"))


def _broken_html(html: str) -> Iterator[str]:
    """Rules 15, 16 and, as far as a parser sees it, 17."""
    if "<mj-" in html:
        yield "a tag of MJML is left"
    page = _Page()
    page.feed(html)
    if found := page.tags & _FORBIDDEN_TAGS:
        yield f"15: forbidden tags {found}"
    for href in page.links:
        if urlsplit(href).scheme not in {"http", "https", "mailto"} and not href.startswith("#"):
            yield f"15: a link to {href!r}"
    if page.handlers:
        yield f"15: script in attributes {page.handlers}"
    if re.search(r"url\(|@import", html):
        yield "16: remote content"
    for picture in page.images:
        if not picture["src"].startswith("https://") or not all(map(picture.get, ("width", "height", "alt"))):
            yield f"16: a picture without https, size or text: {picture}"
    yield from _broken_outline(page)
    if not re.search(r'<html lang="[a-z]+" dir="(ltr|rtl)"', html):
        yield "17: no language on html"


def _broken_outline(page: _Page) -> Iterator[str]:
    """Rule 17."""
    if page.bare_tables:
        yield f"17: {page.bare_tables} layout tables without a role"
    if page.headings[:1] != ["h1"] or page.headings.count("h1") != 1:
        yield f"17: headings begin {page.headings[:3]}"
    if any(int(after[1]) > int(before[1]) + 1 for before, after in zip(page.headings, page.headings[1:], strict=False)):
        yield f"17: headings skip a level: {page.headings}"


class _Page(HTMLParser):
    """Collects what the rules ask about."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.images: list[dict[str, str]] = []
        self.handlers: list[str] = []
        self.headings: list[str] = []
        self.bare_tables = 0
        self.text: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag in {"style", "title", "head"}:
            self._hidden += 1
        if tag == "a":
            self.links.append(values.get("href") or "")
        if "src" in values or "background" in values:
            self.images.append({"src": "", **{name: value or "" for name, value in attrs}})
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag == "table" and values.get("role") != "presentation":
            self.bare_tables += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in {"style", "title", "head"}:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)
