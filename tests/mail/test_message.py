from __future__ import annotations

import quopri
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from editions import NONCE, SENDER, SIX, TOKEN, UNSUBSCRIBE_PLACEHOLDER, cast
from hypothesis import given, settings
from hypothesis import strategies as st
from message_rules import broken_rules, part

from digestmail.errors import DeliveryError
from digestmail.mail.encoding import quoted_printable
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import single_line
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Rendered
from digestmail.text.addresses import to_wire_address, wire_domain

HTML = (
    '<!doctype html><html lang="en" dir="ltr"><head><meta name="color-scheme" content="light dark">'
    "<style>@media (prefers-color-scheme:dark){{h1{{color:#fff}}}}</style></head>"
    '<body><div lang="en" dir="ltr"><h1>Hello</h1><a href="{place}">Unsubscribe</a></div></body></html>'
)
RENDERED = Rendered(
    subject="Trending papers",
    html=HTML.format(place=UNSUBSCRIBE_PLACEHOLDER),
    text=f"Hello\n\nUnsubscribe:\n{UNSUBSCRIBE_PLACEHOLDER}\n",
    nonce=NONCE,
)
MESSAGE_ID = "<daily.2026-04-02.abcdefgh@digest.example.org>"
LINK = f"https://digest.example.org/unsubscribe/{TOKEN}"


def headers(raw: bytes):
    return message_from_bytes(raw, policy=policy.default)


def display_name(raw: bytes, header: str) -> str:
    """Read a name by the older parser: the newer puts spaces between adjacent encoded words, against RFC 2047."""
    name, _ = parseaddr(message_from_bytes(raw, policy=policy.compat32)[header].replace("\r\n", ""))
    return str(make_header(decode_header(name)))


def with_subject(subject: str) -> Rendered:
    return Rendered(subject=subject, html=RENDERED.html, text=RENDERED.text, nonce=NONCE)


def cast_to(recipient: str, *, smtputf8: bool = True, **changes) -> bytes:
    message_template = MessageTemplate(RENDERED, SENDER, digest="daily", title="Trending papers", smtputf8=smtputf8)
    fields = {"message_id": MESSAGE_ID, "date": SIX, "unsubscribe_token": TOKEN} | changes
    return message_template.personalize(recipient=recipient, **fields)


# -- the whole message -----------------------------------------------------------------------------------------------


def test_a_personalized_message_passes_every_rule():
    assert broken_rules(cast(RENDERED)) == []


def test_the_unsubscribe_link_is_in_both_parts_and_in_the_header():
    raw = cast(RENDERED)

    assert f'href="{LINK}"' in part(raw, "html")
    assert f"\n{LINK}\n" in part(raw, "plain")
    assert headers(raw)["List-Unsubscribe"] == f"<{LINK}>, <mailto:digest@example.org?subject=unsubscribe%20{TOKEN}>"


def test_a_token_longer_than_a_line_is_preserved():
    long = "x" * 200

    raw = cast_to("reader@example.net", unsubscribe_token=long)

    assert broken_rules(raw) == []
    assert f'href="https://digest.example.org/unsubscribe/{long}"' in part(raw, "html")


def test_without_web_pages_you_unsubscribe_by_email():
    raw = cast(RENDERED, sender=Sender(mailbox="digest@example.org", domain="example.org", reply_to="us@example.org"))

    assert broken_rules(raw) == []
    mailto = f"mailto:us@example.org?subject=unsubscribe%20{TOKEN}"
    assert headers(raw)["List-Unsubscribe"] == f"<{mailto}>"
    assert "List-Unsubscribe-Post" not in headers(raw)
    assert "List-Archive" not in headers(raw)
    assert f'href="{mailto}"' in part(raw, "html")


LEAVE = Tokens("secret").mailto_token(7, "daily")
BOUNCE = "bounce@b\u00fccher.example"


def test_with_a_bounce_address_the_unsubscribe_mailto_has_a_token():
    message_template = MessageTemplate(
        RENDERED, replace(SENDER, bounce_address=BOUNCE), digest="daily", title="Trending papers"
    )
    fields = {"recipient": "r@example.net", "message_id": MESSAGE_ID, "date": SIX, "unsubscribe_token": TOKEN}
    raw = message_template.personalize(**fields, mailto_token=LEAVE)

    assert broken_rules(raw) == []
    mailto = f"mailto:bounce+{LEAVE}@xn--bcher-kva.example?subject=unsubscribe%20{TOKEN}"
    assert headers(raw)["List-Unsubscribe"] == f"<{LINK}>, <{mailto}>"
    for wrong in (None, "a b", "a@b"):
        with pytest.raises(ValueError, match="token is missing"):
            message_template.personalize(**fields, mailto_token=wrong)


