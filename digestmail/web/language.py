"""Language negotiation (Accept-Language)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LONGEST_HEADER: Final = 1000


def negotiate(accepted: str, available: Sequence[str], default: str) -> str:
    """Return the language of `available` that an Accept-Language field prefers, else `default`. Pure.

    Weights are those of RFC 9110 section 12.4.2; a range matches as in RFC 4647 section 3.4, so `de-AT` gets `de`.
    The wildcard and ranges that cannot be read are ignored.
    """
    known = {language.lower(): language for language in available}
    ranges = [_weighted(one) for one in accepted[:_LONGEST_HEADER].split(",")]
    for tag, weight in sorted(ranges, key=lambda pair: -pair[1]):
        if weight > 0 and (found := look_up(tag, known)):
            return found
    return default


def look_up(tag: str, known: dict[str, str]) -> str | None:
    """Return the language for a tag. Subtags are removed from the end until it is known. Keys are in lower case."""
    parts = tag.lower().replace("_", "-").split("-")
    for length in range(len(parts), 0, -1):
        if found := known.get("-".join(parts[:length])):
            return found
    return None


def _weighted(one: str) -> tuple[str, float]:
    """Return a language range and its weight, 0 if it is invalid."""
    tag, _, parameters = one.partition(";")
    name, _, value = parameters.partition("=")
    if not parameters.strip():
        return tag.strip(), 1.0
    try:
        weight = float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:
        weight = 0.0
    return tag.strip(), weight if 0 <= weight <= 1 else 0.0
