#!/usr/bin/env bash
# APScheduler 3.11.3, CronTrigger with a time zone.
# Expected: a daily job at 02:30 runs once on the day the clocks go back, as Debian's cron does (cron(8)).
# Seen: it runs at 02:30 summer time and again one hour later, at 02:30 winter time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "apscheduler==3.11.3" "tzdata"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime
from importlib.metadata import version
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

berlin = ZoneInfo("Europe/Berlin")
trigger = CronTrigger(hour=2, minute=30, timezone=berlin)
now, previous, fired = datetime(2026, 10, 25, tzinfo=berlin), None, []
while (fires := trigger.get_next_fire_time(previous, now)).day == 25:
    fired.append(fires.isoformat())
    previous = now = fires
print("apscheduler", version("apscheduler"), fired)
assert fired == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]
PYTHON
