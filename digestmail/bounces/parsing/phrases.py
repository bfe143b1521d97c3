"""The words of refusals: what mail servers write, and the cause each phrase stands for.

Servers use one code for many things, so where a code is vague or wrong the words decide. Each row is a cause, a regular
expression over lower-case text, and where the phrase comes from: a server's source, a provider's list of replies, or
an RFC. More than one row may match; `verdict.judge` says which cause wins.

Providers list their replies at: learn.microsoft.com (Email non-delivery reports and SMTP errors in Exchange Online),
support.google.com/a/answer/3726730, senders.yahooinc.com/smtp-error-codes, postmaster.gmx.net/en/error-messages. The
phrases were compared with the reason tables of sisimai (github.com/sisimai/go-sisimai), which are made from bounces.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple


class Cause(StrEnum):
    """What a phrase says went wrong."""

    ACCOUNT = "account"
    """A quota or state of our own account at the server that sends for us."""
    SENDER = "sender"
    """The sender's address, domain, host name or authentication."""
    BLOCKLIST = "blocklist"
    """The sending address or domain is listed or has a bad reputation."""
    RATE = "rate"
    """Too many messages, connections or recipients."""
    SIZE = "size"
    """The message is larger than the recipient's server allows."""
    RELAY = "relay"
    """The server does not take mail for this domain from us."""
    CONTENT = "content"
    """The message itself, or a policy without a name."""
    FULL = "full"
    """The mailbox or the disk behind it is full."""
    DECLINED = "declined"
    """The recipient does not want mail from this sender."""
    DISABLED = "disabled"
    """The mailbox exists and is switched off: it may come back (RFC 3463, X.2.1)."""
    WAIT = "wait"
    """Temporary: greylisting, timeouts, name servers and hosts that do not answer, loops."""
    UNKNOWN = "unknown"
    """There is no such mailbox, or it has moved."""
    NO_DOMAIN = "no-domain"
    """The recipient's domain does not exist, or has no mail server."""
    UNAVAILABLE = "unavailable"
    """Phrases that mostly mean an unknown mailbox, and only count beside a code that says nothing else."""


class _Row(NamedTuple):
    cause: Cause
    pattern: str
    source: str


