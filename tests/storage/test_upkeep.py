from __future__ import annotations

import pytest
from sqlalchemy import text

from digestmail.wiring.upkeep import UpkeepReport, tidy

GB = 1_000_000_000


def test_a_fresh_database_needs_nothing(database):
    report = tidy(database)
    assert report.size > 0
    assert report.hints == ()


def test_what_was_deleted_counts_as_unused_until_it_is_given_back(sqlite):
    with sqlite.begin() as connection:
        connection.execute(text("CREATE TABLE scratch (content BLOB)"))
        connection.execute(text("INSERT INTO scratch VALUES (zeroblob(1000000))"))
    before = tidy(sqlite).unused
    with sqlite.begin() as connection:
        connection.execute(text("DELETE FROM scratch"))
    assert tidy(sqlite).unused >= before + 990_000


@pytest.mark.parametrize(
    ("size", "unused", "hinted"),
    [
        (4 * GB, GB, True),
        (4 * GB, GB - 1, False),
        (200_000_000, 100_000_000, True),
        (200_000_000, 99_999_999, False),
    ],
)
def test_a_quarter_and_a_hundred_megabytes_are_worth_a_hint(size, unused, hinted):
    hints = UpkeepReport(size=size, unused=unused).hints
    assert bool(hints) is hinted
    assert all("`digestmail database vacuum`" in hint for hint in hints)
