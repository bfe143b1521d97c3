"""Delivery status notifications (RFC 3464)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from digestmail.returned.parts import Mail, blocks, field
from digestmail.returned.report import Failure, Kind
from digestmail.returned.verdict import judge

_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_MAX_RECIPIENTS = 200


def read_delivery_status(parts: Sequence[Mail], words: str) -> tuple[Kind, tuple[Failure, ...]] | None:
    """Return what the message/delivery-status `parts` of a report say; only `Action: failed` is a failure.

    None if they name no recipient. `words` is the report's text for people, for where a recipient's fields
    say nothing.
    """
    failures, actions = [], set()
    for block in [block for part in parts for block in blocks(part)][: _MAX_RECIPIENTS + 1]:
        recipient = _address(field(block, "Original-Recipient") or field(block, "Final-Recipient"))
        action = _action(block)
        if not action or not (recipient or field(block, "Action")):
            continue
        actions.add(action)
        if action == "failed":
            failures.append(_failure(block, recipient, words))
    if not actions:
        return None
    if failures:
        return Kind.BOUNCE, tuple(failures)
    if "delayed" in actions:
        return Kind.DELAYED, ()
    return (Kind.DELIVERED if actions & {"delivered", "relayed", "expanded"} else Kind.OTHER), ()


def _failure(block: Mail, recipient: str, words: str) -> Failure:
    said = field(block, "Diagnostic-Code").partition(";")[2].strip() or field(block, "Diagnostic-Code")
    found = _STATUS.search(field(block, "Status"))
    status, verdict = judge(found[0] if found else None, said or ("" if found else words))
    return Failure(recipient=recipient, status=status, text=said[:500], verdict=verdict)


def _action(block: Mail) -> str:
    """Return the action (RFC 3464 section 2.3.3), without the comments some servers add."""
    words = re.split(r"[\s(;]", field(block, "Action").lower().lstrip(), maxsplit=1)
    if words[0]:
        return words[0]
    # Some leave it out; then the class of the status says it (RFC 3463 section 2).
    found = _STATUS.search(field(block, "Status"))
    return {"5": "failed", "4": "delayed", "2": "delivered"}[found[0][0]] if found else ""


def _address(value: str) -> str:
    """Return the address of `rfc822; name@domain` (RFC 3464 section 2.3.2)."""
    return value.rpartition(";")[2].strip(" <>")[:320]
