"""Many bounces of one kind from one domain within a day: a block, and not so many dead addresses. Pure."""

from __future__ import annotations

from typing import Final

FEWEST: Final = 5
"""Fewer readers of one domain may well have gone on one day: a closed department, the first mail after an import."""
_SHARE: Final = 4
"""One reader in so many: addresses die by the hundredth a month, and even an old list has one dead in ten."""
_STEPS: Final = 20


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
