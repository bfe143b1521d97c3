"""Emails that several threads compose and sign at once: each reader gets their own, and every signature is valid."""

from __future__ import annotations

from dkimverifier import verifies
from fakes import THURSDAY, FakeClock, FakeTransport
from outbox import edition, people
from worker_fixture import worker

from digestmail.delivery.composers import Composers
from digestmail.delivery.edition_composer import EditionComposer
from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import unsubscribe_placeholder
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Rendered
from digestmail.storage import deliveries, editions

SENDER = Sender(mailbox="Papers <digest@example.org>", domain="example.org", base_url="https://digest.example.org")
SIGNERS = [Signer(domain="example.org", selector=str(one), pem=generate(one)) for one in Algorithm]
RECORDS = {record.name: record.value for record in (signer.record() for signer in SIGNERS)}
TOKENS = Tokens("secret")
SEGMENTS, EACH = 24, 5
"""More segments than a composer keeps, so that a thread drops what others use."""


def fill(database) -> dict[str, int]:
    """Queue an edition with many segments; return the number of the segment of each address."""
    with database.begin() as connection:
        edition_id = editions.add(connection, edition(reason="a test"))
        ids = people(connection, SEGMENTS * EACH)
        made = [editions.add_segment(connection, edition_id, [], [], f"language{n}") for n in range(SEGMENTS)]
        rows = [(one, made[number % SEGMENTS], THURSDAY) for number, one in enumerate(ids)]
        deliveries.enqueue(connection, rows, edition_id)
    return {f"p{number}@example.org": number % SEGMENTS for number in range(len(ids))}


def render(_edition, _sections, *, language) -> Rendered:
    text = f"For segment {language}.\n" * 200 + unsubscribe_placeholder("n")
    return Rendered(subject="Papers", html=f"<p>{text}</p>", text=text, nonce="n")


def message_template(of, rendered) -> MessageTemplate:
    return MessageTemplate(rendered, SENDER, digest=of.digest, title=of.title, signers=SIGNERS)


def test_each_reader_gets_their_own_email_and_every_signature_is_valid(database, tmp_path):
    segments = fill(database)
    composer = EditionComposer(
        database, render, message_template, TOKENS, sender="digest@example.org", domain="example.org"
    )
    composers = Composers(editions=composer, notices=composer, threads=3)
    transport = FakeTransport()
    transport.connections = 4
    report = worker(database, [transport], FakeClock(), tmp_path / "epoch", composers=composers).deliver()
    assert report.sent == len(segments)
    sent = dict(transport.sent)
    assert set(sent) == set(segments)
    for address, message in sent.items():
        assert f"\r\nTo: {address}\r\n".encode() in message or message.startswith(f"To: {address}".encode())
        assert f"segment language{segments[address]}.".encode() in message
        assert verifies(message, RECORDS) == [True, True]
