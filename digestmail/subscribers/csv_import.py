"""One line of an import: read, and what is done with it. Pure; only reading the text of a file is left to the door."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from digestmail.errors import SubscriptionError
from digestmail.mail.addresses import key_of, normalised
from digestmail.mail.header_fields import split_mailbox
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Consent, Preferences, SubscriberState, Subscription, SuppressionReason
from digestmail.storage.erasing import is_erased
from digestmail.storage.subscriber_import import AddressStatus
from digestmail.subscribers.csv_dialect import column_name, rows
from digestmail.subscribers.csv_format import COLUMNS, TOPICS_BY, bare
from digestmail.subscribers.preferences import LONGEST_PAUSE
from digestmail.subscribers.validate import checked
from digestmail.text.counts import counted

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, and the surrogates that stand for bytes that are not UTF-8."""

_HOUR = re.compile(r"[0-9]{1,2}")
_LONGEST_FAULT = 500


class RowOutcome(StrEnum):
    """What became of a line."""

    ADDED = "added"
    """A new subscriber."""
    CHANGED = "changed"
    """A subscriber has one digest more."""
    ALREADY = "already subscribed"
    SUPPRESSED = "suppressed"
    ERASED = "erased"
    UNSUBSCRIBED = "unsubscribed"
    LEFT = "left this digest"
    INACTIVE = "not active in the file"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A line that can be understood: who wants which digest, and since when they have agreed."""

    line: int
    address: str
    key: str
    choices: Preferences
    consent: Consent
    created_at: datetime | None
    paused_until: datetime | None
    active: bool

    @property
    def digest(self) -> str:
        """The digest that is wanted; none in a line that is not active."""
        return self.choices.subscriptions[0].digest


@dataclass(frozen=True, slots=True)
class RowError:
    """A line that cannot be understood, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Turns lines into wishes. `consent` stands in for lines without one of their own."""

    digests: tuple[Digest, ...]
    languages: Collection[str]
    consent: Consent | None
    now: datetime

    def read(self, lines: Iterable[str]) -> Iterator[ImportRow | RowError]:
        """Yield what each row says. Raises SubscriptionError when the first is no header of `COLUMNS`."""
        choose = self._chooser()
        table = rows(lines)
        _, first = next(table, (0, []))
        header = _header(first)
        for line, cells in table:
            if isinstance(cells, str):
                yield RowError(line, cells)
            elif any(map(str.strip, cells)):  # a spreadsheet ends with rows of empty cells
                try:
                    yield self._wish(line, _by_name(header, cells), choose)
                except SubscriptionError as error:
                    yield RowError(line, str(error)[:_LONGEST_FAULT])

    def _wish(self, line: int, row: Mapping[str, str], choose: _Choose) -> ImportRow:
        address = normalised(_bare_address(row["address"]))
        state = row.get("state") or SubscriberState.ACTIVE
        if state not in set(SubscriberState):
            raise SubscriptionError(f"there is no state {state!r}")
        active = state == SubscriberState.ACTIVE
        consent = self.consent
        choices: Preferences | str = Preferences()
        if active:
            wanted = (row.get(name, "") for name in ("topics", "hour", "language", "timezone"))
            choices = choose(row["digest"], *wanted)
            consent = self._consent(row)
        if isinstance(choices, str):
            raise SubscriptionError(choices)
        return ImportRow(
            line=line,
            address=address,
            key=key_of(address),
            choices=choices,
            consent=consent or Consent(source="", at=self.now),
            created_at=self._past("created_at", row),
            paused_until=self._pause(row),
            active=active,
        )

    def _consent(self, row: Mapping[str, str]) -> Consent:
        """Return the line's consent; both halves from the line, or both from the command."""
        source, at = row.get("consent_source", "").strip(), self._past("consent_at", row)
        if source and at:
            return Consent(source=source, at=at)
        if source or at or self.consent is None:
            raise SubscriptionError(
                f"consent_{'at' if source else 'source'} is missing: when and where did they agree?"
            )
        return self.consent

    def _past(self, column: str, row: Mapping[str, str]) -> datetime | None:
        moment = _moment(column, row)
        if moment is not None and moment > self.now:
            raise SubscriptionError(f"{column} {row[column]!r} lies in the future")
        return moment

    def _pause(self, row: Mapping[str, str]) -> datetime | None:
        """Return the end of a pause; one that is over does no harm, and an old file has some."""
        until = _moment("paused_until", row)
        if until is not None and until > self.now + LONGEST_PAUSE:
            raise SubscriptionError(f"paused_until {row['paused_until']!r} lies more than a year ahead")
        return until

    def _chooser(self) -> _Choose:
        """Return what checks the choices of a line; a file repeats a few of them over and over."""

        @lru_cache(4096)
        def choose(digest: str, topics: str, hour: str, language: str, timezone: str) -> Preferences | str:
            if language and language not in self.languages:
                return f"mails are not written in {language!r}; there are {', '.join(self.languages)}"
            if hour and not _HOUR.fullmatch(hour):
                return f"{hour!r} is not an hour; the hour must be a number from 0 to 23"
            chosen = Subscription(
                digest=digest,
                topics=tuple(one for name in topics.split(TOPICS_BY) if (one := name.strip())),
                hour=int(hour) if hour else None,
            )
            try:
                return checked(
                    self.digests,
                    Preferences(subscriptions=(chosen,), language=language or None, timezone=timezone or None),
                )
            except SubscriptionError as error:
                return str(error)

        return choose


