"""What a mail server's reply says: about us who send, or about the recipient."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digestmail.transports.smtp.sender_faults import Meaning, alike, fault_of, names_recipient

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)

OURS = [
    # Gmail and Google Workspace
    (550, "5.4.5 Daily sending quota exceeded. For more information, go to the help page x12-2gsmtp", Meaning.QUOTA),
    (550, "5.4.5 Daily user sending limit exceeded. - gsmtp", Meaning.QUOTA),
    (550, "5.4.5 Daily SMTP relay limit exceeded for customer.", Meaning.QUOTA),
    (450, "4.2.1 Peak SMTP relay limit exceeded for customer.", Meaning.RATE),
    (421, "4.7.28 Gmail has detected an unusual rate of mail originating from your IP", Meaning.RATE),
    (550, "5.7.26 This mail has been blocked because the sender is unauthenticated.", Meaning.POLICY),
    (550, "5.7.25 The IP address sending this message does not have a PTR record", Meaning.POLICY),
    # Exchange Online and Outlook
    (550, "5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", Meaning.QUOTA),
    (554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message", Meaning.QUOTA),
    (550, "5.1.8 Access denied, bad outbound sender AS(42004)", Meaning.SUSPENDED),
    (554, "5.2.252 SendAsDenied; digest@example.org not allowed to send as news@example.org", Meaning.UNAUTHORISED),
    (550, "5.7.60 SMTP; Client does not have permissions to send as this sender", Meaning.UNAUTHORISED),
    (550, "5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", Meaning.SUSPENDED),
    (550, "5.7.705 Access denied, tenant has exceeded threshold", Meaning.SUSPENDED),
    (550, "5.7.501 Access denied, spam abuse detected from sender", Meaning.SUSPENDED),
    (550, "5.7.30 Basic authentication is not supported for Client Submission.", Meaning.UNAUTHORISED),
    (550, "5.7.515 Access denied, sending domain example.org does not meet the required authentication level", Meaning.POLICY),
    (432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Meaning.CONNECTIONS),
    (432, "4.3.2 Concurrent connections limit exceeded. Visit the help page", Meaning.CONNECTIONS),
    (451, "4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS77713)", Meaning.RATE),
    (451, "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.", Meaning.RATE),
    (550, "5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus.", Meaning.POLICY),
    # Amazon SES
    (454, "Throttling failure: Daily message quota exceeded.", Meaning.QUOTA),
    (454, "Throttling failure: Maximum sending rate exceeded.", Meaning.RATE),
    (421, "Too many concurrent SMTP connections", Meaning.CONNECTIONS),
    (554, "Transaction failed: Duplicate header 'DKIM-Signature'.", Meaning.MESSAGE),
    (554, "Message rejected: Email address is not verified. The following identities failed the check in region X", Meaning.UNAUTHORISED),
    (554, "Message rejected: Sending paused for this account.", Meaning.SUSPENDED),
    # Yahoo, Apple, Zoho, Fastmail
    (421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints", Meaning.RATE),
    (553, "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1", Meaning.POLICY),
    (554, "5.7.9 Message not accepted for policy reasons.", Meaning.POLICY),
    (554, "5.7.1 [CS01] Message rejected due to local policy.", Meaning.POLICY),
    (550, "5.4.6 Unusual sending activity detected. Please try after sometime", Meaning.SUSPENDED),
    (554, "5.7.8 You have exceeded your outgoing message limit", Meaning.QUOTA),
    # Mailgun, SendGrid, Postmark
    (550, "Domain example.org is not allowed to send: Please activate your account", Meaning.SUSPENDED),
    (451, "Authentication failed: Maximum credits exceeded", Meaning.QUOTA),
    (550, "The from address does not match a verified Sender Identity.", Meaning.UNAUTHORISED),
    (550, "5.7.1 The 'From' address you supplied is not a Sender Signature on your account", Meaning.UNAUTHORISED),
    # Hosters
    (552, "message would take you over your relay quota", Meaning.QUOTA),
    (554, "5.7.1 <p@example.org>: Recipient address rejected: Policy rejection: Quota exceeded", Meaning.QUOTA),
    (554, "5.7.1 quota exceeded", Meaning.QUOTA),
    (550, "Domain example.org has exceeded the max emails per hour (100/100 (100%)) allowed. Message discarded.", Meaning.QUOTA),
    (550, "Daily limit has been exceeded for digest@example.org", Meaning.QUOTA),
    (550, "5.7.1 You have sent too many emails today", Meaning.QUOTA),
    (550, "Stop, you are sending too fast!", Meaning.RATE),
    (451, "4.7.1 rate limit exceeded, try again later", Meaning.RATE),
    (450, "4.7.1 <p@example.org>: Recipient address rejected: sending rate limit exceeded", Meaning.QUOTA),
    (450, "4.7.1 Error: too much mail from 192.0.2.1", Meaning.RATE),
    (550, 'Outgoing mail from "digest@example.org" has been suspended.', Meaning.SUSPENDED),
    (550, "5.7.1 Your account has been suspended due to abuse", Meaning.SUSPENDED),
    (554, "5.7.0 Your message could not be sent. The limit on the number of allowed outgoing messages was exceeded. Try again later.", Meaning.QUOTA),
    (550, "5.7.0 message limit exceeded for this account", Meaning.QUOTA),
    (554, "Message rate exceeded", Meaning.RATE),
    (550, "5.7.1 You have exceeded your maximum number of messages per day", Meaning.QUOTA),
    (550, "User digest exceeded sending limit", Meaning.QUOTA),
    (550, "mailbox has exceeded its hourly sending quota", Meaning.QUOTA),
    (552, "5.2.2 You have exceeded your daily sending limit", Meaning.QUOTA),
    (550, "5.7.1 Sender has exceeded the maximum number of messages", Meaning.QUOTA),
    (550, "Message rejected: you have no credits left", Meaning.QUOTA),
    (554, "5.7.1 The monthly limit of your plan is reached", Meaning.QUOTA),
    (452, "4.7.1 hourly quota exceeded", Meaning.QUOTA),
    (571, "Account blocked for spam", Meaning.SUSPENDED),
    (550, "Domain example.org has an outgoing mail suspension. Message discarded.", Meaning.SUSPENDED),
    (502, "5.7.0 Your SMTP account is not yet activated", Meaning.SUSPENDED),
    (550, "5.7.1 Sender rate overlimit - 90.0 / 1h", Meaning.RATE),
    (554, "Access denied: User `arn:x' is not authorized to perform `ses:SendRawEmail' on resource `y'", Meaning.UNAUTHORISED),
    (554, "5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message", Meaning.SUSPENDED),
    (550, "XY-002 Unfortunately, messages from 192.0.2.1 weren't sent.", Meaning.POLICY),
    # the EHLO name
    (501, "Syntactically invalid HELO argument(s)", Meaning.HELO),
    (504, "5.5.2 need fully-qualified hostname", Meaning.HELO),
    (504, "5.5.2 <4f1c9e>: Helo command rejected: need fully-qualified hostname", Meaning.HELO),
    (450, "4.7.1 <4f1c9e>: Helo command rejected: Host not found", Meaning.HELO),
    (550, "5.7.1 EHLO name refused", Meaning.HELO),
    (550, "Invalid HELO name (See RFC2821 4.1.1.1)", Meaning.HELO),
    (504, "5.5.2 <p@example.org>: Recipient address rejected: Helo command rejected: need fully-qualified hostname", Meaning.HELO),
    # the sender
    (550, "5.7.1 Sending address not authorised for your account", Meaning.UNAUTHORISED),
    (553, "sorry, that domain isn't in my list of allowed rcpthosts", Meaning.UNAUTHORISED),
    (553, "5.7.1 <digest@example.org>: Sender address rejected: not owned by user digest", Meaning.UNAUTHORISED),
    (450, "4.1.8 <digest@example.org>: Sender address rejected: Domain not found", Meaning.UNAUTHORISED),
    (550, "5.1.7 bad sender's mailbox address syntax", Meaning.UNAUTHORISED),
    (550, "Sender verify failed", Meaning.UNAUTHORISED),
    (550, "5.7.1 You are not authorized to send from this address", Meaning.UNAUTHORISED),
    (554, "5.7.1 <p@example.org>: Relay access denied", Meaning.UNAUTHORISED),
    (454, "4.7.1 <p@example.org>: Relay access denied", Meaning.UNAUTHORISED),
    (550, "relay not permitted", Meaning.UNAUTHORISED),
    (550, "5.7.13 user account disabled", Meaning.UNAUTHORISED),
    (554, "5.7.1 <host[192.0.2.1]>: Client host rejected: Access denied", Meaning.POLICY),
    (550, "5.7.1 Client host rejected: cannot find your reverse hostname", Meaning.POLICY),
    (550, "SPF check failed", Meaning.POLICY),
    (550, "5.7.1 blocked by our spam policy", Meaning.POLICY),
    (554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", Meaning.POLICY),
    (550, "your IP is blacklisted", Meaning.POLICY),
]  # fmt: skip

THEIRS = [
    (550, "5.1.1 no such user"),
    (550, "5.1.1 <p@example.org>: Recipient address rejected: User unknown in local recipient table"),
    (550, "User unknown"),
    (550, "unknown user account"),
    (550, "Unrouteable address"),
    (550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    (554, "5.1.2 Host or domain name not found"),
    (556, "5.1.10 Recipient address has null MX"),
    (550, "5.2.1 The email account that you tried to reach is disabled."),
    (552, "5.2.2 The email account that you tried to reach is over quota."),
    (452, "4.2.2 The recipient's inbox is out of storage space."),
    (452, "4.2.2 mailbox full"),
    (552, "5.2.2 <p@example.org>: Quota exceeded (mailbox for user is full)"),
    (552, "Requested mail action aborted: exceeded storage allocation"),
    (552, "quota exceeded"),
    (550, "mailbox quota exceeded"),
    (554, "recipient over quota"),
    (550, "Recipient has exceeded its quota"),
    (550, "The recipient has exceeded its receiving limit"),
    (554, "5.2.2 user has exceeded the daily receiving quota"),
    (450, "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages"),
    (450, "4.2.1 The user you are trying to contact is receiving mail too quickly."),
    (432, "4.3.2 STOREDRV.Deliver; recipient thread limit exceeded"),
    (550, "mailbox disabled"),
    (550, "mailbox unavailable"),
    (550, "5.2.1 mailbox suspended"),
    (554, "recipient account suspended"),
    (550, "account is disabled"),
    (550, "user is over quota"),
    (550, "5.7.1 RESOLVER.RST.NotAuthorized; not authorized to send to this group"),
    (550, "5.7.1 You are not allowed to send to this recipient"),
    (550, "5.7.1 sender rejected by the recipient"),
    (450, "4.2.0 <p@example.org>: Recipient address rejected: Greylisted, see the help page"),
    (451, "4.7.1 Greylisting in action, please come back later"),
    (451, "4.3.0 try again later"),
    (450, "4.1.1 <p@example.org>: Recipient address rejected: unverified address"),
    (504, "5.5.2 <p>: Recipient address rejected: need fully-qualified address"),
    (552, "5.3.4 message size exceeds the limit of this mailbox"),
    (550, "5.2.3 message exceeds the maximum size this mailbox takes"),
    (550, "5.1.1 <quota.suspended@example.org> unknown"),
    (550, "5.1.1 <p@spam-policy.example.org>: no"),
    (550, "5.4.1 Recipient address rejected: Access denied"),
    (550, "5.7.1 Access denied"),
    (552, "Storage limit exceeded"),
    (450, "4.2.1 recipient rate limit, user receiving too many messages"),
    (554, "Recipient address blocked: account suspended"),
    (550, "5.7.1 recipient has blocked this sender"),
    (550, "The user has blocked you"),
    (550, "5.2.121 Recipient's per hour message receive limit from specific sender exceeded"),
    (550, "no"),
    (554, ""),
]


@pytest.mark.parametrize(("code", "text", "meaning"), OURS)
def test_what_is_about_us_is_held_against_no_reader(code, text, meaning):
    fault = fault_of(code, text)
    assert fault is not None
    assert fault.meaning is meaning
    assert not names_recipient(code, text)


@pytest.mark.parametrize(("code", "text"), THEIRS)
def test_what_is_about_the_recipient_stops_nobody_else(code, text):
    assert fault_of(code, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Account p@example.net has been suspended",
        "5.7.0 The account <P@Example.net> is temporarily locked",
        "Customer account p@example.net is on hold",
    ],
)
def test_a_suspended_account_is_the_recipient_s_if_the_reply_names_their_address(text):
    assert fault_of(550, text, "p@example.net") is None
    assert names_recipient(550, text, "p@example.net")
    assert fault_of(550, text, "q@example.net").meaning is Meaning.SUSPENDED


def test_the_recipient_s_address_in_a_reply_does_not_make_our_quota_theirs():
    said = "5.7.1 <p@example.net>: Recipient address rejected: Policy Rejection- Quota Exceeded."
    assert fault_of(554, said, "p@example.net").meaning is Meaning.QUOTA
    assert fault_of(550, "mail to p@example.net is over your sending limit", "p@example.net").meaning is Meaning.QUOTA


@pytest.mark.parametrize(
    ("code", "text", "pause"),
    [
        (550, "5.4.5 Daily sending quota exceeded", DAY),
        (550, "Domain example.org has exceeded the max emails per hour (1/1 (100%)) allowed", HOUR),
        (550, "5.7.1 you may send 500 messages in 24 hours, limit exceeded", DAY),
        (552, "message would take you over your relay quota", DAY),
        (550, "5.1.8 Access denied, bad outbound sender", HOUR),
        (550, "Stop, you are sending too fast!", HOUR),
        (504, "5.5.2 <x>: Helo command rejected: need fully-qualified hostname", None),
    ],
)
def test_a_quota_pauses_until_it_is_new_and_a_mistake_as_long_as_any_fault(code, text, pause):
    assert fault_of(code, text).pause == pause


@pytest.mark.parametrize(
    ("code", "text", "fix"),
    [
        (554, "Transaction failed: Duplicate header 'DKIM-Signature'.", "ed25519_key_file"),
        (504, "5.5.2 <x>: Helo command rejected: need fully-qualified hostname", "ehlo_name"),
        (432, "4.3.2 Concurrent connections limit exceeded", "connections in [mail.smtp]"),
    ],
)
def test_the_advice_names_the_key_to_change(code, text, fix):
    assert fix in fault_of(code, text).advice


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5.0.0 <a@one.example> no thanks 4Xk2Q1", "5.0.0 <b@two.example> no thanks 9Zz8T3"),
        ("no thanks, mx1.one.example [192.0.2.1]", "No thanks, mx7.two.example [198.51.100.9]"),
        ("no thanks https://example.org/a?x=1", "no thanks https://example.org/b"),
    ],
)
def test_replies_are_alike_when_only_names_and_numbers_differ(one, other):
    assert alike(550, one) == alike(550, other)
    assert alike(550, one) != alike(554, one)
    assert alike(550, one) != alike(550, "something else")


@pytest.mark.parametrize("text", ["5.1.1 unknown", "User unknown", "mailbox full", "Unrouteable address"])
def test_a_reply_about_the_recipient_says_so(text):
    assert names_recipient(550, text)
    assert not names_recipient(550, "5.0.0 no thanks")