def test_without_web_pages_the_text_leads_to_the_mailbox_that_is_read():
    sender = Sender(mailbox="digest@example.org", domain="example.org", bounce_address="bounce@example.org")
    message_template = MessageTemplate(RENDERED, sender, digest="daily", title="Trending papers")
    raw = message_template.personalize(
        recipient="r@example.net", message_id=MESSAGE_ID, date=SIX, unsubscribe_token=TOKEN, mailto_token=LEAVE
    )

    assert broken_rules(raw) == []
    assert f"<mailto:bounce+{LEAVE}@example.org?subject=unsubscribe%20{TOKEN}>" in headers(raw)["List-Unsubscribe"]
    mailto = f"mailto:bounce@example.org?subject=unsubscribe%20{TOKEN}"
    assert f'href="{mailto}"' in part(raw, "html")
    assert mailto in part(raw, "plain")


def test_one_click_is_not_promised_without_encryption():
    raw = cast(RENDERED, sender=Sender(mailbox="d@example.org", domain="example.org", base_url="http://example.org"))

    assert broken_rules(raw) == []
    assert "List-Unsubscribe-Post" not in headers(raw)
    assert f"http://example.org/unsubscribe/{TOKEN}" in part(raw, "plain")


def test_messages_of_two_recipients_differ_only_where_they_must():
    first = cast_to("one@example.net").replace(b"one@example.net", b"two@example.net")

    assert first == cast_to("two@example.net")


def test_the_date_is_the_time_of_sending_with_its_zone():
    raw = cast_to("reader@example.net", date=datetime(2026, 4, 2, 9, 5, tzinfo=timezone(timedelta(hours=-4))))

    assert b"\r\nDate: Thu, 02 Apr 2026 09:05:00 -0400\r\n" in raw


@pytest.mark.parametrize(
    "wrong",
    [
        {"date": SIX.replace(tzinfo=None)},
        {"message_id": "<a@b>\r\nBcc: x@example.org"},
        {"message_id": "no brackets@example.org"},
        {"unsubscribe_token": "a b"},
        {"unsubscribe_token": "a\r\nBcc: x@example.org"},
        {"unsubscribe_token": ""},
    ],
)
def test_a_template_refuses_invalid_header_values(wrong: dict):
    with pytest.raises(ValueError):
        cast_to("reader@example.net", **wrong)


# -- headers ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text(max_size=400))
def test_a_subject_is_preserved_exactly(subject: str):
    raw = cast(with_subject(subject))

    assert headers(raw)["Subject"] == single_line(subject)
    assert broken_rules(raw) == []


@pytest.mark.parametrize(
    "subject",
    ["=?utf-8?q?looks=20encoded?=", "x" * 1200, "Trending: 注意力 " * 20, "a\r\nBcc: x@example.org", "a\u2028Bcc: x"],
)
def test_odd_subjects_are_preserved_exactly(subject: str):
    raw = cast(with_subject(subject))

    assert headers(raw)["Subject"] == single_line(subject)
    assert broken_rules(raw) == []


@settings(deadline=None)
@given(st.text(max_size=200).filter(single_line))
def test_a_digest_title_is_preserved_as_sender_and_list_name(title: str):
    raw = cast(RENDERED, sender=Sender(mailbox="digest@example.org", domain="example.org"), title=title)

    assert broken_rules(raw) == []
    assert headers(raw)["From"].addresses[0].addr_spec == "digest@example.org"
    assert display_name(raw, "From") == display_name(raw, "List-Id") == single_line(title)


def test_domains_are_sent_as_a_labels():
    sender = Sender(
        mailbox="Die Bücher <digest@bücher.example>", domain="bücher.example", base_url="https://bücher.example"
    )

    raw = cast(RENDERED, sender=sender)

    assert broken_rules(raw) == []
    assert headers(raw)["From"].addresses[0].addr_spec == "digest@xn--bcher-kva.example"
    assert headers(raw)["From"].addresses[0].display_name == "Die Bücher"
    assert headers(raw)["List-Id"].endswith("<daily.xn--bcher-kva.example>")


def test_a_sender_that_is_no_mailbox_is_refused():
    with pytest.raises(ValueError, match="not a mailbox"):
        cast(RENDERED, sender=Sender(mailbox="nobody", domain="example.org"))


def test_a_base_url_too_long_for_one_header_line_is_refused():
    with pytest.raises(ValueError, match="too long"):
        cast(
            RENDERED,
            sender=Sender(mailbox="d@example.org", domain="example.org", base_url="https://e.org/" + "x" * 900),
        )


# -- recipients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "on_the_wire"),
    [
        ("Reader.Name+tag@Example.org", "Reader.Name+tag@Example.org"),
        ("reader@localhost", "reader@localhost"),
        ("reader@Bücher.example", "reader@xn--bcher-kva.example"),
        ("o'neil@example.org", "o'neil@example.org"),
    ],
)
def test_an_address_is_sent_with_an_ascii_domain(address: str, on_the_wire: str):
    assert to_wire_address(address) == on_the_wire
    assert headers(cast_to(address))["To"].addresses[0].addr_spec == on_the_wire


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reader",
        "@example.org",
        "reader@",
        "a@b@example.org",
        "reader@example.org\r\nBcc: other@example.org",
        "reader@example.org\n",
        "reader\0@example.org",
        "reader\u2028@example.org",
        "réader\u2029x@example.org",
        "reader@exam\u2028ple.org",
        "reader@example..org",
        "reader@-example.org",
        "Reader <reader@example.org>",
        "a@example.org, b@example.org",
        "re ader@example.org",
        "réa der@example.org",
        "réader,b@example.org",
        "réader\ud800@example.org",
        '"quoted"@example.org',
        "reader@[127.0.0.1]",
        "x" * 65 + "@example.org",
        "reader@" + "x." * 130 + "org",
    ],
)
def test_anything_but_one_plain_address_fails_permanently(address: str):
    with pytest.raises(DeliveryError) as caught:
        cast_to(address)

    assert caught.value.permanent


