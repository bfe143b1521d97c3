"""Time zones by name: those to choose from, and the one that a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_UTC = "UTC"
_CLOSE = 0.8


def check_timezone(name: str) -> str | None:
    """Return a sentence about what is wrong with the name of an IANA time zone, or None. Aliases are valid."""
    if is_timezone(name):
        return None
    near = nearest_timezone(name)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"there is no time zone {name!r} in the IANA database{hint}"


def is_timezone(name: str) -> bool:
    """Return whether `name` is an IANA time zone or an alias of one."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@cache
def canonical_timezones() -> tuple[str, ...]:
    """Return the time zones to choose from: UTC, and those of each country, sorted, without aliases.

    They are in `zone.tab` of the IANA database, in its third column.
    """
    rows = (line.split("\t") for line in _lines("zone.tab") if not line.startswith("#"))
    known = available_timezones()
    return (_UTC, *sorted({row[2] for row in rows if len(row) > 2 and row[2] in known}))  # noqa: PLR2004 - the third column


def spelled_timezone(text: str) -> str:
    """Return the time zone that is written like `text` but for case, spaces and hyphens; else `text` itself."""
    if is_timezone(text):
        return text
    return _by_key().get(_key(text), text)


def nearest_timezone(text: str) -> str | None:
    """Return the time zone that `text` probably means: a city, an alias, or a name with a slip; None if none is near.

    "berlin" means Europe/Berlin, "Calcutta" Asia/Kolkata, "US/Estern" America/New_York.
    """
    wanted = _key(text)
    if not wanted:
        return None
    cities = {key.rpartition("/")[2]: name for key, name in reversed(_by_key().items())}
    for known in (_by_key(), cities):
        if wanted in known:
            return known[wanted]
    begins = [name for city, name in sorted(cities.items()) if city.startswith(wanted)]
    if begins:
        return begins[0]
    for known in (_by_key(), cities):
        near = get_close_matches(wanted, known, 1, _CLOSE)
        if near:
            return known[near[0]]
    return None


@cache
def _by_key() -> dict[str, str]:
    """Return the time zone to choose for each name and alias, as `_key` writes it: first those that are chosen from."""
    chosen = canonical_timezones()
    found = {_key(name): name for name in chosen}
    for alias, target in _aliases():
        if target in chosen:
            found.setdefault(_key(alias), target)
    for name in sorted(available_timezones()):
        # Etc/GMT+2 is two hours behind UTC, which is the opposite of what people mean by it.
        if not name.startswith(("Etc/", "GMT")):
            found.setdefault(_key(name), name)
    return found


def _aliases() -> Iterator[tuple[str, str]]:
    """Yield (alias, time zone) of the links in `tzdata.zi`: lines such as `L America/New_York US/Eastern`."""
    for line in _lines("tzdata.zi"):
        kind, _, names = line.partition(" ")
        if kind == "L":
            target, _, alias = names.partition(" ")
            yield alias, target


def _key(text: str) -> str:
    return "_".join(text.casefold().replace("-", " ").replace("_", " ").split()[:10])[:100]


def _lines(name: str) -> Iterable[str]:
    return resources.files("tzdata.zoneinfo").joinpath(name).read_text("utf-8").splitlines()
