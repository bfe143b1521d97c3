from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes import FakeClock, FakeSource, reading
from websites import THURSDAY, open_app, publish

from digestmail.collect.collector import collect
from digestmail.config.sources import ArxivFeedTable
from digestmail.model.digests import Arrival, Wait
from digestmail.status import moments

DAY = timedelta(days=1)
WAIT = Wait(sources=(("huggingface", Arrival.AT_ONCE),))


@pytest.fixture
def app(sqlite, tmp_path):
    """Yield an app with one daily digest, whose edition of Thursday is published."""
    publish(sqlite, 0)
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        app.digests = app.digests[:1]
        app.clock = FakeClock(THURSDAY + timedelta(hours=1))
        yield app


def said(app, *, waits: bool, at: datetime) -> tuple[list[str], list[str]]:
    """Return the problems and the notes at `at`."""
    app.digests = tuple(replace(one, wait=WAIT if waits else Wait()) for one in app.digests)
    app.clock.time = at
    return [*moments.problems(app)], [*moments.notes(app, app.digests)]


@pytest.mark.parametrize("waits", [False, True])
def test_nothing_is_said_while_editions_are_published(app, waits):
    assert said(app, waits=waits, at=THURSDAY + timedelta(hours=1)) == ([], [])


def test_what_an_edition_waits_for_is_noted(app, sqlite):
    collect(sqlite, [FakeSource("huggingface", reading(source="huggingface"))], THURSDAY + DAY)
    problems, notes = said(app, waits=True, at=THURSDAY + DAY)
    assert problems == []
    (note,) = notes
    assert note.startswith("digest daily waits until 09:00 UTC for huggingface (nothing-announced: ")


def test_a_digest_that_waited_and_was_not_published_is_a_problem_that_names_the_commands(app):
    at = THURSDAY + 3 * DAY + timedelta(hours=5)
    problems, notes = said(app, waits=True, at=at)
    assert notes == []
    (problem,) = problems
    assert problem.startswith("digest daily was not published for 2 slots since 2026-04-03: ")
    assert "`digestmail run --wait` once a day" in problem


def test_missed_slots_of_other_digests_are_noted(app):
    at = THURSDAY + 2 * DAY + timedelta(hours=1)
    assert said(app, waits=False, at=at) == (
        [],
        ["digest daily was not published for 2026-04-03: digestmail did not run in time"],
    )


@pytest.mark.parametrize(
    ("moment", "noted"),
    [("2026-12-31T12:00", False), ("2027-01-01T04:00", False), ("2027-01-01T06:00", True)],  # by the day in New York
)
def test_a_calendar_that_has_ended_is_noted_if_arxiv_is_read(app, moment, noted):
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    ended = "arXiv's deferred announcements are known until 2026-12-31: "
    assert not any(note.startswith(ended) for note in said(app, waits=False, at=at)[1])
    table = ArxivFeedTable(name="arxiv", kind="arxiv-feed", categories=("cs.LG",))
    app.config = app.config.model_copy(update={"sources": (*app.config.sources, table)})
    assert any(note.startswith(ended) for note in said(app, waits=False, at=at)[1]) is noted
