"""Reads what the search for trending papers needs. Read-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from digestmail.model.digests import Digest
from digestmail.model.editions import Slot
from digestmail.model.papers import Paper
from digestmail.model.selection import Trending
from digestmail.selection.trending import OLDEST, trending
from digestmail.storage import archive, papers


def find_trending(connection: Connection, digest: Digest, slot: Slot, now: datetime) -> tuple[Trending, ...]:
    """Return the papers of earlier editions of `digest` that trend at `now`, for the edition of `slot`."""
    earlier = archive.between(connection, digest.name, slot.at - OLDEST, slot.at)
    paper_ids = [entry.paper.id for edition in earlier for entry in edition.entries]
    return trending(earlier, papers.latest(connection, paper_ids, digest.sources, now), slot.day)


def trended(connection: Connection, digest: str, slot: Slot, paper: Paper) -> tuple[Slot, Trending] | None:
    """Return in which edition of `digest` a paper trended that the edition of `slot` contained; None if in none."""
    names = {paper.id, *paper.aliases}
    for edition in archive.between(connection, digest, slot.at, slot.at + OLDEST + OLDEST):
        for one in edition.trending:
            if names & {one.paper.id, *one.paper.aliases}:
                return edition.slot, one
    return None
