"""Parses the rows of an import and decides what to do with each. Pure, except that callers open the file."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from digestmail.errors import SubscriptionError
from digestmail.mail.header_fields import split_mailbox
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Consent, Preferences, SubscriberState, Subscription, SuppressionReason
from digestmail.storage.erasing import is_erased
from digestmail.storage.subscriber_import import AddressStatus
from digestmail.subscribers.csv_dialect import column_name, rows
from digestmail.subscribers.csv_format import COLUMNS, TOPIC_SEPARATOR, unescape_formula
from digestmail.subscribers.preferences import LONGEST_PAUSE
from digestmail.subscribers.validate import cadence_from, checked
from digestmail.text.addresses import key_of, normalize_address
from digestmail.text.counts import counted

log = logging.getLogger("digestmail.subscribers")

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""NUL, and surrogates, which represent bytes that are not UTF-8."""

_HOUR = re.compile(r"[0-9]{1,2}")
_MAX_ERROR_LENGTH = 500


class RowOutcome(StrEnum):
    """The outcome of a row."""

    ADDED = "added"
    """A new subscriber."""
    CHANGED = "changed"
    """A new subscription of an existing subscriber."""
    ALREADY = "already subscribed"
    SUPPRESSED = "suppressed"
    ERASED = "erased"
    UNSUBSCRIBED = "unsubscribed"
    LEFT = "unsubscribed from this digest"
    INACTIVE = "not active in the file"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A valid row: a subscription and the person's consent."""

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
        """The digest. Rows that are not active have none."""
        return self.choices.subscriptions[0].digest


@dataclass(frozen=True, slots=True)
class RowError:
    """An invalid row, and why."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Parses rows. `consent` is used for rows without their own."""

    digests: tuple[Digest, ...]
    languages: Collection[str]
    consent: Consent | None
    now: datetime

    def read(self, lines: Iterable[str]) -> Iterator[ImportRow | RowError]:
        """Yield each row. Raises SubscriptionError if the first line is not a header with `COLUMNS`."""
        choose = self._chooser()
        table = rows(lines)
        _, first = next(table, (0, []))
        header = _header(first)
        for line, cells in table:
            if isinstance(cells, str):
                yield RowError(line, cells)
            elif any(map(str.strip, cells)):  # a spreadsheet ends with rows of empty cells
                try:
                    yield self._parse(line, _by_name(header, cells), choose)
                except SubscriptionError as error:
                    yield RowError(line, str(error)[:_MAX_ERROR_LENGTH])
                except Exception as error:
                    log.exception("line %d cannot be imported", line)
                    yield RowError(line, f"unexpected {type(error).__name__}; the log contains details")

    def _parse(self, line: int, row: Mapping[str, str], choose: _Choose) -> ImportRow:
        address = normalize_address(_bare_address(row["address"]))
        state = row.get("state") or SubscriberState.ACTIVE
        if state not in set(SubscriberState):
            raise SubscriptionError(f"there is no state {state!r}")
        active = state == SubscriberState.ACTIVE
        consent = self.consent
        choices: Preferences | str = Preferences()
        if active:
            wanted = (row.get(name, "") for name in ("topics", "hour", "cadence", "language", "timezone"))
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
            created_at=self._past_time("created_at", row),
            paused_until=self._pause(row),
            active=active,
        )

    def _consent(self, row: Mapping[str, str]) -> Consent:
        """Return the consent of the row, or the default if the row has neither source nor time."""
        source, at = row.get("consent_source", "").strip(), self._past_time("consent_at", row)
        if source and at:
            return Consent(source=source, at=at)
        if source or at or self.consent is None:
            raise SubscriptionError(
                f"consent_{'at' if source else 'source'} is missing; specify when and where the person agreed"
            )
        return self.consent

    def _past_time(self, column: str, row: Mapping[str, str]) -> datetime | None:
        moment = _moment(column, row)
        if moment is not None and moment > self.now:
            raise SubscriptionError(f"{column} {row[column]!r} is in the future")
        return moment

    def _pause(self, row: Mapping[str, str]) -> datetime | None:
        """Return the end of a pause. It may be in the past, as in old files."""
        until = _moment("paused_until", row)
        if until is not None and until > self.now + LONGEST_PAUSE:
            raise SubscriptionError(f"paused_until {row['paused_until']!r} is more than a year ahead")
        return until

    def _chooser(self) -> _Choose:
        """Return a cached function that checks preferences, because files repeat the same ones."""

        @lru_cache(4096)
        def choose(
            digest: str, topics: str, hour: str, cadence: str, language: str, timezone: str
        ) -> Preferences | str:
            if language and language not in self.languages:
                return f"there is no language {language!r}; available languages: {', '.join(self.languages)}"
            if hour and not _HOUR.fullmatch(hour):
                return f"{hour!r} is not an hour; the hour must be a number from 0 to 23"
            try:
                chosen = Subscription(
                    digest=digest,
                    topics=tuple(one for name in topics.split(TOPIC_SEPARATOR) if (one := name.strip())),
                    hour=int(hour) if hour else None,
                    cadence=cadence_from(cadence.lower()),
                )
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


_Choose = Callable[[str, str, str, str, str, str], Preferences | str]


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
            f"the row has {counted(len(cells), 'cell')}, but the header has {counted(len(header), 'column')}"
        )
    if any(map(_UNSTORABLE.search, cells)):
        raise SubscriptionError("the row is not valid UTF-8 or contains NUL")
    given = zip(header, map(unescape_formula, cells), strict=True)
    return {name: cell.strip() for name, cell in given if name}


def decide(row: ImportRow, status: AddressStatus) -> RowOutcome:
    """Return what to do with a row.

    An import never subscribes suppressed or erased people. People who unsubscribed are only subscribed again with newer
    consent.
    """
    if status.suppressed is SuppressionReason.ERASED or is_erased(row.address):
        return RowOutcome.ERASED
    if status.suppressed is not None or status.state is SubscriberState.SUPPRESSED:
        return RowOutcome.SUPPRESSED
    if not row.active:
        return RowOutcome.INACTIVE
    active = status.state is SubscriberState.ACTIVE
    if active and row.digest in status.digests:
        return RowOutcome.ALREADY
    opted_out_at = status.opted_out_at(row.digest)
    if opted_out_at is not None and row.consent.at <= opted_out_at:
        return RowOutcome.LEFT if active else RowOutcome.UNSUBSCRIBED
    return RowOutcome.CHANGED if active else RowOutcome.ADDED


def reason(row: ImportRow, status: AddressStatus, outcome: RowOutcome) -> str:
    """Return when a person unsubscribed, if that is why the row is skipped, else an empty string."""
    if outcome not in {RowOutcome.LEFT, RowOutcome.UNSUBSCRIBED}:
        return ""
    what = f"unsubscribed from {row.digest}" if outcome is RowOutcome.LEFT else str(outcome)
    return f"{what} on {status.opted_out_at(row.digest):%Y-%m-%d}, and the consent is not newer"
