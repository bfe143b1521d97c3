"""Which papers an edition keeps: exactly those some choice of topics may need."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from digestmail.model.digests import Limits
from digestmail.model.papers import PaperId
from digestmail.model.selection import Outcome


class Keeper:
    """Is offered the papers that qualify, in order, and keeps those that stand within a limit for some reader.

    For a reader a paper stands under the topic it matches best of those the reader chose. So it stands under its third
    best topic only for who chose neither of its two best, and behind only such papers as stand under that topic for all
    of these readers: those whose better topics are among its own better topics. It is kept if under one of its topics
    fewer than the limit stand before it.
    """

    def __init__(self, limits: Limits, elsewhere: frozenset[PaperId], *, has_topics: bool) -> None:
        """`elsewhere` are papers some readers may have from another digest: these take no room."""
        self._limit = min(limits.max_per_topic, limits.max_papers) if has_topics else limits.max_papers
        self._elsewhere = elsewhere
        self._kept: defaultdict[str | None, Counter[frozenset[str]]] = defaultdict(Counter)
        self.refusal = Outcome.OVER_TOPIC_LIMIT if has_topics else Outcome.OVER_LIMIT
        """What becomes of a paper that is not kept."""

    def takes(self, paper_id: PaperId, topics: Sequence[str]) -> bool:
        """Keep the paper that matches `topics` (best first, none for the closing section) if some reader needs it."""
        under: Sequence[str | None] = topics or (None,)
        places = [(topic, frozenset(topics[:place])) for place, topic in enumerate(under)]
        free = [(topic, better) for topic, better in places if self._before(topic, better) < self._limit]
        if paper_id not in self._elsewhere:
            for topic, better in free:
                self._kept[topic][better] += 1
        return bool(free)

    def _before(self, topic: str | None, better: frozenset[str]) -> int:
        """Count the papers kept under `topic` that stand there for everybody who chose it and none of `better`."""
        return sum(papers for theirs, papers in self._kept[topic].items() if theirs <= better)
