"""Bounces without a delivery status notification: parsed by flufl.bounce and by their wording."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from digestmail.bounces.parsing.classify import classify_refusal
from digestmail.bounces.parsing.mime_parts import Mail, field, own_parts, text
from digestmail.bounces.parsing.recipients import text_about
from digestmail.bounces.parsing.report import FailedRecipient, Kind, printable_line
from digestmail.text.addresses import ADDRESS_IN_TEXT

log = logging.getLogger("digestmail.bounces")

_ORIGINAL = re.compile(
    r"^(?:[ \t]*-{2,}.{0,80}(?:original|copy|returned|unsent|headers).{0,80}|message headers follow.{0,20}|"
    r".{0,40}below is a copy of.{0,80}|(?:received|return-path|message-id)[ \t]?:.*)$",
    re.IGNORECASE | re.MULTILINE,
)
"""Matches the line before the returned message."""
_SUBJECT = re.compile(r"^[ \t]*subject[ \t]*:.*$", re.IGNORECASE | re.MULTILINE)
"""Our own subject line, which must not be searched for reasons."""
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
"""Wording of servers that give no reply code."""
_WARNING = re.compile(
    r"still (?:being )?(?:try|retr)|temporary failure report|warning|(?:will|to) (?:be )?(?:retr|continue|keep)|"
    r"not need to (?:re-?send|do|take)|delayed for more than|no action|kept in the queue|will keep trying",
    re.IGNORECASE,
)
_AUTO_SUBJECT = re.compile(
    r"(?:auto(?:matic)?[ -]?(?:reply|response|antwort)|out of (?:the )?office|abwesen)", re.IGNORECASE
)


def is_from_daemon(mail: Mail) -> bool:
    """Return whether a message claims to come from a mail server.

    Servers send with an empty address (RFC 5321 section 4.5.5), and some also write it into the header.
    """
    sender = field(mail, "From")
    found = _IN_BRACKETS.search(sender)
    if found and not found[1].strip() and not _IN_BRACKETS.sub("", sender).strip(' "'):
        return True
    return bool(_DAEMON.match(found[1] if found and found[1] else sender.lstrip('"')))


def is_auto_reply(mail: Mail) -> bool:
    """Return whether this is an automatic reply of a vacation program or a ticket system (RFC 3834 section 5).

    Bounces have the same headers, so messages from a daemon or with failed recipients are not auto-replies.
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
    """Parse a notice without a DSN: a bounce with its recipients, a delay, or something else."""
    words = readable_text(mail)
    named = ADDRESS_IN_TEXT.findall(field(mail, "X-Failed-Recipients")[:_LONGEST])
    temporary, permanent = _flufl_recipients(mail)
    recipients = named or permanent
    if not recipients and temporary:
        return Kind.DELAYED, ()
    if not recipients and is_from_daemon(mail) and (_CODE.search(words) or _FAILED.search(words)):
        if not _CODE.search(words) and is_warning(words):
            return Kind.DELAYED, ()
        recipients = _find_recipients(words)
    unique = tuple(dict.fromkeys(recipients))[:_MOST]
    if not unique:
        return Kind.OTHER, ()
    return Kind.BOUNCE, tuple(_failure(recipient, unique, words) for recipient in unique)


def is_warning(words: str) -> bool:
    """Return whether a report says that the server will try again."""
    return _WARNING.search(words) is not None


def readable_text(mail: Mail) -> str:
    """Return the text of a notice, up to the returned message."""
    for part in own_parts(mail):
        if part.get_content_maintype() == "text":
            notice = _ORIGINAL.split(text(part)[:_LONGEST], maxsplit=1)[0]
            return _SUBJECT.sub("", notice)
    return ""


def _failure(recipient: str, recipients: tuple[str, ...], words: str) -> FailedRecipient:
    context = text_about([recipient], set(recipients) - {recipient}, words)
    status, verdict = classify_refusal(None, context[0] if context else "", more=context[1:])
    reason = next(iter(context), "")
    return FailedRecipient(recipient=recipient, status=status, text=printable_line(reason), verdict=verdict)


def _find_recipients(words: str) -> list[str]:
    """Return the addresses at the start of a line or after a reply code, where recipients are named."""
    first = ((line, ADDRESS_IN_TEXT.search(line)) for line in words.splitlines())
    return [match[0] for line, match in first if match and _RECIPIENT.match(line[: match.start()])]


def _flufl_recipients(mail: Mail) -> tuple[list[str], list[str]]:
    """Return (temporary, permanent) recipients according to flufl.bounce."""
    from flufl.bounce import all_failures

    # It logs a traceback for each detector that fails, and raises as well.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    texts = [str(part.get_payload()) for part in own_parts(mail) if not part.is_multipart()]
    if sum(map(len, texts)) > _LONGEST * 10 or sum(part.count("\n") for part in texts) > _MOST_LINES:
        return [], []
    try:
        temporary, permanent = all_failures(mail)
    except Exception as error:  # noqa: BLE001 - its detectors may raise anything
        log.debug("flufl.bounce: %s: %s", type(error).__name__, error)
        return [], []
    return _clean(temporary), _clean(permanent)


def _clean(found: Iterable[bytes]) -> list[str]:
    decoded = (address.decode("ascii", "replace") for address in found)
    return sorted(address for address in decoded if ADDRESS_IN_TEXT.fullmatch(address))
