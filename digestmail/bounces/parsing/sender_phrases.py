"""Phrases of refusals that concern the sender or the message: account, reputation, rate, size, content."""

from __future__ import annotations

from typing import Final

from digestmail.bounces.parsing.cause import Cause, CauseRule

RULES: Final = (
    CauseRule(
        Cause.ACCOUNT,
        r"(?:sending|daily|hourly|outbound|outgoing|submission|user sending) (?:message |mail |user )?"
        r"(?:quota|limit|rate limit)",
        "Google 5.4.5, Exchange Online 5.1.90",
    ),
    CauseRule(
        Cause.ACCOUNT,
        r"account not subscribed to ses|e-?mail address is not verified|"
        r"not authorized to perform\W+ses|outboundspam|outgoing mail (?:suspension|hold)\b|"
        r"your (?:\w+ )?account (?:is |has )?not (?:yet |been )?(?:active|activated|approved|validated)",
        "Amazon SES, Exchange Online, cPanel",
    ),
    CauseRule(
        Cause.SENDER,
        r"(?:unrout\w+|unknown|invalid|bad|bogus|fake|forged|unverified|unresolvable|non-?existent|illegal|"
        r"malformed|empty|null) (?:envelope |e-?mail |mail |smtp )?(?:sender|return.?path|mail from|from address)",
        "Exim verify = sender; qmail",
    ),
    CauseRule(
        Cause.SENDER,
        r"(?<!to )(?<!to the )(?:sender|return.?path|mail from|from (?:address|header|domain)|5322\.from|"
        r"envelope from)\b"
        r"(?:[^\w\n]+\w+){0,6}?[^\w\n]+(?:rejected|denied|refused|invalid|unknown|blocked|black ?listed|not|doesn't|"
        r"does not|failed|fails|failure|unroutable|unverified|required|must|empty|is on|is in|spammer)\b",
        "Postfix reject_unknown_sender_domain, smtpd_sender_restrictions",
    ),
    CauseRule(
        Cause.SENDER,
        r"domain of (?:the )?sender|sender domain|sender verif\w+|sender callout|"
        r"verif\w* (?:the )?sender|callback|while verifying|"
        r"sender id\b|sender policy|sender (?:address|email)? ?rejected|sender not|purported responsible",
        "Sendmail check_mail; Exim callout",
    ),
    CauseRule(
        Cause.SENDER,
        r"(?:expéditeur|emetteur|émetteur|absender|remitente|mittente)\W+(?:\w+\W+){0,3}(?:invalid|rejet|"
        r"refus|abgelehnt|ungültig|rechazad|rifiutat|unbekannt|inconnu)\w*",
        "Orange, T-Online",
    ),
    CauseRule(
        Cause.SENDER,
        r"\bspf\b|\bdkim\b|\bdmarc\b|unauthenticated|authenticat|authentif|\bptr\b|reverse.?(?:dns|hostname|"
        r"lookup)|\brdns\b|forward.confirmed|(?:cannot|can't|could not|unable to) (?:find|resolve) your|"
        r"unresolvable (?:relay )?host ?name|ip name lookup|helo\b|ehlo\b|client host rejected|fix your dns|"
        r"fully.qualified (?:host|sender)|mail server (?:must|has to) have|mismatches client ip",
        "RFC 7372; Postfix smtpd_helo_restrictions",
    ),
    CauseRule(
        Cause.SENDER,
        r"\bbatv\b|backscatter|not a registered gateway|you(?:'re| are) not (?:allowed|permitted|authori[sz]ed)|"
        r"not allowed to (?:send|post)|send(?:ing)? (?:as|on behalf)|verification failure|"
        r"use the smtp server of your isp",
        "Exchange SendAsDenied",
    ),
    CauseRule(
        Cause.BLOCKLIST,
        r"spamhaus|spamcop|barracuda(?:central|networks)|\bsorbs\b|uceprotect|abuseat|abusix|senderscore|"
        r"invaluement|\bdnsbl|\brbl\b|\bdrbl\b|cloudmark|\bbl\.\w|sender ?base|trustedsource|mxtoolbox|"
        r"junkemailfilter|\bdt:sp",
        "the lists' own names",
    ),
    CauseRule(
        Cause.BLOCKLIST,
        r"(?<!may be )black.?list|block.?list|deny.?list|(?<!not )\blisted (?:in|at|on|by|as)\b|reputation|"
        r"blocked (?:using|by|for|due|because|from|at|- see|ip)|(?:ip|host|network|server|domain|client|"
        r"sender)[^\n]{0,60} "
        r"(?:is|was|has been|are) (?:\w+ )?(?:blocked|banned|rejected|refused|denied)|banned (?:sending )?ip|"
        r"^(?:\d{3}[ -])?(?:\d\.\d\.\d+ )?(?:blocked|go away)\b|said: 5\d\d blocked",
        "Postfix rbl_reply_maps; Exchange Online 5.7.606",
    ),
    CauseRule(
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
    CauseRule(
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
    CauseRule(
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
    CauseRule(
        Cause.RELAY,
        r"\brelay(?:ing)?\b[^\n]{0,30}(?:denied|not |prohibited|refused|forbidden)|(?:unable|cannot|can't|not "
        r"(?:permitted|allowed|configured|authori[sz]ed)|refus\w+) to relay|\bno relay|not an open relay|as a relay|"
        r"rcpthosts|(?:don't|do not) handle mail for|not local host|not a gateway|domain is not allowed",
        "Sendmail check_rcpt; Postfix reject_unauth_destination; qmail",
    ),
    CauseRule(
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
)
