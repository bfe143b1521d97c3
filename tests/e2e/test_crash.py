"""Kill the process at every step of the main job, start it again, and compare the ledger with what really arrived.

The job runs in a process of its own (`crash_run`), which kills itself with SIGKILL at a step. A recorded source and a
real SMTP server run in this one.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import crash_run
import pytest
from crash_run import PEOPLE
from forking_program import Program, program
from sqlalchemy import func, select

from digestmail.demo.receiver import receiving
from digestmail.demo.services import serving
from digestmail.storage import picks, schema
from digestmail.storage.database import Database

CONFIG = """
database = "{database}"
[mail]
sender = "digest@example.org"
[mail.smtp]
host = "{host}"
port = {port}
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{services}"
[profile]
interests = "agents that reason with language models"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""

STEPS = tuple(crash_run.STEPS)
NOTHING_ON_THE_WIRE = set(STEPS[: STEPS.index("before the third message is written")])


@pytest.fixture(scope="module")
def forking() -> Iterator[Program]:
    """Yield the program that forks the processes to kill."""
    with program(Path(crash_run.__file__)) as started:
        yield started


def text_of(path: Path) -> str:
    return message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("plain",)).get_content()


CASES = [
    *(("sqlite", step) for step in STEPS),
    # What differs between the databases is what a transaction leaves behind.
    *(("postgresql", step) for step in STEPS if "transaction" in step or "commit" in step),
]


@pytest.mark.parametrize(("database_url", "step"), CASES, indirect=["database_url"])
def test_a_kill_loses_nothing_and_repeats_nothing_but_the_unanswered(database_url, tmp_path, forking, step):
    mailbox = tmp_path / "mailbox"
    config = tmp_path / "config.toml"
    with serving() as services, receiving(mailbox) as (host, port):
        config.write_text(CONFIG.format(database=database_url, host=host, port=port, services=services), "utf-8")

        def run(step: str, now: str) -> list[int]:
            return forking.run([{"step": step, "now": now, "config": str(config)}])

        assert run(step, "2026-04-02T12:00:00Z") == [-signal.SIGKILL]
        assert run("never", "2026-04-02T12:40:00Z") == [0]
        assert run("never", "2026-04-02T13:20:00Z") == [0]
    ids = Counter(
        line
        for path in (mailbox / "new").iterdir()
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("Message-ID:")
    )
    assert len(ids) == PEOPLE
    assert all("Because of your interests" in text_of(path) for path in (mailbox / "new").iterdir())
    database = Database.open(database_url, base=tmp_path)
    with database.connect() as connection:
        states = connection.execute(
            select(schema.deliveries.c.state, func.count()).group_by(schema.deliveries.c.state)
        ).all()
        a = schema.attempts.c
        listed = connection.execute(select(func.count()).where(a.state == "ambiguous")).scalar_one()
        editions = connection.execute(select(func.count()).select_from(schema.editions)).scalar_one()
        picked = connection.execute(select(schema.deliveries.c.picks)).scalars().all()
        positions = set(connection.execute(select(schema.picked_papers.c.position)).scalars())
        reasons = set(connection.execute(select(schema.pick_reasons.c.number)).scalars())
    database.close()
    assert len(picked) == PEOPLE
    assert {position for one in picked for position, _ in picks.unpack(one)} == positions
    assert {number for one in picked for _, number in picks.unpack(one)} == reasons
    assert states == [("sent", PEOPLE)]
    assert editions == 1
    assert sum(ids.values()) - PEOPLE <= listed
    assert not (listed and step in NOTHING_ON_THE_WIRE)
