"""How long a server that was asked too often wants to be left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_WAIT = timedelta(days=1).total_seconds()
"""Seconds; a server that names a longer time, in error or in malice, is asked again after this one."""

_RESET = re.compile(r"(?:^|[;,\s])t=(\d{1,9})\b", re.ASCII)


def wished_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return for how many seconds a throttling answer wants us to stay away; None when it does not say.

    `headers` are by lower-case name. Read from Retry-After, seconds or a date (RFC 9110 section 10.2.3), else from the
    seconds to the reset in RateLimit, which is all that Hugging Face sends (draft-ietf-httpapi-ratelimit-headers).
    """
    wish = _retry_after(headers, now)
    if wish is None and (reset := _RESET.search(headers.get("ratelimit", ""))):
        wish = float(reset[1])
    return None if wish is None else min(max(wish, 0.0), LONGEST_WAIT)


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _moment(text)
    if until is None:
        return None
    # A date is on the server's clock, which need not agree with ours.
    return (until - (_moment(headers.get("date", "")) or now)).total_seconds()


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
