from __future__ import annotations

import pytest
from fakes import THURSDAY, FakeSource, digest, reading, render, sighting
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.delivery.edition_composer import EditionComposer
from digestmail.editions.publish import publish
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Delivery
from digestmail.model.subscribers import Subscription
from digestmail.storage import subscribers
from digestmail.storage.schema import segments

SENDER = Sender(mailbox="digest@example.org", reply_to=None, domain="example.org", base_url=None)


@pytest.mark.parametrize("language", [None, "de"])
def test_a_segment_s_mail_is_rendered_in_its_language(database, language):
    with database.begin() as connection:
        subscriber_id = subscribers.add(connection, "reader@example.net", THURSDAY)
        subscribers.subscribe(connection, subscriber_id, Subscription(digest="daily"), THURSDAY)
    collect(database, [FakeSource("hf", reading(sighting(1)))], THURSDAY)
    publish(database, [digest()], render, THURSDAY)
    with database.begin() as connection:
        connection.execute(segments.update().values(language=language))
        row = connection.execute(select(segments.c.id, segments.c.edition_id)).one()
    asked = []

    def listening(edition, sections, *, language=None):
        asked.append(language)
        return render(edition, sections)

    composer = EditionComposer(
        database,
        listening,
        lambda edition, rendered: MessageTemplate(rendered, SENDER, digest=edition.digest, title=edition.title),
        Tokens("secret"),
        sender="digest@example.org",
        domain="example.org",
    )
    delivery = Delivery(
        edition_id=row.edition_id,
        subscriber_id=subscriber_id,
        segment_id=row.id,
        address="reader@example.net",
        attempts=1,
        queued_at=THURSDAY,
        fence=1,
        wanted=True,
    )
    composer.write(delivery, THURSDAY)
    composer.write(delivery, THURSDAY)

    assert asked == [language]
