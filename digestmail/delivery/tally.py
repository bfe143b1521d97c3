"""Count what a run did, and write one line a message into the mail log."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from digestmail.model.deliveries import Attempted, ClaimedMessage, Delivery, DeliveryState, Notice
from digestmail.text.addresses import split_address

mail_log = logging.getLogger("digestmail.mail")

_ENDED = frozenset({DeliveryState.SENT, DeliveryState.FAILED})
_TROUBLES = frozenset({DeliveryState.DEFERRED, DeliveryState.FAILED, DeliveryState.AMBIGUOUS})


class Tally:
    """The messages of one run, by kind and by the last state of each."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        """`progress` is called with the number of messages that are finished."""
        self._progress = progress
        self.counts: dict[type[ClaimedMessage], Counter[DeliveryState]] = {Delivery: Counter(), Notice: Counter()}
        self._deferred: set[tuple[int, int]] = set()
        """The messages that were deferred, without the fence of their claims: a message counts once."""
        self._finished = 0
        self._domains: dict[str, Counter[DeliveryState]] = defaultdict(Counter)
        """Deliveries of editions that were sent or failed, by the recipient's domain."""
        self.editions: set[int] = set()
        """The ids of the editions of which a delivery ended or was deferred."""
        self.trouble = ""
        """What the server said about the last message that was not accepted."""

    def add(self, message: ClaimedMessage, result: Attempted, *, recorded: bool) -> None:
        """Count a result. It was not `recorded` when another worker holds the message now."""
        if not result.begun and result.state is not DeliveryState.CANCELLED:
            return
        if mail_log.isEnabledFor(logging.INFO):
            _log(message, result, recorded=recorded)
        if recorded:
            self._count(message, result.state)
        if result.state in _TROUBLES:
            self.trouble = result.text
        self._progress(self._finished)

    def _count(self, message: ClaimedMessage, state: DeliveryState) -> None:
        """Count a message under its last state: one that a server did not accept at once is deferred, and then sent."""
        counts = self.counts[type(message)]
        if self._deferred or state is DeliveryState.DEFERRED:
            key = message.claim[:2]
            if key in self._deferred:
                self._deferred.discard(key)
                counts[DeliveryState.DEFERRED] -= 1
                self._finished -= 1
            if state is DeliveryState.DEFERRED:
                self._deferred.add(key)
        counts[state] += 1
        self._finished += 1
        if isinstance(message, Delivery):
            self.editions.add(message.edition_id)
        if state in _ENDED and isinstance(message, Delivery):
            self._domains[split_address(message.address)[1].lower()][state] += 1

    def by_domain(self) -> dict[str, tuple[int, int]]:
        """Return (sent, failed) of the deliveries by the recipient's domain."""
        return {name: (each[DeliveryState.SENT], each[DeliveryState.FAILED]) for name, each in self._domains.items()}

    def reopen(self, counts: Mapping[type[ClaimedMessage], int]) -> None:
        """Correct the counts for messages that had failed and are open again."""
        for kind, count in counts.items():
            self.counts[kind][DeliveryState.FAILED] -= count
            self.counts[kind][DeliveryState.DEFERRED] += count


def _log(message: ClaimedMessage, result: Attempted, *, recorded: bool) -> None:
    """Write the line of one attempt: `key=value` as text, the same keys as JSON."""
    if isinstance(message, Delivery):
        about: dict[str, object] = {"edition": message.edition_id}
    else:
        about = {"notice": message.id, "kind": str(message.kind)}
    fields = about | {
        "subscriber": message.subscriber_id,
        "attempt": message.attempts,
        "state": str(result.state),
        "code": result.code,
        "ms": result.milliseconds,
        "recorded": recorded,
        "text": result.text,
    }
    words = {**fields, "recorded": "yes" if recorded else "no, another worker holds it", "text": repr(result.text)}
    line = " ".join(f"{key}={'-' if value is None else value}" for key, value in words.items())
    mail_log.info("%s", line, extra={"fields": fields})
