"""Whether the edition of a digest waits for its sources, by how their last readings went. Read-only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from digestmail.editions.compose import Composed, is_open
from digestmail.model.digests import Digest
from digestmail.model.editions import Slot
from digestmail.model.papers import SourceHealth
from digestmail.schedule.cron import current_slot
from digestmail.schedule.gate import Gate, judge_gate
from digestmail.storage import editions, sources
from digestmail.storage.database import Database


def gate_of(connection: Connection, digest: Digest, slot: Slot, now: datetime) -> Gate | None:
    """Return what the edition of `digest` for `slot` waits for at `now`; None if it never waits.

    Catch-up editions follow an edition that is out, so they do not wait.
    """
    if not digest.wait.sources or digest.catch_up is not None:
        return None
    rows: dict[str, list[SourceHealth]] = defaultdict(list)
    for row in sources.list_health(connection):
        rows[row.source].append(row)
    health = {
        name: [rows[one] for one in digest.sources if one == name or one.startswith(f"{name}/")]
        for name, _ in digest.wait.sources
    }
    return judge_gate(digest.wait, digest.schedule, slot, health, now)


def is_gated(gate: Gate | None, now: datetime) -> bool:
    """Return whether an edition waits at `now`."""
    return gate is not None and gate.is_closed(now)


def composed_after(composed: Composed, gate: Gate | None, zone: str) -> Composed:
    """Return what was composed when `gate` was open, with what it waited for in vain; times in the IANA `zone`."""
    if gate is None or not gate.missing:
        return composed
    waited = f"waited in vain until {_written(gate.until, zone)} for {', '.join(map(str, gate.missing))}"
    edition = replace(composed.edition, missing=gate.sources)
    if edition.reason:
        return replace(composed, edition=replace(edition, reason=f"{edition.reason}; {waited}"))
    return replace(composed, edition=edition, waited=waited)


def waiting_sentence(gate: Gate, zone: str) -> str:
    """Return what an edition waits for and until when, in the IANA time zone `zone`."""
    return f"waits until {_written(gate.until, zone)} for {', '.join(map(str, gate.missing))}"


def closed_gates(database: Database, digests: Iterable[Digest], now: datetime) -> Iterator[str]:
    """Yield which digests and variants wait at `now`, each as a sentence."""
    with database.connect() as connection:
        for digest in digests:
            slot = current_slot(digest.schedule, now)
            if slot is None or editions.outcome(connection, digest.name, slot.key) is not None:
                continue
            gate = gate_of(connection, digest, slot, now)
            if gate is not None and is_gated(gate, now) and is_open(connection, digest, slot, now):
                yield f"digest {digest.name} {waiting_sentence(gate, digest.schedule.timezone)}"


def _written(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M} {zone}"
