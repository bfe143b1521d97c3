"""`/metrics` says how the installation is doing, in the words of Prometheus."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from fakes import FakeClock
from prometheus_client.parser import text_string_to_metric_families
from websites import THURSDAY, ask, create_app, open_app

from digestmail.model.history import RunOutcome, RunRecord
from digestmail.model.papers import Health, SourceHealth
from digestmail.storage import history, sources
from digestmail.subscribers import admin

TOKEN = "0b0a8d7f3c5e4e21"
HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def site(database, database_url):
    """Yield the pages of an installation with a source that fails, a run and a reader."""
    with open_app(database_url, metrics_token=TOKEN) as app:
        app.clock = app.wall_clock = FakeClock(THURSDAY)
        name = app.config.sources[0].name
        with app.database.begin() as connection:
            number = history.begin_run(connection, THURSDAY)
            ended = RunRecord(started_at=THURSDAY, ended_at=THURSDAY, outcome=RunOutcome.WELL)
            history.end_run(connection, number, ended)
            history.count_messages(connection, THURSDAY, {'a\\"quoted".example': (9, 3)}, 10)
            health = SourceHealth(
                source=name, category="", health=Health.UNREADABLE, detail="", read_at=THURSDAY, fresh_at=None
            )
            sources.put_health(connection, [health])
        admin.add(app.database, app.digests, "p@example.org", app.digests[0].name, (), THURSDAY)
        yield create_app(app)


def read(text: str) -> dict[tuple[str, ...], float]:
    """Return the values by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_last_good_run_is_known_however_many_went_wrong_since(site):
    with site.state.digestmail.database.begin() as connection:
        for later in range(1, 100):
            at = THURSDAY + timedelta(minutes=later)
            number = history.begin_run(connection, at)
            history.end_run(connection, number, RunRecord(started_at=at, ended_at=at, outcome=RunOutcome.TROUBLE))
    found = read(ask(site, "/metrics", headers=HEADERS).body.decode())
    assert found["digestmail_good_run_timestamp_seconds",] == THURSDAY.timestamp()
    assert found["digestmail_run_timestamp_seconds",] == (THURSDAY + timedelta(minutes=99)).timestamp()


def test_the_metrics_are_readable_and_true(site):
    answer = ask(site, "/metrics", headers=HEADERS)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["cache-control"] == "no-store"
    found = read(answer.body.decode())
    assert found["digestmail_run_timestamp_seconds",] == THURSDAY.timestamp()
    assert found["digestmail_good_run_timestamp_seconds",] == THURSDAY.timestamp()
    assert found["digestmail_subscribers", "active"] == 1
    assert [value for (name, *_), value in found.items() if name == "digestmail_source_up"] == [0]
    assert found["digestmail_recent_messages", 'a\\"quoted".example', "failed"] == 3
    assert found["digestmail_problems",] >= 1
    assert found["digestmail_database_bytes",] > 0


def test_without_the_library_the_answer_says_what_to_install(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = ask(site, "/metrics", headers=HEADERS)
    assert answer.status == 501
    assert b"digestmail[metrics]" in answer.body
