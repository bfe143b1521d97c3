"""Names of senders: any name is preserved exactly and its signature verifies."""

from __future__ import annotations

import re
from email import charset, message_from_bytes, policy
from email.header import Header, decode_header, make_header
from email.utils import parseaddr

import dkimverifier
import pytest
from editions import NONCE, SIX, TOKEN, UNSUBSCRIBE_PLACEHOLDER
from hypothesis import given, settings
from hypothesis import strategies as st
from message_rules import broken_rules

from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.mail.header_fields import named, split_mailbox, unstructured
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import single_line
from digestmail.model.deliveries import Rendered

SIGNERS = tuple(
    Signer(domain="example.org", selector=kind.value, pem=generate(kind)) for kind in (Algorithm.ED25519, Algorithm.RSA)
)
RECORDS = {signer.record().name: signer.record().value for signer in SIGNERS}
RENDERED = Rendered(
    subject="Papers",
    html=f'<p><a href="{UNSUBSCRIBE_PLACEHOLDER}">Leave</a></p>',
    text=f"Leave: {UNSUBSCRIBE_PLACEHOLDER}",
    nonce=NONCE,
)
ADDRESS = "digest@example.org"
NAMES = [
    "Müller, Papers 🚀",
    "Papers, Inc.",
    "Dr. A. Smith (weekly)",
    'The "New" Papers',
    "Back\\slash",
    "O'Neil & Sons",
    "News: today; tomorrow",
    "News @ Home",
    "[ML] Papers",
    "注意力机制 论文",
    "מאמרים",
    "👩‍🔬🏳️‍🌈",
    "=?utf-8?q?not=20encoded?=",
    "x" * 200,
    "Long Names, Too " * 20 + "End",
    "Lange Namen über Papiere, " * 15 + "Ende",
    "a",
    ".",
    "<",
]


def cast(mailbox: str, **changes) -> bytes:
    sender = Sender(mailbox=mailbox, domain="digest.example.org", base_url="https://digest.example.org")
    message_template = MessageTemplate(RENDERED, sender, digest="daily", title="Papers", signers=SIGNERS, **changes)
    return message_template.personalize(
        recipient="r@example.net", message_id="<d.x@example.org>", date=SIX, unsubscribe_token=TOKEN
    )


def from_field(raw: bytes) -> bytes:
    found = re.search(rb"\r\nFrom: ((?:[^\r]|\r\n[ \t])*)\r\n", raw)
    assert found is not None
    return found[1]


def read(raw: bytes) -> tuple[str, str]:
    """Read a name by the older parser: the newer puts spaces between adjacent encoded words, against RFC 2047."""
    name, address = parseaddr(str(message_from_bytes(raw, policy=policy.compat32)["From"]).replace("\r\n", ""))
    return str(make_header(decode_header(name))), address


def quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{ADDRESS}>'


def check(raw: bytes, name: str) -> None:
    assert read(raw) == (name, ADDRESS)
    assert message_from_bytes(raw, policy=policy.default)["From"].addresses[0].addr_spec == ADDRESS
    assert max(map(len, from_field(raw).split(b"\r\n"))) <= 78
    assert dkimverifier.verifies(raw, RECORDS) == [True, True]
    assert not [rule for rule in broken_rules(raw) if not rule.startswith(("17", "18"))]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "<"])
def test_any_name_may_be_written_without_quotes(name: str):
    check(cast(f"{name} <{ADDRESS}>"), name)


@pytest.mark.parametrize("name", NAMES)
def test_quotes_around_a_name_are_no_part_of_it(name: str):
    check(cast(quoted(name)), name)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=250).map(single_line).filter(bool))
def test_any_text_in_quotes_arrives_as_the_name(name: str):
    check(cast(quoted(name)), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Trending papers", b"Trending papers <digest@example.org>"),
        ("O'Neil & Sons", b"O'Neil & Sons <digest@example.org>"),
        ("Papers, Inc.", b'"Papers, Inc." <digest@example.org>'),
        ('The "New"', b'"The \\"New\\"" <digest@example.org>'),
        ("Müller", b"=?utf-8?q?M=C3=BCller?= <digest@example.org>"),
    ],
)
def test_only_a_name_that_needs_quotes_has_them(name: str, value: bytes):
    assert from_field(cast(quoted(name))) == value


def test_a_signature_survives_a_program_that_unfolds_the_name():
    raw = cast(quoted("Trending papers of the week " * 8 + "and more"))

    folded = from_field(raw)
    assert b"\r\n " in folded
    assert dkimverifier.verifies(raw.replace(folded, folded.replace(b"\r\n", b"")), RECORDS) == [True, True]


def test_a_long_address_is_on_a_separate_line():
    address = "d" * 60 + "@example.org"

    assert named("From", "Trending papers", address) == f"Trending papers\r\n <{address}>"


@pytest.mark.parametrize("text", [ADDRESS, f"<{ADDRESS}>", f" {ADDRESS} ", f'"" <{ADDRESS}>'])
def test_a_mailbox_needs_no_name(text: str):
    assert split_mailbox(text) == ("", ADDRESS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"Papers\r\nBcc: other@example.org <{ADDRESS}>", "line end"),
        (f"Papers\n <{ADDRESS}>", "line end"),
        (f"Papers\0 <{ADDRESS}>", "control character"),
        (f"Papers\u2028 <{ADDRESS}>", "line end"),
        (f"<Papers> <{ADDRESS}>", "put quotes around it"),
        (f"A <a@example.org>, B <{ADDRESS}>", "more than one address"),
        (f"a@example.org, B <{ADDRESS}>", "more than one address"),
        (f'"Papers <{ADDRESS}>', "quote in the name is not closed"),
        (f"Papers <{ADDRESS}> (weekly)", "nothing after the >"),
    ],
)
def test_anything_but_one_mailbox_is_refused_with_advice(text: str, message: str):
    with pytest.raises(ValueError, match=message):
        split_mailbox(text)
    with pytest.raises(ValueError, match="not a mailbox"):
        cast(text)


def test_a_library_that_changes_the_charset_of_the_process_changes_no_header(monkeypatch):
    # As Apprise 2.3 does: findings/apprise-email-charset.sh.
    before = unstructured("Subject", "מאמרים על סוכנים")
    monkeypatch.setattr(charset, "CHARSETS", dict(charset.CHARSETS))
    charset.add_charset("utf-8", charset.QP, charset.QP, "utf-8")
    assert str(Header("מאמרים על סוכנים", "utf-8").encode()).startswith("=?utf-8?q?")
    assert unstructured("Subject", "מאמרים על סוכנים") == before
    assert before.startswith("=?utf-8?b?")
