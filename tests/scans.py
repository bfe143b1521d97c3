"""Which tables a statement reads from end to end, by what the database says of its plan."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Connection

from digestmail.storage import schema

PARTIAL = {
    index.name
    for table in schema.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}
"""A partial index is as small as what it is for."""


def scanned(connection: Connection, statement: str, values: Any, tables: Collection[str]) -> set[str]:
    """Return which of `tables` this statement reads from end to end."""
    if connection.dialect.name == "postgresql":
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
        found = nodes(plan[0]["Plan"])
        return {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"} & set(tables)
    steps = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    # A step goes right to its rows if it says by which columns: SEARCH d USING PRIMARY KEY (edition_id=? AND ...).
    going = [step for step in steps if re.match(r"SCAN|SEARCH", step) and step.rpartition(" ")[2] not in PARTIAL]
    whole = {step.split(" ")[1] for step in going if not step.endswith(")")}
    return {real_name(statement, name, tables) for name in whole} & set(tables)


def real_name(statement: str, alias: str, tables: Collection[str]) -> str:
    """Return the table that `alias` stands for in a statement."""
    found = re.search(rf"\b(\w+)(?: AS)? {alias}\b", statement)
    return found[1] if found and found[1] in tables else alias


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan of PostgreSQL."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
