from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.bounces.parsing.classify import classify_refusal
from digestmail.bounces.parsing.report import BounceClass


@pytest.mark.parametrize(
    ("status", "said", "code", "verdict"),
    [
        ("5.1.1", "", "5.1.1", BounceClass.HARD),
        ("5.1.10", "null MX", "5.1.10", BounceClass.HARD),
        ("5.0.0", "550 5.1.1 unknown", "5.1.1", BounceClass.HARD),
        ("5.0.0", "550 no such user here", "5.0.0", BounceClass.HARD),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", "5.4.1", BounceClass.HARD),
        ("5.4.4", "Host or domain name not found", "5.4.4", BounceClass.HARD),
        (None, "550 unknown user", None, BounceClass.HARD),
        # full, whatever the code
        ("5.2.2", "", "5.2.2", BounceClass.SOFT),
        ("5.1.1", "mailbox is full", "5.1.1", BounceClass.SOFT),
        ("5.0.0", "552 user is over quota", "5.0.0", BounceClass.SOFT),
        # given up, but temporary
        ("4.4.7", "", "4.4.7", BounceClass.SOFT),
        ("4.1.1", "unknown user", "4.1.1", BounceClass.SOFT),
        (None, "451 no such user, try later", None, BounceClass.SOFT),
        # ours
        ("5.7.1", "", "5.7.1", BounceClass.SENDER_FAULT),
        ("5.7.26", "550-5.7.26 unauthenticated mail", "5.7.26", BounceClass.SENDER_FAULT),
        ("5.7.515", "access denied", "5.7.515", BounceClass.SENDER_FAULT),
        ("5.1.8", "sender address", "5.1.8", BounceClass.SENDER_FAULT),
        ("5.6.0", "", "5.6.0", BounceClass.SENDER_FAULT),
        ("5.0.0", "554 rejected as spam", "5.0.0", BounceClass.SENDER_FAULT),
        ("5.0.0", "554 rejected by policy: unknown user agent", "5.0.0", BounceClass.SENDER_FAULT),
        ("5.3.4", "message too big", "5.3.4", BounceClass.SENDER_FAULT),
        # no reason given
        (None, "", None, BounceClass.SOFT),
        # numbers that are no codes
        (None, "host 192.0.5.1.1 said no", None, BounceClass.SOFT),
        ("5.0.0", "250 2.0.0 was said before", "5.0.0", BounceClass.SOFT),
    ],
)
def test_failures_are_classified(status, said, code, verdict):
    assert classify_refusal(status, said) == (code, verdict)


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        (None, "", BounceClass.HARD),
        ("5.0.0", "550 no", BounceClass.HARD),
        ("4.0.0", "", BounceClass.SOFT),
        (None, "451 come again", BounceClass.SOFT),
        (None, "550 go", BounceClass.HARD),
        ("5.2.2", "", BounceClass.SOFT),
        ("5.3.4", "", BounceClass.SENDER_FAULT),
        ("5.0.0", "550 spam", BounceClass.SENDER_FAULT),
    ],
)
def test_without_a_recognizable_cause_the_default_class_applies(status, said, verdict):
    assert classify_refusal(status, said, otherwise=BounceClass.HARD)[1] is verdict


