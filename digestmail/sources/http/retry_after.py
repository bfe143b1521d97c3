"""How long a server that was asked too often wants to be left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_WAIT = timedelta(days=1).total_seconds()
"""Seconds; a server that names a longer time, in error or in malice, is asked again after this one."""

_PARAMETER = re.compile(r"(?:^|[;,\s])(r|remaining|t|reset)=(\d{1,9})\b", re.ASCII)
_MOST_DIGITS = 12
_NEXT_POLICY = re.compile(r',\s*(?=")')


def wished_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return for how many seconds a throttling answer wants us to stay away; None when it does not say.

    `headers` are by lower-case name. Read from Retry-After, seconds or a date (RFC 9110 section 10.2.3), else from the
    seconds to the reset in RateLimit, which is all that Hugging Face sends (draft-ietf-httpapi-ratelimit-headers). A
    window in which requests remain is not why the server refused, so its reset says nothing. A longer `Backoff` counts.
    """
    wish = _retry_after(headers, now)
    if wish is None:
        wish = _reset(headers.get("ratelimit", ""))
    wishes = [one for one in (wish, backoff(headers)) if one is not None]
    return min(max(*wishes, 0.0), LONGEST_WAIT) if wishes else None


def backoff(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a server under load wants fewer requests, which it may say with any answer.

    Zotero (https://www.zotero.org/support/dev/web_api/v3/basics#rate_limiting) and Kinto send `Backoff: seconds`.
    """
    text = headers.get("backoff", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    return min(float(text), LONGEST_WAIT) or None


def _reset(text: str) -> float | None:
    """Return the seconds until the last of the used-up windows is over.

    Each policy is an item of its own, `"name";r=0;t=55`. Older drafts have one, `limit=10, remaining=0, reset=55`.
    """
    waits = []
    for policy in _NEXT_POLICY.split(text):
        found = {name[0] if name != "reset" else "t": int(value) for name, value in _PARAMETER.findall(policy)}
        if "t" in found and found.get("r", 0) == 0:
            waits.append(float(found["t"]))
    return max(waits, default=None)


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