def _bare_address(cell: str) -> str:
    """Return the address of "Name <address>"."""
    try:
        return split_mailbox(cell)[1]
    except ValueError as error:
        raise SubscriptionError(f"{cell!r} is not an email address: {error}") from error


_Choose = Callable[[str, str, str, str, str], Preferences | str]


def _moment(column: str, row: Mapping[str, str]) -> datetime | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SubscriptionError(
            f"{column} {text!r} is not an ISO 8601 time like 2026-04-02 or 2026-04-02T07:00:00Z"
        ) from error


def _header(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the columns; columns without a name, which a spreadsheet leaves at the end, are not used."""
    names = tuple(column_name(cell) for cell in cells)
    named = [name for name in names if name]
    unknown = sorted(set(named) - set(COLUMNS)) if not isinstance(cells, str) else []
    if unknown and "address" in named:
        raise SubscriptionError(
            f"the first line must name columns, and {', '.join(map(repr, unknown))} is none of {', '.join(COLUMNS)}"
        )
    if not {"address", "digest"} <= set(named) or unknown or len(set(named)) < len(named):
        raise SubscriptionError(
            "the first line must name columns, separated by commas, semicolons or tabs: address and digest, and any of "
            + ", ".join(COLUMNS[2:])
        )
    return names


def _by_name(header: tuple[str, ...], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise SubscriptionError(
            f"{counted(len(cells), 'cell')} where the first line names {counted(len(header), 'column')}"
        )
    if any(map(_UNSTORABLE.search, cells)):
        raise SubscriptionError("not UTF-8 text, or a NUL in it")
    given = zip(header, map(bare, cells), strict=True)
    return {name: cell.strip() for name, cell in given if name}


def decide(wish: ImportRow, standing: AddressStatus) -> RowOutcome:
    """Say what is done with a wish.

    Who is suppressed or was erased is never brought back by a file; who left, and what they left, only with consent
    that is newer.
    """
    if standing.suppressed is SuppressionReason.ERASED or is_erased(wish.address):
        return RowOutcome.ERASED
    if standing.suppressed is not None or standing.state is SubscriberState.SUPPRESSED:
        return RowOutcome.SUPPRESSED
    if not wish.active:
        return RowOutcome.INACTIVE
    active = standing.state is SubscriberState.ACTIVE
    if active and wish.digest in standing.digests:
        return RowOutcome.ALREADY
    left_at = standing.left_at(wish.digest)
    if left_at is not None and wish.consent.at <= left_at:
        return RowOutcome.LEFT if active else RowOutcome.UNSUBSCRIBED
    return RowOutcome.CHANGED if active else RowOutcome.ADDED


def reason(wish: ImportRow, standing: AddressStatus, outcome: RowOutcome) -> str:
    """Return since when somebody has left, where that is why nothing is done; else nothing."""
    if outcome not in {RowOutcome.LEFT, RowOutcome.UNSUBSCRIBED}:
        return ""
    what = f"left {wish.digest}" if outcome is RowOutcome.LEFT else str(outcome)
    return f"{what} on {standing.left_at(wish.digest):%Y-%m-%d}, and the consent is no newer"
