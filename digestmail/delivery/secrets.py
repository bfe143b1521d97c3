"""The installation's signing secrets: made the first time they are needed, rotated when you ask."""

from __future__ import annotations

from digestmail.delivery.epoch import EpochFile
from digestmail.storage import settings
from digestmail.storage.database import Database
from digestmail.text.credentials import new_secret


def signing_secrets(database: Database) -> tuple[str, ...]:
    """Return the secrets, the newest first: it signs, and all of them verify. Writes only if there are none yet."""
    with database.connect() as connection:
        found = settings.find_secrets(connection)
    if found:
        return found
    with database.begin() as connection:
        return settings.secrets(connection, new_secret)


def rotate_secrets(database: Database, epoch: EpochFile, *, forget: bool) -> int:
    """Sign with a new secret from now on; return how many are kept. With `forget` only the new one is.

    `epoch` knows this database by its oldest secret, so it is noted again under the one that is the oldest now.
    """
    seen = epoch.seen
    with database.begin() as connection:
        kept = settings.rotate(connection, new_secret, forget=forget)
    if seen:
        epoch.renamed(signing_secrets(database)[-1]).note(seen)
    return kept
