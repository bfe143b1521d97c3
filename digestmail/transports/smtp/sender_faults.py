"""Replies that are about us who send: quotas, rates, suspended accounts, missing rights, refused names and messages.

A table, read from top to bottom; the first row that fits decides. What a provider is known to say stands first, then
what recipients' servers say of recipients, then words that many servers use. A reply that fits no row is about the
recipient. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

_HOUR, _DAY = timedelta(hours=1), timedelta(hours=24)


class Meaning(StrEnum):
    """What a reply says about us."""

    RATE = "too fast"
    CONNECTIONS = "too many connections"
    QUOTA = "quota used up"
    SUSPENDED = "account suspended"
    UNAUTHORISED = "not authorised"
    HELO = "EHLO name refused"
    MESSAGE = "message refused"
    POLICY = "refused by policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderFault:
    """What is wrong on our side."""

    meaning: Meaning
    pause: timedelta | None = None
    """How long to leave the server alone; None: as long as any server that is broken."""
    advice: str = ""
    """What the operator can do about it."""


@dataclass(frozen=True, slots=True)
class _Row:
    meaning: Meaning | None
    """None: it is about the recipient, and no later row is asked."""
    reply: str
    """A pattern of the reply code, a space and the enhanced status code (RFC 3463), if there is one."""
    words: str
    """A pattern of the words behind it, addresses taken out."""
    source: str
    """Who documents it."""
    advice: str = ""


_AWS = "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html"
_AWS_QUOTA = "https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html"
_AWS_ERRORS = "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html"
_GMAIL = "https://support.google.com/a/answer/3726730"
_EXCHANGE = (
    "https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/non-delivery-reports-in-exchange-online"
)
_EXCHANGE_IP = (
    "https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/fix-error-code-5-7-700-through-5-7-750"
)
_EXCHANGE_LIMITS = "https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits"
_OUTLOOK = "https://techcommunity.microsoft.com/blog/microsoftdefenderforoffice365blog/4399730"
_YAHOO = "https://senders.yahooinc.com/smtp-error-codes/"
_APPLE = "https://support.apple.com/en-us/102198"
_ZOHO = "https://www.zoho.com/mail/help/error-codes.html"
_FASTMAIL = "https://www.fastmail.help/hc/en-us/articles/1500000277382"
_MAILGUN = "https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp"
_SENDGRID = "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/smtp-errors-and-troubleshooting"
_POSTMARK = "https://postmarkapp.com/developer/user-guide/send-email-with-smtp"
_CPANEL = "https://docs.cpanel.net/whm/server-configuration/tweak-settings/tweak-settings-mail/"
_POSTFIX = "https://www.postfix.org/postconf.5.html"
_POLICYD = "https://wiki.policyd.org/quotas"
_RFC_3463 = "RFC 3463"
_RFC_7372 = "RFC 7372"
_COMMON = "in use at many servers"

_ONE_KEY = (
    "sign with one key: leave rsa_key_file or ed25519_key_file out of [mail.dkim], for this server takes one"
    " DKIM-Signature (docs/dkim.md)"
)
_NAME_US = "set ehlo_name in [mail.smtp] to a fully qualified name that resolves to this machine"
_OWN_SENDER = "the account at the mail server must be allowed to send as the sender in [mail]"
_VERIFY = "verify the sender's address or domain with the provider, and leave its sandbox"
_FEWER = "set connections in [mail.smtp] to what the server allows"

_LIMIT = r"(quotas?|limits?|allowance|threshold|maximum|max)"
_MAILS = r"(messages?|e-?mails?|mails?|recipients?|sends?)"
_OURS = (
    r"(account|sender|sending|outbound|outgoing|tenant|organi[sz]ation|customer|domain|client|ip|you|your|smtp access)"
)

_PROVIDERS = (
    # -- Amazon SES
    _Row(Meaning.QUOTA, "454", r"daily (message|sending) quota exceeded", _AWS_QUOTA),
    _Row(Meaning.RATE, "454", r"throttling|maximum sending rate", _AWS_QUOTA),
    _Row(Meaning.CONNECTIONS, "421", r"too many concurrent smtp connections", _AWS, _FEWER),
    _Row(Meaning.MESSAGE, "5", r"duplicate header\W+dkim-signature", _AWS_ERRORS, _ONE_KEY),
    _Row(Meaning.MESSAGE, "5", r"duplicate header", _AWS_ERRORS),
    _Row(Meaning.UNAUTHORISED, "5", r"(address|identit\w+|domain) (is |are )?not verified|failed the check", _AWS_ERRORS, _VERIFY),
    _Row(Meaning.SUSPENDED, "5", r"sending (is |has been |was )?(paused|disabled|suspended)", _AWS_ERRORS),
    _Row(Meaning.UNAUTHORISED, "5", r"not authorized to perform\W+ses:", _AWS_ERRORS, "the SMTP user needs the permission ses:SendRawEmail"),
    # -- Gmail and Google Workspace
    _Row(Meaning.QUOTA, r"[45]50 [45]\.4\.5\b", "", _GMAIL),
    _Row(Meaning.RATE, r"4.. 4\.2\.1\b", r"peak smtp relay limit", _GMAIL),
    _Row(Meaning.QUOTA, "5", r"(daily|smtp relay) (user )?(sending |smtp relay )?(limit|quota) exceeded", _GMAIL),
    _Row(Meaning.RATE, r"4.. 4\.7\.(0|28|29)\b", r"unusual rate|rate limit", _GMAIL),
    # -- Exchange Online and Outlook
    _Row(Meaning.CONNECTIONS, "4", r"sender thread limit|concurrent connections?( limit)?", _EXCHANGE_LIMITS, _FEWER),
    _Row(None, "4", r"storedrv\.deliver|recipient thread limit", _EXCHANGE),
    _Row(Meaning.QUOTA, r"5.. 5\.1\.90\b", "", _EXCHANGE),
    _Row(Meaning.QUOTA, "5", r"submissionquota|recipientratelimit|storedrv\.(client)?submi\w+.*quota", _EXCHANGE_LIMITS),
    _Row(Meaning.UNAUTHORISED, "5", r"send-?as-?denied|send ?on ?behalf|not allowed to send as", _EXCHANGE, _OWN_SENDER),
    _Row(Meaning.UNAUTHORISED, r"5.. 5\.(2\.252|7\.60|7\.30|7\.57|7\.64)\b", "", _EXCHANGE, _OWN_SENDER),
    _Row(Meaning.SUSPENDED, r"5.. 5\.7\.(50[1-9]|51[01]|70[1-9]|750)\b", "", _EXCHANGE_IP),
    _Row(Meaning.SUSPENDED, "5", r"bad outbound sender|outboundspam|tenant has exceeded|traffic not accepted from this ip", _EXCHANGE_IP),
    _Row(Meaning.RATE, r"4.. 4\.7\.(500|6[05]\d)\b", "", _EXCHANGE_IP),
    _Row(Meaning.POLICY, "5", r"messages from .{0,60}weren.t sent", _OUTLOOK),
    _Row(Meaning.POLICY, r"5.. 5\.7\.(515|6[05]\d|7)\b", r"authentication|block|bann?ed|low reputation|^", _OUTLOOK),
    _Row(None, "[45]", r"\bresolver\.|restricted group|by (the |its |their )?(recipient|addressee)\b|by (the|its|their) user\b", _EXCHANGE),
    # -- Yahoo and AOL, Apple, Zoho, Fastmail
    _Row(Meaning.RATE, "4", r"\[(ts|tss|gl)\d\d\]|temporarily deferred due to (unexpected|user complaints)", _YAHOO),
    _Row(Meaning.POLICY, "5", r"\[(bl\d\d|ts\d\d|ph\d\d)\]|not accepted for policy reasons", _YAHOO),
    _Row(Meaning.POLICY, r"5.. 5\.7\.1", r"\[(cs|hm|pr)\d\d\]|your message was rejected due to .*(policy|dmarc)", _APPLE),
    _Row(Meaning.SUSPENDED, r"55\d 5\.4\.6\b", r"unusual sending|blocked", _ZOHO),
    _Row(Meaning.QUOTA, "5", r"outgoing (\w+ )?limit|exceeded .*sending limit", _FASTMAIL),
    # -- Mailgun, SendGrid, Postmark
    _Row(Meaning.QUOTA, "5", r"(domain|account|plan) .*(sending|message) limit|recipient limit exceeded", _MAILGUN),
    _Row(Meaning.SUSPENDED, "5", r"domain .* is (disabled|not allowed to send)|please activate your", _MAILGUN),
    _Row(Meaning.QUOTA, "[45]", r"maximum credits exceeded|credits? (are )?(used up|exhausted|exceeded)|\bno (more )?credits?\b", _SENDGRID),
    _Row(Meaning.UNAUTHORISED, "5", r"from address does not match a verified sender|unauthenticated senders", _SENDGRID, _VERIFY),
    _Row(Meaning.UNAUTHORISED, "5", r"sender signature|not (a )?confirmed", _POSTMARK, _VERIFY),
    # -- status codes that speak of the sender alone: addresses, credentials, SPF, DKIM, reverse DNS, null MX (RFC 7505)
    _Row(Meaning.UNAUTHORISED, r"... [45]\.1\.[78]\b", "", _RFC_3463, _OWN_SENDER),
    _Row(Meaning.UNAUTHORISED, r"... [45]\.7\.(8|9|11|13)\b", "", "RFC 4954"),
    _Row(Meaning.POLICY, r"... [45]\.7\.2[0-7]\b", "", _RFC_7372),
    # -- hosters: cPanel (Exim), Postfix and its policy services
    _Row(Meaning.QUOTA, "[45]", r"max(imum)? (e-?mails|defers and failures) per hour", _CPANEL),
    _Row(Meaning.SUSPENDED, "[45]", r"outgoing mail from .*suspended|outgoing mail .*(disabled|on hold)|outgoing mail (suspension|hold)\b", _CPANEL),
    _Row(Meaning.HELO, "[45]", r"\b(helo|ehlo)\b.{0,60}(reject|refus|invalid|denied|bad|not|need|must|require|qualified|mismatch)", _POSTFIX, _NAME_US),
    _Row(Meaning.HELO, "[45]", r"(reject|refus|invalid|denied|bad|not|need|qualified).{0,60}\b(helo|ehlo)\b", _POSTFIX, _NAME_US),
    _Row(Meaning.HELO, "50[14]", r"fully.qualified (host|domain)|invalid (host|domain) ?name$", _POSTFIX, _NAME_US),
    _Row(Meaning.UNAUTHORISED, "[45]", r"not owned by user|sender .*not logged in", _POSTFIX, _OWN_SENDER),
    _Row(Meaning.POLICY, "[45]", r"client host( \S+)? (rejected|blocked)|reverse (dns|hostname|lookup)|\bptr\b", _POSTFIX),
)  # fmt: skip

_RECEIVER = r"(recipient|addressee|destination)"
_RECIPIENTS = (
    _Row(None, "[45]", r"gr[ea]y-?list", _COMMON),
    _Row(None, "[45]", r"\breceiv(e|es|ing) (too|mail|messages?|e-?mails?|more|(\w+ )?(limit|quota|rate))|\b(inbound|incoming) (\w+ )?(limit|quota|rate)", _GMAIL),
    _Row(Meaning.QUOTA, "[45]", rf"\b(daily|hourly|external) recipients?\b|{_LIMIT} (for|of|on) (message )?recipients|recipients? (rate )?{_LIMIT}|recipients? per (day|hour)", _EXCHANGE_LIMITS),
    _Row(None, "[45]", rf"\b{_RECEIVER}('s|s')?( e-?mail)? (has|is|was|mailbox|account|inbox|storage|over|quota|exceeded|reached|user|server|domain|address (is |has been )?(blocked|suspended|disabled|locked|inactive))\b", _COMMON),
    _Row(None, "[45]", rf"\bthe (e-?mail )?(account|user)( that)? you|to (this|the|that) ({_RECEIVER}|group|list|distribution|mailbox|user|address)\b", _GMAIL),
    # Words about sending, before the status codes for recipients: some servers choose those carelessly.
    _Row(Meaning.QUOTA, "[45]", rf"\b(sending|submission|outgoing|outbound|relay|smtp|send)\b.{{0,40}}\b{_LIMIT}\b(?! size)", _COMMON),
    _Row(Meaning.QUOTA, "[45]", rf"\b{_LIMIT}\b.{{0,30}}\b(sending|outgoing|outbound|sender|send)\b", _COMMON),
    _Row(Meaning.QUOTA, "[45]", rf"\b(daily|hourly|monthly|24.?h(ours?)?)\b.{{0,40}}\b({_LIMIT}|{_MAILS})\b", _POLICYD),
    _Row(Meaning.QUOTA, "[45]", rf"\b({_LIMIT}|{_MAILS})\b.{{0,40}}\b(per (hour|day|month)|an hour|a day|today|this hour)\b", _POLICYD),
    _Row(Meaning.QUOTA, "[45]", r"\byou(r account|r domain| have|'ve| are)?\b.{0,30}\b(exceed(ed|s)?|over|reached)\b.{0,40}\b(quota|limits?)\b(?! size)", _COMMON),
    _Row(None, r"... [45]\.(1\.([12346]|10)|2\.[1-4])\b", "", _RFC_3463),
    _Row(None, "[45]", r"\b(mail ?box|inbox|maildir|mail ?drop)\b|\bno such\b|\bunrouteable\b|\bover ?quota\b|disk quota|\bstorage\b", _COMMON),
    _Row(None, "[45]", r"\b(user|recipient|account|address|alias) (is |was |has been )?(unknown|not found|does ?n.t exist|does not exist|not exist|not known|invalid|disabled|inactive|unavailable|full)\b", _COMMON),
    _Row(None, "[45]", r"\b(unknown|invalid|inactive|non-?existent|undeliverable) (user|recipient|account|address|local|destination)", _COMMON),
    _Row(None, "[45]", r"\b(host|domain)( name)? (was )?not found\b|no (mx|mail hosts?)\b|does not accept mail|\bnull ?mx\b", _COMMON),
)  # fmt: skip

_GENERAL = (
    # The commonest mistake of all, a relay that does not know us; Exim says it without an enhanced code.
    _Row(Meaning.UNAUTHORISED, "[45]", r"\brcpthosts\b|\brelay(ing)?( access)? (is )?(denied|not (permitted|allowed)|prohibited)\b|\b(unable|not permitted) to relay\b", _POSTFIX),
    _Row(Meaning.UNAUTHORISED, "[45]", r"(authentication|log ?in) (is )?required|must (authenticate|log ?in)|not (authenticated|logged in)", _COMMON),
    _Row(Meaning.UNAUTHORISED, "[45]", r"not (authori[sz]ed|allowed|permitted|entitled|enabled) to (send|relay|submit|use)", _COMMON, _OWN_SENDER),
    _Row(Meaning.UNAUTHORISED, "[45]", r"\b(sender|sending (address|domain))\b.{0,40}\b(reject|denied|refused|not (allowed|permitted|owned|verified|valid|accepted|authori[sz]ed|exist)|unverified|mismatch|invalid|unknown|verif|does ?n)", _COMMON, _OWN_SENDER),
    _Row(Meaning.UNAUTHORISED, "[45]", r"\b(invalid|unverified|unknown|unauthori[sz]ed|forbidden|bad|wrong) (sender|from|envelope from|return.?path)\b|\bfrom\b (address|header|domain).{0,40}\b(not|must|does ?n|mismatch|differ)", _COMMON, _OWN_SENDER),
    _Row(Meaning.SUSPENDED, "[45]", rf"\b{_OURS}\b.{{0,40}}\b(suspended|blocked|deactivated|locked|restricted|frozen|terminated|disabled|banned|on hold|under review|compromised)\b", _COMMON),
    _Row(Meaning.SUSPENDED, "[45]", r"\baccount\b.{0,20}\bnot (yet |been )?(active|activated|approved|validated|confirmed)\b", _COMMON),
    _Row(Meaning.SUSPENDED, "[45]", r"\bsuspended\b", _COMMON),
    _Row(Meaning.CONNECTIONS, "[45]", r"(too many|concurrent|simultaneous|parallel|maximum) (\w+ ){0,2}(connections|sessions|threads)|(connections?|sessions?) limit", _COMMON, _FEWER),
    _Row(Meaning.RATE, "[45]", rf"too (many|much) (\w+ )?({_MAILS}|requests)|\brate[ -]?(over)?limit|\bthrottl|too (fast|quickly|often|frequently)|slow down|(unusual|excessive|high) (\w+ )?(rate|volume|amount)|(message|mail|sending|send) rate", _POLICYD),
    _Row(None, "[45]", r"\b(size|length|long|large|attachments?|hop|hops)\b", _RFC_3463),
    _Row(Meaning.QUOTA, r"... [45]\.7\.\d+\b", r"\bquota\b", _POLICYD),
    _Row(None, r"552\b(?! 5\.[37])", r"\bquota exceeded\b", "RFC 5321 section 4.2.2"),
    _Row(Meaning.QUOTA, "[45]", rf"\bquota\b|\b(exceed(s|ed)?|reached|over)\b.{{0,20}}\b(maximum|max|allowed) (number|amount)\b|\b{_LIMIT}\b.{{0,20}}\b(exceeded|reached|hit)\b|\b(exceed(s|ed|ing)?|over|reached|hit)\b.{{0,30}}\b(limits?|quota|allowance)\b", _COMMON),
    _Row(Meaning.POLICY, "[45]", r"\b(dkim|spf|dmarc|unauthenticated)\b|spamhaus|spamcop|barracuda|\bsorbs\b|\b(dns)?bls?\b|\brbl\b|block-? ?list(ed)?\b|blacklist(ed)?\b|\b(bad|poor|low) reputation\b", _RFC_7372),
    _Row(Meaning.POLICY, r"5.. 5\.7\.1\b", r"\b(polic(y|ies)|spam|unsolicited|blocked|reputation)\b", _RFC_3463),
    _Row(Meaning.POLICY, "55[04]", r"\b(spam|unsolicited|junk)\b", _COMMON),
)  # fmt: skip

_STATUS = re.compile(r"^\W*([245]\.\d{1,3}\.\d{1,3})\b[\s;:-]*")
_ADDRESS = re.compile(r"\S*[^\s<]@\S+|https?://\S+")
# Postfix says this of whatever it refuses after RCPT, a quota or the client's name just as well.
_POSTFIX_PREFIX = re.compile(r"recipient address rejected:\s*|\brejected by recipient\b:", re.IGNORECASE)
_HOURLY = re.compile(r"\bhour|\bhourly\b|60 minutes", re.IGNORECASE)
_ALL = tuple(
    (row, re.compile(row.reply), re.compile(row.words, re.IGNORECASE)) for row in (*_PROVIDERS, *_RECIPIENTS, *_GENERAL)
)
_SENDER_CODES = frozenset({530, 534, 535, 538})
"""Authentication required, failed, too weak, needs encryption (RFC 4954 section 6): ours to mend, whatever the step."""


def fault_of(code: int, text: str, recipient: str = "") -> SenderFault | None:
    """Return what a 4xx or 5xx reply says is wrong with us; None if it is about the recipient, or says nothing.

    `recipient` is the address that was tried, if one was: an account that is suspended may be theirs.
    """
    if code in _SENDER_CODES:
        return SenderFault(meaning=Meaning.UNAUTHORISED)
    row = _row(code, _with_recipient_named(text, recipient))
    if row is None or row.meaning is None:
        return None
    return SenderFault(meaning=row.meaning, pause=_pause(row.meaning, code, text), advice=row.advice)


def names_recipient(code: int, text: str, recipient: str = "") -> bool:
    """Return whether a reply says of itself that it is about the recipient: unknown, disabled, full."""
    row = _row(code, _with_recipient_named(text, recipient))
    return row is not None and row.meaning is None


def alike(code: int, text: str) -> str:
    """Return what two replies for different recipients have in common: addresses, names, numbers and ids taken out."""
    words = _ADDRESS.sub(" ", text).casefold()
    kept = (word.strip("<>()[]\"'.,;:") for word in words.split())
    return " ".join([str(code), *(word for word in kept if word and not _VARIES.search(word))])


_VARIES = re.compile(r"\d|.\.[a-z]{2,}$|^[a-z0-9+/=_-]{20,}$")


def _with_recipient_named(text: str, recipient: str) -> str:
    """Write "recipient" for the address where the reply says of it that it is suspended, full, ..."""
    if not recipient or recipient.casefold() not in text.casefold():
        return text
    return re.sub(rf"\S?{re.escape(recipient)}\S?(?=\s+{_STATE_OF})", "recipient", text, flags=re.IGNORECASE)


_STATE_OF = (
    r"(has|is|was)( been)?( \w+)? (suspended|disabled|deactivated|inactive|blocked|locked|frozen|closed|terminated"
    r"|on hold|full)\b"
)


def _row(code: int, text: str) -> _Row | None:
    words = _POSTFIX_PREFIX.sub("", _ADDRESS.sub(" ", text))
    found = _STATUS.match(words)
    status = found[1] if found else ""
    reply = f"{code} {status}".rstrip()
    rest = words[found.end() :] if found else words
    return next((row for row, head, tail in _ALL if head.match(reply) and tail.search(rest)), None)


def _pause(meaning: Meaning, code: int, text: str) -> timedelta | None:
    if meaning is Meaning.QUOTA:
        return _HOUR if _HOURLY.search(text) and not re.search(r"24.?h", text) else _DAY
    if meaning is Meaning.SUSPENDED:
        return _HOUR
    if meaning in {Meaning.RATE, Meaning.CONNECTIONS} and code // 100 == 5:  # noqa: PLR2004 - "not now" would be 4xx
        return _HOUR
    return None
