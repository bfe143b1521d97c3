"""Who is to blame for a failure. Structure first (phase, enhanced status code), then words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from digestmail.bounces.parsing.phrases import Cause, find, says
from digestmail.bounces.parsing.report import Blame

_CODE = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]\d)")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d(?![\d.]\d)")
_LONGEST: Final = 4000

_GONE: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "1.351", "4.310"})
"""X.1.1 no such mailbox, X.1.2 no such system, X.1.3 no address, X.1.6 moved (RFC 3463), X.1.10 null MX (RFC 7505);
X.1.351 and X.4.310 are Exchange Online's for an unknown recipient and an unknown domain."""
_OURS: Final = frozenset({"1.7", "1.8", "1.20", "1.90", "2.3", "3.4", "4.5", "5.1", "5.2", "5.3", "5.4", "6", "7"})
"""The sender's address (X.1.7, X.1.8), sizes (X.2.3, X.3.4), what we said wrongly (X.5.1 to X.5.4), content and policy
(X.6.*, X.7.*); X.1.20 two From addresses, X.1.90 and X.4.5 daily limits of the sender (Exchange Online, Google)."""
_VAGUE: Final = frozenset({"0.0", "1.0", "2.0", "2.1", "3.0", "4.0", "4.1", "4.4", "5.0"})
"""Codes that servers give for anything; the words decide."""

_EDGE_BLOCKED = re.compile(r"recipient address rejected: access denied", re.IGNORECASE)
"""Exchange Online's words, with 5.4.1, for an address its directory does not have."""
_GREYLISTED = re.compile(r"gr[ea]y.?list", re.IGNORECASE)

_SENDERS_FAULT: Final = (Cause.ACCOUNT, Cause.SENDER, Cause.BLOCKLIST, Cause.RATE, Cause.SIZE, Cause.RELAY)
_NO_RECIPIENT: Final = (Cause.UNKNOWN, Cause.NO_DOMAIN)

