"""Which deliveries are sent again: by edition, by subscriber, and by the server's reply."""

from __future__ import annotations

from fakes import THURSDAY
from outbox import edition, people, publish
from sqlalchemy import update

from digestmail.delivery import admin
from digestmail.model.deliveries import DeliveryState, NoticeKind, Unfinished
from digestmail.storage import deliveries, due_times, notices, schema
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


def test_notices_are_chosen_and_resolved_like_deliveries(database):
    with database.begin() as connection:
        ids = people(connection, len(SAID))
        n = schema.notices
        for subscriber_id, (text, (state, code)) in zip(ids, SAID.items(), strict=True):
            number = notices.enqueue(connection, subscriber_id, NoticeKind.WELCOME, {}, THURSDAY)
            row = update(n).where(n.c.id == number)
            connection.execute(
                row.values(state=state, code=code, text=text, attempts=1, due_at=None, ended_at=THURSDAY)
            )
    listed = [*admin.list_deliveries(database, state=DeliveryState.FAILED)]
    assert [(one.digest, one.slot, one.code) for one in listed] == [
        ("notice", "welcome", 552),
        ("notice", "welcome", 550),
        ("notice", "welcome", 550),
    ]
    assert [*admin.list_deliveries(database, digest="daily")] == []
    assert [one.text for one in admin.attempts(database, "notice", "welcome", ids[1])] == ["550 5.1.1 no such user"]
    assert admin.count(database, Unfinished(digest="daily", code=550)) == 0
    assert admin.count(database, Unfinished(digest="notice", slot="confirm")) == 0
    assert admin.count(database, Unfinished(text="0_ of")) == 0
    assert admin.count(database, Unfinished(code=550, subscriber_id=ids[1])) == 1
    assert admin.retry(database, Unfinished(code=550, text="quota"), THURSDAY) == 1
    assert admin.resolve(database, "notice", "welcome", ids[0], DeliveryState.SENT, THURSDAY) == 0
    assert admin.resolve(database, "notice", "welcome", None, DeliveryState.SENT, THURSDAY) == 1
    with database.connect() as connection:
        assert notices.counts(connection) == {
            DeliveryState.DEFERRED: 1,
            DeliveryState.FAILED: 2,
            DeliveryState.SENT: 2,
        }
        assert due_times.next_due(connection) == THURSDAY
