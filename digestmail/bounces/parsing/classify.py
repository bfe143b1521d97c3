"""Classifies a failure: by SMTP phase and enhanced status code first, then by its wording. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from digestmail.bounces.parsing.cause import Cause
from digestmail.bounces.parsing.phrases import find, has_any
from digestmail.bounces.parsing.report import BounceClass
from digestmail.transports.smtp.sender_faults import Meaning, fault_of

_CODE = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]\d)")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d(?![\d.]\d)")
_REPLY_TEXT = re.compile(r"(?<![\d.])([45]\d\d)[ -]+([^\n]*)")
"""A reply code and the text behind it."""
_LIMITS: Final = frozenset({Meaning.QUOTA, Meaning.RATE, Meaning.CONNECTIONS})
_LONGEST: Final = 4000

_UNKNOWN_CODES: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "1.351", "4.310"})
"""X.1.1 no such mailbox, X.1.2 no such system, X.1.3 no address, X.1.6 moved (RFC 3463), X.1.10 null MX (RFC 7505);
X.1.351 and X.4.310 are Exchange Online's codes for an unknown recipient and an unknown domain."""
_SENDER_CODES: Final = frozenset(
    {"1.7", "1.8", "1.20", "1.90", "2.3", "3.4", "4.5", "5.1", "5.2", "5.3", "5.4", "6", "7"}
)
"""The sender's address (X.1.7, X.1.8), sizes (X.2.3, X.3.4), protocol errors (X.5.1 to X.5.4), content and policy
(X.6.*, X.7.*); X.1.20 two From addresses, X.1.90 and X.4.5 daily limits of the sender (Exchange Online, Google)."""
_INCONCLUSIVE_CODES: Final = frozenset({"0.0", "1.0", "2.0", "2.1", "3.0", "4.0", "4.1", "4.4", "5.0"})
"""Codes that servers use for anything, so the wording decides."""

_EDGE_BLOCKED = re.compile(r"recipient address rejected: access denied", re.IGNORECASE)
"""Exchange Online's text, with 5.4.1, for an address that is not in its directory."""
_GREYLISTED = re.compile(r"gr[ea]y.?list", re.IGNORECASE)

_SENDER_CAUSES: Final = (Cause.ACCOUNT, Cause.SENDER, Cause.BLOCKLIST, Cause.RATE, Cause.SIZE, Cause.RELAY)
_UNKNOWN_CAUSES: Final = (Cause.UNKNOWN, Cause.NO_DOMAIN)

