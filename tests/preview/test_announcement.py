"""`digestmail announce --preview`: the page shows the announcement and follows its file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digestmail.clock import SystemClock
from digestmail.demo.sample import sample_edition
from digestmail.preview.options import ANNOUNCEMENT, PreviewOptions
from digestmail.preview.service import PreviewService

MORNING = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "move.md"
    found.write_text("# We move\n\nSoon.\n", "utf-8")
    return found


@pytest.fixture
def announcing(site, file) -> Iterator[PreviewService]:
    """Yield a service that offers the announcement."""
    opened = PreviewService(site.config, SystemClock(MORNING), SystemClock(), sample_edition, file)
    yield opened
    opened.close()


def test_the_announcement_is_shown_and_follows_its_file(announcing, file):
    options = PreviewOptions(digest="daily", edition=ANNOUNCEMENT)
    view = announcing.render(options)
    assert view.editions[0].label == "Announcement: move.md"
    assert view.email is not None
    assert (view.email.subject, view.email.failed, view.email.papers) == ("We move", (), 0)

    file.write_text("# We move\n\n<b>Soon</b>\n", "utf-8")
    broken = announcing.render(options)
    assert broken.email is None
    assert broken.problem is not None
    assert [line.partition(": write")[0] for line in broken.problem.lines] == ["move.md, line 3: HTML is not allowed"]
    assert broken.version != view.version

    file.write_text("# We move\n\nLater.\n", "utf-8")
    fixed = announcing.render(options).email
    assert fixed is not None
    assert "Later." in fixed.text


def test_for_a_reader_it_is_in_their_language_whatever_their_topics(announcing):
    view = announcing.render(PreviewOptions(digest="daily", edition=ANNOUNCEMENT, reader="agents@example.org"))
    assert view.email is not None
    assert view.email.recipient == "agents@example.org"


def test_without_a_file_there_is_no_such_edition(service):
    view = service.render(PreviewOptions(digest="daily", edition=ANNOUNCEMENT))
    assert view.problem is not None
    assert "there is no edition 'announcement' of 'daily'" in view.problem.lines[0]
