"""The index the search reads, filled with the papers there are; the keys of what the API wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digestmail.storage import searchindex
from digestmail.storage.schema import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_at", "idempotency_keys", ["at"])
    op.create_index("ix_editions_line", "editions", ["digest", "slot_at", "papers", "slot", "composed_at"])
    if op.get_bind().dialect.name == "postgresql":
        _execute(searchindex.POSTGRESQL + searchindex.POSTGRESQL_FILL)
    else:
        _execute(searchindex.SQLITE + searchindex.SQLITE_FILL)


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    _execute(searchindex.POSTGRESQL_DROP if postgresql else searchindex.SQLITE_DROP)
    op.drop_index("ix_editions_line", "editions")
    op.drop_table("idempotency_keys")


def _execute(statements: tuple[str, ...]) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
