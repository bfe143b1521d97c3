from __future__ import annotations

import pytest
from bounce_messages import READER, TOKENS, arf, block, dsn, original, return_path

from digestmail.bounces.identify import identify
from digestmail.bounces.parsing.parse import read
from digestmail.bounces.parsing.report import BounceClass, Kind

VACATION = b"""From: Reader <reader@example.net>
To: bounce@bounce.example.org
Subject: %s
%sMessage-ID: <3@example.net>

I am away until Monday. 550 5.1.1 is my favourite number.
"""


# -- delivery status notifications -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["delayed", "relayed", "expanded", "delivered", "expired", "nonsense"])
def test_only_failed_counts(action):
    returned = read(dsn(block(action)))

    assert returned.kind is not Kind.BOUNCE
    assert returned.failures == ()


@pytest.mark.parametrize("action", ["failed", "Failed", "FAILED (bad mailbox)", " failed;x"])
def test_failed_counts_however_it_is_written(action):
    (failure,) = read(dsn(block(action))).failures

    assert (failure.recipient, failure.status, failure.verdict) == (READER, "5.1.1", BounceClass.HARD)


def test_a_report_without_actions_is_judged_by_the_class_of_its_status():
    kinds = [read(dsn(block("", status))).kind for status in ("5.1.1", "4.4.1", "2.0.0")]

    assert kinds == [Kind.BOUNCE, Kind.DELAYED, Kind.DELIVERED]


def test_a_report_returned_inside_a_report_is_not_read():
    inner = dsn(block("failed", "5.1.1")).decode().replace('boundary="b"', 'boundary="in"').replace("--b", "--in")
    outer = dsn(block("delayed", "4.4.1")).decode().replace("text/rfc822-headers\n", f"message/rfc822\n\n{inner}")

    assert read(outer.encode()).kind is Kind.DELAYED


def test_line_ends_do_not_matter():
    raw = dsn(block(said="550 5.1.1 unknown"), returned=original())

    assert read(raw.replace(b"\n", b"\r\n")) == read(raw)


def test_every_failed_recipient_is_reported():
    failures = read(dsn(block(recipient="a@example.net"), block(recipient="b@example.net", status="5.2.2"))).failures

    assert [(failure.recipient, failure.verdict) for failure in failures] == [
        ("a@example.net", BounceClass.HARD),
        ("b@example.net", BounceClass.SOFT),
    ]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("550 5.1.1 User unknown", BounceClass.HARD),
        ("550 5.2.2 Mailbox full", BounceClass.SOFT),
        ("554 Your IP is on our block list", BounceClass.SENDER_FAULT),
    ],
)
def test_where_the_fields_say_nothing_the_words_about_this_recipient_decide(said, verdict):
    words = f"Errors have occurred:\n\n{READER}: {said}\nother@example.net: 550 5.1.1 User unknown\n"
    other = block(recipient="other@example.net", status="5.0.0")
    raw = dsn(block(status="5.0.0"), other).replace(b"I could not deliver it.", words.encode())

    assert [failure.verdict for failure in read(raw).failures] == [verdict, BounceClass.HARD]


def test_a_message_that_expired_failed_although_it_is_called_delayed():
    (failure,) = read(dsn(block("delayed", "4.4.7"))).failures

    assert (failure.status, failure.verdict) == ("4.4.7", BounceClass.SOFT)


@pytest.mark.parametrize(
    "raw",
    [
        dsn(block("delayed", "4.4.7") + "Will-Retry-Until: Sat, 28 Nov 2026 02:00:01 +0000\n"),
        dsn(block("delayed", "4.4.7")).replace(b"I could not deliver it.", b"This is a warning. I am still trying."),
        dsn(block("delayed", "4.4.1")),
    ],
)
def test_a_server_that_goes_on_trying_only_delays(raw):
    assert read(raw).kind is Kind.DELAYED


GLOBAL = """Final-Recipient: utf-8; {0}
Original-Recipient: utf-8; {0}
Action: failed
Status: 5.1.1
"""


