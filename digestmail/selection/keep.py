"""Decides which papers an edition keeps: those that some choice of topics may need."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from digestmail.model.digests import Limits
from digestmail.model.papers import PaperId
from digestmail.model.selection import Outcome


class Keeper:
    """Receives the qualifying papers in order, and keeps those that are within a limit for some subscriber.

    A subscriber sees a paper under the best matching of the topics they chose. So a paper appears under its third best
    topic only for subscribers who chose neither of its two best topics. The papers that precede it for all of these
    subscribers are those whose better topics are among its own better topics. A paper is kept if, under one of its
    topics, fewer papers than the limit precede it.
    """

    def __init__(self, limits: Limits, elsewhere: frozenset[PaperId], *, has_topics: bool) -> None:
        """`elsewhere` are papers that some subscribers received from another digest. They do not use up the limit."""
        self._limit = min(limits.max_per_topic, limits.max_papers) if has_topics else limits.max_papers
        self._elsewhere = elsewhere
        self._kept: defaultdict[str | None, Counter[frozenset[str]]] = defaultdict(Counter)
        self.refusal = Outcome.OVER_TOPIC_LIMIT if has_topics else Outcome.OVER_LIMIT
        """What happens to a paper that is not kept."""

    def takes(self, paper_id: PaperId, topics: Sequence[str]) -> bool:
        """Keep the paper with `topics` (best first, empty for the last section) if some subscriber needs it."""
        under: Sequence[str | None] = topics or (None,)
        places = [(topic, frozenset(topics[:place])) for place, topic in enumerate(under)]
        free = [(topic, better) for topic, better in places if self._before(topic, better) < self._limit]
        if paper_id not in self._elsewhere:
            for topic, better in free:
                self._kept[topic][better] += 1
        return bool(free)

    def _before(self, topic: str | None, better: frozenset[str]) -> int:
        """Count the kept papers that everyone who chose `topic` and none of `better` sees under it."""
        return sum(papers for theirs, papers in self._kept[topic].items() if theirs <= better)
