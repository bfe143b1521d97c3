"""Unsubscribe emails that were processed. Each is processed once, however often a mailbox is read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from digestmail.storage.schema import unsubscribe_mails
from digestmail.storage.upsert import insert


def add(connection: Connection, subscriber_id: int, report: str, now: datetime) -> bool:
    """Store that an unsubscribe email was processed; False if it is already known. The subscriber must exist."""
    row = insert(connection, unsubscribe_mails).values(
        # Some mail programs reuse Message-IDs, so the subscriber is part of the key.
        report=f"{subscriber_id}:{report}",
        subscriber_id=subscriber_id,
        at=now,
    )
    kept = row.on_conflict_do_nothing(index_elements=["report"]).returning(unsubscribe_mails.c.report)
    return connection.execute(kept).first() is not None
