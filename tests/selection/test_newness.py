from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import paper

from digestmail.model.papers import Mention, Mentioned
from digestmail.selection.explain import why_old
from digestmail.selection.newness import candidates, news_makers

SINCE = datetime(2026, 5, 16, 7, tzinfo=UTC)
DAY = timedelta(days=1)
CURATED = ("hf", "journal")


def mention(source: str, days: float, *, dated: date | None = None) -> Mention:
    """Make a mention first seen so many days after the window began."""
    seen = SINCE + days * DAY
    return Mention(source=source, first_seen_at=seen, day=dated or seen.date())


def news(*mentions: Mention):
    found = list(candidates([Mentioned(paper=paper(1), mentions=mentions)], CURATED, SINCE))
    return (found[0].came_at, found[0].day) if found else None


def test_what_a_source_first_showed_in_the_window_is_news_of_its_day():
    assert news(mention("arxiv", 1)) == (SINCE + DAY, date(2026, 5, 17))
    assert news(mention("arxiv", 0)) is not None
    assert news(mention("arxiv", -0.01)) is None


@pytest.mark.parametrize("source", ["hf", "arxiv"])
def test_a_paper_dated_over_a_week_before_the_window_is_not_new(source):
    assert news(mention(source, 0, dated=date(2026, 5, 9))) is not None
    assert news(mention(source, 0, dated=date(2026, 5, 8))) is None
    assert news(mention(source, 1, dated=date(2019, 1, 1))) is None


def test_a_curated_source_makes_news_of_what_arxiv_announced_long_before():
    for weeks in (1, 2, 40):
        assert news(mention("arxiv", -7 * weeks), mention("hf", 2)) == (SINCE + 2 * DAY, date(2026, 5, 18))


def test_an_announcement_makes_no_news_of_what_any_source_showed_before_the_window():
    assert news(mention("arxiv", -2), mention("arxiv-api", 1)) is None
    assert news(mention("hf", -2), mention("arxiv", 1)) is None


def test_the_curated_day_and_time_count_before_an_announcements():
    assert news(mention("arxiv", 2), mention("hf", 1)) == (SINCE + DAY, date(2026, 5, 17))
    assert news(mention("arxiv", 0.5), mention("hf", 2)) == (SINCE + 2 * DAY, date(2026, 5, 18))


def test_a_second_curated_source_makes_a_paper_new_again():
    assert news(mention("hf", 0.2), mention("journal", 2)) == (SINCE + 2 * DAY, date(2026, 5, 18))
    assert news(mention("hf", -9), mention("journal", 2)) == (SINCE + 2 * DAY, date(2026, 5, 18))


def test_announced_twice_it_came_the_first_time():
    assert news(mention("arxiv", 1), mention("arxiv-api", 2)) == (SINCE + DAY, date(2026, 5, 18))


def test_old_blog_entries_do_not_hide_arxiv_announcements():
    blog = mention("journal", 1, dated=date(2026, 1, 1))
    assert news_makers((blog, mention("arxiv", 1)), CURATED, SINCE) == (mention("arxiv", 1),)
    assert news(blog) is None


def test_why_a_paper_is_not_new_is_explained_for_each_source():
    said = why_old(
        (mention("arxiv", -2), mention("arxiv-api", 1), mention("journal", 1, dated=date(2026, 1, 1))), CURATED, SINCE
    )
    assert list(said) == [
        "too old: the window starts 2026-05-16 07:00 UTC",
        "arxiv first showed it 2026-05-14 07:00 UTC and dates it 2026-05-14",
        (
            "arxiv-api first showed it 2026-05-17 07:00 UTC and dates it 2026-05-17; "
            "an announcement does not make a paper new that another source showed before the window"
        ),
        "journal first showed it 2026-05-17 07:00 UTC and dates it 2026-01-01, which is over 7 days before the window",
    ]
