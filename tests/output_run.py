"""`digestmail run` in a process of its own, at a given time, to be killed: CONFIG, TIME in ISO 8601."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from fakes import FakeClock

from digestmail.app import App
from digestmail.config.load import load

if __name__ == "__main__":
    path, clock = Path(sys.argv[1]), FakeClock(datetime.fromisoformat(sys.argv[2]))
    with App(load(path, None), path.parent, clock, wall_clock=clock) as app:
        app.run()
