"""The full-text index of papers: FTS5 on SQLite, a tsvector on PostgreSQL, both updated by triggers.

SQLAlchemy cannot describe either as a table, so `schema` and the migration use these statements.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, MetaData, event
from sqlalchemy.schema import ExecutableDDLElement

NAME: Final = "papers_fts"
"""The name of the table, and the prefix of the other tables that FTS5 creates."""

_AUTHORS = "(SELECT group_concat(value, ', ') FROM json_each({row}.authors))"
_OLD = f"VALUES ('delete', old.id, old.title, old.abstract, {_AUTHORS.format(row='old')});"
_NEW = (
    "INSERT INTO papers_fts(rowid, title, abstract, authors) "
    f"VALUES (new.id, new.title, new.abstract, {_AUTHORS.format(row='new')});"
)
_FORGET = f"INSERT INTO papers_fts(papers_fts, rowid, title, abstract, authors) {_OLD}"

SQLITE: Final = (
    # The index has no copy of the texts: FTS5 reads them through this view.
    f"CREATE VIEW papers_words AS SELECT id, title, abstract, {_AUTHORS.format(row='papers')} AS authors FROM papers",
    (
        "CREATE VIRTUAL TABLE papers_fts USING fts5(title, abstract, authors, content='papers_words', "
        "content_rowid='id', "
        "tokenize='porter unicode61 remove_diacritics 2')"
    ),
    f"CREATE TRIGGER papers_fts_insert AFTER INSERT ON papers BEGIN {_NEW} END",
    f"CREATE TRIGGER papers_fts_delete AFTER DELETE ON papers BEGIN {_FORGET} END",
    f"CREATE TRIGGER papers_fts_update AFTER UPDATE OF title, abstract, authors ON papers BEGIN {_FORGET} {_NEW} END",
)
SQLITE_DROP: Final = (
    "DROP TRIGGER IF EXISTS papers_fts_insert",
    "DROP TRIGGER IF EXISTS papers_fts_delete",
    "DROP TRIGGER IF EXISTS papers_fts_update",
    "DROP TABLE IF EXISTS papers_fts",
    "DROP VIEW IF EXISTS papers_words",
)

# PostgreSQL's parser treats `<think>` as a tag, skips everything between `<script>` and its end, and treats `a/b` as a
# file name. Here all of these are words.
_WORDS = (
    "setweight(to_tsvector('english', translate({row}.title, '<>/', '   ')), 'A') || "
    "setweight(to_tsvector('english', coalesce((SELECT string_agg(name, ', ') "
    "FROM json_array_elements_text({row}.authors) AS name), '')), 'B') || "
    # A tsvector is limited to one megabyte, so extremely long abstracts are cut.
    "setweight(to_tsvector('english', translate(left({row}.abstract, 100000), '<>/', '   ')), 'D')"
)
POSTGRESQL: Final = (
    (
        "CREATE TABLE papers_fts (paper_id INTEGER PRIMARY KEY REFERENCES papers(id) ON DELETE CASCADE, "
        "words tsvector NOT NULL)"
    ),
    "CREATE INDEX papers_fts_words ON papers_fts USING gin (words)",
    (
        "CREATE FUNCTION papers_fts_fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"INSERT INTO papers_fts (paper_id, words) VALUES (new.id, {_WORDS.format(row='new')}) "
        "ON CONFLICT (paper_id) DO UPDATE SET words = excluded.words; RETURN NULL; END $$"
    ),
    (
        "CREATE TRIGGER papers_fts_fill AFTER INSERT OR UPDATE OF title, abstract, authors ON papers "
        "FOR EACH ROW EXECUTE FUNCTION papers_fts_fill()"
    ),
)
POSTGRESQL_DROP: Final = (
    "DROP TRIGGER IF EXISTS papers_fts_fill ON papers",
    "DROP FUNCTION IF EXISTS papers_fts_fill()",
    "DROP TABLE IF EXISTS papers_fts",
)


def follow(metadata: MetaData) -> None:
    """Create the index with the tables of `metadata`, and drop it before them."""
    for dialect, made, dropped in (("sqlite", SQLITE, SQLITE_DROP), ("postgresql", POSTGRESQL, POSTGRESQL_DROP)):
        for statement in made:
            event.listen(metadata, "after_create", _ddl(statement, dialect))
        for statement in dropped:
            event.listen(metadata, "before_drop", _ddl(statement, dialect))


def _ddl(statement: str, dialect: str) -> ExecutableDDLElement:
    # DDL substitutes %(table)s and the like, which do not occur here.
    return DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)  # type: ignore[no-untyped-call] # SQLAlchemy's
