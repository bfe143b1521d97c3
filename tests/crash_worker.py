"""Delivers in forks that kill themselves at a named step; see `forking`."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from forking import Job, dying, serve

from digestmail.clock import SystemClock
from digestmail.delivery import claim_policy, dispatcher, intake, lead, outbox_writer
from digestmail.delivery.composers import Composers
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.worker import Worker
from digestmail.model.deliveries import AmbiguousPolicy, ClaimedMessage, Envelope
from digestmail.storage.database import Database
from digestmail.transports.smtp import commands
from digestmail.transports.smtp.client import SmtpTransport
from digestmail.transports.smtp.manners import Manners
from digestmail.transports.smtp.reply_reader import ReplyReader

CONNECTIONS = 3
CLAIMED = 6
AHEAD = 4

STEPS: dict[str, tuple[Any, str, bool]] = {
    "before the connections are allotted": (claim_policy.rates, "lease_connections", False),
    "inside the transaction of the allotment": (claim_policy.rates, "lease_connections", True),
    "before the claim": (outbox_writer.claims, "claim", False),
    "inside the transaction of the claim": (outbox_writer.claims, "claim", True),
    "between the claim's commit and the epoch file": (EpochFile, "note", False),
    "after the epoch file": (EpochFile, "note", True),
    "before the intents": (outbox_writer.claims, "record_intent", False),
    "inside the transaction of the intents": (outbox_writer.claims, "record_intent", True),
    "before a commit is heard of": (dispatcher.Dispatcher, "_on_commit", False),
    "before a message is taken": (dispatcher.Dispatcher, "try_take", False),
    "after a message is taken": (dispatcher.Dispatcher, "try_take", True),
    "before octets are written": (ReplyReader, "write", False),
    "after octets are written": (ReplyReader, "write", True),
    "before the commands are made": (commands.Commands, "write", False),
    "after the reply, before it is resolved": (dispatcher.Dispatcher, "_on_verdict", False),
    "resolved, but not recorded": (dispatcher.Dispatcher, "_on_verdict", True),
    "before the results are recorded": (outbox_writer.claims, "record", False),
    "inside the transaction of the results": (outbox_writer.claims, "record", True),
    "before the connections are released": (claim_policy.rates, "release_connections", False),
}
COMMITS = ("before a commit", "after a commit")
SERVER = ("in the middle of the body", "after the dot, before the reply")
"""What the server does to the worker it talks with."""


class PlainMessages:
    """Composes messages of a given length, named after their delivery or notice."""

    def __init__(self, octets: int) -> None:
        self.body = b"A line of the digest that nobody reads to its end.\r\n" * (octets // 52)

    def write(self, claimed: ClaimedMessage, now: datetime) -> tuple[Envelope, bytes]:
        first, second, _ = claimed.claim
        name = f"Message-ID: <{first}.{second}@example.org>\r\n\r\n"
        return Envelope(sender="digest@example.org", recipient=claimed.address), name.encode() + self.body


def record_intent(step: str, turn: int, database: Database) -> None:
    """Make `step` deadly."""
    if step in COMMITS:
        dialect = database.engine.dialect
        dialect.do_commit = dying(dialect.do_commit, after=step == COMMITS[1], turn=turn)
    elif step in STEPS:
        owner, name, after = STEPS[step]
        setattr(owner, name, dying(getattr(owner, name), after=after, turn=turn))


def work(job: Job) -> None:
    lead.FEWEST = AHEAD
    intake.FIRST_CLAIM = intake.MOST_CLAIMED = CLAIMED
    database = Database.open(job["url"], base=Path())
    record_intent(job["step"], job["turn"], database)
    transport = SmtpTransport(
        host="127.0.0.1",
        port=job["port"],
        security="none",
        timeout=30,
        local_hostname=f"worker-{os.getpid()}.example.org",
        connections=CONNECTIONS,
        manners=Manners(trial_after=1),
    )
    rules = Rules(give_up=timedelta(days=4), max_lateness=timedelta(days=30), ambiguous=AmbiguousPolicy(job["policy"]))
    messages = PlainMessages(job["octets"])
    worker = Worker(
        database,
        [transport],
        Composers(editions=messages, notices=messages, threads=job["turn"] % 2),
        SystemClock(datetime.fromisoformat(job["now"])),
        rules,
        EpochFile(Path(job["epoch"]), "secret"),
        random=Random(os.getpid()),
    )
    report = worker.deliver()
    database.close()
    assert not report.stopped, report


if __name__ == "__main__":
    serve(work)
