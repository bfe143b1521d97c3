"""Phrases of refusals that concern the recipient: the mailbox, its state, its domain."""

from __future__ import annotations

from typing import Final

from digestmail.bounces.parsing.cause import Cause, CauseRule

_WHO = r"(?:user|recipient|mail ?box|mailbox|address(?:ee)?|account|alias|local.?part|e-?mail address|inbox|person)"
RULES: Final = (
    CauseRule(
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
    CauseRule(
        Cause.FULL,
        r"postfach[^\n]{0,40}voll|bo[iî]te[^\n]{0,40}pleine|buz[oó]n[^\n]{0,40}(?:lleno|llena|cuota)|casella"
        r"[^\n]{0,40}piena|caixa[^\n]{0,40}cheia|переполнен|превышен\w* (?:квот|лимит|размер)|邮箱已?满|空间不足|容量|"
        r"满了|いっぱい|満杯",
        "mail.ru, Orange, QQ, providers' German, Spanish, Italian and Japanese texts",
    ),
    CauseRule(
        Cause.DECLINED,
        r"(?:blocked|refused|rejected|declined) (?:by|due to|because of) (?:the )?(?:recipient|user|"
        r"addressee)\b(?! domain|'?s? (?:mail )?server| mail)|recipient(?:'s)? preferences|(?:user|"
        r"recipient) (?:id )?(?:refuse|reject)s?\b|only accept(?:s|ing) mail "
        r"from|not accepting (?:any )?(?:e-?)?mail from|list of senders to accept|user rules",
        "AOL, Facebook, Willcom",
    ),
    CauseRule(
        Cause.DISABLED,
        r"(?:account|mail ?box|user|recipient|address|domain)\b[^\n]{0,60}\b(?:disabled|suspended|inactive|"
        r"deactivated|locked|frozen|discontinued|archived|not active|on hold|blocked)|(?:disabled|suspended|inactive|"
        r"deactivated|locked|frozen) (?:account|mail ?box|user|recipient)|receiving disabled|archiv[ée]e|"
        r"(?:konto|postfach)[^\n]{0,40}(?:gesperrt|deaktiviert)|заблокирован|отключен|冻结|停用",
        "Google 5.2.1, Yahoo 554 30",
    ),
    CauseRule(
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
    CauseRule(
        Cause.UNKNOWN,
        _WHO
        + r"s?[^\w\n]{1,6}(?:\S{1,80}\s{1,6}){0,2}(?:is |was |were |has |are )?(?:an? )?(?:unknown|not found|not exist|"
        r"no longer|not known|not listed|not present|not recogni[sz]ed|cannot be found|could not be found|"
        r"couldn't be found|"
        r"wasn't found|was not found|does not exist|doesn't exist|has moved|non-?existent|terminated|"
        r"not a valid|not our customer|invalid\b|name is not recogni[sz]ed)",
        "RFC 3463 X.1.1; Postfix, Exim, Sendmail",
    ),
    CauseRule(
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
    CauseRule(
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
    CauseRule(
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
    CauseRule(
        Cause.UNAVAILABLE,
        r"mail ?box (?:is )?unavai\w+|address rejected|recipient (?:address )?(?:is )?(?:rejected|not "
        r"accepted|not ok|denied|refused)|account (?:is )?(?:un|not )available|(?:user|recipient|"
        r"mail ?box) (?:is )?not "
        r"available|does(?: not|n't) exist|can't accept user|no valid recipients|not (?:a )?valid\b|undeliverable|"
        r"user unknown or not available",
        "RFC 5321 550; Outlook.com 5.5.0",
    ),
)
