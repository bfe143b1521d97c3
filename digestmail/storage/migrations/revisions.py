"""The revisions of the schema that this version knows."""

from __future__ import annotations

from typing import Final

REVISIONS: Final = ("0001",)
"""All migrations, the newest last. A test compares them with `migrations/versions`."""
HEAD: Final = REVISIONS[-1]


def revision_problem(revision: str | None) -> str | None:
    """Return what is wrong with a database that has the schema `revision`, or None. A new database has no revision."""
    if revision is None or revision in REVISIONS:
        return None
    return (
        f"was made by a newer version of digestmail (its schema is {revision}, and this version knows {HEAD}): "
        "install that version"
    )
