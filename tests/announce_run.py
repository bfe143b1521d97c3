"""Sends an announcement in forks that kill themselves at a named step; see `forking`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from forking import Job, dying, serve

from digestmail.app import App
from digestmail.cli.main import app as program
from digestmail.clock import SystemClock
from digestmail.delivery import dispatcher, edition_composer, outbox_writer, tally
from digestmail.editions import announce

STEPS: dict[str, tuple[Any, str, bool, int]] = {
    "inside the transaction that queues it": (announce.editions, "add", True, 1),
    "between the delivery rows and the commit": (announce.editions, "set_recipients", True, 1),
    "after queueing": (announce, "announce", True, 1),
    "after the claim": (outbox_writer.OutboxWriter, "_commit", True, 1),
    "inside the transaction of the intents": (outbox_writer.claims, "record_intent", True, 1),
    "before the third message is written": (edition_composer.EditionComposer, "write", False, 3),
    "between the intent and the record": (dispatcher.Dispatcher, "_on_verdict", True, 3),
    "inside the record transaction": (outbox_writer.claims, "record", True, 3),
    "after the third record": (tally.Tally, "add", True, 3),
}
"""What is deadly, where it is, whether before or after it ran, and which time."""


def work(job: Job) -> None:
    if job["step"] in STEPS:
        owner, name, after, turn = STEPS[job["step"]]
        setattr(owner, name, dying(getattr(owner, name), after=after, turn=turn))
    clock = SystemClock(datetime.fromisoformat(job["now"]))
    given = App.__init__

    def dated(self: App, *args: Any, **options: Any) -> None:
        given(self, *args, **options)
        self.wall_clock = clock

    App.__init__ = dated  # type: ignore[method-assign] # leases must run out without waiting
    sys.stdout = Path("/dev/null").open("w", encoding="utf-8")  # noqa: SIM115 - the jobs' answers are on standard output
    program(["announce", job["file"], "--digest", "daily", "--yes", "--config", job["config"]], standalone_mode=False)


if __name__ == "__main__":
    serve(work)
