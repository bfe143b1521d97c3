"""Emails with picks, from the outbox to the message: assembled from parts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from fakes import THURSDAY
from outbox import claim_deliveries
from readers import DAILY, DAY, Readers, mixed
from sqlalchemy import event

from digestmail.delivery.edition_composer import EditionComposer
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.mail.tokens import Tokens
from digestmail.mail.writer import MailWriter
from digestmail.model.digests import Limits
from digestmail.model.theme import Appearance, Layout
from digestmail.wiring.mail import edition_composer

SENDER = Sender(mailbox="Digest <digest@example.org>", domain="example.org", base_url="https://example.org")
READERS = ("ada", "ben", "cid", "dan", "eve")


@pytest.fixture
def world(database) -> Readers:
    """Five readers, of whom all but the last liked a paper each, of different fields."""
    world = Readers(database)
    for name in READERS:
        world.add(name)
    world.see({900: "optics", 901: "law", 902: "soil", 903: "optics"}, THURSDAY - DAY)
    for at, name in enumerate(READERS[:-1]):
        world.rate(name, 900 + at)
    world.see(mixed(0, 24))
    return world


def composed(world: Readers, writer: MailWriter, *, assembled: bool) -> EditionComposer:
    return EditionComposer(
        world.database,
        writer.render,
        writer.edition_message,
        Tokens("secret"),
        sender="digest@example.org",
        domain="example.org",
        edition_messages=partial(writer.edition_messages, few=0) if assembled else None,
    )


def deliveries(world: Readers):
    with world.database.begin() as connection:
        return claim_deliveries(connection, 1000, THURSDAY + 90 * DAY, DAY)


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("personal", [True, False])
def test_each_reader_s_message_is_the_same_as_without_assembling(world, personal, layout):
    world.publish(replace(DAILY, personal=personal, limits=Limits(max_papers=6)))
    found = deliveries(world)
    writer = MailWriter(Renderer(), SENDER, {"daily": Appearance(layout=layout)}, ())
    one, other = (composed(world, writer, assembled=assembled) for assembled in (True, False))
    messages = [one.write(delivery, THURSDAY) for delivery in found]
    assert messages == [other.write(delivery, THURSDAY) for delivery in found]
    assert len({delivery.picks for delivery in found}) >= 4, "readers have different picks"


def test_papers_and_reasons_are_read_once_for_all_readers(world):
    world.publish()
    found = [delivery for delivery in deliveries(world) if delivery.picks]
    composer = composed(world, MailWriter(Renderer(), SENDER, {}, ()), assembled=True)
    messages = [composer.write(delivery, THURSDAY) for delivery in found]
    composer._prepared.clear()
    with world.database.connect() as connection:
        engine = connection.engine
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert [composer.write(delivery, THURSDAY) for delivery in found] == messages
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert [one for one in statements if "picked_papers" in one or "pick_reasons" in one] == []


def test_the_program_assembles_emails_with_picks(world, monkeypatch):
    world.publish()
    found = [delivery for delivery in deliveries(world) if delivery.picks]
    writer = MailWriter(Renderer(), SENDER, {}, ())
    asked: list[tuple[str, str | None]] = []
    messages = writer.edition_messages
    monkeypatch.setattr(
        writer,
        "edition_messages",
        lambda edition, language: asked.append((edition.base, language)) or messages(edition, language),
    )
    settings = SimpleNamespace(mail=SimpleNamespace(sender_address="digest@example.org", bounce_address=None))
    composer = edition_composer(settings, world.database, writer, Tokens("secret"))
    for delivery in found:
        composer.write(delivery, THURSDAY)
    assert asked == [("daily", None)]