_WHO = r"(?:user|recipient|mail ?box|mailbox|address(?:ee)?|account|alias|local.?part|e-?mail address|inbox|person)"
_ROWS: Final = (
    # -- our account and our address, before anything else: they would fail for every reader --------------------------
    _Row(
        Cause.ACCOUNT,
        r"(?:sending|daily|hourly|outbound|outgoing|submission|user sending) (?:message |mail |user )?"
        r"(?:quota|limit|rate limit)",
        "Google 5.4.5, Exchange Online 5.1.90",
    ),
    _Row(
        Cause.ACCOUNT,
        r"account not subscribed to ses|e-?mail address is not verified|"
        r"not authorized to perform\W+ses|outboundspam|outgoing mail (?:suspension|hold)\b|"
        r"your (?:\w+ )?account (?:is |has )?not (?:yet |been )?(?:active|activated|approved|validated)",
        "Amazon SES, Exchange Online, cPanel",
    ),
    _Row(
        Cause.SENDER,
        r"(?:unrout\w+|unknown|invalid|bad|bogus|fake|forged|unverified|unresolvable|non-?existent|illegal|"
        r"malformed|empty|null) (?:envelope |e-?mail |mail |smtp )?(?:sender|return.?path|mail from|from address)",
        "Exim verify = sender; qmail",
    ),
    _Row(
        Cause.SENDER,
        r"(?<!to )(?<!to the )(?:sender|return.?path|mail from|from (?:address|header|domain)|5322\.from|"
        r"envelope from)\b"
        r"(?:[^\w\n]+\w+){0,6}?[^\w\n]+(?:rejected|denied|refused|invalid|unknown|blocked|black ?listed|not|doesn't|"
        r"does not|failed|fails|failure|unroutable|unverified|required|must|empty|is on|is in|spammer)\b",
        "Postfix reject_unknown_sender_domain, smtpd_sender_restrictions",
    ),
    _Row(
        Cause.SENDER,
        r"domain of (?:the )?sender|sender domain|sender verif\w+|sender callout|"
        r"verif\w* (?:the )?sender|callback|while verifying|"
        r"sender id\b|sender policy|sender (?:address|email)? ?rejected|sender not|purported responsible",
        "Sendmail check_mail; Exim callout",
    ),
    _Row(
        Cause.SENDER,
        r"(?:expéditeur|emetteur|émetteur|absender|remitente|mittente)\W+(?:\w+\W+){0,3}(?:invalid|rejet|"
        r"refus|abgelehnt|ungültig|rechazad|rifiutat|unbekannt|inconnu)\w*",
        "Orange, T-Online",
    ),
    _Row(
        Cause.SENDER,
        r"\bspf\b|\bdkim\b|\bdmarc\b|unauthenticated|authenticat|authentif|\bptr\b|reverse.?(?:dns|hostname|"
        r"lookup)|\brdns\b|forward.confirmed|(?:cannot|can't|could not|unable to) (?:find|resolve) your|"
        r"unresolvable (?:relay )?host ?name|ip name lookup|helo\b|ehlo\b|client host rejected|fix your dns|"
        r"fully.qualified (?:host|sender)|mail server (?:must|has to) have|mismatches client ip",
        "RFC 7372; Postfix smtpd_helo_restrictions",
    ),
    _Row(
        Cause.SENDER,
        r"\bbatv\b|backscatter|not a registered gateway|you(?:'re| are) not (?:allowed|permitted|authori[sz]ed)|"
        r"not allowed to (?:send|post)|send(?:ing)? (?:as|on behalf)|verification failure|"
        r"use the smtp server of your isp",
        "Exchange SendAsDenied",
    ),
    # -- blocklists, rates, sizes ------------------------------------------------------------------------------------
    _Row(
        Cause.BLOCKLIST,
        r"spamhaus|spamcop|barracuda(?:central|networks)|\bsorbs\b|uceprotect|abuseat|abusix|senderscore|"
        r"invaluement|\bdnsbl|\brbl\b|\bdrbl\b|cloudmark|\bbl\.\w|sender ?base|trustedsource|mxtoolbox|"
        r"junkemailfilter|\bdt:sp",
        "the lists' own names",
    ),
    _Row(
        Cause.BLOCKLIST,
        r"(?<!may be )black.?list|block.?list|deny.?list|(?<!not )\blisted (?:in|at|on|by|as)\b|reputation|"
        r"blocked (?:using|by|for|due|because|from|at|- see|ip)|(?:ip|host|network|server|domain|client|"
        r"sender)[^\n]{0,60} "
        r"(?:is|was|has been|are) (?:\w+ )?(?:blocked|banned|rejected|refused|denied)|banned (?:sending )?ip|"
        r"^(?:\d{3}[ -])?(?:\d\.\d\.\d+ )?(?:blocked|go away)\b|said: 5\d\d blocked",
        "Postfix rbl_reply_maps; Exchange Online 5.7.606",
    ),
    _Row(
        Cause.BLOCKLIST,
        r"(?:mail|messages?|connections?|e-?mails?) (?:are |is )?(?:not (?:be )?(?:currently )?accept\w*|"
        r"refused|rejected|deferred) from|(?:do|does|will) not (?:currently )?accept(?:ing)? (?:e-?mails?|mails?|"
        r"messages?|"
        r"connections?) from|not (?:currently )?accepting (?:mail|messages?|connections?)(?: from)? (?:your|this|"
        r"servers|"
        r"hosts|dynamic)|bad (?:sender )?ip|bad ip profile|dynamic(?:ally)?[ /](?:ip|zombie|assigned)|open (?:proxy|"
        r"relay)|"
        r"botnet|zombie|compromised|unsolicited|user complaints|abus(?:e|ive|detecte)|suspicious|service refused|"
        r"(?:no|forbidden) access (?:from|by)|access forbidden|not passed validation|requires? confirmation|"
        r"messages from \S+ weren.t sent|"
        r"your (?:ip|host|network|mail ?server|server|domain|access ip|isp)\b",
        "mail.ru, free.fr, Yahoo TSS, Exchange Online",
    ),
    _Row(
        Cause.RATE,
        r"too (?:many|much) (?:\w+ ){0,2}(?:connections?|messages?|recipients?|sessions?|mails?|e-?mails?|"
        r"errors?|requests?|concurrent|attempts?|commands?|complaints|spams?)|rate.?limit|rate (?:exceeded|control)|"
        r"frequency|throttl|slow(?:er| down)|unexpected volume|at a rate that|per (?:hour|day|minute|second)\b|"
        r"this hour|"
        r"(?:exceed\w*|reached|over)[^\n]{0,40}(?:connections?|messages?|recipients?|emails?) ?(?:limit|per|allowed)|"
        r"connection (?:rate |count )?limit|max(?:imum)? (?:number of )?(?:emails|connections|recipients)|"
        r"trop de (?:connexions|messages)|limite d'?envoi|numerous attempts",
        "Postfix anvil; Yahoo TSS; GoDaddy IB607; Google 4.7.28; QQ",
    ),
    _Row(
        Cause.SIZE,
        r"(?:message|mail|e-?mail|data|letter|content|attachment|header|body|it)(?: is| was)? too (?:large|big|"
        r"long)|(?:message|mail|header|line|data|attachment)s?'? ?(?:file )?(?:size|length)s?[^\n=]{0,20}(?:exceed|"
        r"too|limit|"
        r"greater|larger|over)|exceed\w*[^\n]{0,40}(?:message|mail|incoming|inbound|maximum|fixed|allowed|permitted) "
        r"(?:\w+ )?(?:size|length)|max(?:imum)? (?:allowed )?(?:message |mail |e-?mail )?size|sizelimit|size limit|"
        r"larger than|line limit|taille (?:limite|du message|maxi)|zu gro(?:ß|ss)|demasiado grande|troppo grande|"
        r"слишком больш|邮件(?:太大|过大)|大きすぎ",
        "RFC 1870; Exchange RecipSizeLimit; Postfix message_size_limit",
    ),
    _Row(
        Cause.RELAY,
        r"\brelay(?:ing)?\b[^\n]{0,30}(?:denied|not |prohibited|refused|forbidden)|(?:unable|cannot|can't|not "
        r"(?:permitted|allowed|configured|authori[sz]ed)|refus\w+) to relay|\bno relay|not an open relay|as a relay|"
        r"rcpthosts|(?:don't|do not) handle mail for|not local host|not a gateway|domain is not allowed",
        "Sendmail check_rcpt; Postfix reject_unauth_destination; qmail",
    ),
    _Row(
        Cause.CONTENT,
        r"\bspam(?!haus|cop)|\bjunk\b|virus|malware|infected|phish|malicious|\bbulk\b|content|polic(?:y|ies)|"
        r"prohibit|security|attachment|executable|header|mime\b|charset|rfc ?[25]?822|rfc ?5322|rfc ?5321|"
        r"non-?compliant|"
        r"multiple from|duplicate|protocol (?:error|violation)|syntax|pipelining|synchroni[sz]ation|score|\bfilter|"
        r"access (?:denied|refused)|not authori[sz]ed|permission|blocked|banned|forbidden|"
        r"(?:message|mail|e-?mail|transaction|envelope) (?:\w+ ){0,2}(?:rejected|refused|blocked|denied)|"
        r"organi[sz]ation(?:al)? (?:policy|settings)|closed (?:mailing )?list|mailing list|not subscribed|mass mailer|"
        r"mail rejet|垃圾邮件|内容(?:被|不|包含|违规|过滤)|спам|迷惑メール",
        "Sendmail milters, SpamAssassin, Mimecast, Proofpoint, mail.ru",
    ),
    # -- the recipient's side ------------------------------------------------------------------------------------------
    _Row(
        Cause.FULL,
        r"(?:mail ?box|inbox|mail ?folder|mail ?dir|quota|storage|user|account|folder|disk)"
        r"[^\w\n]{1,6}(?:\S{1,80}\s{1,6})?(?:is |"
        r"has |was |size |limit |storage |quota |would )*(?:full\b|exceed|over\b|out of)|full (?:mail|in)box|"
        r"over[ -]?(?:the )?(?:disk |mail )?quota|exceed\w* (?:\w+ ){0,4}(?:quota|storage)|quota (?:\w+ )?(?:exceed|"
        r"violat)\w*|insufficient (?:\w+ )?(?:storage|disk|space|quota)|(?:not |no )(?:enough |"
        r"sufficient )?(?:\w+ )?space|"
        r"(?:reached|over) (?:\w+ ){0,3}quota|out of (?:\w+ )?(?:storage|space|quota)|space has been used|"
        r"too many messages (?:on|in)|quota.?exceeded",
        "RFC 3463 X.2.2; RFC 5321 552; Dovecot quota; Exchange QuotaExceeded",
    ),
    _Row(
        Cause.FULL,
        r"postfach[^\n]{0,40}voll|bo[iî]te[^\n]{0,40}pleine|buz[oó]n[^\n]{0,40}(?:lleno|llena|cuota)|casella"
        r"[^\n]{0,40}piena|caixa[^\n]{0,40}cheia|переполнен|превышен\w* (?:квот|лимит|размер)|邮箱已?满|空间不足|容量|"
        r"满了|いっぱい|満杯",
        "mail.ru, Orange, QQ, providers' German, Spanish, Italian and Japanese texts",
    ),
    _Row(
        Cause.DECLINED,
        r"(?:blocked|refused|rejected|declined) (?:by|due to|because of) (?:the )?(?:recipient|user|"
        r"addressee)\b(?! domain|'?s? (?:mail )?server| mail)|recipient(?:'s)? preferences|(?:user|"
        r"recipient) (?:id )?(?:refuse|reject)s?\b|only accept(?:s|ing) mail "
        r"from|not accepting (?:any )?(?:e-?)?mail from|list of senders to accept|user rules",
        "AOL, Facebook, Willcom",
    ),
    _Row(
        Cause.DISABLED,
        r"(?:account|mail ?box|user|recipient|address|domain)\b[^\n]{0,60}\b(?:disabled|suspended|inactive|"
        r"deactivated|locked|frozen|discontinued|archived|not active|on hold|blocked)|(?:disabled|suspended|inactive|"
        r"deactivated|locked|frozen) (?:account|mail ?box|user|recipient)|receiving disabled|archiv[ée]e|"
        r"(?:konto|postfach)[^\n]{0,40}(?:gesperrt|deaktiviert)|заблокирован|отключен|冻结|停用",
        "Google 5.2.1, Yahoo 554 30",
    ),
    _Row(
        Cause.WAIT,
        r"gr[ea]y.?list|try again (?:later|in|after)|(?:please )?(?:come back|retry) later|tempora(?:ry|rily)|"
        r"timed? ?out|time.?out|expired|connection (?:refused|reset|lost|dropped|was dropped|closed|died)|"
        r"lost connection|"
        r"(?:network|host) (?:is )?unreachable|no route to host|remote protocol error|service (?:currently |"
        r"temporarily )?"
        r"(?:not available|unavailable)|not reachable|try again$|servfail|server failure|name server reply|"
        r"lookup failure(?!: host)|unverified address|has not been (?:able to be )?delivered (?:yet|for)|deferred|"
        r"internal (?:server )?error|resources|low on|congest|overload|loops? back|mail loop|forwarding loop|"
        r"routing loop|"
        r"loop(?:ing)?\b|too many hops|hop count|configuration error|misconfigured|no answer from host|queue period|"
        r"could not (?:be )?connect|unable to connect|(?:couldn't|cannot|can't) connect|retry time",
        "RFC 3463 X.4.*; Postfix, Exim and OpenSMTPD queue managers",
    ),
    _Row(
        Cause.UNKNOWN,
        _WHO
        + r"s?[^\w\n]{1,6}(?:\S{1,80}\s{1,6}){0,2}(?:is |was |were |has |are )?(?:an? )?(?:unknown|not found|not exist|"
        r"no longer|not known|not listed|not present|not recogni[sz]ed|cannot be found|could not be found|"
        r"couldn't be found|"
        r"wasn't found|was not found|does not exist|doesn't exist|has moved|non-?existent|terminated|"
        r"not a valid|not our customer|invalid\b|name is not recogni[sz]ed)",
        "RFC 3463 X.1.1; Postfix, Exim, Sendmail",
    ),
    _Row(
        Cause.UNKNOWN,
        r"(?:unknown|no such|invalid|non-?existent|not a (?:valid|known)|bad|undeliverable)(?: or \w+)? "
        r"(?:e-?mail |local |virtual |destination |unix |internet )?(?:user|recipient|mail ?box|address(?:ee)?|"
        r"alias|account|"
        r"local.?part|person|rcpt)|no (?:mail ?box|account|user|one)\b[^\n]{0,30}(?:here|by that name|this (?:user|"
        r"address|name))|(?:user|rcpt|recipient)\w*\W+doesn't have an? \S+ account|recipnotfound|recipient ?notfound|"
        r"not (?:an active|a local) address|not an? (?:known|registered) \w+|no longer (?:valid|accepts|available|"
        r"active|works|"
        r"employed|with)|recipient no longer|badrcptto|badrecipientto|validrcptto|addressee unknown|user missing home|"
        r"not in (?:name |the |our )?directory|in name directory|not listed in \w+ directory|"
        r"destination addresses were unknown|(?:that|this) (?:address|e-?mail) (?:is wrong|does not exist)|"
        r"account (?:is )?(?:closed|deleted)|has been (?:deleted|removed|closed)|@? \.\.\. user|not our customer|"
        r"userunknown|"
        r"cuda_nsu|address not found|isn't found at|wasn't found at|isn't in|> not found",
        "Google, Yahoo, Exchange, qmail, X2, Notes, Zimbra",
    ),
    _Row(
        Cause.UNKNOWN,
        r"(?:empf(?:ä|ae)nger|benutzer|postfach|adressat|adresse)\w*[^\w\n]{1,6}(?:\S{1,80}\s{1,6}){0,4}(?:unbekannt|"
        r"existiert nicht|nicht gefunden|ung(?:ü|ue)ltig|nicht vorhanden)|unbekannter (?:empf|benutz|user)|"
        r"utilisateur inconnu|destinataire (?:\w+ )?(?:inconnu|invalide|inexistant)|adresse\b[^\n]{0,60}(?:introuvable|"
        r"inexistante|inconnue|invalide|n'existe pas)|usuario (?:desconocido|inexistente|no existe)|"
        r"no existe (?:dicha|ese|"
        r"el|la)|direcci[oó]n[^\n]{0,40}no (?:existe|se ha encontrado|se encontr)|destinatario (?:desconocido|"
        r"no existe|"
        r"sconosciuto|inesistente)|(?:utente|indirizzo) (?:sconosciut|inesistente|non (?:trovat|esist))|nessun utente|"
        r"usu[aá]rio (?:desconhecido|inexistente|n[aã]o (?:existe|encontrado))|endere[cç]o n[aã]o encontrado|"
        r"gebruiker (?:is )?onbekend|onbekende gebruiker|adres (?:is )?niet gevonden|nieznany (?:u[zż]ytkownik|adres|"
        r"odbiorca)|u[zż]ytkownik nie istnieje|нет такого|не (?:существует|найден|зарегистрирован)|несуществующ|"
        r"неизвестный "
        r"(?:пользователь|получатель)|недействительн\w+ (?:почтовый )?(?:ящик|адрес)|(?:用户|用戶|收件人|地址|帐号|"
        r"邮箱)[^\n]{0,12}"
        r"(?:不存在|未找到|无效|錯誤)|(?:找不到|不存在的?)(?:用户|收件人|地址)|(?:アドレス|ユーザ|"
        r"宛先)[^\n]{0,12}(?:見つかりません|存在しません|"
        r"不明)|あて先不明",
        "the same phrases of German, French, Spanish, Italian, Portuguese, Dutch, Polish, Russian, Chinese "
        "and Japanese servers",
    ),
    _Row(
        Cause.NO_DOMAIN,
        r"(?:host|domain)(?: or domain)?(?: name)?s?[^\w\n]{1,6}(?:\S{1,80}\s{1,6}){0,2}"
        r"(?:is |was )?(?:unknown|not found|"
        r"does not exist|doesn't exist|not exist|no longer exists|cannot be found|couldn't be found|could not be found|"
        r"must exist|isn't a valid)|(?:unknown|no such|invalid|non-?existent|bad) (?:host|domain|mail domain)|"
        r"unrout(?:e)?able (?:address|mail domain|domain)|unrout(?:e)?able(?! sender)|nxdomain|nonexistentdomain|"
        r"no (?:valid |usable )?(?:mx|mail exchanger|a record|dns)\b[^\n]{0,20}(?:record|found|for)|null ?mx|"
        r"does(?: not|n't) (?:accept|receive) (?:e-?)?mail|name or service not known|domain (?:name )?unknown|"
        r"mail domain mentioned|no mail server|dead domain|indicated no smtp service",
        "Exim, Postfix 5.4.4, Exchange Online 5.4.310, RFC 7505",
    ),
    _Row(
        Cause.UNAVAILABLE,
        r"mail ?box (?:is )?unavai\w+|address rejected|recipient (?:address )?(?:is )?(?:rejected|not "
        r"accepted|not ok|denied|refused)|account (?:is )?(?:un|not )available|(?:user|recipient|"
        r"mail ?box) (?:is )?not "
        r"available|does(?: not|n't) exist|can't accept user|no valid recipients|not (?:a )?valid\b|undeliverable|"
        r"user unknown or not available",
        "RFC 5321 550; Outlook.com 5.5.0",
    ),
)
_COMPILED: Final = {
    cause: re.compile(
        "|".join(pattern for which, pattern, _source in _ROWS if which is cause), re.IGNORECASE | re.MULTILINE
    )
    for cause in Cause
}


def find(cause: Cause, text: str) -> int | None:
    """Return where the first phrase of `cause` begins in `text`; None if there is none."""
    found = _COMPILED[cause].search(text)
    return found.start() if found else None


def says(text: str, *causes: Cause) -> bool:
    """Return whether `text` has a phrase of one of `causes`."""
    return any(_COMPILED[cause].search(text) for cause in causes)
