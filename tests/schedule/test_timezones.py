"""Time zones to choose from, and the one that a person meant."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.schedule.timezones import (
    canonical_timezones,
    check_timezone,
    is_timezone,
    nearest_timezone,
    spelled_timezone,
)


def test_one_can_choose_the_zones_of_all_countries_and_utc_but_no_alias():
    zones = canonical_timezones()
    assert {"UTC", "Europe/Berlin", "Europe/Oslo", "Asia/Kolkata", "Europe/Kyiv", "America/New_York"} <= set(zones)
    assert not {"Asia/Calcutta", "Europe/Kiev", "US/Eastern", "CET", "Etc/GMT+2", "posixrules"} & set(zones)
    assert len(zones) == len(set(zones)) > 300
    assert all(ZoneInfo(name) for name in zones)


@pytest.mark.parametrize("alias", ["Asia/Calcutta", "Europe/Kiev", "US/Eastern", "CET", "Etc/GMT+2"])
def test_an_alias_is_valid_and_stays_as_it_is(alias):
    assert check_timezone(alias) is None
    assert spelled_timezone(alias) == alias


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("AMERICA/port au prince", "America/Port-au-Prince"),
        ("us/eastern", "America/New_York"),
        ("Berlin", "Berlin"),
        ("Mars/Base", "Mars/Base"),
    ],
)
def test_case_and_spaces_in_a_name_do_not_matter(text, name):
    assert spelled_timezone(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Calcutta", "Asia/Kolkata"),
        ("Kiev", "Europe/Kyiv"),
        ("Londn", "Europe/London"),
        ("US/Estern", "America/New_York"),
        ("Amerika/New_York", "America/New_York"),
        ("Europe/Berlln", "Europe/Berlin"),
        ("buenos", "America/Argentina/Buenos_Aires"),
    ],
)
def test_a_city_an_alias_or_a_slip_leads_to_the_zone(text, name):
    assert nearest_timezone(text) == name
    assert name in check_timezone(text)


@pytest.mark.parametrize("text", ["GMT+2", "UTC+1", "+02:00", "", "  ", "Mars/Base", "x" * 10_000])
def test_where_no_zone_is_near_none_is_suggested(text):
    assert nearest_timezone(text) is None
    assert "did you mean" not in check_timezone(text)


@given(st.text(max_size=60))
def test_any_text_gets_a_zone_that_exists_or_none(text):
    near = nearest_timezone(text)
    assert near is None or is_timezone(near)
    assert spelled_timezone(text) == text or is_timezone(spelled_timezone(text))
