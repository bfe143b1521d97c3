"""The bundled sample as an edition of any digest."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.config.load import load
from digestmail.demo.run import MORNING, demo_config
from digestmail.demo.services import SAMPLE_DAY, serving
from digestmail.editions.compose import find_candidates
from digestmail.model.digests import Digest, FilterRules
from digestmail.model.editions import Edition, Slot
from digestmail.model.selection import Candidate
from digestmail.selection.select import select

_SLOT = Slot(at=datetime(2026, 4, 2, 5, 0, tzinfo=UTC), key=SAMPLE_DAY.isoformat(), day=SAMPLE_DAY)
_SINCE = _SLOT.at - timedelta(days=2)


def sample_edition(digest: Digest) -> Edition:
    """Return the sample as an edition of `digest`, with the digest's title, topics, limits and weights.

    Its papers and date are the sample's. The rules of the digest are not applied, because a digest that keeps few
    papers would have an empty sample. The first call in a process reads the sample through the real sources over
    loopback, which takes about a second.
    """
    candidates = _candidates()
    selection = select(candidates, replace(digest, rules=FilterRules()), SAMPLE_DAY, published={})
    return Edition(
        digest=digest.name,
        slot=_SLOT,
        title=digest.title,
        byline=digest.byline,
        composed_at=MORNING,
        entries=selection.entries,
        beyond=selection.beyond,
        topics=tuple(topic.name for topic in digest.topics),
        limits=digest.limits,
        considered=len(candidates),
        reason="" if selection.entries else f"none of the sample's {len(candidates)} papers qualified",
    )


@cache
def _candidates() -> tuple[Candidate, ...]:
    with tempfile.TemporaryDirectory(prefix="digestmail-sample-") as directory, serving() as services:
        path = Path(directory) / "config.toml"
        path.write_text(demo_config(services=services, smtp_host="localhost", smtp_port=25), "utf-8")
        with App(load(path, environment=None), path.parent, SystemClock(MORNING)) as app:
            app.collect()
            (digest,) = app.digests
            return find_candidates(app.database, digest, _SINCE, app.clock.now())
