"""Editions: what was published, and which papers each group of subscribers got."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, SmallInteger, Table, Text, UniqueConstraint

from digestmail.model.personal import PickKind
from digestmail.storage.schema.columns import Moment, UntrustedText, metadata, one_of

editions = Table(
    "editions",
    metadata,
    Column("id", Integer, primary_key=True),
    # The name of a digest, or of a variant such as `daily@weekly`.
    Column("digest", Text, nullable=False),
    # The name of the configured digest, which readers subscribe to.
    Column("base", Text, nullable=False, index=True),
    Column("slot", Text, nullable=False),
    Column("slot_at", Moment, nullable=False),
    Column("composed_at", Moment, nullable=False),
    # How many deliveries were queued; their states must add up to this number.
    Column("recipients", Integer),
    # `model.Edition` as JSON. The archive is rendered from it.
    Column("content", Text, nullable=False),
    # The number of papers for a subscriber who gets all topics.
    Column("papers", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("digest", "slot"),
    # For the last editions of all digests.
    Index(None, "slot_at"),
    # A covering index for lists of editions, because the rows with their content are slow to read.
    Index("ix_editions_line", "digest", "slot_at", "papers", "slot", "composed_at"),
)

edition_papers = Table(
    "edition_papers",
    metadata,
    Column("edition_id", ForeignKey("editions.id"), primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("position", SmallInteger, nullable=False),
    # The topic that the paper matches best.
    Column("topic", Text),
    Column("score", Float, nullable=False),
    UniqueConstraint("digest", "paper_id"),
    Index(None, "paper_id"),
    # For listing the topics without reading every paper.
    Index(None, "topic"),
)

# The papers that qualified for an edition, under each topic that they match: those it contains, and those over a limit.
qualified_papers = Table(
    "qualified_papers",
    metadata,
    Column("edition_id", ForeignKey("editions.id"), primary_key=True),
    # Empty for papers that match no topic.
    Column("topic", Text, primary_key=True),
    # As when the edition was composed; 1 is the best.
    Column("rank", Integer, primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), nullable=False),
    # For listing the papers of a topic, newest first.
    Index(None, "topic", "paper_id"),
)

# The papers that were picked for single readers. What they got is in `deliveries.picks`: positions and reasons.
picked_papers = Table(
    "picked_papers",
    metadata,
    Column("edition_id", ForeignKey("editions.id"), primary_key=True),
    # From 1: the position in `edition_papers`, or a higher one for papers that the edition does not contain.
    Column("position", Integer, primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), nullable=False, index=True),
    # `model.Entry` as JSON, if the edition does not contain the paper.
    Column("content", Text),
)

pick_reasons = Table(
    "pick_reasons",
    metadata,
    Column("edition_id", ForeignKey("editions.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("title", UntrustedText, nullable=False),
    Column("names", JSON, nullable=False),
    # The reader whom the reason says something about. NULL means that several readers may share it.
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), index=True),
    one_of("kind", PickKind),
)

segments = Table(
    "segments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("edition_id", ForeignKey("editions.id"), nullable=False, index=True),
    Column("topics", JSON, nullable=False),
    # Pairs of a topic (null for the last section) and how many of its papers did not fit.
    Column("more", JSON, nullable=False),
    # NULL means the digest's language.
    Column("language", Text),
)

segment_papers = Table(
    "segment_papers",
    metadata,
    Column("segment_id", ForeignKey("segments.id"), primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    Index(None, "paper_id"),
)
