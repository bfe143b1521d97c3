"""Kill the workers at every step of a delivery, and compare the ledger with what the server really received.

Nothing is lost; nobody gets a mail twice but who is listed as ambiguous; the accounts close. `make long` does it more
often.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY, sighting
from outbox import edition, people
from receiving import Receiver, receiver
from sqlalchemy import select

from digestmail.model.deliveries import DeliveryState
from digestmail.storage import deliveries, editions, papers, schema
from digestmail.storage.database import Database

FORKING = Path(__file__).parents[1] / "crash_worker.py"
LONG = os.environ.get("DIGESTMAIL_TEST_LONG") == "1"
PEOPLE = 16
CONNECTIONS, AHEAD = 3, 4
SERVER = ("in the middle of the body", "after the dot, before the reply")
STEPS = (
    "before the connections are allotted",
    "inside the transaction of the allotment",
    "before the claim",
    "inside the transaction of the claim",
    "between the claim's commit and the epoch file",
    "after the epoch file",
    "before the intents",
    "inside the transaction of the intents",
    "before a commit is heard of",
    "before a message is taken",
    "after a message is taken",
    "before the commands are made",
    "before octets are written",
    "after octets are written",
    *SERVER,
    "after the reply, before it is settled",
    "settled, but not on record",
    "before the results are recorded",
    "inside the transaction of the results",
    "before the connections are given up",
)
ONCE = {"before the connections are allotted", "inside the transaction of the allotment", STEPS[-1]}
"""What a worker does once."""


@dataclass
class Stage:
    """A database, a server, and the program that forks workers."""

    url: str
    database: Database
    server: Receiver
    program: subprocess.Popen[str]
    epoch: Path
    kills: Counter[str] = field(default_factory=Counter)
    now = THURSDAY
    segment_id = 0
    edition_id = 0

    def publish(self, ids: list[int], number: int) -> None:
        with self.database.begin() as connection:
            self.edition_id = editions.add(connection, edition(key=f"slot-{number}", reason="a test"))
            segment_id = editions.add_segment(connection, self.edition_id, [], [])
            deliveries.enqueue(connection, [(one, segment_id, self.now) for one in ids], self.edition_id)

    def run(self, step: str, turn: int, policy: str, workers: int) -> list[int]:
        job = {
            "url": self.url,
            "port": self.server.port,
            "step": step,
            "turn": turn,
            "policy": policy,
            "now": self.now.isoformat(),
            "epoch": str(self.epoch),
            "octets": 300_000 if step == SERVER[0] else 3_000,
        }
        self.server.deed, self.server.turn = (step, turn) if step in SERVER else ("", 0)
        self.program.stdin.write(json.dumps([job] * workers) + "\n")
        self.program.stdin.flush()
        return json.loads(self.program.stdout.readline())

    def recover(self, policy: str) -> None:
        """Let the leases lapse and start a worker, until the outbox is empty."""
        for _ in range(3):
            self.now += timedelta(minutes=31)
            assert self.run("", 0, policy, 1) == [0]
            with self.database.connect() as connection:
                if deliveries.next_due(connection) is None:
                    return
        raise AssertionError("the outbox does not empty")

    def compare(self, policy: str, deadly: int) -> None:
        """Compare the ledger with what arrived."""
        d, a = schema.deliveries.c, schema.attempts.c
        with self.database.connect() as connection:
            rows = connection.execute(select(d.subscriber_id, d.state).where(d.edition_id == self.edition_id)).all()
            doubted = select(a.subscriber_id).where(a.edition_id == self.edition_id, a.state == DeliveryState.AMBIGUOUS)
            listed = Counter(connection.execute(doubted).scalars())
            assert deliveries.unbalanced(connection) == ()
            standing = deliveries.counts(connection, self.edition_id)
        assert sum(standing.values()) == len(rows) == PEOPLE
        allowed = {"sent"} if policy == "resend" else {"sent", "ambiguous"}
        assert {row.state for row in rows} <= allowed
        for row in rows:
            arrived = self.server.arrived[f"{self.edition_id}.{row.subscriber_id}@example.org"]
            assert arrived <= 1 + listed[row.subscriber_id], "twice, and nobody said so"
            assert arrived or row.state == "ambiguous", "lost"
            assert row.state != "ambiguous" or (listed[row.subscriber_id] and arrived <= 1)
        assert sum(listed.values()) <= AHEAD * CONNECTIONS * max(deadly, 0)


@pytest.fixture
def stage(database, database_url, tmp_path) -> Iterator[Stage]:
    with (
        receiver(*SERVER) as server,
        subprocess.Popen(
            [sys.executable, FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as program,
    ):
        yield Stage(database_url, database, server, program, tmp_path / "epoch")
        program.stdin.close()


def cases() -> Iterator[tuple[str, int]]:
    """Yield each step and the time at which it kills, counted from one."""
    for step in STEPS:
        for turn in range(1, 2 if step in ONCE or not LONG else 7):
            yield step, turn
    for step in ("before a commit", "after a commit"):
        for turn in range(1, 9 if LONG else 6):
            yield step, turn


@pytest.mark.parametrize("workers", [1, 4])
def test_a_kill_at_any_step_loses_nothing_and_repeats_only_what_is_listed(stage, workers):
    with stage.database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        ids = people(connection, PEOPLE)
    number = 0
    for repeat in range(2 if LONG else 1):
        for step, turn in cases():
            number += 1
            policy = ("resend", "hold")[(number + workers + repeat) % 2]
            stage.publish(ids, number)
            ends = stage.run(step, turn, policy, workers)
            killed = ends.count(-signal.SIGKILL)
            assert set(ends) <= {0, -signal.SIGKILL}, (step, turn, ends)
            assert killed or turn > 1, (step, turn)
            stage.kills[step] += killed
            stage.recover(policy)
            stage.compare(policy, killed)
            stage.now += timedelta(hours=1)
    kinds = len(STEPS) + 2
    assert len([step for step, count in stage.kills.items() if count]) == kinds
    print(f"{sum(stage.kills.values())} kills at {kinds} steps, {workers} workers")  # noqa: T201 - the figure to report
