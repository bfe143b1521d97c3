"""The ledger with intents, attempts, limits and breakers; what subscribers choose; suppressions, bounces, notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digestmail.storage.schema import Moment, Said

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATES = "('queued', 'sending', 'sent', 'deferred', 'failed', 'cancelled', 'ambiguous')"
_OPEN_IS_DUE = "(state IN ('queued', 'sending', 'deferred')) = (due_at IS NOT NULL)"
_WAITING = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    _subscribers()
    _deliveries()
    _new_tables()


def _subscribers() -> None:
    with op.batch_alter_table("subscribers") as batch:
        batch.add_column(sa.Column("key", sa.Text(), nullable=True))
        batch.add_column(sa.Column("language", sa.Text(), nullable=True))
        batch.add_column(sa.Column("timezone", sa.Text(), nullable=True))
        batch.add_column(sa.Column("paused_until", Moment(), nullable=True))
        batch.add_column(sa.Column("consent_source", sa.Text(), nullable=True))
        batch.add_column(sa.Column("consent_at", Moment(), nullable=True))
    _fill_keys()
    with op.batch_alter_table("subscribers") as batch:
        batch.alter_column("key", existing_type=sa.Text(), nullable=False)
        batch.drop_constraint("uq_subscribers_address", type_="unique")
        batch.create_unique_constraint("uq_subscribers_key", ["key"])
    op.add_column("subscriptions", sa.Column("hour", sa.SmallInteger(), nullable=True))
    op.add_column("segments", sa.Column("language", sa.Text(), nullable=True))


def _fill_keys() -> None:
    """Give everybody a key; of two spellings of one address the later one keeps its own, so that nobody is lost."""
    people = sa.table("subscribers", sa.column("id"), sa.column("address"), sa.column("key"))
    connection = op.get_bind()
    taken: set[str] = set()
    for row in connection.execute(sa.select(people.c.id, people.c.address).order_by(people.c.id)).all():
        key = row.address.casefold()
        key = row.address if key in taken else key
        taken.add(key)
        connection.execute(sa.update(people).where(people.c.id == row.id).values(key=key))


def _deliveries() -> None:
    op.add_column("editions", sa.Column("recipients", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE editions SET recipients = (SELECT count(*) FROM deliveries WHERE deliveries.edition_id = editions.id)"
    )
    op.add_column("deliveries", sa.Column("milliseconds", sa.Integer(), nullable=True))
    # `sending` used to mean claimed; an open claim is just due again.
    op.execute("UPDATE deliveries SET state = 'deferred' WHERE state = 'sending'")
    op.create_table(
        "attempts",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", Said(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(f"state IN {_STATES}", name=op.f("ck_attempts_state")),
        sa.ForeignKeyConstraint(
            ["edition_id", "subscriber_id"],
            ["deliveries.edition_id", "deliveries.subscriber_id"],
            name="fk_attempts_edition_id_subscriber_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", "number", name="pk_attempts"),
        sqlite_with_rowid=False,
    )


def _new_tables() -> None:
    _people_tables()
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("queued_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", Said(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('confirm', 'welcome', 'already', 'changed', 'goodbye')", name=op.f("ck_notices_kind")
        ),
        sa.CheckConstraint(f"state IN {_STATES}", name=op.f("ck_notices_state")),
        sa.CheckConstraint(_OPEN_IS_DUE, name=op.f("ck_notices_open_is_due")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_notices_subscriber_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_subscriber_id", "notices", ["subscriber_id"])
    op.create_index("ix_notices_due_at", "notices", ["due_at"], sqlite_where=_WAITING, postgresql_where=_WAITING)
    op.create_table(
        "rates",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("factor", sa.Float(), nullable=False),
        sa.Column("slowed_at", Moment(), nullable=True),
        sa.Column("paused_until", Moment(), nullable=True),
        sa.Column("reason", Said(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_rates"),
    )
    op.create_table(
        "allotments",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("connections", sa.Integer(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", "worker", name="pk_allotments"),
    )


def _people_tables() -> None:
    op.create_table(
        "confirmations",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_confirmations_subscriber_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name="pk_confirmations"),
    )
    op.create_table(
        "suppressions",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", Said(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('bounced', 'complained', 'erased', 'operator')", name=op.f("ck_suppressions_reason")
        ),
        sa.PrimaryKeyConstraint("key", name="pk_suppressions"),
    )
    op.create_table(
        "bounces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=True),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("detail", Said(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_bounces_subscriber_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bounces"),
        sa.UniqueConstraint("report", name="uq_bounces_report"),
    )
    op.create_index("ix_bounces_subscriber_id_at", "bounces", ["subscriber_id", "at"])


def downgrade() -> None:
    for table in ("allotments", "rates", "notices", "bounces", "suppressions", "confirmations", "attempts"):
        op.drop_table(table)
    op.drop_column("deliveries", "milliseconds")
    op.drop_column("editions", "recipients")
    op.drop_column("segments", "language")
    op.drop_column("subscriptions", "hour")
    with op.batch_alter_table("subscribers") as batch:
        batch.drop_constraint("uq_subscribers_key", type_="unique")
        batch.create_unique_constraint("uq_subscribers_address", ["address"])
        for column in ("key", "language", "timezone", "paused_until", "consent_source", "consent_at"):
            batch.drop_column(column)
