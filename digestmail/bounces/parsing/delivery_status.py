"""Delivery status notifications (RFC 3464), including internationalized addresses (RFC 6533)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from digestmail.bounces.parsing.classify import classify_refusal
from digestmail.bounces.parsing.mime_parts import Mail, blocks, field
from digestmail.bounces.parsing.recipients import text_about
from digestmail.bounces.parsing.report import BounceClass, FailedRecipient, Kind, printable_line

_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_MAX_RECIPIENTS = 50
_UNICODE = re.compile(r"\\x\{([0-9A-F]{2,6})\}", re.IGNORECASE)


def read_delivery_status(
    parts: Sequence[Mail], words: str, *, warns: bool = False
) -> tuple[Kind, tuple[FailedRecipient, ...]] | None:
    """Parse the message/delivery-status `parts` of a report. Return None if they name no recipient.

    A failure is `Action: failed`, or a delay after which the server gives up. `words` is the report's readable text,
    which is used if a recipient's fields are inconclusive. `warns` is whether it says that the server will try again.
    """
    found = [block for part in parts for block in blocks(part)][: _MAX_RECIPIENTS + 1]
    all_names = {name for block in found for name in _names(block)}
    failures, actions = [], set()
    for block in found:
        action = _action(block)
        if not action or not (_names(block) or field(block, "Action")):
            continue
        actions.add(action)
        if action == "failed":
            failures.append(_failure(block, all_names, words))
        elif action == "delayed" and _is_last(block, warns=warns):
            failures.append(_given_up(block))
    if not actions:
        return None
    if failures:
        return Kind.BOUNCE, tuple(failures)
    if "delayed" in actions:
        return Kind.DELAYED, ()
    return (Kind.DELIVERED if actions & {"delivered", "relayed", "expanded"} else Kind.OTHER), ()


def _failure(block: Mail, all_names: set[str], words: str) -> FailedRecipient:
    diagnostic = _diagnostic(block)
    found = _STATUS.search(field(block, "Status"))
    names = _names(block)
    context = text_about(names, all_names - set(names), words)
    status, verdict = classify_refusal(found[0] if found else None, diagnostic, more=context)
    text = diagnostic or " ".join(" ".join(context[:1]).split())
    return FailedRecipient(
        recipient=names[0] if names else "", status=status, text=printable_line(text), verdict=verdict
    )


def _is_last(block: Mail, *, warns: bool) -> bool:
    """Return whether a delay means that the server gave up: X.4.7 is an expired message (RFC 3463 section 3.5).

    OpenSMTPD reports it this way. Exchange and Sendmail use the same status for warnings that they will try again.
    """
    found = _STATUS.search(field(block, "Status"))
    expired = found is not None and found[0].endswith(".4.7")
    return expired and not field(block, "Will-Retry-Until") and not warns


def _given_up(block: Mail) -> FailedRecipient:
    text = _diagnostic(block) or "delivery time expired"
    recipient = next(iter(_names(block)), "")
    return FailedRecipient(recipient=recipient, status="4.4.7", text=printable_line(text), verdict=BounceClass.SOFT)


def _diagnostic(block: Mail) -> str:
    field_text = field(block, "Diagnostic-Code")
    return field_text.partition(";")[2].strip() or field_text


def _action(block: Mail) -> str:
    """Return the action (RFC 3464 section 2.3.3), without the comments that some servers add."""
    words = re.split(r"[\s(;]", field(block, "Action").lower().lstrip(), maxsplit=1)
    if words[0]:
        return words[0]
    # Without an action, the class of the status decides (RFC 3463 section 2).
    found = _STATUS.search(field(block, "Status"))
    return {"5": "failed", "4": "delayed", "2": "delivered"}[found[0][0]] if found else ""


def _names(block: Mail) -> tuple[str, ...]:
    """Return the distinct addresses of the recipient, the original one first."""
    found = (_address(field(block, name)) for name in ("Original-Recipient", "Final-Recipient"))
    return tuple(dict.fromkeys(name for name in found if name))


def _address(value: str) -> str:
    """Return the address of `rfc822; name@domain` (RFC 3464 section 2.3.2) or `utf-8; name@domain` (RFC 6533)."""
    kind, _, address = value.rpartition(";")
    if kind.strip().lower() == "utf-8":
        address = _UNICODE.sub(_character, address)
    return address.strip(" <>")[:320]


def _character(found: re.Match[str]) -> str:
    r"""Return the character of `\x{FC}` (RFC 6533 section 3). Surrogates and invalid numbers are kept unchanged."""
    number = int(found[1], 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else found[0]  # noqa: PLR2004 - Unicode