_ADDRESS = re.compile(r"<?[^\s<>\"'(),;:@]{1,64}@[\w.-]{1,253}>?(?:\.{3})?")
_SERVER_NAME = re.compile(r"\b(?:remote )?host \S{1,255} ?\[[^\]\n]{0,80}\](?: said:?)?|\bsize=\d+", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_EARLY = re.compile(
    r"in reply to (?:initial connection|connect|helo|ehlo|lhlo|starttls|auth|mail from)\b|"
    r"after (?:initial connection|helo|ehlo|lhlo|starttls|auth|mail from|pipelined mail from)\b|refused to talk to me|"
    r"\[mail_from\]|mail from (?:command )?was answered with|(?:our|to) (?:mail from|helo|ehlo|connect)\b|"
    r"while performing the (?:helo|ehlo)",
    re.IGNORECASE,
)
"""Texts of Postfix, Exim, Yahoo, DragonFly and our transports for a refusal before RCPT."""
_TRANSCRIPT = re.compile(r">>> ?(\w{4})\b[^\n]*\n<<< ?[45]\d\d", re.IGNORECASE)
"""A command and its reply in Sendmail's transcript."""


def classify_refusal(
    status: str | None, text: str, *, more: Iterable[str] = (), otherwise: BounceClass = BounceClass.SOFT
) -> tuple[str | None, BounceClass]:
    """Return the most specific status code (RFC 3463) and the class of a failure.

    `status` is the report's Status field. `text` is the reply of the last server, whose code is usually better. `more`
    is readable text about this recipient. It shows the SMTP phase, and is otherwise only used if status and text are
    inconclusive. `otherwise` is the class of a permanent failure without a recognizable cause.
    """
    texts = [text, *more]
    early = any(is_early(one) for one in texts)
    chosen = None
    for one in texts if text.strip() or status is None else [*texts[1:], text]:
        code, verdict = _judge(status, one[:_LONGEST], early=early)
        chosen = chosen or code
        if verdict is not None:
            return code, verdict
    temporary = (chosen or status or _first_digit(text)).startswith("4")
    return chosen, BounceClass.SOFT if temporary else otherwise


def is_early(text: str) -> bool:
    """Return whether the refusal came before RCPT, so that it cannot concern a recipient (RFC 5321 section 3.3)."""
    text = text[:_LONGEST]
    if _EARLY.search(text):
        return True
    commands = [command.upper() for command in _TRANSCRIPT.findall(text)]
    return bool(commands) and commands[-1] in {"HELO", "EHLO", "LHLO", "AUTH", "MAIL", "STAR"}


def _judge(status: str | None, text: str, *, early: bool) -> tuple[str | None, BounceClass | None]:
    """Return the most specific code and the class; None if neither code nor wording is conclusive."""
    codes = [*_CODE.findall(text), *_CODE.findall(status or "")]
    best = max(codes, key=_specificity, default=None)
    chosen = ".".join(best) if best else None
    severity, code = (best[0], f"{best[1]}.{best[2]}") if best else (_first_digit(text), "")
    if severity == "4" and "5" in _REPLY.findall(text)[:1]:
        severity = "5"  # "Status: 4.0.0" with a permanent reply
    words = _SERVER_NAME.sub(" ", _ADDRESS.sub(" @ ", text))
    if early and severity == "5" and not has_any(words, Cause.FULL):
        return chosen, BounceClass.SENDER_FAULT
    return chosen, _by_words(words, severity, code)


def _by_words(words: str, severity: str, code: str) -> BounceClass | None:
    """Return the class according to the wording. The first rule that applies decides."""
    rules = (_sender_account, _sender_limit, _recipient_state, _policy, _unknown_recipient)
    verdict = next((found for rule in rules if (found := rule(words, severity, code)) is not None), None)
    if verdict is not None or (verdict := _by_code(severity, code)) is not None:
        return verdict
    if has_any(words, Cause.DISABLED):
        return BounceClass.SOFT
    return BounceClass.HARD if severity == "5" and has_any(words, Cause.UNAVAILABLE) else None


def _sender_account(words: str, _severity: str, _code: str) -> BounceClass | None:
    return BounceClass.SENDER_FAULT if has_any(words, Cause.ACCOUNT) else None


def _sender_limit(words: str, severity: str, _code: str) -> BounceClass | None:
    """Recognize that we sent too much, by the table that judges replies during delivery."""
    reply = _REPLY_TEXT.search(words)
    if severity != "5" or reply is None:
        return None
    fault = fault_of(int(reply[1]), reply[2])
    return BounceClass.SENDER_FAULT if fault is not None and fault.meaning in _LIMITS else None


def _recipient_state(words: str, severity: str, code: str) -> BounceClass | None:
    """Recognize problems of the recipient that may sound like a policy."""
    if code == "2.2" or has_any(words, Cause.FULL):
        return BounceClass.SOFT
    if (severity, code) == ("5", "4.1") and _EDGE_BLOCKED.search(words):
        return BounceClass.HARD
    return BounceClass.SOFT if has_any(words, Cause.DECLINED) or _GREYLISTED.search(words) else None


def _policy(words: str, _severity: str, _code: str) -> BounceClass | None:
    return BounceClass.SENDER_FAULT if has_any(words, *_SENDER_CAUSES) or _is_refused_by_policy(words) else None


def _unknown_recipient(words: str, severity: str, code: str) -> BounceClass | None:
    """Distinguish an address that does not exist from one that could not be looked up."""
    named = severity == "5" and has_any(words, *_UNKNOWN_CAUSES)
    coded = severity == "5" and code in _UNKNOWN_CODES
    if has_any(words, Cause.WAIT) and not (named and coded):
        return BounceClass.SOFT
    return BounceClass.HARD if named or coded else None


def _is_refused_by_policy(words: str) -> bool:
    """Return whether the text refuses by policy: whichever phrase comes first is the reason.

    "User unknown, see our policy" means an unknown user, but "rejected by policy: unknown user agent" does not.
    """
    words = _URL.sub(" ", words)
    policy = find(Cause.CONTENT, words)
    if policy is None:
        return False
    unknown = [at for cause in (*_UNKNOWN_CAUSES, Cause.DISABLED) if (at := find(cause, words)) is not None]
    return not unknown or policy < min(unknown)


def _by_code(severity: str, code: str) -> BounceClass | None:
    """Return the class for a status code alone, or None if it is inconclusive."""
    if not code or code in _INCONCLUSIVE_CODES:
        return BounceClass.HARD if (severity, code) == ("5", "4.4") else None
    if code.partition(".")[0] in _SENDER_CODES or code in _SENDER_CODES:
        return BounceClass.SENDER_FAULT
    return BounceClass.HARD if severity == "5" and code in _UNKNOWN_CODES else BounceClass.SOFT


def _specificity(code: tuple[str, str, str]) -> int:
    """Rank a code: specific codes first, then inconclusive ones, then X.0.0."""
    return 2 if f"{code[1]}.{code[2]}" not in _INCONCLUSIVE_CODES else int(code[1:] != ("0", "0"))


def _first_digit(text: str) -> str:
    replies = _REPLY.findall(text)
    return "4" if replies and "5" not in replies else "5"
