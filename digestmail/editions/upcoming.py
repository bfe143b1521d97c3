"""Which papers the next editions are likely to contain, and in which languages they are read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from digestmail.editions import cadence
from digestmail.editions.compose import Composed, compose, upcoming_slot
from digestmail.errors import DigestmailError
from digestmail.model.digests import Digest
from digestmail.model.papers import Paper
from digestmail.storage import audience
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.summaries")

_SOON: Final = timedelta(hours=24)
"""Papers of editions further ahead may change a lot before."""


def papers_to_summarize(
    database: Database, digests: Sequence[Digest], now: datetime, horizon: datetime
) -> list[tuple[Paper, str]]:
    """Return the papers of the editions of the next 24 hours, each once with each language of their readers.

    The edition that is due first comes first, and the language of the digest before those that readers chose, the most
    frequent one first. Digests without a language model are left out. `horizon` is the latest possible time.
    """
    editions = [
        (composed.edition.slot.at, digest, composed)
        for digest in digests
        if digest.summary_model is not None
        for composed in _composed(database, digest, now, horizon)
    ]
    found = chain.from_iterable(
        _papers(database, digest, composed) for _, digest, composed in sorted(editions, key=lambda one: one[0])
    )
    return list({(paper.id, language): (paper, language) for paper, language in found}.values())


def _composed(database: Database, digest: Digest, now: datetime, horizon: datetime) -> Iterator[Composed]:
    """Yield the next edition of a digest, and of those of its variants that readers chose, if they are due soon."""
    for one in (digest, *cadence.chosen(database, digest, now)):
        try:
            with database.connect() as connection:
                slot = upcoming_slot(connection, one, now, horizon)
                if slot.at - now > _SOON:
                    continue
                composed = compose(connection, one, slot, now, horizon)
        except DigestmailError as error:
            # Publishing reports it, and must not wait for it.
            log.warning("the papers of digest %s are not summarized: %s", one.name, error)
            continue
        yield composed


def _papers(database: Database, digest: Digest, composed: Composed) -> Iterator[tuple[Paper, str]]:
    with database.connect() as connection:
        chosen = audience.languages(connection, digest.base)
    for language in dict.fromkeys((digest.look.language, *chosen)):
        yield from ((entry.paper, language) for entry in composed.edition.entries)
