"""The section "For you" while other things happen: erasures, odd settings, configurations that change."""

from __future__ import annotations

import threading
import time
from random import Random

import pytest
from corpus import abstract
from fakes import THURSDAY
from readers import DAILY, DAY, Readers, mixed, picked
from sqlalchemy import select, text

from digestmail.editions import publish as publishing
from digestmail.model.personal import KnownPaper, ReadingListKind
from digestmail.storage import reading_lists
from digestmail.storage import schema as tables
from digestmail.storage.database import Database
from digestmail.subscribers import data_export


@pytest.fixture
def world(database) -> Readers:
    """Three readers, each with a reading list about optics, on their first day."""
    world = Readers(database)
    world.see(mixed(0, 24))
    for name in ("ada", "ben", "cid"):
        world.add(name)
        own = [KnownPaper(title=f"A draft of {name}", abstract=abstract("optics", Random(1)))]
        with database.begin() as connection:
            reading_lists.add(connection, world.ids[name], ReadingListKind.FILE, "a.bib", own, THURSDAY, complete=True)
    return world


def waits(database: Database, thread: threading.Thread) -> bool:
    """Return whether a thread's transaction waits for a lock, or is over. SQLite has one writer, so it always waits."""
    if not thread.is_alive() or database.dialect == "sqlite":
        return True
    with database.connect() as connection:
        return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())


@pytest.mark.parametrize("moment", ["before the picks", "between picks and deliveries", "after the deliveries"])
@pytest.mark.parametrize("first", [True, False], ids=["first email", "second email"])
def test_a_reader_who_is_erased_while_an_edition_is_published_leaves_nothing(world, monkeypatch, moment, first):
    now = THURSDAY
    if not first:
        world.publish()
        now = THURSDAY + DAY
        world.see(mixed(100, 24), now)
    erasing = threading.Thread(
        target=data_export.erase,
        args=(world.database, world.ids["ben"], now),
        kwargs={"random_token": lambda: "a key"},
    )

    def begin() -> None:
        if erasing.ident is None:
            erasing.start()
            while not waits(world.database, erasing):
                time.sleep(0.01)

    def wrapped(function, *, after: bool):
        def run(*args, **kwargs):
            if not after:
                begin()
            result = function(*args, **kwargs)
            if after:
                begin()
            return result

        return run

    if moment == "before the picks":
        monkeypatch.setattr(publishing.received, "earlier", wrapped(publishing.received.earlier, after=True))
    else:
        enqueue = wrapped(publishing.deliveries.enqueue, after=moment.startswith("after"))
        monkeypatch.setattr(publishing.deliveries, "enqueue", enqueue)
    (report,) = world.publish(now=now)
    erasing.join()
    assert report.status == "published", report.reason
    with world.database.connect() as connection:
        d, r = tables.deliveries.c, tables.pick_reasons.c
        mine = connection.execute(select(d.picks, d.due_at).where(d.subscriber_id == world.ids["ben"])).all()
        assert all((row.picks, row.due_at) == (None, None) for row in mine)
        assert not connection.execute(select(r.number).where(r.subscriber_id == world.ids["ben"])).all()
        assert "A draft of ben" not in connection.execute(select(r.title)).scalars().all()
    assert picked(world.email("ada", DAILY, now.date().isoformat()))
