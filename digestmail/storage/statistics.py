"""Counts of the database."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, func, select

from digestmail.model.reports import Statistics
from digestmail.storage.schema import deliveries, editions, papers, subscribers, subscriptions, suppressions


def statistics(connection: Connection) -> Statistics:
    """Return the counts. Reads the row of every delivery once."""
    with_papers = (
        select(editions.c.digest, func.count())
        .where(editions.c.papers > 0)
        .group_by(editions.c.digest)
        .order_by(editions.c.digest)
    )
    merged = select(func.count()).select_from(papers).where(papers.c.merged_into.is_(None))
    return Statistics(
        papers=connection.execute(merged).scalar_one(),
        editions={str(name): int(number) for name, number in connection.execute(with_papers)},
        subscribers=_by(connection, subscribers, subscribers.c.state),
        subscriptions=_by(connection, subscriptions, subscriptions.c.digest),
        deliveries=_by(connection, deliveries, deliveries.c.state),
        suppressions=connection.execute(select(func.count()).select_from(suppressions)).scalar_one(),
    )


def _by(connection: Connection, table: Table, column: Column[str]) -> dict[str, int]:
    statement = select(column, func.count()).select_from(table).group_by(column).order_by(column)
    return {str(name): int(number) for name, number in connection.execute(statement)}


def people(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of subscribers by state, and of suppressions by reason."""
    return _by(connection, subscribers, subscribers.c.state), _by(connection, suppressions, suppressions.c.reason)
