"""A deliverer to play with: an outbox of empty editions, any relay, a clock that jumps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

from crash_worker import PlainMessages
from fakes import THURSDAY, FakeClock
from outbox import edition, people
from sqlalchemy import select

from digestmail.delivery.composers import Composers
from digestmail.delivery.epoch import EpochFile
from digestmail.delivery.outcomes import Rules
from digestmail.delivery.worker import Worker
from digestmail.model.deliveries import AmbiguousPolicy, Attempted, DeliveryState, NoticeKind
from digestmail.storage import claims, deliveries, editions, notices, schema
from digestmail.storage.database import Database
from digestmail.transports.base import Transport
from digestmail.transports.smtp.client import Security, SmtpTransport
from digestmail.transports.smtp.manners import Manners


def fill(database: Database, count: int, *, domains: Sequence[str] = ("example.org",)) -> int:
    """Queue an edition for `count` people, of each domain in turn; return its id."""
    with database.begin() as connection:
        edition_id = editions.add(connection, edition(reason="a test"))
        segment_id = editions.add_segment(connection, edition_id, [], [])
        ids = people(connection, count, domains=domains)
        deliveries.enqueue(connection, [(one, segment_id, THURSDAY) for one in ids], edition_id)
    return edition_id


def fill_deferred(database: Database, waits: Sequence[timedelta]) -> None:
    """Queue a delivery and a notice for each of `waits`, and let a server put each off for so long."""
    fill(database, len(waits))
    with database.begin() as connection:
        for one in connection.execute(select(schema.subscribers.c.id)).scalars().all():
            notices.enqueue(connection, one, NoticeKind.WELCOME, {}, THURSDAY)
        claimed = claims.claim(connection, THURSDAY, timedelta(minutes=30), 100)
        claims.record_intent(connection, claimed, THURSDAY)
        state = DeliveryState.DEFERRED
        put_off = [
            (one, Attempted(state=state, code=450, text="later", due_at=THURSDAY + wait, kept=state))
            for one, wait in zip(claimed, [*waits, *waits], strict=True)
        ]
        assert claims.record(connection, put_off, THURSDAY) == ()


def worker(
    database: Database,
    transports: Sequence[Transport],
    clock: FakeClock,
    epoch: Path,
    *,
    policy: AmbiguousPolicy = AmbiguousPolicy.RESEND,
    max_lateness: timedelta = timedelta(days=30),
    **options,
) -> Worker:
    """Return a worker."""
    rules = Rules(give_up=timedelta(days=4), max_lateness=max_lateness, ambiguous=policy)
    options = {"composers": both(PlainMessages(520)), "random": Random(1)} | options
    return Worker(database, transports, clock=clock, rules=rules, epoch=EpochFile(epoch, "secret"), **options)


def both(composer) -> Composers:
    """Return composers that compose editions and notices alike."""
    return Composers(editions=composer, notices=composer)


def smtp(
    port: int, *, connections: int = 3, timeout: float = 10, security: Security = "none", **options
) -> SmtpTransport:
    """Return the way to a server on loopback, which is tried with commands behind the final dot early on."""
    options = {"manners": Manners(trial_after=1)} | options
    return SmtpTransport(
        host="127.0.0.1",
        port=port,
        security=security,
        timeout=timeout,
        local_hostname="me.example.org",
        connections=connections,
        **options,
    )


def until_empty(database: Database, transports: Sequence[Transport], epoch: Path, clock: FakeClock, runs: int = 12):
    """Deliver, and come back when something is due."""
    for _ in range(runs):
        report = worker(database, transports, clock, epoch).deliver()
        if report.next_due_at is None:
            return report
        clock.time = max(report.next_due_at, clock.time)
    raise AssertionError(f"the outbox does not empty: {report}")


def listed(database: Database) -> Counter[str]:
    """Return how often each address is listed as one whose message may have arrived."""
    a, s = schema.attempts.c, schema.subscribers.c
    wanted = select(s.address).join(schema.attempts, a.subscriber_id == s.id)
    with database.connect() as connection:
        return Counter(connection.execute(wanted.where(a.state == DeliveryState.AMBIGUOUS)).scalars())


def standing(database: Database) -> dict[str, int]:
    """Return how many deliveries are in each state."""
    with database.connect() as connection:
        assert deliveries.unbalanced(connection) == ()
        return {str(state): count for state, count in deliveries.counts(connection).items()}
