"""Runs the main job of an installation in forks that kill themselves at a named step; see `forking`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forking import Job, dying, serve

from digestmail.app import App
from digestmail.cli.options import parse_now
from digestmail.clock import SystemClock
from digestmail.collect import collector
from digestmail.config.load import load
from digestmail.delivery import dispatcher, edition_composer, outbox_writer, tally
from digestmail.editions import enqueue, personal, publish
from digestmail.selection import personal as picking
from digestmail.subscribers import admin

PEOPLE = 7
# Loads NumPy and SciPy once, instead of in each fork.
assert picking.Picker

STEPS: dict[str, tuple[Any, str, bool, int]] = {
    "before reading": (collector, "_read", False, 1),
    "after reading": (collector, "_read", True, 1),
    "inside the collect transaction": (collector.papers, "add_sightings", True, 1),
    "after collecting": (App, "collect", True, 1),
    "inside the publish transaction": (publish.editions, "add", True, 1),
    "between the picks and the delivery rows, in the publish transaction": (personal.picks, "add_reasons", True, 1),
    "between the delivery rows and the commit": (enqueue.deliveries, "enqueue", True, 1),
    "after publishing": (App, "publish", True, 1),
    "inside the claim transaction": (outbox_writer.claims, "claim", True, 1),
    "after the claim": (outbox_writer.OutboxWriter, "_commit", True, 1),
    "inside the transaction of the intents": (outbox_writer.claims, "record_intent", True, 1),
    "before the third message is written": (edition_composer.EditionComposer, "write", False, 3),
    "after the answer, before the record": (dispatcher.Dispatcher, "_on_verdict", True, 3),
    "inside the record transaction": (outbox_writer.claims, "record", True, 4),
    "after the third record": (tally.Tally, "add", True, 3),
}
"""What is deadly, where it is, whether before or after it ran, and which time."""


def work(job: Job) -> None:
    if job["step"] in STEPS:
        owner, name, after, turn = STEPS[job["step"]]
        setattr(owner, name, dying(getattr(owner, name), after=after, turn=turn))
    config = Path(job["config"])
    clock = SystemClock(parse_now(job["now"]))
    with App(load(config), config.parent, clock, wall_clock=clock) as app:
        for number in range(PEOPLE):
            admin.add(app.database, app.digests, f"p{number}@example.org", "daily", (), app.clock.now())
        report = app.run()
        assert not report.failed, report


if __name__ == "__main__":
    serve(work)
