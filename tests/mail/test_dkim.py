"""DKIM signatures against an independent verifier."""

from __future__ import annotations

import base64
from email import message_from_bytes

import dkimverifier
import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from editions import NONCE, SENDER, SIX, TOKEN, UNSUBSCRIBE_PLACEHOLDER
from hypothesis import given, settings
from hypothesis import strategies as st
from message_rules import broken_rules

from digestmail.mail.dkim import Algorithm, SegmentSigner, Signer, generate, relaxed
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.model.deliveries import Rendered

RSA = Signer(domain="example.org", selector="one", pem=generate(Algorithm.RSA))
ED25519 = Signer(domain="example.org", selector="two", pem=generate(Algorithm.ED25519))
RECORDS = {signer.record().name: signer.record().value for signer in (RSA, ED25519)}
SIGNED = ("From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post")
ALSO = ("Reply-To", "MIME-Version", "Content-Type", "Auto-Submitted", "List-Help", "Feedback-ID")


def verifies(message: bytes) -> list[bool]:
    return dkimverifier.verifies(message, RECORDS)


def cast(
    subject: str = "Trending papers",
    text: str = "Hello",
    *,
    title: str = "Trending papers",
    signers=(ED25519, RSA),
    sender: Sender = SENDER,
    recipient: str = "reader@example.net",
    token: str = TOKEN,
) -> bytes:
    rendered = Rendered(
        subject=subject,
        html=f'<p>{text}</p><a href="{UNSUBSCRIBE_PLACEHOLDER}">Unsubscribe</a>',
        text=f"{text}\n\n{UNSUBSCRIBE_PLACEHOLDER}\n",
        nonce=NONCE,
    )
    message_template = MessageTemplate(rendered, sender, digest="daily", title=title, signers=signers)
    return message_template.personalize(
        recipient=recipient, message_id="<daily.x@digest.example.org>", date=SIX, unsubscribe_token=token
    )


def test_both_signatures_verify_and_the_message_passes_every_rule():
    message = cast()

    assert verifies(message) == [True, True]
    assert [rule for rule in broken_rules(message) if not rule.startswith(("17", "18"))] == [], "a bare page"
    signatures = message_from_bytes(message).get_all("DKIM-Signature")
    assert ["a=ed25519-sha256" in signatures[0], "a=rsa-sha256" in signatures[1]] == [True, True]
    assert all(len(line) <= 78 for line in message.split(b"\r\n\r\n")[0].split(b"\r\n") if b"List-Unsub" not in line)


def test_signatures_verify_with_an_unsubscribe_address():
    rendered = Rendered(
        subject="s", html=f'<a href="{UNSUBSCRIBE_PLACEHOLDER}">x</a>', text=UNSUBSCRIBE_PLACEHOLDER, nonce=NONCE
    )
    for base_url in ("https://digest.example.org", None):
        sender = Sender(
            mailbox="d@example.org", domain="example.org", base_url=base_url, bounce_address="b@example.org"
        )
        message_template = MessageTemplate(rendered, sender, digest="daily", title="t", signers=(ED25519, RSA))
        message = message_template.personalize(
            recipient="r@example.net",
            message_id="<1@example.org>",
            date=SIX,
            unsubscribe_token=TOKEN,
            mailto_token="a" * 40,
        )
        assert verifies(message) == [True, True]
        assert b"mailto:b+" + b"a" * 40 + b"@example.org" in message


def test_one_template_signs_for_each_recipient():
    message_template = MessageTemplate(
        Rendered(subject="s", html="h", text="t"), SENDER, digest="daily", title="t", signers=(ED25519,)
    )
    messages = {
        message_template.personalize(
            recipient=f"r{n}@example.net", message_id=f"<{n}@example.org>", date=SIX, unsubscribe_token=f"t{n}"
        )
        for n in range(20)
    }

    assert all(verifies(message) == [True] for message in messages)
    assert len(messages) == 20


def test_without_a_key_no_signature_is_accepted():
    assert b"DKIM" not in cast(signers=())


@pytest.mark.parametrize("name", SIGNED + ALSO)
def test_a_changed_header_breaks_the_signature(name):
    message = cast()
    at = message.lower().index(f"\r\n{name.lower()}: ".encode()) + len(name) + 4
    changed = message[:at] + b"x" + message[at + 1 :]

    assert changed != message
    assert verifies(changed) == [False, False]


