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


def one_mailbox_each(letter: ParsedMessage) -> Iterator[str]:
    """One From mailbox, one To."""
    for name in ("From", "To"):
        addresses = getattr(letter.message.get(name), "addresses", ())
        if len(addresses) != 1:
            yield f"{name} holds {len(addresses)} mailboxes"


def dated(letter: ParsedMessage) -> Iterator[str]:
    """Date with a zone (RFC 5322 section 3.3)."""
    try:
        zoned = parsedate_to_datetime(letter.header("Date")).tzinfo is not None
    except ValueError:
        zoned = False
    if not zoned:
        yield "Date is missing, unreadable or without a zone"


def identified(letter: ParsedMessage) -> Iterator[str]:
    """Message-ID (RFC 5322 section 3.6.4), in lower case as mailboxes compare it."""
    if not re.fullmatch(r"<[a-z0-9.-]+@[a-z0-9.-]+>", letter.header("Message-ID")):
        yield f"an odd Message-ID: {letter.header('Message-ID')!r}"


def marked_as_bulk(letter: ParsedMessage) -> Iterator[str]:
    """RFC 3834 section 5, and the older Precedence for programs that check nothing else. Also in notices."""
    if letter.header("Auto-Submitted") != "auto-generated":
        yield "Auto-Submitted is not auto-generated"
    if letter.header("Precedence") != "bulk":
        yield "Precedence is not bulk"


def feedback_id(letter: ParsedMessage) -> Iterator[str]:
    """Four fields, the last with 5 to 15 characters: Gmail's Feedback Loop groups complaints by them."""
    if not re.fullmatch(r"([^:\s]+:){3}[^:\s]{5,15}", letter.header("Feedback-ID")):
        yield f"an odd Feedback-ID: {letter.header('Feedback-ID')!r}"


def list_headers(letter: ParsedMessage) -> Iterator[str]:
    """RFC 2919 List-Id; RFC 2369 List-Help, List-Owner and, if there are web pages, List-Archive."""
    if not re.search(r"<[a-z0-9-]+\.[a-z0-9.-]+>$", letter.header("List-Id")):
        yield f"an odd List-Id: {letter.header('List-Id')!r}"
    for name in ("List-Help", "List-Owner", "List-Archive"):
        if name in letter.message and not re.fullmatch(r"<(https?://|mailto:)[^<>\s]+>", letter.header(name)):
            yield f"an odd {name}: {letter.header(name)!r}"


def unsubscribe_header(letter: ParsedMessage) -> Iterator[str]:
    """RFC 8058 section 3.1: an https link first, if there is one, then a mailto; on one line."""
    line = _unsubscribe_line(letter)
    if line is None or len(line[0]) > LONGEST_LINE:
        yield "List-Unsubscribe is not there on one line"
    elif not re.fullmatch(rb"(?:<https://[^<>\s]+>, )?<mailto:[^<>\s]+>", line[1]):
        yield f"List-Unsubscribe is not an https link and a mailto: {line[1].decode('ascii', 'replace')}"


def one_click(letter: ParsedMessage) -> Iterator[str]:
    """RFC 8058: one-click is announced if and only if there is an https link for it."""
    line = _unsubscribe_line(letter)
    by_web = line is not None and b"<https://" in line[1]
    promised = letter.header("List-Unsubscribe-Post") == _ONE_CLICK
    if by_web and not promised:
        yield "an https link, but List-Unsubscribe-Post does not promise one click"
    elif promised and not by_web:
        yield "one click is promised, but there is no https link"


def unsubscribe_link(letter: ParsedMessage) -> Iterator[str]:
    """Both parts contain the unsubscribe link of the header."""
    token = re.search(r"unsubscribe(?:/|%20)([A-Za-z0-9_.-]+)>", letter.header("List-Unsubscribe"))
    for kind, text in (("plain", letter.text), ("html", letter.html)):
        if token is None or token[1] not in text:
            yield f"no unsubscribe link in text/{kind}"


def headers_once(letter: ParsedMessage) -> Iterator[str]:
    """Each header occurs once, and there are no others, which would come from an injection or a faulty template."""
    wanted = (*ONCE, *OF_LISTS) if any(name in letter.message for name in OF_LISTS) else ONCE
    counts = {name: len(letter.message.get_all(name, [])) for name in wanted}
    yield from (f"{name} is there {count} times" for name, count in counts.items() if count != 1)
    known = {*map(str.lower, (*ONCE, *OF_LISTS)), *_ALSO_KNOWN}
    yield from (f"an unexpected header {name}" for name in sorted({key.lower() for key in letter.message} - known))


def headers_whole(letter: ParsedMessage) -> Iterator[str]:
    """No header that confuses parsers or contains a line end."""
    if letter.message.defects:
        yield f"the message is malformed: {letter.message.defects}"
    for name, value in letter.message.items():
        if re.search("[\r\n\0\u2028\u2029]", value):
            yield f"a line end in {name}"
        if defects := getattr(value, "defects", ()):
            yield f"{name} is malformed: {defects}"


def _unsubscribe_line(letter: ParsedMessage) -> re.Match[bytes] | None:
    return re.search(rb"(?m)^List-Unsubscribe: (.*)\r$", letter.raw)
