"""Which deliveries are sent again: by edition, by subscriber, and by the server's reply."""

from __future__ import annotations

from fakes import THURSDAY
from outbox import edition, people, publish
from sqlalchemy import update

from digestmail.model.deliveries import DeliveryState, Unfinished
from digestmail.storage import deliveries, schema
from digestmail.storage.delivery_admin import count, retry

SAID = {
    "550 5.4.5 Daily sending Quota exceeded": (DeliveryState.FAILED, 550),
    "550 5.1.1 no such user": (DeliveryState.FAILED, 550),
    "552 100% of your quota": (DeliveryState.FAILED, 552),
    "no answer, the quota is unknown": (DeliveryState.AMBIGUOUS, None),
    "250 quota is fine": (DeliveryState.SENT, 250),
}


def test_deliveries_are_chosen_by_code_and_text(database):
    with database.begin() as connection:
        ids = people(connection, len(SAID))
        publish(connection, edition(reason="a test"), ids)
        d = schema.deliveries
        for subscriber_id, (text, (state, code)) in zip(ids, SAID.items(), strict=True):
            row = update(d).where(d.c.subscriber_id == subscriber_id)
            connection.execute(row.values(state=state, code=code, text=text, due_at=None, ended_at=THURSDAY))
        assert count(connection, Unfinished(code=550)) == 2
        assert count(connection, Unfinished(text="QUOTA")) == 3
        assert count(connection, Unfinished(text="0% of")) == 1
        assert count(connection, Unfinished(text="0_ of")) == 0
        assert count(connection, Unfinished(code=550, text="quota", digest="weekly")) == 0
        assert count(connection, Unfinished(code=550, text="quota", digest="daily", slot="2026-04-02")) == 1
        assert count(connection, Unfinished(subscriber_id=ids[1])) == 1
        assert retry(connection, Unfinished(code=550, text="quota"), THURSDAY) == 1
        assert retry(connection, Unfinished(code=550, text="quota"), THURSDAY) == 0
        standing = deliveries.counts(connection)
        assert standing == {
            DeliveryState.AMBIGUOUS: 1,
            DeliveryState.DEFERRED: 1,
            DeliveryState.FAILED: 2,
            DeliveryState.SENT: 1,
        }
