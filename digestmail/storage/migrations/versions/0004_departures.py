"""When people left a digest, or everything; an index of the topics that occur.

Who had left everything has the time of their last change.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digestmail.storage.schema import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "departures",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("left_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_departures_subscriber_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "digest", name="pk_departures"),
    )
    op.execute(
        "INSERT INTO departures (subscriber_id, digest, left_at) "
        "SELECT id, '', updated_at FROM subscribers WHERE state IN ('unsubscribed', 'suppressed')"
    )
    op.create_index("ix_edition_papers_topic", "edition_papers", ["topic"])


def downgrade() -> None:
    op.drop_index("ix_edition_papers_topic", "edition_papers")
    op.drop_table("departures")
