"""Many bounces of one kind from one domain within a day: a block, and not so many dead addresses. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(days=1)
FEWEST: Final = 5
"""Fewer readers of one domain may well have gone on one day: a closed department, the first mail after an import."""
_SHARE: Final = 4
"""One reader in so many: addresses die by the hundredth a month, and even an old list has one dead in ten."""
_STEPS: Final = 20
_WORDS: Final = 12
"""Words that tell one refusal from another; session ids and addresses to write to come behind them."""

_TOKEN = re.compile(r"\S+")
_EDGES = "<>()[]{}\"'`,;:.!?-=*#"
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainBlock:
    """One domain refused a large part of its readers' mail within a day, always with the same words."""

    domain: str
    refused: int
    """Readers."""
    mailed: int
    """Readers at the domain who were sent these editions."""
    text: str
    """What the domain's server said last."""
    at: datetime

    def __str__(self) -> str:
        """Return the sentence reports show."""
        return (
            f"{self.domain} refused {self.refused} of {self.mailed} readers within a day, all alike, which is a block: "
            f"no reader is suppressed for it; {self.domain} said: {self.text}"
        )


def is_block(refused: int, mailed: int) -> bool:
    """Return whether `refused` of the `mailed` readers at one domain are too many to be addresses that died."""
    return refused >= FEWEST and refused * _SHARE >= mailed


def enough_to_know(refused: int) -> int:
    """Return how many mailed readers are worth counting: with one more it is no block whatever the number."""
    return refused * _SHARE + 1


def is_worth_counting(refused: int) -> bool:
    """Return whether a block is to be looked for at this number of refused readers.

    From twenty on, each time it has grown by a twentieth: a domain with thousands of dead addresses must not have its
    readers counted thousands of times.
    """
    return refused >= FEWEST and refused % max(1, refused // _STEPS) == 0


def reason_of(status: str | None, text: str, address: str) -> str:
    """Return what makes two refusals the same: the status and the words, without addresses, hosts, ids and numbers."""
    code = status or next(iter(_CODE.findall(text)), "")
    local = set(_WORD.findall(address.rpartition("@")[0].casefold()))
    words: list[str] = []
    for token in _TOKEN.findall(text[:1000].casefold()):
        bare = token.strip(_EDGES)
        if _WORD.fullmatch(bare) and bare not in local:
            words.append(bare)
            if len(words) == _WORDS:
                break
    return " ".join([code, *words]).strip()