@settings(deadline=None)
@given(st.text())
def test_no_recipient_ever_adds_a_header(address: str):
    try:
        raw = cast_to(f"{address}@example.org")
    except DeliveryError:
        return
    head = raw.split(b"\r\n\r\n", 1)[0]
    assert head.count(b"\r\nDate:") == head.count(b"\nDate:") == 1
    assert head.count(b"\r\n") == cast_to("reader@example.org").split(b"\r\n\r\n", 1)[0].count(b"\r\n")
    assert not set("\r\n\0\u2028\u2029,;<>") & set(head.split(b"\r\n")[0].decode())


def test_a_local_part_that_is_not_ascii_needs_smtputf8():
    assert "To: réader@example.org\r\n".encode() in cast_to("réader@example.org")
    with pytest.raises(DeliveryError, match="SMTPUTF8") as caught:
        cast_to("réader@example.org", smtputf8=False)

    assert caught.value.permanent


@pytest.mark.parametrize("domain", ["", "a b", "-x.org", "x.org\n", "ü" * 70 + ".org"])
def test_an_invalid_domain_is_refused(domain: str):
    with pytest.raises(ValueError, match="not a domain"):
        wire_domain(domain)


# -- quoted-printable ------------------------------------------------------------------------------------------------

HOSTILE_LINES = st.lists(
    st.one_of(
        st.text(),
        st.sampled_from(
            [".", "..", "From me", ".\r", "x" * 75, "x" * 76, "x" * 77, " ", "\t", "a ", "=", "é" * 30, "=20"]
        ),
        st.integers(60, 90).map(lambda n: "From " + "y" * n),
        st.integers(60, 90).map(lambda n: "." * n),
        st.integers(70, 80).map(lambda n: "z" * n + " "),
        st.integers(70, 80).map(lambda n: "From " + "z" * (n - 5) + "\t"),
    )
)


@settings(deadline=None)
@given(HOSTILE_LINES.map("\n".join), HOSTILE_LINES.map("\n".join))
def test_quoted_printable_decodes_to_the_original(before: str, after: str):
    text = (before + after).replace("\r", "").encode(errors="ignore").decode()

    encoded = quoted_printable(text)

    assert quopri.decodestring(encoded).decode().replace("\r\n", "\n") == text
    lines = encoded.split(b"\r\n")
    assert all(len(line) <= 76 for line in lines)
    assert not any(line.startswith(b"From ") for line in lines)
    assert not any(b"\r" in line or b"\n" in line for line in lines)


@settings(deadline=None)
@given(st.integers(0, 200), st.text(alphabet="aé =.\n", max_size=100), st.integers(1, 300))
def test_a_placeholder_can_be_anywhere(before: int, after: str, length: int):
    text = "x" * before + UNSUBSCRIBE_PLACEHOLDER + after + UNSUBSCRIBE_PLACEHOLDER
    rendered = Rendered(subject="s", html=HTML.format(place=UNSUBSCRIBE_PLACEHOLDER), text=text, nonce=NONCE)
    message_template = MessageTemplate(rendered, SENDER, digest="daily", title="Trending papers")
    token = "t" * length

    raw = message_template.personalize(
        recipient="r@example.net", message_id=MESSAGE_ID, date=SIX, unsubscribe_token=token
    )

    link = f"https://digest.example.org/unsubscribe/{token}"
    assert part(raw, "plain") == "x" * before + link + after + link
    assert broken_rules(raw) == []


# -- texts -----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text())
def test_one_line_is_one_line(text: str):
    line = single_line(text)

    assert line.splitlines() in ([], [line])
    assert single_line(line) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nBcc: x", "a Bcc: x"),
        ("a\u2028b\u2029c\x85d\u00a0e", "a b c d e"),
        ("\x00a\x1b[31m\x7f", "a[31m"),
        ("\u202eevil\u202c", "evil"),
        ("𝄞 ﷽ שלום <think>", "𝄞 ﷽ שלום <think>"),
    ],
)
def test_only_unreadable_events_are_skipped(text: str, line: str):
    assert single_line(text) == line


def test_a_text_cannot_mark_the_place_of_a_token():
    marked = Rendered(subject="s", html=HTML.format(place="\ufdd2"), text="before \ufdd2 after")
    message_template = MessageTemplate(marked, SENDER, digest="daily", title="Trending papers")
    raw = message_template.personalize(
        recipient="r@example.net", message_id=MESSAGE_ID, date=SIX, unsubscribe_token=TOKEN
    )
    assert TOKEN not in part(raw, "html") + part(raw, "plain")