@pytest.mark.parametrize("written", ["jürgen@example.net", "j\\x{FC}rgen@example.net"])
def test_a_report_about_an_address_beyond_ascii_is_read(written):
    raw = dsn(GLOBAL.format(written), to=return_path(7), returned=original(7))
    raw = raw.replace(b"message/delivery-status", b"message/global-delivery-status")
    raw = raw.replace(b"text/rfc822-headers", b"message/global-headers")
    returned = read(raw)

    assert [(one.recipient, one.verdict) for one in returned.failures] == [("jürgen@example.net", BounceClass.HARD)]
    assert identify(returned.proof, TOKENS) == (7, 1)
    assert len(returned.proof.message_ids) == 1


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_report_whose_fields_are_encoded_is_read(encoding):
    import base64
    import quopri

    plain = ("Reporting-MTA: dns; mx.example\n\n" + block(said="550 5.1.1 unknown = gone")).encode()
    coded = base64.encodebytes(plain) if encoding == "base64" else quopri.encodestring(plain)
    raw = dsn().replace(
        b"message/delivery-status\n", f"message/delivery-status\nContent-Transfer-Encoding: {encoding}\n".encode()
    )
    head, _, tail = raw.partition(b"Reporting-MTA")
    raw = head + coded + b"\n--b" + tail.partition(b"\n--b")[2]

    assert [one.verdict for one in read(raw).failures] == [BounceClass.HARD]


# -- feedback ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "means"),
    [
        ("abuse", Kind.COMPLAINT),
        ("Abuse", Kind.COMPLAINT),
        ("fraud", Kind.COMPLAINT),
        ("opt-out", Kind.COMPLAINT),
        ("not-spam", Kind.NOT_SPAM),
        ("virus", Kind.FEEDBACK),
        ("auth-failure", Kind.FEEDBACK),
        ("", Kind.FEEDBACK),
    ],
)
def test_feedback_counts_by_its_type(kind, means):
    returned = read(arf(kind))

    assert returned.kind is means
    assert returned.failures == ()
    assert identify(returned.proof, TOKENS) == (1, 1)


# -- auto-replies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "fields"),
    [
        (b"Away", b"Auto-Submitted: auto-replied\n"),
        (b"Away", b"Auto-Submitted: auto-generated (vacation)\n"),
        (b"Away", b"X-Autoreply: yes\n"),
        (b"Away", b"Precedence: auto_reply\n"),
        (b"Automatic reply: Trending papers", b""),
        (b"Out of office", b""),
    ],
)
def test_an_auto_reply_is_never_a_bounce(subject, fields):
    assert read(VACATION % (subject, fields)).kind is Kind.AUTO_REPLY


def test_an_answer_by_a_person_is_nothing_of_that():
    assert read(VACATION % (b"Re: Trending papers", b"Auto-Submitted: no\n")).kind is Kind.OTHER


# -- notices in words --------------------------------------------------------------------------------------------------


def notice(words: str, fields: str = "") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\nSubject: failure notice\nMessage-ID: <4@mx.example>\n{fields}\n{words}\n\n"
        f"------ This is a copy of the message, including all the headers. ------\n\n{original()}\nDear user unknown\n"
    ).encode()


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (f"<{READER}>:\n550 5.1.1 User unknown", BounceClass.HARD),
        (f"{READER}: 550 5.2.2 mailbox full", BounceClass.SOFT),
        (f"550 5.7.1 <{READER}>: listed at a block list", BounceClass.SENDER_FAULT),
        (f"  {READER}\n    host mx said: 550 mailbox not for you", BounceClass.SOFT),
    ],
)
def test_a_notice_is_classified_by_its_text_not_by_the_returned_message(words, verdict):
    returned = read(notice(words))

    assert [(failure.recipient, failure.verdict) for failure in returned.failures] == [(READER, verdict)]
    assert identify(returned.proof, TOKENS) == (1, 1)


def test_a_notice_without_a_reply_code_is_read_by_its_words():
    words = (
        f"There was an error delivering your mail to <{READER}>.\n\nDNS lookup failure: host example.net not found\n"
    )
    raw = notice(words).replace(b"From: MAILER-DAEMON@mx.example", b"From: MAILER-DAEMON <>")

    assert [one.verdict for one in read(raw).failures] == [BounceClass.HARD]


