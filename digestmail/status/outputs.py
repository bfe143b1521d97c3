"""What `digestmail check` says about outputs beside email."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from digestmail.model.deliveries import DeliveryState
from digestmail.schedule.times import common_zone, written
from digestmail.text.counts import counted

if TYPE_CHECKING:
    from digestmail.app import App


def problems(app: App) -> Iterator[str]:
    """Yield what keeps outputs from being sent, and what was not sent. Nothing is sent."""
    if not app.config.outputs:
        return
    from digestmail.outputs import admin

    now, zone = app.wall_clock.now(), common_zone(app.digests)
    known = app.outputs().known()
    for target, output in known.items():
        shown = f"output {target.output} {target.destination}".rstrip()
        yield from (f"{shown}: {problem}" for problem in output.problems())
    for stop in admin.stopped(app.database, known):
        yield (
            f"output {stop.target.output} was stopped on {written(stop.at, zone)}: {stop.reason}; "
            f"`digestmail outputs retry {stop.target.output}` resumes it, or remove it from the configuration"
        )
    late = admin.late(app.database, now)
    for name, count in Counter(row.output for row in late).items():
        last = next((row.text for row in late if row.output == name and row.text), "")
        why = f"; the last attempt: {last}" if last else "; call `digestmail run` from cron, or start `digestmail up`"
        yield f"output {name}: {counted(count, 'edition')} not sent for more than two hours{why}"
    for (name, state), count in Counter((row.output, row.state) for row in admin.unfinished(app.database, now)).items():
        what = "may have arrived" if state is DeliveryState.AMBIGUOUS else "failed in the last 7 days"
        yield (
            f"output {name}: {counted(count, 'edition')} {what}: `digestmail outputs list {name}` says why, "
            f"`digestmail outputs retry {name}` sends again"
        )
