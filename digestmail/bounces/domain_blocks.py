"""Recognizes a block: many similar bounces from one domain within a day. Pure."""

from __future__ import annotations

from typing import Final

FEWEST: Final = 5
"""Fewer addresses of one domain may well disappear in a day, such as those of a closed department."""
_SHARE: Final = 4
"""At least a quarter of the recipients. About 1% of addresses die each month, and up to 10% of an old list are dead."""
_STEPS: Final = 20


def is_block(refused: int, mailed: int) -> bool:
    """Return whether `refused` of `mailed` recipients at a domain are too many to be dead addresses."""
    return refused >= FEWEST and refused * _SHARE >= mailed


def enough_to_know(refused: int) -> int:
    """Return the number of recipients above which `refused` refusals cannot be a block."""
    return refused * _SHARE + 1


def is_worth_counting(refused: int) -> bool:
    """Return whether to check for a block at this number of refused recipients.

    From twenty on, this is each time the number has grown by 5%. Otherwise the recipients of a domain with thousands of
    dead addresses would be counted thousands of times.
    """
    return refused >= FEWEST and refused % max(1, refused // _STEPS) == 0
