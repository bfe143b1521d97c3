"""April 2026, day by day: Hugging Face and the arXiv feed, the entire pipeline, twice a day."""

from __future__ import annotations

import mailbox
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fakes import FakeClock
from replaying import Replay, needs_shared, replaying
from sqlalchemy import select

from digestmail.app import App
from digestmail.config.load import load
from digestmail.model.reports import RunReport
from digestmail.storage import schema
from digestmail.subscribers import admin

pytestmark = needs_shared

CONFIG = """
database = "{database}"
[mail]
sender = "digest@example.org"
transport = "maildir"
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{url}"
[[sources]]
name = "arxiv"
kind = "arxiv-feed"
base_url = "{url}"
categories = ["cs.LG", "cs.CL", "cs.AI"]
[[topics]]
name = "Agents"
keywords = ["agent", "tool use"]
description = "language models that plan and act"
[[topics]]
name = "Vision"
keywords = ["image", "video"]
categories = ["cs.CV"]
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 11 * * *"
sources = ["huggingface", "arxiv"]
topics = ["Agents", "Vision"]
"""


def contents(app: App) -> dict[str, list[tuple[object, ...]]]:
    """Return everything stored but the times of reading, the host limits and the record of runs."""
    ignored = {"sources", "source_health", "source_days", "validators", "host_limits", "runs"}
    with app.database.connect() as connection:
        return {
            table.name: list(map(tuple, connection.execute(select(table).order_by(*table.primary_key.columns))))
            for table in schema.metadata.sorted_tables
            if table.name not in ignored
        }


def day(app: App, replay: Replay, clock: FakeClock, number: int) -> RunReport:
    replay.control(today=f"2026-04-{number:02d}")
    clock.time = datetime(2026, 4, number, 11, 30, tzinfo=UTC)
    return app.run()


def test_april_gives_22_editions_and_no_paper_twice(database_url: str, tmp_path: Path) -> None:
    # The other database plays a week and a half: what differs between the two shows on the first days.
    days, expected = (30, 22) if database_url.startswith("sqlite") else (10, 8)
    clock = FakeClock()
    with replaying("2026-04-01") as replay:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(url=replay.url, database=database_url), "utf-8")
        with App(load(config), tmp_path, clock, wall_clock=clock) as app:
            admin.add(app.database, app.digests, "reader@example.org", "daily", (), clock.now())
            published = {}
            for number in range(1, days + 1):
                report = day(app, replay, clock, number)
                assert not report.failed, (number, report)
                before = contents(app)
                clock.time += timedelta(hours=1)
                again = app.run()
                assert contents(app) == before, f"a second run on day {number} changed something"
                assert again.deliver.sent == 0
                (digest,) = report.publish.digests
                published[number] = digest
            editions = contents(app)["edition_papers"]
    weekdays = {number for number in published if datetime(2026, 4, number, tzinfo=UTC).weekday() < 5}
    assert {number for number, digest in published.items() if digest.status == "published"} == weekdays
    assert len(weekdays) == expected
    assert all("weekend" in published[number].reason for number in published if number not in weekdays)
    papers = [row[1] for row in editions]
    # An edition also contains papers that only readers of one topic need.
    assert len(papers) == len(set(papers)) >= sum(digest.papers for digest in published.values())
    assert all(digest.papers <= 25 for digest in published.values())
    assert all(published[number].papers >= 10 for number in weekdays)
    assert len(mailbox.Maildir(tmp_path / "mail", create=False)) == expected
