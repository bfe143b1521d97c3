"""Finds with how few cuts an email fits the size limit. Pure."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

from digestmail.errors import RenderError
from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.view_model import CUTS_PER_PAPER

_SMALL_EXCESS: Final = 5_000
"""Octets over the limit up to which leaving out links to citations may suffice."""


def fewest_cuts(octets_after: Callable[[int], int], papers: int) -> int:
    """Return almost the smallest number of cuts with which an email of `papers` papers fits. Raises RenderError.

    `octets_after` returns the size of the email after a number of cuts. Within a round of cuts, which leaves the same
    out of every paper, the size falls almost evenly, so the search interpolates: the Illinois method (Dowell and
    Jarratt, BIT 11, 1971). It ends when less room is left than one cut makes on average.
    """
    excess_uncut = octets_after(0) - LARGEST_MESSAGE
    if excess_uncut < 0:
        return 0
    too_few, over, enough, left = _round(octets_after, papers, excess_uncut)
    lacking, room, fitted = over, left, None
    while enough - too_few > 1 and left * (enough - too_few) > lacking + left:
        guess = too_few + ceil((enough - too_few) * over / (over + room))
        cuts = min(max(guess, too_few + 1), enough - 1)
        excess = float(octets_after(cuts) - LARGEST_MESSAGE)
        # An end that stays twice counts half, so that the next guess lies nearer to it.
        if excess < 0:
            enough, left = cuts, -excess
            room, over = left, over / 2 if fitted is True else over
        else:
            too_few, lacking = cuts, excess
            over, room = lacking, room / 2 if fitted is False else room
        fitted = excess < 0
    return enough


def _round(octets_after: Callable[[int], int], papers: int, over: float) -> tuple[int, float, int, float]:
    """Return the round of cuts with which the email begins to fit. Raises RenderError.

    That is the cuts before it, the octets over the limit after those, the cuts after it, and the octets left then.
    """
    too_few, enough, left = 0, CUTS_PER_PAPER, None
    rounds = 1 if over < _SMALL_EXCESS else 2 if over < LARGEST_MESSAGE else 3
    while left is None or enough - too_few > 1:
        octets = octets_after(rounds * papers)
        if octets < LARGEST_MESSAGE:
            enough, left = rounds, LARGEST_MESSAGE - octets
        elif rounds == CUTS_PER_PAPER:
            raise RenderError(
                "email/edition.mjml: even without papers the email is too large: "
                f"{octets:,} of {LARGEST_MESSAGE:,} octets"
            )
        else:
            too_few, over = rounds, octets - LARGEST_MESSAGE
        rounds = min(rounds + 1, CUTS_PER_PAPER) if left is None else enough - 1
    return too_few * papers, float(over), enough * papers, float(left)
