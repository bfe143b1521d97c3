"""Mails to unsubscribe that were carried out: each counts once, however often a mailbox is read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from digestmail.storage.schema import unsubscribe_mails
from digestmail.storage.upsert import insert


def add(connection: Connection, subscriber_id: int, report: str, now: datetime) -> bool:
    """Keep that a mail was carried out; False, and nothing kept, if it is known already. The subscriber must exist."""
    row = insert(connection, unsubscribe_mails).values(
        # There are mail programs whose Message-IDs repeat: a mail is one about one subscriber.
        report=f"{subscriber_id}:{report}",
        subscriber_id=subscriber_id,
        at=now,
    )
    kept = row.on_conflict_do_nothing(index_elements=["report"]).returning(unsubscribe_mails.c.report)
    return connection.execute(kept).first() is not None
