from __future__ import annotations

import pytest

from digestmail.model.digests import shown_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("daily", "daily"),
        ("daily@weekly", "daily (weekly)"),
        ("daily@2026-11-14--2026-11-28", "daily (since 2026-11-14)"),
        ("daily@monthly-2026-11-14--2026-12-01T07:00", "daily (monthly, since 2026-11-14)"),
    ],
)
def test_reports_name_a_variant_in_words(name, shown):
    assert shown_name(name) == shown
