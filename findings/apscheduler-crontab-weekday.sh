#!/usr/bin/env bash
# APScheduler 3.11.3, CronTrigger.from_crontab.
# Expected: weekday 0 is Sunday, as in crontab(5). Seen: weekday 0 is Monday, so "0 7 * * 0" fires on Mondays.
# Names of weekdays ("sun") mean the same in both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "apscheduler==3.11.3"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime
from importlib.metadata import version

from apscheduler.triggers.cron import CronTrigger

wednesday = datetime(2026, 4, 1, tzinfo=UTC)
days = {
    line: CronTrigger.from_crontab(line, timezone="UTC").get_next_fire_time(None, wednesday).strftime("%A")
    for line in ("0 7 * * 0", "0 7 * * sun")
}
print("apscheduler", version("apscheduler"), days)
assert days == {"0 7 * * 0": "Monday", "0 7 * * sun": "Sunday"}
PYTHON
