"""Kill the workers at every step of a delivery, and compare the outbox with what the server really received.

Editions and notices alike: nothing is lost, and only what is listed as ambiguous is sent twice; the accounts balance.
`make long` does it more often.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY, sighting
from forking_program import Program, program
from outbox import edition, people
from receiving import Receiver, receiver
from sqlalchemy import literal, select

from digestmail.model.deliveries import DeliveryState, NoticeKind
from digestmail.storage import deliveries, due_times, editions, notices, papers, schema
from digestmail.storage.database import Database

FORKING = Path(__file__).parents[1] / "crash_worker.py"
LONG = os.environ.get("DIGESTMAIL_TEST_LONG") == "1"
PEOPLE = 16
NOTICES = 6
"""As many of them are also sent a notice."""
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
    "after the reply, before it is resolved",
    "resolved, but not recorded",
    "before the results are recorded",
    "inside the transaction of the results",
    "before the connections are released",
)
ONCE = {"before the connections are allotted", "inside the transaction of the allotment", STEPS[-1]}
"""What a worker does once."""


@dataclass
class Stage:
    """A database, a server, and the program that forks workers."""

    url: str
    database: Database
    server: Receiver
    program: Program
    epoch: Path
    kills: Counter[str] = field(default_factory=Counter)
    now = THURSDAY
    segment_id = 0
    edition_id = 0
    notice_ids: list[int] = field(default_factory=list)

    def publish(self, ids: list[int], number: int) -> None:
        with self.database.begin() as connection:
            self.edition_id = editions.add(connection, edition(key=f"slot-{number}", reason="a test"))
            segment_id = editions.add_segment(connection, self.edition_id, [], [])
            deliveries.enqueue(connection, [(one, segment_id, self.now) for one in ids], self.edition_id)
            self.notice_ids = [
                notices.enqueue(connection, one, NoticeKind.WELCOME, {}, self.now) for one in ids[:NOTICES]
            ]

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
        return self.program.run([job] * workers)

    def recover(self, policy: str) -> None:
        """Let the leases lapse and start a worker, until the outbox is empty."""
        for _ in range(3):
            self.now += timedelta(minutes=31)
            assert self.run("", 0, policy, 1) == [0]
            with self.database.connect() as connection:
                if due_times.next_due(connection) is None:
                    return
        raise AssertionError("the outbox does not empty")

    def compare(self, policy: str, deadly: int) -> None:
        """Compare the outbox with what arrived."""
        d, a = schema.deliveries.c, schema.attempts.c
        n, b = schema.notices.c, schema.notice_attempts.c
        of_edition = select(d.edition_id, d.subscriber_id, d.state).where(d.edition_id == self.edition_id)
        of_notices = select(literal(0), n.id, n.state).where(n.id.in_(self.notice_ids))
        tried = select(a.edition_id, a.subscriber_id).where(a.edition_id == self.edition_id)
        noticed = select(literal(0), b.notice_id).where(b.notice_id.in_(self.notice_ids))
        with self.database.connect() as connection:
            found = [*connection.execute(of_edition), *connection.execute(of_notices)]
            rows = {f"{first}.{second}": state for first, second, state in found}
            unsure = [
                *connection.execute(tried.where(a.state == DeliveryState.AMBIGUOUS)),
                *connection.execute(noticed.where(b.state == DeliveryState.AMBIGUOUS)),
            ]
            doubted = Counter(f"{first}.{second}" for first, second in unsure)
            assert deliveries.unbalanced(connection) == ()
        assert len(rows) == PEOPLE + NOTICES
        assert set(rows.values()) <= ({"sent"} if policy == "resend" else {"sent", "ambiguous"})
        for name, state in rows.items():
            arrived = self.server.arrived[f"{name}@example.org"]
            assert arrived <= 1 + doubted[name], "sent twice without being listed as ambiguous"
            assert arrived or state == "ambiguous", "lost"
            assert state != "ambiguous" or (doubted[name] and arrived <= 1)
        assert sum(doubted.values()) <= AHEAD * CONNECTIONS * max(deadly, 0)


@pytest.fixture
def stage(database, database_url, tmp_path) -> Iterator[Stage]:
    with receiver(*SERVER) as server, program(FORKING) as forking:
        yield Stage(database_url, database, server, forking, tmp_path / "epoch")


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
