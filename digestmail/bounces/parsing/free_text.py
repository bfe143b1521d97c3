"""Bounces in words, from servers that know no RFC 3464: read by flufl.bounce and by the words themselves."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from digestmail.bounces.parsing.classify import judge
from digestmail.bounces.parsing.mime_parts import Mail, field, own_parts, text
from digestmail.bounces.parsing.recipients import about
from digestmail.bounces.parsing.report import FailedRecipient, Kind

log = logging.getLogger("digestmail.bounces")

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_ORIGINAL = re.compile(
    r"^(?:[ \t]*-{2,}.{0,80}(?:original|copy|returned|unsent|headers).{0,80}|message headers follow.{0,20}|"
    r".{0,40}below is a copy of.{0,80}|(?:received|return-path|message-id)[ \t]?:.*)$",
    re.IGNORECASE | re.MULTILINE,
)
"""Where the message that is returned begins."""
_SUBJECT = re.compile(r"^[ \t]*subject[ \t]*:.*$", re.IGNORECASE | re.MULTILINE)
"""Our own words, which say nothing about the failure."""
_CODE = re.compile(r"(?<![\d.])(?:5\d\d(?=[ -])|5\.\d{1,3}\.\d{1,3}(?![\d.]))")
_IN_BRACKETS = re.compile(r"<([^<>]*)>")
_DAEMON = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon)\b", re.IGNORECASE)
_LONGEST = 20_000
_MOST = 50
_MOST_LINES = 5_000
_RECIPIENT = re.compile(
    r"^(?:[ \t<]{0,12}|\d{3}[ -](?:5\.\d{1,3}\.\d{1,3} )?<|"
    r".{0,80}\b(?:to|for)(?: the (?:recipient|address))?[ :]{1,2}<?)$",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"error deliver|could ?n[o']t be delivered|was not delivered|not able to (?:be )?deliver|unable to deliver|"
    r"undeliver|delivery (?:\w+ )?fail|fail\w* to deliver|permanent|returned to sender|wasn't delivered|"
    r"could ?n[o']t deliver|mail delivery failed|fehlgeschlagen|nicht zugestellt|unzustellbar|n'a pas pu|"
    r"no (?:se )?(?:ha )?pud?[oi]\w* entregar|impossibile (?:consegnare|recapitare)|не (?:может быть|было) доставлен|"
    r"投递失败|退信|配信できません|送信できません",
    re.IGNORECASE,
)
"""What a server writes that gives no reply code."""
_WARNING = re.compile(
    r"still (?:being )?(?:try|retr)|temporary failure report|warning|(?:will|to) (?:be )?(?:retr|continue|keep)|"
    r"not need to (?:re-?send|do|take)|delayed for more than|no action|kept in the queue|will keep trying",
    re.IGNORECASE,
)
_AUTO_SUBJECT = re.compile(
    r"(?:auto(?:matic)?[ -]?(?:reply|response|antwort)|out of (?:the )?office|abwesen)", re.IGNORECASE
)


def is_from_daemon(mail: Mail) -> bool:
    """Return whether a mail says it comes from a mail server, not from a person.

    An empty address is the one servers send with (RFC 5321 section 4.5.5); some write it into the header too.
    """
    sender = field(mail, "From")
    found = _IN_BRACKETS.search(sender)
    if found and not found[1].strip() and not _IN_BRACKETS.sub("", sender).strip(' "'):
        return True
    return bool(_DAEMON.match(found[1] if found and found[1] else sender.lstrip('"')))


def is_auto_reply(mail: Mail) -> bool:
    """Return whether this is what a vacation program or a ticket system sends (RFC 3834 section 5).

    Servers label their bounces the same, so those of a daemon and those that name failed recipients are none.
    """
    if is_from_daemon(mail) or mail["X-Failed-Recipients"]:
        return False
    submitted = field(mail, "Auto-Submitted").lower().partition(";")[0].strip()
    return (
        submitted not in {"", "no"}
        or any(name in mail for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"))
        or field(mail, "Precedence").lower() in {"auto_reply", "auto-reply"}
        or bool(_AUTO_SUBJECT.match(field(mail, "Subject")))
    )


def read_notice(mail: Mail) -> tuple[Kind, tuple[FailedRecipient, ...]]:
    """Return what a notice in words says: a bounce with its recipients, a delay, or something else."""
    words = spoken(mail)
    named = _ADDRESS.findall(field(mail, "X-Failed-Recipients")[:_LONGEST])
    temporary, permanent = _second_opinion(mail)
    recipients = named or permanent
    if not recipients and temporary:
        return Kind.DELAYED, ()
    if not recipients and is_from_daemon(mail) and (_CODE.search(words) or _FAILED.search(words)):
        if not _CODE.search(words) and is_warning(words):
            return Kind.DELAYED, ()
        recipients = _addressed(words)
    unique = tuple(dict.fromkeys(recipients))[:_MOST]
    if not unique:
        return Kind.OTHER, ()
    return Kind.BOUNCE, tuple(_failure(recipient, unique, words) for recipient in unique)


def is_warning(words: str) -> bool:
    """Return whether a report says that its server goes on trying."""
    return _WARNING.search(words) is not None


def spoken(mail: Mail) -> str:
    """Return the words of a notice, up to the message it returns."""
    for part in own_parts(mail):
        if part.get_content_maintype() == "text":
            notice = _ORIGINAL.split(text(part)[:_LONGEST].replace("\r\n", "\n"), maxsplit=1)[0]
            return _SUBJECT.sub("", notice)
    return ""


def _failure(recipient: str, recipients: tuple[str, ...], words: str) -> FailedRecipient:
    context = about([recipient], set(recipients) - {recipient}, words)
    status, verdict = judge(None, context[0] if context else "", more=context[1:])
    said = next(iter(context), "")
    return FailedRecipient(recipient=recipient, status=status, text=" ".join(said.split())[:500], verdict=verdict)


def _addressed(words: str) -> list[str]:
    """Return the addresses that stand where a recipient does: at the beginning of a line, or after its reply code."""
    first = ((line, _ADDRESS.search(line)) for line in words.splitlines())
    return [match[0] for line, match in first if match and _RECIPIENT.match(line[: match.start()])]


def _second_opinion(mail: Mail) -> tuple[list[str], list[str]]:
    """Return (temporary, permanent) recipients as flufl.bounce reads them."""
    from flufl.bounce import all_failures

    # It writes a traceback for each detector that stumbles over a stranger's mail, and raises besides.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    texts = [str(part.get_payload()) for part in own_parts(mail) if not part.is_multipart()]
    if sum(map(len, texts)) > _LONGEST * 10 or sum(said.count("\n") for said in texts) > _MOST_LINES:
        return [], []
    try:
        temporary, permanent = all_failures(mail)
    except Exception as error:  # noqa: BLE001 - seventeen detectors, and no list of what they raise
        log.debug("flufl.bounce: %s: %s", type(error).__name__, error)
        return [], []
    return _clean(temporary), _clean(permanent)


def _clean(found: Iterable[bytes]) -> list[str]:
    decoded = (address.decode("ascii", "replace") for address in found)
    return sorted(address for address in decoded if _ADDRESS.fullmatch(address))
