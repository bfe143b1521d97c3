"""An installation with two weeks behind it: runs, sources that failed, editions, readers and refusals."""

from __future__ import annotations

from datetime import timedelta

from websites import THURSDAY, configured, publish

from digestmail.model.deliveries import DeliveryState
from digestmail.model.history import RunOutcome, RunRecord
from digestmail.model.papers import Health, SourceHealth
from digestmail.storage import deliveries as stored
from digestmail.storage import editions, history, sources
from digestmail.storage.database import Database
from digestmail.storage.schema import deliveries
from digestmail.subscribers import admin

NOW = THURSDAY + timedelta(hours=2)
DAY = timedelta(days=1)
READERS = 14
REPLY = "5.1.1 <b>no such user</b> `here`"


HOSTILE = "answered <script>document.title='pwned'</script>"


def hostile(database: Database) -> None:
    """Fill a database whose source answered with a script."""
    fill(database, HOSTILE)


def fill(database: Database, said: str = "answered 503") -> None:
    """Fill a database; `said` is what its source answered."""
    edition = publish(database, 0)
    digests = configured("sqlite:///digestmail.db").digest_values()
    for number in range(READERS):
        admin.add(database, digests, f"reader{number}@example.org", "daily", (), THURSDAY - DAY)
    with database.begin() as connection:
        edition_id = editions.latest(connection, "daily").id
        segment = editions.add_segment(connection, edition_id, [], [])
        rows = [(number, segment, THURSDAY) for number in range(1, READERS + 1)]
        stored.enqueue(connection, rows, edition_id)
        ended = {"due_at": None, "ended_at": THURSDAY, "attempts": 1, "milliseconds": 120}
        d = deliveries.c
        sent = deliveries.update().where(d.subscriber_id > 3)
        connection.execute(sent.values(state=DeliveryState.SENT, code=250, text="ok", **ended))
        failed = deliveries.update().where(d.subscriber_id <= 2)
        connection.execute(failed.values(state=DeliveryState.FAILED, code=550, text=REPLY, **ended))
        for back in range(13, -1, -1):
            at = NOW - back * DAY
            number = history.begin_run(connection, at)
            bad = back == 5
            record = RunRecord(
                started_at=at,
                ended_at=at + timedelta(seconds=40),
                outcome=RunOutcome.TROUBLE if bad else RunOutcome.WELL,
                detail="source huggingface: unavailable: answered 503" if bad else "",
                new_papers=0 if bad else 40 + back,
                editions=1,
                sent=READERS,
                database_bytes=3_000_000 - 90_000 * back,
            )
            history.end_run(connection, number, record)
            if back != 8:
                history.count_reading(connection, "huggingface", at, failed=bad, new_papers=0 if back == 1 else 9)
        history.count_reading(connection, "huggingface", NOW - 3 * DAY, failed=True, new_papers=0)
        history.count_messages(connection, NOW, {"example.org": (12, 2), "small.example": (1, 0)}, 10)
        health = SourceHealth(
            source="huggingface",
            category="",
            health=Health.UNAVAILABLE,
            detail=said,
            read_at=NOW,
            fresh_at=NOW - DAY,
        )
        sources.put_health(connection, [health])
    assert edition.entries