_ADDRESS = re.compile(r"<?[^\s<>\"'(),;:@]{1,64}@[\w.-]{1,253}>?(?:\.{3})?")
_SAID_BY = re.compile(r"\b(?:remote )?host \S{1,255} ?\[[^\]\n]{0,80}\](?: said:?)?|\bsize=\d+", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_EARLY = re.compile(
    r"in reply to (?:initial connection|connect|helo|ehlo|lhlo|starttls|auth|mail from)\b|"
    r"after (?:initial connection|helo|ehlo|lhlo|starttls|auth|mail from|pipelined mail from)\b|refused to talk to me|"
    r"\[mail_from\]|mail from (?:command )?was answered with|(?:our|to) (?:mail from|helo|ehlo|connect)\b|"
    r"while performing the (?:helo|ehlo)",
    re.IGNORECASE,
)
"""Postfix, Exim, Yahoo, our own transports and DragonFly, of a refusal before any recipient was named."""
_TRANSCRIPT = re.compile(r">>> ?(\w{4})\b[^\n]*\n<<< ?[45]\d\d", re.IGNORECASE)
"""Sendmail's transcript: the command, and the reply to it."""


def judge(
    status: str | None, text: str, *, more: Iterable[str] = (), otherwise: Blame = Blame.SOFT
) -> tuple[str | None, Blame]:
    """Return the most telling status code (RFC 3463), and whom the failure is held against.

    `status` is the report's own field; `text` what the last server said, whose code is mostly the better one; `more`
    what the report says to people about this recipient, which is asked only if status and text leave it open, save
    that it tells in which phase the refusal came. `otherwise` is what a final failure is of which nothing tells the
    cause.
    """
    texts = [text, *more]
    early = any(is_early(said) for said in texts)
    chosen = None
    for said in texts if text.strip() or status is None else [*texts[1:], text]:
        code, verdict = _judge(status, said[:_LONGEST], early=early)
        chosen = chosen or code
        if verdict is not None:
            return code, verdict
    temporary = (chosen or status or _first_digit(text)).startswith("4")
    return chosen, Blame.SOFT if temporary else otherwise


def is_early(text: str) -> bool:
    """Return whether the refusal came before any recipient was named: it cannot be about one (RFC 5321 section 3.3)."""
    text = text[:_LONGEST]
    if _EARLY.search(text):
        return True
    commands = [command.upper() for command in _TRANSCRIPT.findall(text)]
    return bool(commands) and commands[-1] in {"HELO", "EHLO", "LHLO", "AUTH", "MAIL", "STAR"}


def _judge(status: str | None, text: str, *, early: bool) -> tuple[str | None, Blame | None]:
    """Return the code that tells most, and the verdict; None if neither code nor words tell the cause."""
    codes = [*_CODE.findall(text), *_CODE.findall(status or "")]
    best = max(codes, key=_telling, default=None)
    chosen = ".".join(best) if best else None
    severity, code = (best[0], f"{best[1]}.{best[2]}") if best else (_first_digit(text), "")
    if severity == "4" and "5" in _REPLY.findall(text)[:1]:
        severity = "5"  # "Status: 4.0.0" beside a reply that is final
    words = _SAID_BY.sub(" ", _ADDRESS.sub(" @ ", text))
    if early and severity == "5" and not says(words, Cause.FULL):
        return chosen, Blame.OURS
    return chosen, _by_words(words, severity, code)


def _by_words(words: str, severity: str, code: str) -> Blame | None:
    """Return the verdict of what a server said; the first rule that knows decides."""
    rules = (_senders_account, _recipients_own, _policy, _gone)
    verdict = next((found for rule in rules if (found := rule(words, severity, code)) is not None), None)
    if verdict is not None or (verdict := _by_code(severity, code)) is not None:
        return verdict
    if says(words, Cause.DISABLED):
        return Blame.SOFT
    return Blame.HARD if severity == "5" and says(words, Cause.UNAVAILABLE) else None


def _senders_account(words: str, _severity: str, _code: str) -> Blame | None:
    return Blame.OURS if says(words, Cause.ACCOUNT) else None


def _recipients_own(words: str, severity: str, code: str) -> Blame | None:
    """Judge what is about the recipient, although it may sound like a policy."""
    if code == "2.2" or says(words, Cause.FULL):
        return Blame.SOFT
    if (severity, code) == ("5", "4.1") and _EDGE_BLOCKED.search(words):
        return Blame.HARD
    return Blame.SOFT if says(words, Cause.DECLINED) or _GREYLISTED.search(words) else None


def _policy(words: str, _severity: str, _code: str) -> Blame | None:
    return Blame.OURS if says(words, *_SENDERS_FAULT) or _is_refused_by_policy(words) else None


def _gone(words: str, severity: str, code: str) -> Blame | None:
    """Tell an address that does not exist from one that could not be asked for."""
    named = severity == "5" and says(words, *_NO_RECIPIENT)
    coded = severity == "5" and code in _GONE
    if says(words, Cause.WAIT) and not (named and coded):
        return Blame.SOFT
    return Blame.HARD if named or coded else None


def _is_refused_by_policy(words: str) -> bool:
    """Return whether a policy is the verdict: what comes first is it, and the rest its reason.

    "User unknown, see our policy" names an unknown user, and "rejected by policy: unknown user agent" does not.
    """
    words = _URL.sub(" ", words)
    policy = find(Cause.CONTENT, words)
    if policy is None:
        return False
    unknown = [at for cause in (*_NO_RECIPIENT, Cause.DISABLED) if (at := find(cause, words)) is not None]
    return not unknown or policy < min(unknown)


def _by_code(severity: str, code: str) -> Blame | None:
    """Return what a status code alone says; None if servers give it for anything."""
    if not code or code in _VAGUE:
        return Blame.HARD if (severity, code) == ("5", "4.4") else None
    if code.partition(".")[0] in _OURS or code in _OURS:
        return Blame.OURS
    return Blame.HARD if severity == "5" and code in _GONE else Blame.SOFT


def _telling(code: tuple[str, str, str]) -> int:
    """Rank a code: one that names a cause over one that is vague, and that over X.0.0."""
    return 2 if f"{code[1]}.{code[2]}" not in _VAGUE else int(code[1:] != ("0", "0"))


def _first_digit(text: str) -> str:
    replies = _REPLY.findall(text)
    return "4" if replies and "5" not in replies else "5"
