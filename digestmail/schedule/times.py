"""Times as people read them: in the time zone of the digests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from digestmail.model.digests import Digest


def common_zone(digests: Sequence[Digest]) -> str:
    """Return the time zone that all digests share; UTC if they have several."""
    zones = {digest.schedule.timezone for digest in digests}
    return zones.pop() if len(zones) == 1 else "UTC"


def written(moment: datetime, zone: str = "UTC") -> str:
    """Return `moment` to the minute in the IANA time zone `zone`: "Sat 2026-11-28 07:00 Europe/Berlin"."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"
