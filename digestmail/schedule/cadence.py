"""Cadences: which slots of a digest a reader gets who wants it less often. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby

from digestmail.model.digests import Cadence
from digestmail.model.editions import Slot

_ORDER = (None, *Cadence)
LONGEST_PERIOD = {Cadence.WEEKDAYS: 3, Cadence.WEEKLY: 7, Cadence.MONTHLY: 31}
"""The longest time between two slots of a daily digest, in days."""


def is_rarer(new: Cadence | None, old: Cadence | None) -> bool:
    """Return whether a reader who changes from `old` to `new` gets fewer editions."""
    return _ORDER.index(new) > _ORDER.index(old)


def is_workday(day: date) -> bool:
    """Return whether a day is from Monday to Friday."""
    return day.weekday() < calendar.SATURDAY


def first_day(cadence: Cadence, day: date) -> date:
    """Return the first day of the period of `day`: a Monday (ISO 8601), the first of a month, or `day` itself."""
    if cadence is Cadence.WEEKLY:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if cadence is Cadence.MONTHLY else day


def thinned(slots: Iterator[Slot], cadence: Cadence) -> Iterator[Slot]:
    """Yield the slots that are due with `cadence`, of `slots` in ascending or descending order.

    Weekdays: those from Monday to Friday. Weekly and monthly: the first of each period. In ascending order, `slots`
    must begin with the period; in descending order, the last period is complete only if `slots` go back far enough.
    """
    if cadence is Cadence.WEEKDAYS:
        yield from (slot for slot in slots if is_workday(slot.day))
        return
    for _, period in groupby(slots, key=lambda slot: first_day(cadence, slot.day)):
        yield min(period)
