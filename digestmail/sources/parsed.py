"""What every parser returns, and the small things they all do on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ValidationError, ValidatorFunctionWrapHandler

from digestmail.model.papers import PaperId, Sighting, Skipped
from digestmail.papers.identity import highest
from digestmail.sources.bounds import LONGEST_ADDRESS, LONGEST_TEXT, MOST_CHARACTERS, MOST_ENTRIES, bounded

LISTED_TWICE = "listed more than once"

YEARS = range(1900, 2200)
"""Years a date can be of; beyond them it is a slip, and near the ends of the calendar no time zone can be applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What the bytes of one answer said."""

    sightings: tuple[Sighting, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    partial: str | None = None
    """Why this is not all, when it is not."""

    @property
    def entries(self) -> int:
        """How many entries there were."""
        return len(self.sightings) + len(self.skipped)


def gather(results: Iterable[Sighting | Skipped], partial: str | None = None) -> Parsed:
    """Divide what became of the entries, and keep one sighting per paper: of the latest day, with the highest signals.

    Texts and lists are within the bounds of `bounds.bounded`. Every further mention of a paper is counted as skipped.
    """
    sightings: dict[PaperId, Sighting] = {}
    skipped: list[Skipped] = []
    for result in results:
        if isinstance(result, Skipped):
            skipped.append(result)
            continue
        sighting = replace(result, paper=bounded(result.paper))
        known = sightings.get(sighting.paper.id)
        sightings[sighting.paper.id] = sighting if known is None else _one_of(known, sighting)
        if known is not None:
            skipped.append(Skipped(entry=sighting.paper.id, reason=LISTED_TWICE))
    return Parsed(sightings=tuple(sightings.values()), skipped=tuple(skipped), partial=partial)


def _one_of(known: Sighting, other: Sighting) -> Sighting:
    latest = max(known, other, key=lambda sighting: sighting.day)
    return replace(latest, signals=highest(known.signals, other.signals))


def single_line(text: str) -> str:
    """Return `text` with white space folded and without control characters."""
    folded = " ".join(text.split())
    if folded.isprintable():
        return folded
    return " ".join("".join(character for character in folded if character.isprintable()).split())


def beginning(body: bytes) -> str:
    """Return how an answer begins, for the sentence that says it cannot be read."""
    start = single_line(body[:200].decode("utf-8", "replace"))[:60]
    return f"it begins with {start!r}" if start else "it is empty"


def storable(text: str) -> str:
    """Return a raw text without what no database takes: NUL (PostgreSQL) and lone surrogates (no UTF-8 has them)."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def web_address(url: object, base: str = "") -> str | None:
    """Return `url`, made absolute by `base`, if it is an http or https address with a host, else None."""
    if not isinstance(url, str) or not url.strip() or len(url) > LONGEST_TEXT:
        return None
    try:
        absolute = url.strip() if urlsplit(url.strip()).scheme else urljoin(base, url.strip())
        parts = urlsplit(absolute)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return None
    odd = any(character.isspace() or not character.isprintable() for character in absolute)
    return absolute if usable and not odd and len(absolute) <= LONGEST_ADDRESS else None


def or_nothing(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Read an optional field of foreign JSON that is not what it should be as missing: it must not cost the entry."""
    try:
        return validate(value)
    except ValidationError:
        return None


def first_problem(error: ValidationError, entry: str) -> str:
    """Return the first thing that is wrong with an entry of foreign JSON, such as "paper.title: Field required".

    `entry` is what it is called if no field is to blame. Places in lists are `*`, so that equal problems count as one.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join("*" if isinstance(part, int) else part for part in first["loc"])
    return f"{place or entry}: {first['msg']}"


def first_entries(items: list[Any]) -> tuple[list[Any], list[Skipped]]:
    """Return the items of a JSON document that are read, and what is said of the others."""
    kept, left = items[:MOST_ENTRIES], MOST_CHARACTERS
    reason = f"the feed has more than {MOST_ENTRIES:,} entries"
    for place, item in enumerate(kept):
        texts = item.values() if isinstance(item, dict) else ()
        left -= sum(min(len(text), LONGEST_TEXT) for text in texts if isinstance(text, str))
        if left < 0:
            kept, reason = kept[:place], f"the feed has more than {MOST_CHARACTERS:,} characters"
            break
    left_out = len(items) - len(kept)
    return kept, [Skipped(entry=f"the last {left_out:,} entries", reason=reason)] if left_out else []


def _cut(value: Any) -> Any:
    return value[:LONGEST_TEXT] if isinstance(value, str) else value


JsonText = Annotated[str, BeforeValidator(_cut)]
"""A text in foreign JSON, cut where no source looks any more, for pydantic."""


def _in_utc(value: datetime) -> datetime:
    if value.year not in YEARS:
        raise ValueError(f"year {value.year}")
    return value.astimezone(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in foreign JSON, for pydantic."""
