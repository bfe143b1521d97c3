"""What indexes of the literature know about papers."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from digestmail.storage.schema import paper_records


def drop(connection: Connection, row_id: int) -> None:
    """Remove the records of the paper in this row, which was merged into another."""
    connection.execute(delete(paper_records).where(paper_records.c.paper_id == row_id))
