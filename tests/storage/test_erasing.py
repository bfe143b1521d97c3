"""Erasing removes an address from every column, from the file, and from what is recorded later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import THURSDAY, paper, sighting
from outbox import LEASE, edition, people, publish
from sqlalchemy import JSON, Connection, Text, select, update

from digestmail.bounces.processor import Recorded, record_event
from digestmail.model.deliveries import Attempted, DeliveryState, NoticeKind
from digestmail.model.subscribers import BounceEvent, BounceKind, SuppressionReason
from digestmail.storage import claims, erasing, idempotency, notices, papers, subscribers, suppressions
from digestmail.storage import deliveries as outbox
from digestmail.storage.database import Database
from digestmail.storage.personal_data import TEXT_COLUMNS, Kept
from digestmail.storage.schema import UntrustedText, metadata
from digestmail.subscribers import data_export

ADDRESS = "Unlikely.Reader@example.net"
EARLIER = "former.reader@example.org"
REQUESTED = "next.reader@example.com"
ALL = (ADDRESS, EARLIER, REQUESTED)
SAID = f"550 5.1.1 <{ADDRESS}> unknown, once <{EARLIER}>"


def insert(connection: Connection, table: str, **values: Any) -> None:
    connection.execute(metadata.tables[table].insert().values(**values))


def add_person(connection: Connection) -> int:
    """Add a person with a delivery, a notice, and the address in every column that may contain it."""
    papers.add_sightings(connection, [sighting(1)], THURSDAY)
    (person,) = people(connection, 1)
    edition_id = publish(connection, edition(paper(1)), [person])
    notice = notices.enqueue(connection, person, NoticeKind.ADDRESS, {"to": EARLIER, "nonce": "n"}, THURSDAY)
    texts = dict.fromkeys(("language", "timezone", "consent_source"), ADDRESS)
    tables = metadata.tables
    connection.execute(
        update(tables["subscribers"])
        .where(tables["subscribers"].c.id == person)
        .values(address=ADDRESS, key=ADDRESS.casefold(), **texts)
    )
    reason = {"edition_id": edition_id, "kind": "reading-list", "names": []}
    insert(connection, "pick_reasons", **reason, subscriber_id=person, number=0, title=ADDRESS)
    for name in ("deliveries", "notices"):
        connection.execute(update(tables[name]).values(text=SAID))
    connection.execute(update(tables["subscriptions"]).values(topics=[ADDRESS]))
    attempt = {"number": 1, "state": DeliveryState.DEFERRED, "at": THURSDAY, "text": SAID}
    insert(connection, "attempts", edition_id=edition_id, subscriber_id=person, **attempt)
    insert(connection, "notice_attempts", notice_id=notice, **attempt)
    mine = {"subscriber_id": person}
    insert(connection, "address_changes", **mine, nonce="n", address=REQUESTED, asked_at=THURSDAY)
    request = {"choices": {"x": ADDRESS}, "asked_at": THURSDAY}
    insert(connection, "address_requests", **mine, address=REQUESTED, key=REQUESTED, **request)
    insert(connection, "address_requests", address=ADDRESS, key=ADDRESS.casefold(), **request)
    insert(connection, "changes", **mine, before={"address": EARLIER}, made_at=THURSDAY)
    insert(connection, "confirmations", **mine, nonce="n", choices={"x": ADDRESS}, asked_at=THURSDAY)
    insert(connection, "opt_outs", **mine, digest="daily", opted_out_at=THURSDAY)
    insert(connection, "unsubscribe_mails", **mine, report="hash", at=THURSDAY)
    words = {"interests": ADDRESS, "authors": [ADDRESS], "blocked_words": [EARLIER]}
    insert(connection, "profiles", **mine, **words, exploration=0.2, updated_at=THURSDAY)
    insert(connection, "reading_lists", **mine, id=1, kind="file", reference=ADDRESS, problem=SAID, added_at=THURSDAY)
    insert(connection, "reading_list_papers", list_id=1, number=1, title=ADDRESS, abstract=SAID)
    words = dict.fromkeys(("status", "detail", "domain", "reason"), SAID)
    insert(connection, "bounces", **mine, report="hash", kind="soft", at=THURSDAY, **words)
    for number, address in enumerate(ALL):
        answer = {"status": 200, "response": f'{{"address":"{address}"}}', "at": THURSDAY}
        insert(connection, "idempotency_keys", key=f"add-{number}-{address}", request=f"sha256 of {address}", **answer)
    insert(connection, "rates", key="relay:a", next_at=THURSDAY, factor=1.0, reason=SAID.lower())
    figures = {"new_papers": 0, "editions": 0, "sent": 0}
    insert(connection, "incidents", key=SAID, text=SAID, began_at=THURSDAY)
    insert(connection, "runs", started_at=THURSDAY, detail=SAID, **figures)
    insert(connection, "suppressions", key=ADDRESS.casefold(), reason="operator", detail=ADDRESS, created_at=THURSDAY)
    return person


def mentions(database: Database) -> Iterator[str]:
    """Yield the columns that contain one of the addresses, in any case."""
    with database.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                for name, value in row.items():
                    if any(address.casefold() in str(value).casefold() for address in ALL):
                        yield f"{table.name}.{name}"


def test_every_text_column_is_in_the_list():
    columns = {
        table.name: {column.name for column in table.columns if isinstance(column.type, Text | JSON | UntrustedText)}
        for table in metadata.sorted_tables
    }
    assert {name: set(found) for name, found in TEXT_COLUMNS.items()} == {k: v for k, v in columns.items() if v}


def erase(database: Database, person: int) -> data_export.Erased:
    return data_export.erase(database, person, THURSDAY, random_token=lambda: "a key")


def test_no_column_mentions_an_erased_address_and_each_that_may_did_before(database):
    with database.begin() as connection:
        person = add_person(connection)
    may = {
        f"{table}.{name}"
        for table, found in TEXT_COLUMNS.items()
        for name, kept in found.items()
        if kept is not Kept.NOTHING
    }
    assert set(mentions(database)) == may
    erase(database, person)
    assert list(mentions(database)) == []


def test_the_files_of_a_database_contain_no_erased_address(sqlite, tmp_path):
    with sqlite.begin() as connection:
        person = add_person(connection)
    assert in_files(tmp_path)
    erase(sqlite, person)
    assert not in_files(tmp_path)
    sqlite.close()
    assert not in_files(tmp_path)


def in_files(directory: Path) -> bool:
    found = b"".join(file.read_bytes() for file in directory.iterdir()).lower()
    return any(address.casefold().encode() in found for address in ALL)


def test_a_purge_does_not_wait_for_a_reader(sqlite, tmp_path):
    with sqlite.connect() as reading:
        reading.execute(select(metadata.tables["subscribers"])).all()
        with sqlite.begin() as connection:
            subscribers.add(connection, ADDRESS, THURSDAY)
        sqlite.purge()
    sqlite.purge()
    assert (tmp_path / "test.db-wal").stat().st_size == 0


RESULTS = [
    Attempted(state=DeliveryState.SENT, code=250, text=f"queued for <{ADDRESS}>"),
    Attempted(state=DeliveryState.FAILED, code=550, text=SAID),
    Attempted(state=DeliveryState.AMBIGUOUS, text=SAID, kept=DeliveryState.AMBIGUOUS),
    Attempted(
        state=DeliveryState.DEFERRED,
        code=450,
        text=SAID,
        due_at=THURSDAY + timedelta(hours=1),
        kept=DeliveryState.DEFERRED,
    ),
]


@pytest.mark.parametrize("intended", [True, False])
@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.state.value)
def test_a_reply_that_comes_after_erasing_is_not_recorded_and_the_others_are(database, result, intended):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        ids = people(connection, 2)
        publish(connection, edition(paper(1)), ids)
        for one in ids:
            notices.enqueue(connection, one, NoticeKind.WELCOME, {}, THURSDAY)
        claimed = claims.claim(connection, THURSDAY, LEASE, 10)
        if intended:
            claims.record_intent(connection, claimed, THURSDAY)
    erase(database, ids[0])
    with database.begin() as connection:
        lost = claims.record(connection, [(one, result) for one in claimed], THURSDAY)
    assert {one.subscriber_id for one in lost} == {ids[0]}
    assert len(lost) == 2
    with database.connect() as connection:
        d, n = metadata.tables["deliveries"], metadata.tables["notices"]
        rows = {row.subscriber_id: (row.state, row.text) for row in connection.execute(select(d))}
        assert rows == {ids[0]: ("cancelled", None), ids[1]: (result.state, result.text)}
        assert connection.execute(select(n.c.subscriber_id)).scalars().all() == [ids[1]]
        for name in ("attempts", "notice_attempts"):
            kept = connection.execute(select(metadata.tables[name])).all()
            assert len(kept) == bool(result.kept)
        assert sum(outbox.counts(connection).values()) == 2


def test_a_failed_message_of_an_erased_person_is_not_reopened(database):
    failed = Attempted(state=DeliveryState.FAILED, code=550, text=SAID)
    again = Attempted(state=DeliveryState.DEFERRED, code=550, text=SAID, due_at=THURSDAY, kept=DeliveryState.DEFERRED)
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        ids = people(connection, 2)
        publish(connection, edition(paper(1)), ids)
        claimed = claims.claim(connection, THURSDAY, LEASE, 10)
        claims.record(connection, [(one, failed) for one in claimed], THURSDAY)
    erase(database, ids[0])
    with database.begin() as connection:
        reopened = claims.reopen(connection, [(one, again) for one in claimed], THURSDAY)
        assert list(reopened.values()) == [1]
        kept = connection.execute(select(metadata.tables["attempts"].c.subscriber_id)).scalars().all()
    assert kept == [ids[1]]


def test_a_bounce_that_comes_after_erasing_is_not_recorded(database):
    with database.begin() as connection:
        person = add_person(connection)
    erase(database, person)
    for kind in (BounceKind.HARD, BounceKind.COMPLAINT):
        event = BounceEvent(report=kind, subscriber_id=person, kind=kind, edition_id=1, status="5.1.1", detail=SAID)
        assert record_event(database, event, THURSDAY) is Recorded.UNKNOWN
    assert list(mentions(database)) == []
    with database.connect() as connection:
        assert [one.reason for one in suppressions.list_all(connection)] == [SuppressionReason.OPERATOR]


@pytest.mark.parametrize(
    "address", ['"a\\"b"@example.net', "zoë@exämple.net", "UPPER@example.net", "plain@example.net"]
)
def test_a_kept_response_is_found_however_it_writes_the_address(database, address):
    with database.begin() as connection:
        for number, ascii_only in enumerate((True, False)):
            claim(connection, f"key number {number}", json.dumps({"address": address}, ensure_ascii=ascii_only))
        claim(connection, "another person", '{"address":"other@example.org"}')
        idempotency.forget(connection, [address])
        stored = connection.execute(select(metadata.tables["idempotency_keys"].c.key)).scalars().all()
    assert stored == ["another person"]


def claim(connection: Connection, key: str, response: str) -> None:
    assert idempotency.claim(connection, key, "request", THURSDAY) is None
    idempotency.store(connection, key, 200, response)


def test_a_change_of_address_forgets_the_responses_about_the_earlier_one(database):
    with database.begin() as connection:
        person = subscribers.add(connection, EARLIER, THURSDAY)
        claim(connection, "a request", f'{{"address":"{EARLIER}"}}')
        subscribers.readdress(connection, person, ADDRESS, THURSDAY)
        assert connection.execute(select(metadata.tables["idempotency_keys"])).all() == []


def test_erasing_within_a_transaction_is_undone_with_it(database):
    with database.begin() as connection:
        person = add_person(connection)
    before = sorted(mentions(database))
    with database.begin_dry_run() as connection:
        erasing.erase(connection, person, THURSDAY)
    assert sorted(mentions(database)) == before