def test_an_empty_sender_is_a_server_s():
    raw = notice(
        f"   ----- The following addresses had permanent fatal errors -----\n<{READER}>\n    (reason: 550 5.1.1 no)"
    )
    raw = raw.replace(b"From: MAILER-DAEMON@mx.example", b"From: <>\nAuto-Submitted: auto-generated (failure)")

    assert [one.verdict for one in read(raw).failures] == [BounceClass.HARD]


def test_a_warning_without_a_code_is_a_delay():
    raw = notice(f"Your mail to <{READER}> could not be delivered yet. The server is still trying.")

    assert read(raw).kind is Kind.DELAYED


def test_a_message_without_a_sender_is_ignored_silently(capfd):
    assert read(b"To: bounce@example.org\nSubject: hello\n\nhello\n").kind is Kind.OTHER
    assert capfd.readouterr() == ("", "")


def test_the_line_procmail_keeps_of_another_mbox_is_no_header():
    raw = b"From MAILER-DAEMON Sat Nov 28 02:00:03 2026\n>From proc  Sat Nov 28 02:00:03 2026\n" + dsn()

    assert read(raw).failures == read(dsn()).failures != ()


def test_recipients_named_in_a_header_are_believed():
    returned = read(
        notice("It failed: 550 5.1.1 User unknown", f"X-Failed-Recipients: {READER}\nAuto-Submitted: auto-replied\n")
    )

    assert [failure.verdict for failure in returned.failures] == [BounceClass.HARD]


def test_two_recipients_in_one_notice_are_judged_apart():
    words = "a@example.net: 550 5.2.2 Mailbox full\nb@example.net: 550 5.1.1 User unknown"

    assert [failure.verdict for failure in read(notice(words)).failures] == [BounceClass.SOFT, BounceClass.HARD]


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"\0\xff", b"From x\n", b"Subject: hello\n\nhow are you?", b"Content-Type: multipart/report"]
)
def test_an_inconclusive_failure_is_soft(raw):
    assert read(raw).kind is Kind.OTHER


# -- whose it is -------------------------------------------------------------------------------------------------------


def test_the_recipient_of_a_bounce_takes_precedence_over_its_content():
    raw = dsn(to=return_path(7, edition_id=3), returned=original(8))

    assert identify(read(raw).proof, TOKENS) == (7, 3)
    assert identify(read(raw, (return_path(9, edition_id=4),)).proof, TOKENS) == (9, 4)


@pytest.mark.parametrize("field", ["X-Original-To", "Delivered-To", "Envelope-To"])
def test_servers_name_the_recipient_in_fields_of_their_own(field):
    raw = f"{field}: {return_path(7).upper()}\n".encode() + dsn()

    assert identify(read(raw).proof, TOKENS) == (7, 1)


@pytest.mark.parametrize("kept", ["Return-Path", "Message-ID", "List-Unsubscribe"])
def test_any_token_in_the_returned_headers_is_enough(kept):
    headers = "".join(line + "\n" for line in original(7).splitlines() if line.startswith(kept))

    found = identify(read(dsn(returned=headers)).proof, TOKENS)
    assert found is not None
    assert found[0] == 7


def test_without_a_token_a_report_is_unmatched():
    assert identify(read(dsn(block(recipient=READER), returned=f"To: {READER}\n")).proof, TOKENS) is None


def test_tokens_of_another_installation_are_refused():
    from digestmail.mail.tokens import Tokens

    other = Tokens("another")
    raw = dsn(to=return_path(7, tokens=other), returned=original(7, tokens=other))

    assert identify(read(raw).proof, TOKENS) is None


def test_a_feedback_report_s_own_field_names_the_return_path():
    returned = read(
        arf(returned="Subject: redacted\n").replace(
            b"Version: 1", f"Version: 1\nOriginal-Mail-From: <{return_path(7)}>".encode()
        )
    )

    assert identify(returned.proof, TOKENS) == (7, 1)


def test_the_same_report_has_the_same_identity_however_it_came():
    raw = dsn(report="<one@mx.example>")
    nameless = raw.replace(b"Message-ID: <one@mx.example>\n", b"")

    assert read(raw).identity == read(b"Delivered-To: x\n" + raw).identity != read(dsn(report="<two@mx>")).identity
    assert read(nameless).identity == read(nameless.replace(b"\n", b"\r\n")).identity != read(raw).identity
