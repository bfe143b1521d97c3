"""Who is to blame for a failure: judged by the enhanced status code (RFC 3463), and by words where that says little."""

from __future__ import annotations

import re
from typing import Final

from digestmail.returned.report import Verdict

_CODE = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]\d)")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d(?![\d.]\d)")
_LONGEST: Final = 4000
_GONE: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10"})
"""X.1.1 no such mailbox, X.1.2 no such system, X.1.3 no address, X.1.6 moved, X.1.10 null MX (RFC 3463, RFC 7505)."""
_OURS: Final = frozenset({"1.7", "1.8", "6", "7"})
"""The sender's address, the content, and everything about security and policy: X.6.* and X.7.*."""
_VAGUE: Final = frozenset({"0.0", "1.0", "2.1", "4.1", "4.4", "5.0"})
"""Codes that servers give for anything; the words decide."""

_FULL = re.compile(
    r"(?:mailbox|mail ?box|inbox|quota|storage|user|account|folder)\W+(?:is |size |limit |has )*(?:full|exceeded|over)|"
    r"over[ -]?quota|exceed\w* (?:\w+ ){0,3}quota|insufficient (?:\w+ )?(?:storage|disk)|out of storage|disk full",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"(?:user|recipient|mailbox|address|account|alias)\W+(?:\S+\W+)?(?:is |was )?(?:unknown|not found|not exist|"
    r"invalid|no longer|not known|not listed|name is not recognized)|does(?: not|n't) exist|"
    r"unknown (?:user|recipient|address|mailbox|local.?part)|"
    r"no such (?:user|recipient|mailbox|address|person|domain|host|account)|invalid (?:recipient|address|mailbox|user)|"
    r"not a (?:valid|known) (?:user|recipient|mailbox|address)|no mailbox here|recipient no longer|"
    r"recipient\W+address rejected|address rejected|host (?:or domain name )?(?:unknown|not found)|domain not found|"
    r"unrout(?:e)?able|unknown host|not our customer|user not (?:found|known)|not listed in",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"spam|black ?list|block ?list|\bblocked\b|reputation|policy|\bdmarc\b|\bspf\b|\bdkim\b|virus|"
    r"frequency limited|rate limit|too many (?:connections|messages)|sender (?:address )?(?:was )?rejected|"
    r"access denied|not authori[sz]ed|authentication required|content rejected|header error",
    re.IGNORECASE,
)


def judge(status: str | None, text: str, *, otherwise: Verdict = Verdict.SOFT) -> tuple[str | None, Verdict]:
    """Return the most telling status code, and whom the failure is held against.

    `status` is the report's own field; `text` what the last server said, whose code is mostly the better one. A
    temporary failure that was given up is soft, a full mailbox too, whatever code it comes with. `otherwise` is what
    a final failure is of which neither code nor words tell the cause.
    """
    text = text[:_LONGEST]
    codes = [*_CODE.findall(text), *_CODE.findall(status or "")]
    best = max(codes, key=_telling, default=None)
    chosen = ".".join(best) if best else None
    if _FULL.search(text) or (best and best[1:] == ("2", "2")):
        return chosen, Verdict.SOFT
    if best is None or f"{best[1]}.{best[2]}" in _VAGUE:
        return chosen, _by_words(text, best[0] if best else _first_digit(text), otherwise)
    if best[1] in _OURS or f"{best[1]}.{best[2]}" in _OURS:
        return chosen, Verdict.OURS
    if best[0] == "5" and f"{best[1]}.{best[2]}" in _GONE:
        return chosen, Verdict.HARD
    return chosen, Verdict.SOFT


def _telling(code: tuple[str, str, str]) -> int:
    """Rank a code: one that names a cause over one that is vague, and that over X.0.0."""
    return 2 if f"{code[1]}.{code[2]}" not in _VAGUE else int(code[1:] != ("0", "0"))


def _first_digit(text: str) -> str:
    replies = _REPLY.findall(text)
    return "4" if replies and "5" not in replies else "5"


def _by_words(text: str, severity: str, otherwise: Verdict) -> Verdict:
    if severity == "4":
        return Verdict.SOFT
    unknown, policy = _UNKNOWN.search(text), _POLICY.search(text)
    # "Recipient address rejected: Access denied": what comes first is the verdict, the rest its reason.
    if unknown and not (policy and policy.start() < unknown.start()):
        return Verdict.HARD
    return Verdict.OURS if policy else otherwise
