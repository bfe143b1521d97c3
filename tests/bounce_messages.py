"""Example bounces about one delivery."""

from __future__ import annotations

from digestmail.mail.tokens import Tokens

TOKENS = Tokens("secret")
READER = "reader@example.net"


def original(subscriber_id: int = 1, *, edition_id: int = 1, tokens: Tokens = TOKENS) -> str:
    """Return the headers of the mail that is returned."""
    return (
        f"Return-Path: <bounce+{tokens.verp(edition_id, subscriber_id)}@bounce.example.org>\n"
        f"To: {READER}\nSubject: Trending papers\n"
        f"Message-ID: {tokens.message_id('daily', '2026-04-02', subscriber_id, 'example.org')}\n"
        f"List-Unsubscribe: <https://digest.example.org/unsubscribe/{tokens.unsubscribe(subscriber_id, 'daily')}>\n"
    )


def block(action: str = "failed", status: str = "5.1.1", said: str = "", *, recipient: str = READER) -> str:
    """Return the fields of one recipient (RFC 3464 section 2.3)."""
    diagnostic = f"Diagnostic-Code: smtp; {said}\n" if said else ""
    return f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n{diagnostic}"


def dsn(
    *blocks: str, to: str = "bounce@bounce.example.org", returned: str = "", report: str = "<1@mx.example>"
) -> bytes:
    """Return a delivery status notification."""
    return f"""Return-Path: <>
From: MAILER-DAEMON@mx.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: {report}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver it.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

{chr(10).join(blocks or (block(),))}
--b
Content-Type: text/rfc822-headers

{returned}
--b--
""".encode()


def arf(kind: str = "abuse", *, returned: str = "", report: str = "<2@fbl.example>") -> bytes:
    """Return a feedback report (RFC 5965)."""
    return f"""From: feedback@fbl.example
To: abuse@example.org
Subject: FW: Trending papers
Message-ID: {report}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

A reader complained.

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: made-up/1
Version: 1

--b
Content-Type: message/rfc822

{returned or original()}
Hello.
--b--
""".encode()


def return_path(subscriber_id: int = 1, *, edition_id: int = 1, tokens: Tokens = TOKENS) -> str:
    return f"bounce+{tokens.verp(edition_id, subscriber_id)}@bounce.example.org"
