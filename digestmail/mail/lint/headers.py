"""Required and forbidden headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from digestmail.mail.lint.octets import LONGEST_LINE
from digestmail.mail.lint.parsed_message import ParsedMessage

ONCE: Final = (
    "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Auto-Submitted", "Precedence", "Feedback-ID",
)  # fmt: skip
OF_LISTS: Final = ("List-Id", "List-Unsubscribe", "List-Help", "List-Owner")
"""Once each in an edition, never in a notice."""
_ALSO_KNOWN: Final = frozenset(
    {"reply-to", "list-unsubscribe-post", "list-archive", "content-type", "content-language", "dkim-signature"}
)
_ONE_CLICK: Final = "List-Unsubscribe=One-Click"


def one_mailbox_each(parsed: ParsedMessage) -> Iterator[str]:
    """One From mailbox, one To."""
    for name in ("From", "To"):
        addresses = getattr(parsed.message.get(name), "addresses", ())
        if len(addresses) != 1:
            yield f"{name} has {len(addresses)} mailboxes"


def dated(parsed: ParsedMessage) -> Iterator[str]:
    """Date with a zone (RFC 5322 section 3.3)."""
    try:
        zoned = parsedate_to_datetime(parsed.header("Date")).tzinfo is not None
    except ValueError:
        zoned = False
    if not zoned:
        yield "Date is missing, invalid or without a time zone"


def identified(parsed: ParsedMessage) -> Iterator[str]:
    """Message-ID (RFC 5322 section 3.6.4), in lower case as mailboxes compare it."""
    if not re.fullmatch(r"<[a-z0-9.-]+@[a-z0-9.-]+>", parsed.header("Message-ID")):
        yield f"an invalid Message-ID: {parsed.header('Message-ID')!r}"


def marked_as_bulk(parsed: ParsedMessage) -> Iterator[str]:
    """RFC 3834 section 5, and the older Precedence for programs that check nothing else. Also in notices."""
    if parsed.header("Auto-Submitted") != "auto-generated":
        yield "Auto-Submitted is not auto-generated"
    if parsed.header("Precedence") != "bulk":
        yield "Precedence is not bulk"


def feedback_id(parsed: ParsedMessage) -> Iterator[str]:
    """Four fields, the last with 5 to 15 characters: Gmail's Feedback Loop groups complaints by them."""
    if not re.fullmatch(r"([^:\s]+:){3}[^:\s]{5,15}", parsed.header("Feedback-ID")):
        yield f"an invalid Feedback-ID: {parsed.header('Feedback-ID')!r}"


def list_headers(parsed: ParsedMessage) -> Iterator[str]:
    """RFC 2919 List-Id; RFC 2369 List-Help, List-Owner and, if there are web pages, List-Archive."""
    if not re.search(r"<[a-z0-9-]+\.[a-z0-9.-]+>$", parsed.header("List-Id")):
        yield f"an invalid List-Id: {parsed.header('List-Id')!r}"
    for name in ("List-Help", "List-Owner", "List-Archive"):
        if name in parsed.message and not re.fullmatch(r"<(https?://|mailto:)[^<>\s]+>", parsed.header(name)):
            yield f"an invalid {name}: {parsed.header(name)!r}"


def unsubscribe_header(parsed: ParsedMessage) -> Iterator[str]:
    """RFC 8058 section 3.1: an https link first, if there is one, then a mailto; on one line."""
    line = _unsubscribe_line(parsed)
    if line is None or len(line[0]) > LONGEST_LINE:
        yield "List-Unsubscribe is missing or folded"
    elif not re.fullmatch(rb"(?:<https://[^<>\s]+>, )?<mailto:[^<>\s]+>", line[1]):
        yield f"List-Unsubscribe is not an https link and a mailto: {line[1].decode('ascii', 'replace')}"


def one_click(parsed: ParsedMessage) -> Iterator[str]:
    """RFC 8058: one-click is announced if and only if there is an https link for it."""
    line = _unsubscribe_line(parsed)
    by_web = line is not None and b"<https://" in line[1]
    promised = parsed.header("List-Unsubscribe-Post") == _ONE_CLICK
    if by_web and not promised:
        yield "there is an https link, but List-Unsubscribe-Post does not announce one-click"
    elif promised and not by_web:
        yield "one-click is announced, but there is no https link"


def unsubscribe_link(parsed: ParsedMessage) -> Iterator[str]:
    """Both parts contain the unsubscribe link of the header."""
    token = re.search(r"unsubscribe(?:/|%20)([A-Za-z0-9_.-]+)>", parsed.header("List-Unsubscribe"))
    for kind, text in (("plain", parsed.text), ("html", parsed.html)):
        if token is None or token[1] not in text:
            yield f"no unsubscribe link in text/{kind}"


def headers_once(parsed: ParsedMessage) -> Iterator[str]:
    """Each header occurs once, and there are no others, which would come from an injection or a faulty template."""
    wanted = (*ONCE, *OF_LISTS) if any(name in parsed.message for name in OF_LISTS) else ONCE
    counts = {name: len(parsed.message.get_all(name, [])) for name in wanted}
    yield from (f"{name} is there {count} times" for name, count in counts.items() if count != 1)
    known = {*map(str.lower, (*ONCE, *OF_LISTS)), *_ALSO_KNOWN}
    yield from (f"an unexpected header {name}" for name in sorted({key.lower() for key in parsed.message} - known))


def headers_complete(parsed: ParsedMessage) -> Iterator[str]:
    """No header that confuses parsers or contains a line end."""
    if parsed.message.defects:
        yield f"the message is malformed: {parsed.message.defects}"
    for name, value in parsed.message.items():
        if re.search("[\r\n\0\u2028\u2029]", value):
            yield f"a line end in {name}"
        if defects := getattr(value, "defects", ()):
            yield f"{name} is malformed: {defects}"


def _unsubscribe_line(parsed: ParsedMessage) -> re.Match[bytes] | None:
    return re.search(rb"(?m)^List-Unsubscribe: (.*)\r$", parsed.raw)
