"""arXiv's calendar: on which days its feeds contain papers, and when a paper is announced. Pure.

arXiv announces on the evenings of Sunday to Thursday at 20:00 US Eastern, and rebuilds its feeds at midnight: Monday to
Friday. A deferred announcement is named by the day of its evening, so the feed of the following day is empty. Friday
has no evening announcement, so a named Friday means the Sunday after, and Monday's feed. (Seen in 2025 and 2026: papers
on Thursday 1 January, none on Friday 2 January; papers on Friday 19 June, none on Monday 22 June.)

`arxiv_calendar.toml` lists the deferred evenings that arXiv has published. For other days the holidays are used that
arXiv keeps every year: New Year's Day, Martin Luther King Day, Juneteenth, Independence Day, Labor Day, Thanksgiving
and Christmas Day, moved to Friday or Monday from a weekend as the US government does. Each year arXiv adds one to three
days of its own choice, most of them between Christmas and New Year, which are only known from the list.
"""

from __future__ import annotations

import calendar
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")
"""arXiv's days are days in this time zone."""
_DAY = timedelta(days=1)
_CUT_OFF = time(14, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArxivCalendar:
    """The deferred evenings that arXiv has published, complete from the first to the last day."""

    complete_from: date
    complete_until: date
    deferred: frozenset[date]

    def covers(self, day: date) -> bool:
        """Return whether all deferred evenings around `day` are known."""
        return self.complete_from <= day <= self.complete_until


@cache
def published_calendar() -> ArxivCalendar:
    """Return the calendar that this version contains."""
    table = tomllib.loads((files(__package__) / "arxiv_calendar.toml").read_text("utf-8"))
    return ArxivCalendar(
        complete_from=table["complete_from"],
        complete_until=table["complete_until"],
        deferred=frozenset(table["deferred"]),
    )


def arxiv_announces_on(day: date) -> bool:
    """Return whether a feed dated `day` (US Eastern) contains papers, as far as known."""
    return not why_silent(day)


def why_silent(day: date) -> str:
    """Return why a feed dated `day` (US Eastern) contains no papers; an empty string if it does."""
    if day.weekday() >= calendar.SATURDAY:
        return "weekend"
    for named in _back_to_weekday(day - _DAY):
        if _is_deferred(named):
            return f"holiday, the announcement of {named} was deferred"
    return ""


def surely_silent(day: date) -> str:
    """Like `why_silent`, but empty for holidays that arXiv has not published: it may announce papers then."""
    known = published_calendar()
    return why_silent(day) if day.weekday() >= calendar.SATURDAY or known.covers(day - _DAY) else ""


def feed_day(moment: datetime) -> date:
    """Return the date of the feed that arXiv shows at `moment` (aware)."""
    return moment.astimezone(EASTERN).date()


def announcement_day(submitted: datetime) -> date:
    """Return the date of the feed that announces a paper submitted at `submitted` (aware).

    Papers submitted between 14:00 US Eastern of one weekday and the next are announced on the evening of the latter
    (Friday's on Sunday), and a deferred batch with the next one. Moderation can take longer.
    """
    local = submitted.astimezone(EASTERN)
    closes = local.date() if local.time() < _CUT_OFF else local.date() + _DAY
    while closes.weekday() >= calendar.SATURDAY:
        closes += _DAY
    day = closes + _DAY
    while not arxiv_announces_on(day):
        day += _DAY
    return day


def first_submission(day: date) -> datetime:
    """Return the earliest time of submission of the papers that the feed dated `day`, or a later one, announces."""
    opens = day
    while announcement_day(_cut_off(opens - _DAY)) >= day:
        opens -= _DAY
    return _cut_off(opens)


def _cut_off(day: date) -> datetime:
    return datetime.combine(day, _CUT_OFF, EASTERN)


def _back_to_weekday(day: date) -> Iterator[date]:
    """Yield `day` and the days before it, up to and including a weekday."""
    while day.weekday() >= calendar.SATURDAY:
        yield day
        day -= _DAY
    yield day


def _is_deferred(day: date) -> bool:
    known = published_calendar()
    return day in (known.deferred if known.covers(day) else _yearly_holidays(day.year))


@lru_cache(maxsize=8)
def _yearly_holidays(year: int) -> frozenset[date]:
    fixed = (date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 12, 25))
    return frozenset(
        (
            *(_observed(holiday) for holiday in fixed),
            _weekday_of(year, 1, calendar.MONDAY, 3),
            _weekday_of(year, 9, calendar.MONDAY, 1),
            _weekday_of(year, 11, calendar.THURSDAY, 4),
        )
    )


def _observed(holiday: date) -> date:
    moved = {calendar.SATURDAY: -_DAY, calendar.SUNDAY: _DAY}
    return holiday + moved.get(holiday.weekday(), timedelta(0))


def _weekday_of(year: int, month: int, weekday: int, number: int) -> date:
    """Return the first, second, ... (`number`) such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
