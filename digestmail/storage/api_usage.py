"""What was spent on services with a daily budget. It is counted before a request, so that a crash loses no count."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Connection, delete, select, update

from digestmail.storage.schema import api_usage
from digestmail.storage.upsert import insert

_KEPT = timedelta(days=60)


def reserve(
    connection: Connection, service: str, day: date, *, requests: int, tokens: int = 0, most_tokens: int | None = None
) -> bool:
    """Count one request with `tokens` on `day`; return False, and count nothing, if that is over a limit.

    `requests` and `most_tokens` are the limits of a day; None means that there is none. Two processes never reserve
    more together.
    """
    u = api_usage.c
    begin = insert(connection, api_usage).values(service=service, day=day, requests=0, tokens=0)
    if connection.execute(begin.on_conflict_do_nothing().returning(u.day)).first() is not None:
        connection.execute(delete(api_usage).where(u.service == service, u.day < day - _KEPT))
    statement = update(api_usage).where(u.service == service, u.day == day, u.requests < requests)
    if most_tokens is not None:
        statement = statement.where(u.tokens + tokens <= most_tokens)
    counted = connection.execute(statement.values(requests=u.requests + 1, tokens=u.tokens + tokens))
    return counted.rowcount > 0


def add_tokens(connection: Connection, service: str, day: date, tokens: int) -> None:
    """Correct the count of tokens by what was used more, or less if it is negative, than was reserved."""
    u = api_usage.c
    connection.execute(update(api_usage).where(u.service == service, u.day == day).values(tokens=u.tokens + tokens))


def used(connection: Connection, service: str, day: date) -> tuple[int, int]:
    """Return the requests and tokens of a day."""
    u = api_usage.c
    row = connection.execute(select(u.requests, u.tokens).where(u.service == service, u.day == day)).first()
    return (row.requests, row.tokens) if row else (0, 0)
