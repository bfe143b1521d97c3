"""Each provider's events in one form."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from bounce_messages import TOKENS
from fakes import THURSDAY
from hooks import (
    READER,
    SECRET,
    body,
    generic,
    mailgun,
    mailgun_event,
    postmark,
    sendgrid,
    sendgrid_bounce,
    ses_bounce,
    ses_complaint,
    ses_mail,
    sns,
    subscription,
)

from digestmail.bounces.identify import identify
from digestmail.bounces.parsing.report import BounceClass, Kind
from digestmail.bounces.webhooks import events
from digestmail.bounces.webhooks import generic as generic_format
from digestmail.bounces.webhooks.mailgun import is_signed
from digestmail.bounces.webhooks.payload import Provider, read
from digestmail.errors import EventsError

RETURN_PATH = f"bounce+{TOKENS.verp(3, 7)}@bounce.example.org"
MESSAGE_ID = TOKENS.message_id("daily", "2026-04-02", 7, "example.org")


def told(provider: str, found):
    return read(Provider(provider), found if isinstance(found, bytes) else body(found))


def only(provider: str, found):
    said = told(provider, found)
    assert said.unreadable == 0
    (event,) = said.events
    return event


def verdict(provider: str, found) -> BounceClass:
    event = only(provider, found)
    assert (event.kind, event.recipient) == (Kind.BOUNCE, READER)
    return event.failures[0].verdict


# -- Amazon SES --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["notificationType", "eventType"])
@pytest.mark.parametrize("wrap", [sns, body], ids=["enveloped", "raw"])
def test_ses_tells_a_bounce_by_both_its_ways_through_sns(named, wrap):
    event = only("ses", wrap(ses_bounce(named=named)))
    (failure,) = event.failures
    assert (event.kind, event.recipient) == (Kind.BOUNCE, READER)
    assert (failure.verdict, failure.status, failure.text) == (BounceClass.HARD, "5.1.1", "550 5.1.1 no such user")


@pytest.mark.parametrize(
    ("kind", "subtype", "status", "diagnostic", "expected"),
    [
        ("Permanent", "General", "", "", BounceClass.HARD),
        ("Permanent", "NoEmail", "5.1.1", "smtp; 550 5.1.1 unknown", BounceClass.HARD),
        ("Permanent", "OnAccountSuppressionList", "5.0.0", "not sent: on the suppression list", BounceClass.HARD),
        ("Permanent", "General", "5.7.1", "smtp; 554 5.7.1 blocked, spam", BounceClass.SENDER_FAULT),
        ("Permanent", "General", "5.2.2", "smtp; 552 5.2.2 mailbox full", BounceClass.SOFT),
        ("Transient", "General", "", "", BounceClass.SOFT),
        ("Transient", "MailboxFull", "5.2.2", "smtp; 552 5.2.2 over quota", BounceClass.SOFT),
        ("Transient", "General", "5.1.1", "smtp; 550 5.1.1 unknown", BounceClass.SOFT),
        ("Transient", "ContentRejected", "", "", BounceClass.SENDER_FAULT),
        ("Transient", "AttachmentRejected", "5.1.1", "", BounceClass.SENDER_FAULT),
        ("Undetermined", "Undetermined", "", "", BounceClass.SOFT),
    ],
)
def test_ses_bounces_are_classified_and_the_reply_only_makes_them_milder(kind, subtype, status, diagnostic, expected):
    recipients = [{"emailAddress": READER, "status": status, "diagnosticCode": diagnostic}]
    assert verdict("ses", ses_bounce(kind, subtype, recipients=recipients)) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("abuse", Kind.COMPLAINT),
        ("fraud", Kind.COMPLAINT),
        (None, Kind.COMPLAINT),
        ("not-spam", Kind.NOT_SPAM),
        ("auth-failure", Kind.FEEDBACK),
        ("virus", Kind.FEEDBACK),
    ],
)
def test_ses_complaints_depend_on_their_feedback_type(kind, expected):
    assert only("ses", sns(ses_complaint(kind))).kind is expected


def test_an_ses_report_with_a_forwarding_address_counts_for_the_original_recipient():
    forwarded = [{"emailAddress": "elsewhere@example.net", "status": "5.1.1"}]
    assert only("ses", ses_bounce(recipients=forwarded)).recipient == READER
    shown = ses_mail("digest@example.org", f"Reader <{READER}>")
    assert only("ses", ses_bounce(mail=shown)).recipient == READER


def test_ses_events_with_several_recipients_are_read_individually():
    recipients = [{"emailAddress": "a@example.org"}, {"status": "5.1.1"}, 7, {"emailAddress": "b@example.org"}]
    said = told("ses", ses_bounce(recipients=recipients, mail=ses_mail("x@example.org", "a@e.org", "b@e.org")))
    assert [event.recipient for event in said.events] == ["a@example.org", "b@example.org"]
    assert said.unreadable == 2


def test_ses_keeps_our_return_path_and_our_headers():
    by_source = only("ses", ses_bounce(mail=ses_mail(RETURN_PATH)))
    by_header = only("ses", ses_bounce(mail=ses_mail(headers={"Subject": "Papers", "Message-ID": MESSAGE_ID})))
    assert identify(by_source.proof, TOKENS) == (7, 3)
    assert identify(by_header.proof, TOKENS) == (7, None)


def test_a_subscription_of_sns_is_confirmed_by_hand_at_an_address_of_amazon_s_only():
    said = told("ses", subscription())
    assert said.confirm.startswith("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription")
    assert [event.kind for event in said.events] == [Kind.OTHER]
    for url in (
        "https://sns.eu-west-1.amazonaws.com.example.org/?Token=1",
        "https://example.org/sns.eu-west-1.amazonaws.com/",
        "http://sns.eu-west-1.amazonaws.com/?Token=1",
        "https://sns.eu-west-1.amazonaws.com/?Token=1\nsecond line",
        "file:///etc/passwd",
    ):
        assert told("ses", subscription(url)).confirm == ""
    assert told("ses", sns("bye", Type="UnsubscribeConfirmation", SubscribeURL=said.confirm)).confirm == ""


@pytest.mark.parametrize("message", ["Successfully validated SNS topic", "[" * 5000, json.dumps(["not an object"]), ""])
def test_a_message_of_sns_that_is_no_event_is_skipped(message):
    said = told("ses", sns(message))
    assert (said.events, said.unreadable) == ((), 1)


# -- Mailgun -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "severity", "reason", "expected"),
    [
        ("failed", "permanent", "bounce", Kind.BOUNCE),
        ("failed", "permanent", "suppress-complaint", Kind.COMPLAINT),
        ("failed", "permanent", "suppress-unsubscribe", Kind.COMPLAINT),
        ("failed", "temporary", "generic", Kind.DELAYED),
        ("complained", "", "", Kind.COMPLAINT),
        ("unsubscribed", "", "", Kind.COMPLAINT),
        ("delivered", "", "", Kind.DELIVERED),
        ("opened", "", "", Kind.OTHER),
        ("something-new", "", "", Kind.OTHER),
    ],
)
def test_mailgun_s_events_have_a_kind(event, severity, reason, expected):
    assert only("mailgun", mailgun(mailgun_event(event, severity, reason), THURSDAY)).kind is expected


@pytest.mark.parametrize(
    ("reason", "status", "expected"),
    [
        ("bounce", {}, BounceClass.HARD),
        ("generic", {"code": 550, "enhanced-code": "", "message": "", "description": None}, BounceClass.HARD),
        ("suppress-bounce", {"code": 605, "enhanced-code": None, "message": "bounced before"}, BounceClass.HARD),
        ("bounce", {"bounce-type": "soft", "enhanced-code": "5.0.0", "message": "no"}, BounceClass.SOFT),
        ("bounce", {"code": 552, "enhanced-code": "5.2.2", "message": "mailbox full"}, BounceClass.SOFT),
        ("bounce", {"enhanced-code": "5.7.1", "message": "5.7.1 blocked as spam"}, BounceClass.SENDER_FAULT),
        ("old", {"code": 602, "enhanced-code": "", "message": "too old"}, BounceClass.SOFT),
        ("espblock", {"code": 421, "enhanced-code": "", "message": ""}, BounceClass.SENDER_FAULT),
    ],
)
def test_mailgun_failures_are_classified(reason, status, expected):
    assert verdict("mailgun", mailgun(mailgun_event(reason=reason, **status), THURSDAY)) is expected


def test_mailgun_keeps_our_return_path_and_our_message_id():
    by_sender = only("mailgun", mailgun(mailgun_event(sender=RETURN_PATH), THURSDAY))
    event = mailgun_event()
    event["message"]["headers"]["message-id"] = MESSAGE_ID.strip("<>")
    assert identify(by_sender.proof, TOKENS) == (7, 3)
    assert identify(only("mailgun", mailgun(event, THURSDAY)).proof, TOKENS) == (7, None)


@pytest.mark.parametrize(
    ("minutes", "key", "changed", "expected"),
    [
        (0, SECRET, {}, True),
        (10, SECRET, {}, True),
        (-10, SECRET, {}, True),
        (20, SECRET, {}, False),
        (-20, SECRET, {}, False),
        (0, "another-key-of-somebody", {}, False),
        (0, SECRET, {"signature": ""}, False),
        (0, SECRET, {"signature": "é" * 64}, False),
        (0, SECRET, {"token": "1" * 50}, False),
        (0, SECRET, {"timestamp": "1" * 400}, False),
        (0, SECRET, {"timestamp": "soon"}, False),
        (0, SECRET, {"timestamp": None}, False),
    ],
)
def test_mailgun_s_signature_is_checked_and_must_be_fresh(minutes, key, changed, expected):
    signed = mailgun(mailgun_event(), THURSDAY, key, **changed)
    assert is_signed(signed, SECRET, THURSDAY + timedelta(minutes=minutes)) is expected


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"signature": 1}', b"\xff", b"[" * 100_000])
def test_a_body_without_a_signature_is_not_signed(raw):
    assert not is_signed(raw, SECRET, THURSDAY)


# -- SendGrid ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (sendgrid("spamreport"), Kind.COMPLAINT),
        (sendgrid("unsubscribe"), Kind.COMPLAINT),
        (sendgrid("group_unsubscribe"), Kind.COMPLAINT),
        (sendgrid("dropped", reason="Spam Reporting Address"), Kind.COMPLAINT),
        (sendgrid("dropped", reason="Bounced Address"), Kind.BOUNCE),
        (sendgrid("dropped", reason="Spam Content"), Kind.OTHER),
        (sendgrid("deferred", response="400 try again later"), Kind.DELAYED),
        (sendgrid("delivered"), Kind.DELIVERED),
        (sendgrid("open"), Kind.OTHER),
        ({"event": "account_status_change", "type": "compliance_suspend"}, Kind.OTHER),
    ],
)
def test_sendgrid_s_events_have_a_kind(found, expected):
    assert only("sendgrid", [found]).kind is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (sendgrid_bounce(), BounceClass.HARD),
        (sendgrid_bounce(None), BounceClass.HARD),
        (sendgrid_bounce("Unclassified", reason=""), BounceClass.HARD),
        (sendgrid_bounce("Mailbox Unavailable"), BounceClass.SOFT),
        (sendgrid_bounce("Technical Failure"), BounceClass.SOFT),
        (sendgrid_bounce("Reputation"), BounceClass.SENDER_FAULT),
        (sendgrid_bounce("Frequency or Volume Too High"), BounceClass.SENDER_FAULT),
        (sendgrid_bounce(None, type="blocked", reason="550 no"), BounceClass.SOFT),
        (sendgrid_bounce(None, type="blocked", reason="550 5.7.1 listed as spam"), BounceClass.SENDER_FAULT),
        (sendgrid_bounce(None, reason="552 5.2.2 mailbox full"), BounceClass.SOFT),
        (sendgrid("dropped", reason="Bounced Address"), BounceClass.HARD),
        (sendgrid("dropped", reason="Invalid"), BounceClass.HARD),
    ],
)
def test_sendgrid_bounces_are_classified(found, expected):
    assert verdict("sendgrid", [found]) is expected


def test_one_bad_event_in_a_batch_hurts_no_other():
    lost = {name: value for name, value in sendgrid_bounce().items() if name != "sg_event_id"}
    bad = [7, None, [], lost, sendgrid_bounce() | {"email": None}]
    said = told("sendgrid", [sendgrid("open"), *bad, sendgrid_bounce()])
    assert [event.kind for event in said.events] == [Kind.OTHER, Kind.BOUNCE]
    assert said.unreadable == len(bad)


def test_half_a_character_is_none():
    event = only("sendgrid", [sendgrid_bounce(email="\ud800@example.org", reason="550 \ud800", sg_event_id="\ud800")])
    assert (event.recipient, event.detail) == ("?@example.org", "550 ?")


def test_sendgrid_keeps_our_message_id():
    assert identify(only("sendgrid", [sendgrid_bounce() | {"smtp-id": MESSAGE_ID}]).proof, TOKENS) == (7, None)


# -- Postmark ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (postmark("SpamComplaint", "SpamComplaint"), Kind.COMPLAINT),
        (postmark("SpamComplaint"), Kind.COMPLAINT),
        (postmark("Unsubscribe"), Kind.COMPLAINT),
        (postmark("Transient"), Kind.DELAYED),
        (postmark("AutoResponder"), Kind.AUTO_REPLY),
        (postmark("Subscribe"), Kind.OTHER),
        (postmark(record="Delivery"), Kind.DELIVERED),
        (postmark(record="Open"), Kind.OTHER),
        ({"RecordType": "SubscriptionChange", "SuppressSending": True}, Kind.OTHER),
    ],
)
def test_postmark_s_records_have_a_kind(found, expected):
    assert only("postmark", found).kind is expected


@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        ("HardBounce", "smtp;550 5.1.1 no such user", BounceClass.HARD),
        ("HardBounce", "made up", BounceClass.HARD),
        ("BadEmailAddress", "", BounceClass.HARD),
        ("SoftBounce", "smtp;550 5.1.1 no such user", BounceClass.SOFT),
        ("DnsError", "", BounceClass.SOFT),
        ("HardBounce", "smtp;552 5.2.2 mailbox full", BounceClass.SOFT),
        ("Blocked", "", BounceClass.SENDER_FAULT),
        ("SpamNotification", "", BounceClass.SENDER_FAULT),
    ],
)
def test_postmark_bounces_are_classified(kind, details, expected):
    assert verdict("postmark", postmark(kind, Details=details)) is expected


# -- our own form ------------------------------------------------------------------------------------------------------


def test_our_own_form_tells_bounces_complaints_and_delays():
    said = told("generic", [generic(), generic("complaint"), generic("delay"), generic("dance"), generic(id="")])
    assert [event.kind for event in said.events] == [Kind.BOUNCE, Kind.COMPLAINT, Kind.DELAYED]
    assert said.unreadable == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, BounceClass.SOFT),
        ({"permanent": True}, BounceClass.HARD),
        ({"permanent": True, "status": "5.2.2"}, BounceClass.SOFT),
        ({"permanent": True, "text": "550 5.7.1 spam"}, BounceClass.SENDER_FAULT),
        ({"permanent": False, "status": "5.1.1"}, BounceClass.SOFT),
    ],
)
def test_the_generic_format_says_whether_a_bounce_is_permanent(fields, expected):
    assert verdict("generic", [generic(**fields)]) is expected


def test_the_generic_format_may_identify_the_message():
    assert identify(only("generic", [generic(return_path=RETURN_PATH)]).proof, TOKENS) == (7, 3)
    assert identify(only("generic", [generic(message_id=MESSAGE_ID)]).proof, TOKENS) == (7, None)


# -- all of them -------------------------------------------------------------------------------------------------------


def test_an_event_has_a_stable_identity_for_each_provider():
    same = {only("postmark", postmark(**changed)).identity for changed in ({}, {"Description": "again"})}
    other = only("postmark", postmark(ID=1)).identity
    elsewhere = only("generic", [generic(id="692560173")]).identity
    assert len(same) == 1
    assert len(same | {other, elsewhere}) == 3


@pytest.mark.parametrize("provider", Provider)
@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe\x00", b"7", b"null", b'"text"', b"[" * 100_000, b"9" * 5000])
def test_a_body_that_is_not_what_the_provider_sends_is_one_error(provider, raw):
    with pytest.raises(EventsError):
        read(provider, raw)


def test_an_event_that_parsing_fails_on_is_counted_and_the_others_are_read(monkeypatch):
    judge = events.failed

    def fail(recipient: str, *arguments, **fields):
        if recipient == "second@example.net":
            raise RecursionError
        return judge(recipient, *arguments, **fields)

    monkeypatch.setattr(generic_format, "failed", fail)
    batch = generic_format.read(
        json.dumps(
            [
                {"id": name, "kind": "bounce", "recipient": f"{name}@example.net"}
                for name in ("first", "second", "third")
            ]
        ).encode()
    )
    assert [event.recipient for event in batch.events] == ["first@example.net", "third@example.net"]
    assert batch.unreadable == 1
