"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from digestmail.storage import search_index
from digestmail.storage.schema import Moment, UntrustedText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_table(
        "api_usage",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("service", "day", name=op.f("pk_api_usage")),
    )
    op.create_table(
        "connection_leases",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("connections", sa.Integer(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", "worker", name=op.f("pk_connection_leases")),
    )
    op.create_table(
        "editions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("slot_at", Moment(), nullable=False),
        sa.Column("composed_at", Moment(), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("papers", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editions")),
        sa.UniqueConstraint("digest", "slot", name=op.f("uq_editions_digest_slot")),
    )
    op.create_index("ix_editions_base", "editions", ["base"], unique=False)
    op.create_index("ix_editions_slot_at", "editions", ["slot_at"], unique=False)
    op.create_index(
        "ix_editions_line", "editions", ["digest", "slot_at", "papers", "slot", "composed_at"], unique=False
    )
    op.create_table(
        "host_limits",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("blocked_until", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_host_limits")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_at", "idempotency_keys", ["at"], unique=False)
    op.create_table(
        "papers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("origin", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("raw_title", sa.Text(), nullable=False),
        sa.Column("raw_abstract", sa.Text(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("organization", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("discussion_url", sa.Text(), nullable=True),
        sa.Column("code_url", sa.Text(), nullable=True),
        sa.Column("project_url", sa.Text(), nullable=True),
        sa.Column("thumbnail_url", sa.Text(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["merged_into"], ["papers.id"], name=op.f("fk_papers_merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_papers")),
        sa.UniqueConstraint("key", name=op.f("uq_papers_key")),
    )
    op.create_index("ix_papers_first_seen_at", "papers", ["first_seen_at"], unique=False)
    op.create_index(
        "ix_papers_merged_into",
        "papers",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_table(
        "rates",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("next_at", Moment(), nullable=False),
        sa.Column("factor", sa.Float(), nullable=False),
        sa.Column("slowed_at", Moment(), nullable=True),
        sa.Column("paused_until", Moment(), nullable=True),
        sa.Column("reason", UntrustedText(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rates")),
    )
    op.create_table(
        "servers",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False),
        sa.Column("manner", sa.Text(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("failures", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("manner IN ('trial', 'behind-dot', 'within', 'never')", name=op.f("ck_servers_manner")),
        sa.PrimaryKeyConstraint("server", "face", name=op.f("pk_servers")),
    )
    op.create_table(
        "oauth_tokens",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("obtained_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("server", name=op.f("pk_oauth_tokens")),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "source_health",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("health", sa.Text(), nullable=False),
        sa.Column("detail", UntrustedText(), nullable=False),
        sa.Column("read_at", Moment(), nullable=False),
        sa.Column("fresh_at", Moment(), nullable=True),
        sa.Column("absent_since", Moment(), nullable=True),
        sa.Column("reported_at", Moment(), nullable=True),
        sa.Column("parked_address", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "health IN ('fresh', 'nothing-announced', 'stale', 'partial', "
            "'throttled', 'refused', 'unreadable', 'unavailable', 'parked')",
            name=op.f("ck_source_health_health"),
        ),
        sa.PrimaryKeyConstraint("source", "category", name=op.f("pk_source_health")),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("read_at", Moment(), nullable=False),
        sa.Column("complete_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sources")),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("paused_from", Moment(), nullable=True),
        sa.Column("paused_until", Moment(), nullable=True),
        sa.Column("consent_source", sa.Text(), nullable=True),
        sa.Column("consent_at", Moment(), nullable=True),
        sa.Column("address_changed_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'active', 'unsubscribed', 'suppressed')", name=op.f("ck_subscribers_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("key", name=op.f("uq_subscribers_key")),
    )
    op.create_index(
        "ix_subscribers_pending",
        "subscribers",
        ["updated_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_subscribers_paused_until",
        "subscribers",
        ["paused_until"],
        unique=False,
        sqlite_where=sa.text("paused_until IS NOT NULL"),
        postgresql_where=sa.text("paused_until IS NOT NULL"),
    )
    op.create_table(
        "suppressions",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", UntrustedText(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('bounced', 'complained', 'erased', 'operator')", name=op.f("ck_suppressions_reason")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "validators",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("stored_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("source", "url", name=op.f("pk_validators")),
    )
    op.create_table(
        "bounces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=True),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("detail", UntrustedText(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("reason", UntrustedText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_bounces_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bounces")),
        sa.UniqueConstraint("report", name=op.f("uq_bounces_report")),
    )
    op.create_index("ix_bounces_alike", "bounces", ["domain", "reason", "at", "kind", "subscriber_id"], unique=False)
    op.create_index("ix_bounces_at", "bounces", ["at"], unique=False)
    op.create_index("ix_bounces_subscriber_id_at", "bounces", ["subscriber_id", "at"], unique=False)
    op.create_table(
        "confirmations",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_confirmations_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_confirmations")),
    )
    op.create_table(
        "address_changes",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_address_changes_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_address_changes")),
    )
    op.create_table(
        "address_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_address_requests_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_requests")),
    )
    op.create_index("ix_address_requests_key", "address_requests", ["key"], unique=False)
    op.create_index("ix_address_requests_subscriber_id", "address_requests", ["subscriber_id"], unique=False)
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("undone_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_changes_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_subscriber_id", "changes", ["subscriber_id"], unique=False)
    op.create_table(
        "unsubscribe_mails",
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_unsubscribe_mails_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("report", name=op.f("pk_unsubscribe_mails")),
    )
    op.create_index("ix_unsubscribe_mails_subscriber_id", "unsubscribe_mails", ["subscriber_id"], unique=False)
    op.create_table(
        "opt_outs",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("opted_out_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_opt_outs_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "digest", name=op.f("pk_opt_outs")),
    )
    op.create_table(
        "edition_papers",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_edition_papers_edition_id")),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_edition_papers_paper_id")),
        sa.PrimaryKeyConstraint("edition_id", "paper_id", name=op.f("pk_edition_papers")),
        sa.UniqueConstraint("digest", "paper_id", name=op.f("uq_edition_papers_digest_paper_id")),
    )
    op.create_index("ix_edition_papers_paper_id", "edition_papers", ["paper_id"], unique=False)
    op.create_index("ix_edition_papers_topic", "edition_papers", ["topic"], unique=False)
    op.create_table(
        "qualified_papers",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_qualified_papers_edition_id")),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_qualified_papers_paper_id")),
        sa.PrimaryKeyConstraint("edition_id", "topic", "rank", name=op.f("pk_qualified_papers")),
    )
    op.create_index("ix_qualified_papers_topic_paper_id", "qualified_papers", ["topic", "paper_id"], unique=False)
    op.create_table(
        "picked_papers",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_picked_papers_edition_id")),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_picked_papers_paper_id")),
        sa.PrimaryKeyConstraint("edition_id", "position", name=op.f("pk_picked_papers")),
    )
    op.create_index("ix_picked_papers_paper_id", "picked_papers", ["paper_id"], unique=False)
    op.create_table(
        "pick_reasons",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", UntrustedText(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('author', 'liked', 'reading-list', 'interests', 'exploration')", name=op.f("ck_pick_reasons_kind")
        ),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_pick_reasons_edition_id")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_pick_reasons_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("edition_id", "number", name=op.f("pk_pick_reasons")),
    )
    op.create_index("ix_pick_reasons_subscriber_id", "pick_reasons", ["subscriber_id"], unique=False)
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
        sa.Column("text", UntrustedText(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('queued', 'sending', 'deferred')) = (due_at IS NOT NULL)", name=op.f("ck_notices_open_is_due")
        ),
        sa.CheckConstraint(
            "kind IN ('confirm', 'welcome', 'already', 'changed', 'goodbye', 'address', 'erase')",
            name=op.f("ck_notices_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'cancelled', 'ambiguous')",
            name=op.f("ck_notices_state"),
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_notices_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(
        "ix_notices_failed",
        "notices",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("state = 'failed'"),
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_index(
        "ix_notices_due_at",
        "notices",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_notices_subscriber_id", "notices", ["subscriber_id"], unique=False)
    op.create_table(
        "notice_attempts",
        sa.Column("notice_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", UntrustedText(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'cancelled', 'ambiguous')",
            name=op.f("ck_notice_attempts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notices.id"], name=op.f("fk_notice_attempts_notice_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("notice_id", "number", name=op.f("pk_notice_attempts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "paper_aliases",
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_paper_aliases_paper_id")),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_paper_aliases")),
    )
    op.create_index("ix_paper_aliases_paper_id", "paper_aliases", ["paper_id"], unique=False)
    op.create_table(
        "paper_embeddings",
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_paper_embeddings_paper_id")),
        sa.PrimaryKeyConstraint("paper_id", name=op.f("pk_paper_embeddings")),
    )
    op.create_index("ix_paper_embeddings_model", "paper_embeddings", ["model"], unique=False)
    op.create_table(
        "paper_records",
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("citations", sa.Integer(), nullable=True),
        sa.Column("venue", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("read_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_paper_records_paper_id")),
        sa.PrimaryKeyConstraint("paper_id", "source", name=op.f("pk_paper_records")),
    )
    op.create_index("ix_paper_records_source_read_at", "paper_records", ["source", "read_at"], unique=False)
    op.create_table(
        "paper_summaries",
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("refused", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_paper_summaries_paper_id")),
        sa.PrimaryKeyConstraint("paper_id", "language", name=op.f("pk_paper_summaries")),
    )
    op.create_table(
        "feedback",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("liked", sa.Boolean(), nullable=False),
        sa.Column("given_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_feedback_paper_id")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_feedback_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "paper_id", name=op.f("pk_feedback")),
    )
    op.create_index("ix_feedback_paper_id", "feedback", ["paper_id"], unique=False)
    op.create_table(
        "profiles",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("interests", UntrustedText(), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("blocked_words", sa.JSON(), nullable=False),
        sa.Column("exploration", sa.Float(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_profiles_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_profiles")),
    )
    op.create_table(
        "reading_lists",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("read_at", Moment(), nullable=True),
        sa.Column("tried_at", Moment(), nullable=True),
        sa.Column("problem", UntrustedText(), nullable=True),
        sa.Column("validator", UntrustedText(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('file', 'arxiv-ids', 'arxiv-author', 'orcid', 'zotero')", name=op.f("ck_reading_lists_kind")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_reading_lists_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_lists")),
    )
    op.create_index("ix_reading_lists_subscriber_id", "reading_lists", ["subscriber_id"], unique=False)
    op.create_table(
        "reading_list_papers",
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("title", UntrustedText(), nullable=False),
        sa.Column("abstract", UntrustedText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"], ["reading_lists.id"], name=op.f("fk_reading_list_papers_list_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("list_id", "number", name=op.f("pk_reading_list_papers")),
    )
    op.create_table(
        "segments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("more", sa.JSON(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_segments_edition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
    )
    op.create_index("ix_segments_edition_id", "segments", ["edition_id"], unique=False)
    op.create_table(
        "sightings",
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("upvotes", sa.Integer(), nullable=True),
        sa.Column("comments", sa.Integer(), nullable=True),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.Column("announce_type", sa.Text(), nullable=True),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_sightings_paper_id")),
        sa.PrimaryKeyConstraint("paper_id", "source", "seen_on", name=op.f("pk_sightings")),
    )
    op.create_index("ix_sightings_source_seen_at", "sightings", ["source", "seen_at"], unique=False)
    op.create_index("ix_sightings_source_paper_id", "sightings", ["source", "paper_id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("detail", UntrustedText(), nullable=False),
        sa.Column("new_papers", sa.Integer(), nullable=False),
        sa.Column("editions", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("database_bytes", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("outcome IN ('well', 'trouble', 'failed')", name=op.f("ck_runs_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_started_at", "runs", ["started_at"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("key", UntrustedText(), nullable=False),
        sa.Column("text", UntrustedText(), nullable=False),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("announced_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_incidents")),
    )
    op.create_table(
        "source_days",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("new_papers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "day", name=op.f("pk_source_days")),
    )
    op.create_table(
        "domain_days",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "day", name=op.f("pk_domain_days")),
    )
    op.create_table(
        "topic_models",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("papers", sa.Integer(), nullable=False),
        sa.Column("embedded", sa.Integer(), nullable=False),
        sa.Column("learned_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_topic_models")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("hour", sa.SmallInteger(), nullable=True),
        sa.Column("cadence", sa.Text(), nullable=True),
        sa.Column("cadence_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("cadence IN ('weekdays', 'weekly', 'monthly')", name=op.f("ck_subscriptions_cadence")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_subscriptions_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", "subscriber_id", name=op.f("pk_subscriptions")),
    )
    op.create_index(
        "ix_subscriptions_cadence",
        "subscriptions",
        ["digest", "cadence", "subscriber_id"],
        unique=False,
        sqlite_where=sa.text("cadence IS NOT NULL"),
        postgresql_where=sa.text("cadence IS NOT NULL"),
    )
    op.create_index("ix_subscriptions_subscriber_id", "subscriptions", ["subscriber_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("segment_id", sa.Integer(), nullable=False),
        sa.Column("picks", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("queued_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", UntrustedText(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('queued', 'sending', 'deferred')) = (due_at IS NOT NULL)",
            name=op.f("ck_deliveries_open_is_due"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'cancelled', 'ambiguous')",
            name=op.f("ck_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_deliveries_edition_id")),
        sa.ForeignKeyConstraint(["segment_id"], ["segments.id"], name=op.f("fk_deliveries_segment_id")),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name=op.f("fk_deliveries_subscriber_id")),
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", name=op.f("pk_deliveries")),
        sqlite_with_rowid=False,
        # Each row is updated three times on its way, and can stay in its page if that has room.
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["due_at", "segment_id", "subscriber_id"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_deliveries_subscriber_id", "deliveries", ["subscriber_id"], unique=False)
    op.create_index(
        "ix_deliveries_picked",
        "deliveries",
        ["edition_id", "subscriber_id"],
        unique=False,
        sqlite_where=sa.text("picks IS NOT NULL"),
        postgresql_where=sa.text("picks IS NOT NULL"),
    )
    op.create_table(
        "segment_papers",
        sa.Column("segment_id", sa.Integer(), nullable=False),
        sa.Column("paper_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["paper_id"], ["papers.id"], name=op.f("fk_segment_papers_paper_id")),
        sa.ForeignKeyConstraint(["segment_id"], ["segments.id"], name=op.f("fk_segment_papers_segment_id")),
        sa.PrimaryKeyConstraint("segment_id", "paper_id", name=op.f("pk_segment_papers")),
    )
    op.create_index("ix_segment_papers_paper_id", "segment_papers", ["paper_id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", UntrustedText(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'cancelled', 'ambiguous')",
            name=op.f("ck_attempts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["edition_id", "subscriber_id"],
            ["deliveries.edition_id", "deliveries.subscriber_id"],
            name=op.f("fk_attempts_edition_id_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", "number", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_attempts_ambiguous",
        "attempts",
        ["edition_id", "subscriber_id"],
        unique=False,
        sqlite_where=sa.text("state = 'ambiguous'"),
        postgresql_where=sa.text("state = 'ambiguous'"),
    )
    op.create_table(
        "output_deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("queued_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", UntrustedText(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('queued', 'sending', 'deferred')) = (due_at IS NOT NULL)",
            name=op.f("ck_output_deliveries_open_is_due"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'cancelled', 'ambiguous')",
            name=op.f("ck_output_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_output_deliveries_edition_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_output_deliveries")),
        sa.UniqueConstraint(
            "edition_id", "output", "destination", name=op.f("uq_output_deliveries_edition_id_output_destination")
        ),
    )
    op.create_index(
        "ix_output_deliveries_due_at",
        "output_deliveries",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "output_attempts",
        sa.Column("output_delivery_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("text", UntrustedText(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'deferred', 'failed', 'cancelled', 'ambiguous')",
            name=op.f("ck_output_attempts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["output_delivery_id"],
            ["output_deliveries.id"],
            name=op.f("fk_output_attempts_output_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("output_delivery_id", "number", name=op.f("pk_output_attempts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stopped_outputs",
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("reason", UntrustedText(), nullable=False),
        sa.PrimaryKeyConstraint("output", "destination", name=op.f("pk_stopped_outputs")),
    )
    _execute(search_index.POSTGRESQL if _on_postgresql() else search_index.SQLITE)


def downgrade() -> None:
    _execute(search_index.POSTGRESQL_DROP if _on_postgresql() else search_index.SQLITE_DROP)
    for table in (
        "output_attempts",
        "output_deliveries",
        "stopped_outputs",
        "attempts",
        "segment_papers",
        "pick_reasons",
        "picked_papers",
        "deliveries",
        "subscriptions",
        "sightings",
        "segments",
        "feedback",
        "reading_list_papers",
        "reading_lists",
        "profiles",
        "paper_aliases",
        "paper_embeddings",
        "paper_records",
        "paper_summaries",
        "notice_attempts",
        "notices",
        "edition_papers",
        "qualified_papers",
        "opt_outs",
        "confirmations",
        "unsubscribe_mails",
        "changes",
        "address_requests",
        "address_changes",
        "bounces",
        "validators",
        "suppressions",
        "subscribers",
        "sources",
        "source_health",
        "settings",
        "servers",
        "oauth_tokens",
        "rates",
        "papers",
        "idempotency_keys",
        "host_limits",
        "api_usage",
        "editions",
        "connection_leases",
        "topic_models",
        "incidents",
        "runs",
        "source_days",
        "domain_days",
        "workers",
    ):
        op.drop_table(table)


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _execute(statements: tuple[str, ...]) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
