"""Parses a message to our return path: its kind, the failed recipients, and tokens that identify the subscriber."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Final
from urllib.parse import unquote

from digestmail.bounces.parsing.delivery_status import read_delivery_status
from digestmail.bounces.parsing.feedback_report import original_senders, read_feedback
from digestmail.bounces.parsing.free_text import is_auto_reply, is_from_daemon, is_warning, read_notice, readable_text
from digestmail.bounces.parsing.mime_parts import (
    MAX_BYTES,
    LimitError,
    Mail,
    field,
    normalize_lines,
    own_parts,
    parse,
    returned_messages,
    text,
)
from digestmail.bounces.parsing.report import FailedRecipient, InboundReport, Kind, RecipientProof, printable_line

_RECIPIENT_FIELDS = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_RETURN_PATH = re.compile(r"\+([0-9a-f]{40})@", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9-]{1,80}\.[A-Za-z0-9-]{1,80}\.[0-9a-f]{40}@[A-Za-z0-9.-]{1,253}>")
_SUBJECT_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{4,200}\.[A-Za-z0-9_-]{27})(?![A-Za-z0-9_-])")
"""An unsubscribe token: base64 data and a signature of 20 octets."""
_UNSUBSCRIBE = re.compile(r"(?:/unsubscribe/|unsubscribe%20|unsubscribe )([A-Za-z0-9_-]{4,200}\.[A-Za-z0-9_-]{20,60})")
_MOST: Final = 10


def read(raw: bytes, recipients: Sequence[str] = ()) -> InboundReport:
    """Parse the first 400 KB of the message `raw`, in bounded time. Never raises.

    A message that exceeds a limit, or that any parser fails on, is `Kind.UNREADABLE`. `recipients` are the addresses of
    the envelope, if known (RFC 5321 section 3.3).
    """
    try:
        return _read(raw, recipients)
    except LimitError as error:
        detail = str(error)
    except Exception as error:  # noqa: BLE001 - one message must never stop the others; RecursionError is one, too
        detail = where(error)
    return InboundReport(kind=Kind.UNREADABLE, identity=_identity(raw, None), detail=detail)


def where(error: Exception) -> str:
    """Return the type and the place of an unexpected error, without its text, which may contain an address."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} in {trace.tb_frame.f_globals.get('__name__', '?')}, line {trace.tb_lineno}"


def _read(raw: bytes, recipients: Sequence[str]) -> InboundReport:
    mail = parse(raw)
    kind, failures, detail = _classify(mail)
    proof = _proof(mail, recipients)
    if not _is_report(mail, kind):
        proof = replace(
            proof,
            addressed=_found(_RETURN_PATH, _own_recipients(mail, recipients)),
            subjects=_found(_SUBJECT_TOKEN, [_subject(mail)]),
        )
    return InboundReport(
        kind=kind,
        identity=_identity(raw, mail),
        failures=failures,
        detail=printable_line(detail or "; ".join(failure.text for failure in failures)),
        proof=proof,
    )


def _classify(mail: Mail) -> tuple[Kind, tuple[FailedRecipient, ...], str]:
    if feedback := read_feedback(mail):
        return feedback[0], (), feedback[1]
    status = [part for part in own_parts(mail) if part.get_content_type() == "message/delivery-status"]
    words = readable_text(mail)
    if status and (report := read_delivery_status(status, words, warns=is_warning(words))):
        return *report, ""
    if is_auto_reply(mail):
        return Kind.AUTO_REPLY, (), field(mail, "Subject")[:200]
    return *read_notice(mail), ""


def _is_report(mail: Mail, kind: Kind) -> bool:
    """Return whether a program reports on another message. Such a message is never an unsubscribe request.

    Auto-Submitted is not used: mail programs that unsubscribe for their user send auto-replied messages.
    """
    reports = {"message/delivery-status", "message/feedback-report", "message/disposition-notification"}
    return (
        mail.get_content_type() == "multipart/report"
        or kind in {Kind.BOUNCE, Kind.DELAYED, Kind.DELIVERED}
        or "X-Failed-Recipients" in mail
        or _is_daemon(mail)
        or any(part.get_content_type() in reports for part in own_parts(mail))
    )


def _is_daemon(mail: Mail) -> bool:
    """Return whether a mail server wrote the message. A person may also write from postmaster@."""
    if not is_from_daemon(mail):
        return False
    automatic = field(mail, "Auto-Submitted").lower() not in {"", "no"} or field(mail, "Return-Path") == "<>"
    return automatic or "postmaster" not in field(mail, "From").lower()


def _subject(mail: Mail) -> str:
    """Return the subject with encoded words (RFC 2047) and percent-encoding decoded."""
    subject = field(mail, "Subject")
    with suppress(HeaderParseError, LookupError, ValueError):  # malformed or in an unknown charset: keep it unchanged
        subject = str(make_header(decode_header(subject)))
    return unquote(subject)


def _identity(raw: bytes, mail: Mail | None) -> str:
    own = field(mail, "Message-ID") if mail is not None else ""
    named = own.encode("utf-8", "replace") or normalize_lines(raw[:MAX_BYTES])
    return hashlib.sha256(named).hexdigest()[:32]


def find_tokens(addresses: Sequence[str], original: Sequence[str]) -> RecipientProof:
    """Return possible tokens in envelope addresses, and in texts of the original message."""
    return RecipientProof(
        return_paths=_found(_RETURN_PATH, [*addresses, *original]),
        message_ids=_found(_MESSAGE_ID, original),
        unsubscribes=_found(_UNSUBSCRIBE, [*(re.sub(r"\r?\n[ \t]", "", part) for part in original)]),
    )


def _proof(mail: Mail, recipients: Sequence[str]) -> RecipientProof:
    addresses = [*_own_recipients(mail, recipients), *original_senders(mail)]
    return find_tokens(addresses, list(_original(mail)))


def _own_recipients(mail: Mail, recipients: Sequence[str]) -> list[str]:
    return [*recipients, *(str(value) for name in _RECIPIENT_FIELDS for value in mail.get_all(name, []))]


def _original(mail: Mail) -> Iterator[str]:
    """Yield headers of the returned message, and text parts that may contain it without being marked as one."""
    for inner in returned_messages(mail):
        for name in ("Return-Path", "Message-ID", "List-Unsubscribe"):
            yield from (str(value) for value in inner.get_all(name, []))
    for part in own_parts(mail):
        if part.get_content_maintype() == "text":
            yield text(part)


def _found(pattern: re.Pattern[str], texts: Iterable[str]) -> tuple[str, ...]:
    """Return the first few distinct matches, in order."""
    found: dict[str, None] = {}
    for value in texts:
        for match in pattern.finditer(value):
            found[match[match.lastindex or 0]] = None
            if len(found) == _MOST:
                return tuple(found)
    return tuple(found)
