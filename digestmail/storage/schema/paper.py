"""Papers, the other names of each, and what the sources said about them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from digestmail.storage.schema.columns import Moment, metadata

papers = Table(
    "papers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    # Set when two papers turned out to be the same work; this row then only refers to the other.
    Column("merged_into", ForeignKey("papers.id")),
    Column("origin", SmallInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("abstract", Text, nullable=False),
    Column("raw_title", Text, nullable=False),
    Column("raw_abstract", Text, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("categories", JSON, nullable=False),
    Column("keywords", JSON, nullable=False),
    Column("published_at", Moment),
    Column("link", Text, nullable=False),
    Column("summary", Text),
    Column("organization", Text),
    Column("comment", Text),
    Column("discussion_url", Text),
    Column("code_url", Text),
    Column("project_url", Text),
    Column("thumbnail_url", Text),
    Column("withdrawn", Boolean, nullable=False),
    Column("first_seen_at", Moment, nullable=False, index=True),
    Column("updated_at", Moment, nullable=False),
)

_MERGED = text("merged_into IS NOT NULL")
Index("ix_papers_merged_into", papers.c.merged_into, sqlite_where=_MERGED)

paper_aliases = Table(
    "paper_aliases",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("paper_id", ForeignKey("papers.id"), nullable=False, index=True),
)

sightings = Table(
    "sightings",
    metadata,
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    # One row for each paper, source and UTC day. Growth is the difference between two rows.
    Column("seen_on", Date, primary_key=True),
    Column("day", Date, nullable=False),
    Column("upvotes", Integer),
    Column("comments", Integer),
    Column("stars", Integer),
    Column("announce_type", Text),
    Column("seen_at", Moment, nullable=False),
    Index(None, "source", "seen_at"),
    # For listing the papers of a source, newest first.
    Index(None, "source", "paper_id"),
)

topic_models = Table(
    "topic_models",
    metadata,
    # A hash of the topic's words: digests with the same topic share a row.
    Column("fingerprint", Text, primary_key=True),
    # Null if the papers say too little about the topic.
    Column("model", Text),
    Column("papers", Integer, nullable=False),
    # How many of the papers had an embedding.
    Column("embedded", Integer, nullable=False),
    Column("learned_on", Date, nullable=False),
)

paper_embeddings = Table(
    "paper_embeddings",
    metadata,
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    # The name of the model in the configuration.
    Column("model", Text, nullable=False),
    # Little-endian 16-bit floats; empty if the endpoint refused the text.
    Column("vector", LargeBinary, nullable=False),
    Index(None, "model"),
)

paper_summaries = Table(
    "paper_summaries",
    metadata,
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    # IETF tag.
    Column("language", Text, primary_key=True),
    # The name of the model in the configuration.
    Column("model", Text, nullable=False),
    # A hash of the title and the abstract that were summarized.
    Column("text_hash", Text, nullable=False),
    # Empty if no answer of the model passed the checks.
    Column("sentence", Text, nullable=False),
    Column("points", JSON, nullable=False),
    # Why the last answer was refused; empty if it was not.
    Column("problem", Text, nullable=False),
    # How many answers were refused.
    Column("refused", SmallInteger, nullable=False),
)

# What indexes of the literature know about a paper.
paper_records = Table(
    "paper_records",
    metadata,
    Column("paper_id", ForeignKey("papers.id"), primary_key=True),
    # `literature.IndexName`: which index knows this.
    Column("source", Text, primary_key=True),
    Column("citations", Integer),
    Column("venue", Text),
    # Where the index shows the paper.
    Column("url", Text),
    # When it was last asked for. The other columns are null if the index did not know the paper then.
    Column("read_at", Moment, nullable=False),
    Index(None, "source", "read_at"),
)