@pytest.mark.parametrize("name", [*SIGNED, *ALSO, "Cc"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_second_header_of_the_same_name_breaks_the_signature(name, place):
    message = cast()
    added = f"{name}: somebody@example.com\r\n".encode()
    head, body = message.split(b"\r\n\r\n", 1)
    forged = added + message if place == "first" else head + b"\r\n" + added + b"\r\n" + body

    assert verifies(forged) == [False, False]


@pytest.mark.parametrize("name", ["List-Unsubscribe-Post", "List-Archive"])
def test_unknown_counts_cannot_be_compared(name):
    plain = Sender(mailbox="digest@example.org", domain="example.org")
    message = cast(sender=plain)

    assert verifies(message) == [True, True]
    assert verifies(f"{name}: x\r\n".encode() + message) == [name != "List-Unsubscribe-Post"] * 2


def test_a_changed_body_breaks_the_signature_wherever_it_is():
    message = cast()
    for part in (b"Hello", TOKEN.encode(), b"Unsubscribe</a>"):
        at = message.rindex(part)
        assert verifies(message[:at] + b"X" + message[at + 1 :]) == [False, False]


def test_a_relay_that_refolds_headers_does_not_break_signatures():
    message = cast()

    assert verifies(message.replace(b"\r\nTo: reader", b"\r\nTO:   \r\n\treader")) == [True, True]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


@settings(max_examples=60, deadline=None)
@given(subject=TEXTS, text=TEXTS, title=TEXTS, token=st.from_regex(r"[A-Za-z0-9_.-]{1,120}", fullmatch=True))
def test_signatures_verify_for_any_text(subject, text, title, token):
    assert verifies(cast(subject, text, title=title, signers=(ED25519,), token=token)) == [True]


@pytest.mark.parametrize("recipient", ["jörg@example.net", "a@bücher.example", "o'brien+x@example.net"])
def test_every_kind_of_recipient_can_be_signed_for(recipient):
    assert verifies(cast(recipient=recipient)) == [True, True]


def test_relaxed_header_form_is_that_of_the_rfc():
    # RFC 6376 section 3.4.5
    assert relaxed(b"A: X\r\nB : Y\t\r\n\tZ  \r\n") == b"a:X\r\nb:Y Z\r\n"


def test_a_duplicate_header_field_raises():
    with pytest.raises(ValueError, match="twice"):
        SegmentSigner([ED25519], shared=b"From: a\r\n", own_names=["from"], body_start=b"")


# -- keys and records ------------------------------------------------------------------------------------------------


def test_a_record_is_split_into_strings_for_zone_files():
    line = RSA.record().zone_line()

    assert line.startswith("one._domainkey.example.org. IN TXT (")
    pieces = line.split('"')[1::2]
    assert all(len(piece) <= 255 for piece in pieces)
    assert len(pieces) == 2
    assert "".join(pieces) == RSA.record().value
    octets = base64.b64decode(ED25519.record().value.rpartition("p=")[2])
    assert len(octets) == 32, "RFC 8463 section 4: the bare key"


def pem(key) -> bytes:
    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.TraditionalOpenSSL, forms.NoEncryption())


def test_keys_that_cannot_sign_get_specific_errors():
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"x")
    )
    for wrong, says in (
        (b"hello", "not a private key"),
        (pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),  # noqa: S505 - that is the point
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA or Ed25519 key"),
        (locked, "password"),
    ):
        with pytest.raises(ValueError, match=says):
            Signer(domain="example.org", selector="s", pem=wrong)


@pytest.mark.parametrize("name", ["", "a b", "a..b", "-a", "a;b", "ü.example", "a\n"])
def test_a_selector_or_domain_that_is_no_name_is_refused(name):
    key = generate(Algorithm.ED25519)
    for fields in ({"domain": name, "selector": "s"}, {"domain": "example.org", "selector": name}):
        with pytest.raises(ValueError, match="host name"):
            Signer(pem=key, **fields)


def test_an_rsa_key_in_the_older_form_is_read():
    assert Signer(domain="a.example", selector="s", pem=pem(rsa.generate_private_key(65537, 2048))).algorithm == "rsa"
