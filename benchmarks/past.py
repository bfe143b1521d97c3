"""The rows of ten years, by SQL: what a database holds that a run with nothing due should never read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, text

from digestmail.model.editions import Edition, Slot
from digestmail.storage import schema
from digestmail.storage.database import Database

WORDS = "We study how a model of modest size decides which of its layers a question needs. "
DAYS = 3650
PEOPLE, EACH = 10_000, 200
"""Readers who came and went, and how many of them got each edition."""


@dataclass(frozen=True)
class Size:
    """How many rows there are."""

    deliveries: int
    papers: int
    sightings: int
    editions: int

    @classmethod
    def of(cls, deliveries: int) -> Size:
        """Return the sizes that go with a number of deliveries: for a million, 200,000 papers and 5,000 editions."""
        return cls(
            deliveries=deliveries, papers=deliveries // 5, sightings=deliveries, editions=max(1, deliveries // EACH)
        )


def add_past(database: Database, now: datetime, size: Size) -> None:
    """Fill an empty database. Nothing of it is newer than 100 days before `now`."""
    database.upgrade()
    with database.begin() as connection:
        values = {"now": now, "day": now.date().isoformat(), "content": content(now), "words": WORDS * 8}
        if database.dialect == "sqlite":
            values["now"] = int(now.timestamp() * 1000)
        for statement in statements(database.dialect, size):
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), named)
        if database.dialect == "postgresql":
            go_on_numbering(connection)
    if database.dialect == "sqlite":
        database.run_alone("ANALYZE")
    else:
        database.run_alone("VACUUM (ANALYZE)")


def content(now: datetime) -> str:
    """Return the content of an edition, of some kilobytes."""
    slot = Slot(at=now, key="slot", day=now.date())
    edition = Edition(digest="daily", slot=slot, title="Papers", byline="", composed_at=now, reason=WORDS * 100)
    return TypeAdapter(Edition).dump_json(edition).decode()


def go_on_numbering(connection: Connection) -> None:
    """Have the sequences of PostgreSQL continue behind the rows that brought their own numbers."""
    for table in schema.metadata.sorted_tables:
        if "id" in table.c:
            found = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), coalesce(max(id), 1)) FROM {table}"
            connection.execute(text(found))


def statements(dialect: str, size: Size) -> Iterator[str]:
    """Yield the statements that insert the rows, in an order in which references hold."""
    lite = dialect == "sqlite"

    def ago(days: str) -> str:
        span = f"(100 + ({days}) % {DAYS})"
        return f"(:now - {span} * 86400000)" if lite else f"(CAST(:now AS timestamptz) - {span} * interval '1 day')"

    def day(days: str) -> str:
        span = f"(100 + ({days}) % {DAYS})"
        return f"date(:day, '-' || {span} || ' days')" if lite else f"(CAST(:day AS date) - {span})"

    def rows(table: str, count: int, /, **columns: str) -> str:
        chosen = ", ".join(columns.values())
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {max(count, 1) - 1})"
        # INSERT ... WITH is understood by both.
        return f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {chosen} FROM n"

    yes, no = ("1", "0") if lite else ("true", "false")
    first = f"(i / {EACH} + 1)"
    person = f"((i / {EACH}) * 37 + i % {EACH}) % {PEOPLE} + 1"
    digest = "CASE WHEN {} % 8 = 0 THEN 'weekly' ELSE 'daily' END"
    paper = f"(i % {size.papers} + 1)"
    source = "CASE WHEN i % 3 = 0 THEN 'hf' WHEN i % 3 = 1 THEN 'arxiv' ELSE 'blog' END"

    yield rows("subscribers", PEOPLE, id="i + 1", address="'old' || i || '@example.net'",
               key="'old' || i || '@example.net'", state="'unsubscribed'", created_at=ago("i"),
               updated_at=ago("i"))  # fmt: skip
    yield rows("papers", size.papers, id="i + 1", key="'arxiv:old.' || i", origin="3", title="'An old paper ' || i",
               abstract=":words", raw_title="''", raw_abstract="''", authors="""'["Ada Example"]'""", categories="'[]'",
               keywords="'[]'", link="'https://example.net/' || i", withdrawn=no, published_at=ago("i"),
               first_seen_at=ago("i"), updated_at=ago("i"))  # fmt: skip
    yield rows("paper_aliases", size.papers, alias="'doi:old.' || i", paper_id=paper)
    yield rows("sightings", size.sightings, paper_id=paper, source=source,
               seen_on=day(f"i - i / {size.papers}"), day=day(f"i - i / {size.papers}"), upvotes="i % 100",
               seen_at=ago(f"i - i / {size.papers}"))  # fmt: skip
    yield rows("editions", size.editions, id="i + 1", digest=digest.format("i"),
               base=digest.format("i"), slot=f"{day('i')} || 'T0' || (i / {DAYS}) || '00'", slot_at=ago("i"),
               composed_at=ago("i"), recipients=str(EACH), content=":content", papers="25", reason="''")  # fmt: skip
    yield rows("segments", size.editions, id="i + 1", edition_id="i + 1", topics="'[]'", more="'[]'")
    published = min(size.editions * 25, size.papers)
    yield rows("edition_papers", published, edition_id="i / 25 + 1", paper_id="i + 1",
               digest=digest.format("(i / 25)"), position="i % 25 + 1", score="1",
               topic="'One'")  # fmt: skip
    yield rows("qualified_papers", published, edition_id="i / 25 + 1", topic="'One'", rank="i % 25 + 1",
               paper_id="i + 1")  # fmt: skip
    yield rows("segment_papers", published, segment_id="i / 25 + 1", paper_id="i + 1")
    yield rows("picked_papers", size.editions, edition_id="i + 1", position="26", paper_id=paper)
    yield rows("deliveries", size.editions * EACH, edition_id=first, subscriber_id=person, segment_id=first,
               state="'sent'", attempts="1", fence="1", queued_at=ago(f"i / {EACH}"), ended_at=ago(f"i / {EACH}"),
               code="250", text="'2.0.0 Ok: queued'", milliseconds="40")  # fmt: skip
    yield rows("attempts", size.editions * EACH // 20, edition_id="(i * 20) / 200 + 1",
               subscriber_id=person.replace("i", "(i * 20)"), number="1", state="'deferred'", at=ago("i / 10"),
               code="451", text="'4.7.1 try again later'", milliseconds="40")  # fmt: skip
    yield rows("notices", size.deliveries // 50, id="i + 1", subscriber_id=f"i % {PEOPLE} + 1", kind="'welcome'",
               content="'{}'", state="'sent'", attempts="1", fence="1", queued_at=ago("i"),
               ended_at=ago("i"))  # fmt: skip
    yield rows("bounces", size.deliveries // 50, id="i + 1", subscriber_id=f"i % {PEOPLE} + 1", report="'r' || i",
               kind="'soft'", detail="'mailbox full'", at=ago("i"), domain="'example.net'",
               reason="'full'")  # fmt: skip
    yield rows("opt_outs", PEOPLE, subscriber_id="i + 1", digest="'daily'", opted_out_at=ago("i"))
    yield rows("suppressions", PEOPLE // 2, key="'gone' || i || '@example.net'", reason="'bounced'", detail="''",
               created_at=ago("i"))  # fmt: skip
    yield rows("feedback", size.deliveries // 10, subscriber_id=f"i % {PEOPLE} + 1", paper_id=f"i / {PEOPLE} + 1",
               liked=yes, given_at=ago("i"))  # fmt: skip
    yield rows("changes", PEOPLE, id="i + 1", subscriber_id="i + 1", before="'[]'", made_at=ago("i"))
    yield rows("unsubscribe_mails", PEOPLE, report="'u' || i", subscriber_id="i + 1", at=ago("i"))
    yield rows("paper_embeddings", size.papers, paper_id="i + 1", model="'small'",
               vector="x'0011223344556677'" if lite else r"'\x0011223344556677'")  # fmt: skip
    yield rows("paper_summaries", size.papers, paper_id="i + 1", language="'en'", model="'small'", text_hash="'h'",
               sentence="'One sentence.'", points="'[]'", problem="''", refused="0")  # fmt: skip
    yield rows("paper_records", size.papers, paper_id="i + 1", source="'openalex'", citations="3", read_at=ago("i"))
    yield rows("host_limits", size.editions, host="'host' || i || '.example.net'", next_at=ago("i"))
    yield rows("runs", 2400, id="i + 1", started_at=ago("i"), ended_at=ago("i"), outcome="'well'", detail="''",
               new_papers="0", editions="0", sent="0", database_bytes="1000")  # fmt: skip
    yield rows("servers", 100, server="'mx' || i", face="''", manner="'never'", since=ago("i"),
               failures="0")  # fmt: skip