HARD = [
    ("5.1.1", "550 5.1.1 <r@x.example>: Recipient address rejected: User unknown in virtual mailbox table"),
    ("5.1.1", "550 5.1.1 No such account. Please check for typos; see https://support.example/mail/?p=NoSuchUser"),
    ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup"),
    ("5.1.351", "550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 no"),
    ("5.4.310", "550 5.4.310 DNS domain x.example does not exist"),
    ("5.4.4", ""),
    ("5.4.4", "550 5.4.4 Invalid domain"),
    ("5.3.0", "553 5.3.0 <r@x.example>... Addressee unknown"),
    ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable"),
    ("5.0.0", "554 delivery error: dd This user doesn't have a x.example account (r@x.example) [0]"),
    ("5.0.0", "550 sorry, no mailbox here by that name. (#5.7.17)"),
    ("5.7.1", "550 5.7.1 Recipient not found"),
    ("5.0.0", "x-unix; user unknown"),
    ("5.0.0", "Unrouteable address"),
    ("5.0.0", "Domain does not exist"),
    ("5.0.0", "550 Benutzer unbekannt"),
    ("5.0.0", "550 destinataire inconnu"),
    ("5.0.0", "550 usuario inexistente"),
    ("5.0.0", "550 пользователь не найден"),
    ("5.0.0", "550 用户不存在"),
    ("5.1.1", "550 5.1.1 <spam.policy@x.example>: user unknown"),
    ("5.1.1", "host spamfilter.x.example[192.0.2.1] said: 550 5.1.1 user unknown, see our policy"),
]
SOFT = [
    (None, "550 this recipient receives mail too fast"),
    ("5.2.2", "552 5.2.2 the recipient has exceeded the quota"),
    ("5.2.1", "550 5.2.1 The account you tried to reach is disabled"),
    ("5.0.0", "554 30 This mailbox is suspended"),
    ("5.2.2", "552 5.2.2 The inbox is out of storage space and inactive"),
    ("5.0.0", "550 Postfach ist voll"),
    ("4.7.1", "450 4.7.1 Recipient address rejected: Greylisted, come back later"),
    ("4.4.7", "550 4.4.7 QUEUE.Expired; message expired"),
    ("4.4.3", "Host or domain name not found. Name service error for name=x.example: Host not found, try again"),
    ("5.4.6", "mail for x.example loops back to myself"),
    ("4.4.1", "connect to mx.x.example[192.0.2.1]:25: Connection timed out"),
    ("5.1.1", "550 5.1.1 unverified address: connect to mx.x.example: Connection timed out"),
    ("5.0.0", "550 you have been blocked by the recipient"),
]
OURS = [
    (None, "550 Stop sending, you are much too fast"),
    ("5.7.1", "550 5.7.1 sending quota of today exceeded"),
    ("5.0.0", "554 You have exceeded your relay quota"),
    ("5.7.1", "550 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org"),
    ("5.1.3", "553 http://www.spamhaus.org/query/bl?ip=192.0.2.1"),
    ("5.1.1", "550 5.1.1 <r@x.example> - 192.0.2.1 has sent to too many recipients this hour"),
    ("5.1.1", "550 5.1.1 recipient rejected due to poor reputation of 192.0.2.1"),
    ("4.0.0", "554 Blocked - see https://support.x.example/dnsbl-lookup.cgi?ip=192.0.2.1"),
    ("4.7.0", "421 4.7.0 Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"),
    ("5.2.1", "550 5.2.1 The user is receiving mail at a rate that prevents additional messages from being delivered"),
    ("5.2.3", "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient"),
    ("5.3.4", "552 5.3.4 Message size exceeds fixed limit"),
    ("5.0.0", "550 Unroutable sender address"),
    ("5.1.8", "553 5.1.8 Domain of sender address bounce@x.example does not exist"),
    ("5.1.0", "550 5.1.0 <bounce@x.example>: Sender address rejected: User unknown in virtual mailbox table"),
    ("4.1.8", "450 4.1.8 Sender address rejected: Domain not found"),
    ("5.0.0", "550 Verification failed for <bounce@x.example> 550 Sender verify failed"),
    ("5.0.0", "550-Callback setup failed while verifying <bounce@x.example>"),
    ("5.0.0", "550 Helo command rejected: Host not found"),
    ("5.0.0", "571 No PTR Record found. Reverse DNS required: 192.0.2.1"),
    ("5.0.0", "550 Unauthenticated senders not allowed"),
    ("5.0.0", "550 relay not permitted"),
    ("5.4.5", "550 5.4.5 Daily user sending limit exceeded"),
    ("5.5.2", "502 5.5.2 Error: command not recognized"),
    ("5.0.0", "550 Domain example.org has an outgoing mail suspension. Message discarded."),
    ("5.2.0", "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message"),
    ("5.0.0", "550 XY-002 Unfortunately, messages from 192.0.2.1 weren't sent."),
    ("5.0.0", "550 Your account is not yet validated"),
]


@pytest.mark.parametrize(
    ("status", "said", "verdict"),
    [
        *((*one, BounceClass.HARD) for one in HARD),
        *((*one, BounceClass.SOFT) for one in SOFT),
        *((*one, BounceClass.SENDER_FAULT) for one in OURS),
    ],
)
def test_real_replies_are_classified_correctly(status, said, verdict):
    assert classify_refusal(status, said)[1] is verdict


@pytest.mark.parametrize(
    "phase",
    [
        "(in reply to MAIL FROM command)",
        "SMTP error from remote mail server after MAIL FROM:<bounce@x.example> SIZE=1024:",
        "SMTP error from remote mail server after initial connection:",
        "mx.x.example did not like our EHLO:",
        "host mx.x.example[192.0.2.1] refused to talk to me:",
        ">>> MAIL From:<bounce@x.example>\n<<< 550 no",
        "MAIL FROM was answered with",
    ],
)
def test_a_refusal_before_rcpt_never_concerns_the_recipient(phase):
    assert classify_refusal("5.1.1", "550 5.1.1 user unknown", more=[phase])[1] is BounceClass.SENDER_FAULT
    assert classify_refusal("5.1.1", f"{phase} 550 5.1.1 user unknown")[1] is BounceClass.SENDER_FAULT


@pytest.mark.parametrize(
    "phase",
    [
        "(in reply to RCPT TO command)",
        ">>> RCPT To:<r@x.example>\n<<< 550 no",
        "after RCPT TO:<r@x.example>:",
        "[RCPT_TO]",
    ],
)
def test_a_refusal_after_rcpt_may_concern_the_recipient(phase):
    assert classify_refusal("5.1.1", f"{phase} 550 5.1.1 user unknown")[1] is BounceClass.HARD


def test_the_report_text_is_only_used_if_the_reply_is_inconclusive():
    assert classify_refusal("5.0.0", "550 failed", more=["user unknown"])[1] is BounceClass.HARD
    assert (
        classify_refusal("5.1.1", "550 5.1.1 user unknown", more=["if you think our spam policy is wrong, call us"])[1]
        is BounceClass.HARD
    )


@given(st.one_of(st.none(), st.text()), st.text())
def test_it_has_an_opinion_about_everything(status, said):
    code, verdict = classify_refusal(status, said)

    assert isinstance(verdict, BounceClass)
    assert code is None or code[0] in "245"
