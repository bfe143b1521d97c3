"""Kill the process at every step of the main job, start it again, and compare the ledger with what really arrived.

The job runs in a process of its own, with a recorded source and a real SMTP server in this one; `CRASH_AT` names the
step at which the process kills itself with SIGKILL.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from digestmail.demo.receiver import receiving
from digestmail.demo.services import serving
from digestmail.storage import schema
from digestmail.storage.database import Database

PEOPLE = 7

CONFIG = """
database = "{database}"
[mail]
sender = "digest@example.org"
[mail.smtp]
host = "{host}"
port = {port}
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{services}"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""

PROGRAM = f"""
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from digestmail.subscribers import admin
from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.cli.options import parse_now
from digestmail.config.load import load
from digestmail.collect import collector
from digestmail.delivery import edition_composer, dispatcher, outbox_writer, tally
from digestmail.editions import publish
from digestmail.storage import deliveries, editions

step, when, path = sys.argv[1], sys.argv[2], Path(sys.argv[3])
seen = 0

def die_at(name, module, attribute, *, after, turn=1):
    if step != name:
        return
    real = getattr(module, attribute)
    def dying(*args, **kwargs):
        global seen
        seen += 1
        if seen == turn and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if seen == turn and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(module, attribute, dying)

die_at("before reading", collector, "_read", after=False)
die_at("after reading", collector, "_read", after=True)
die_at("inside the collect transaction", collector.papers, "add_sightings", after=True)
die_at("after collecting", App, "collect", after=True)
die_at("inside the publish transaction", publish.editions, "add", after=True)
die_at("between the delivery rows and the commit", publish.deliveries, "enqueue", after=True)
die_at("after publishing", App, "publish", after=True)
die_at("inside the claim transaction", outbox_writer.claims, "claim", after=True)
die_at("after the claim", outbox_writer.OutboxWriter, "_commit", after=True)
die_at("inside the transaction of the intents", outbox_writer.claims, "record_intent", after=True)
die_at("before the third message is written", edition_composer.EditionComposer, "write", after=False, turn=3)
die_at("after the answer, before the record", dispatcher.Dispatcher, "_on_verdict", after=True, turn=3)
die_at("inside the record transaction", outbox_writer.claims, "record", after=True, turn=4)
die_at("after the third record", tally.Tally, "add", after=True, turn=3)

clock = SystemClock(parse_now(when))
with App(load(path), path.parent, clock, wall_clock=clock) as app:
    for number in range({PEOPLE}):
        admin.add(app.database, app.digests, f"p{{number}}@example.org", "daily", (), app.clock.now())
    report = app.run()
    assert not report.failed, report
"""

STEPS = [
    "before reading",
    "after reading",
    "inside the collect transaction",
    "after collecting",
    "inside the publish transaction",
    "between the delivery rows and the commit",
    "after publishing",
    "inside the claim transaction",
    "after the claim",
    "inside the transaction of the intents",
    "before the third message is written",
    "after the answer, before the record",
    "inside the record transaction",
    "after the third record",
]

NOTHING_ON_THE_WIRE = set(STEPS[: STEPS.index("before the third message is written")])


def run(step: str, when: str, config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, step, when, config], check=False, capture_output=True, text=True, timeout=60
    )


CASES = [
    *(("sqlite", step) for step in STEPS),
    # What differs between the databases is what a transaction leaves behind.
    *(("postgresql", step) for step in STEPS if "transaction" in step or "commit" in step),
]


@pytest.mark.parametrize(("database_url", "step"), CASES, indirect=["database_url"])
def test_a_kill_loses_nothing_and_repeats_nothing_but_the_unanswered(database_url, tmp_path, step):
    mailbox = tmp_path / "mailbox"
    config = tmp_path / "config.toml"
    with serving() as services, receiving(mailbox) as (host, port):
        config.write_text(CONFIG.format(database=database_url, host=host, port=port, services=services), "utf-8")
        killed = run(step, "2026-04-02T12:00:00Z", config)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        again = run("never", "2026-04-02T12:40:00Z", config)
        assert again.returncode == 0, again.stderr
        last = run("never", "2026-04-02T13:20:00Z", config)
        assert last.returncode == 0, last.stderr
    ids = Counter(
        line
        for path in (mailbox / "new").iterdir()
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("Message-ID:")
    )
    assert len(ids) == PEOPLE
    database = Database.open(database_url, base=tmp_path)
    with database.connect() as connection:
        states = connection.execute(
            select(schema.deliveries.c.state, func.count()).group_by(schema.deliveries.c.state)
        ).all()
        a = schema.attempts.c
        listed = connection.execute(select(func.count()).where(a.state == "ambiguous")).scalar_one()
        editions = connection.execute(select(func.count()).select_from(schema.editions)).scalar_one()
    database.close()
    assert states == [("sent", PEOPLE)]
    assert editions == 1
    assert sum(ids.values()) - PEOPLE <= listed
    assert not (listed and step in NOTHING_ON_THE_WIRE)
