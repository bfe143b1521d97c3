"""The messages of one edition in one language, of which each has another choice of its papers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from digestmail.errors import RenderError
from digestmail.mail.assembly import Assembly
from digestmail.mail.message import MessageTemplate
from digestmail.mail.parts import CannotAssembleError
from digestmail.model.editions import Edition
from digestmail.model.selection import Section

Whole: TypeAlias = Callable[[Edition, tuple[Section, ...]], MessageTemplate]
"""Renders an email as a whole. Raises RenderError."""

FEW: Final = 8
"""Messages of an edition that are rendered as a whole. For so many, it takes as long to render the parts."""

log = logging.getLogger("digestmail.mail")


def warn(reason: str) -> None:
    """Log why emails of an edition are not assembled."""
    log.warning("every email of this edition is rendered as a whole, which takes longer: %s", reason)


class EditionMessages:
    """Renders the first messages, and assembles all others unless your own templates do not allow that."""

    def __init__(
        self, make: Callable[[], Assembly], whole: Whole, *, few: int = FEW, tell: Callable[[str], None] = warn
    ) -> None:
        """After `few` messages, take what `make` returns, unless it raises RenderError or CannotAssembleError.

        `tell` is called once if messages cannot be assembled (any more), with the reason.
        """
        self._make: Callable[[], Assembly] | None = make
        self._whole = whole
        self._few = few
        self._tell = tell
        self._compared: set[tuple[object, ...]] = set()
        self._assembly: Assembly | None = None

    def message(self, edition: Edition, sections: tuple[Section, ...]) -> MessageTemplate:
        """Return the message with `sections` of `edition`. Raises RenderError.

        The first message with the same cards is also rendered as a whole, and both are compared.
        """
        if self._few or self._make is None:
            self._few = max(self._few - 1, 0)
            return self._whole(edition, sections)
        try:
            self._assembly = self._assembly or self._make()
            made, shape = self._assembly.message(edition, sections)
        except (RenderError, CannotAssembleError) as error:
            self._give_up(str(error))
            return self._whole(edition, sections)
        if shape not in self._compared:
            whole = self._whole(edition, sections)
            if not made.same_as(whole):
                self._give_up("the parts do not add up to the email: call them as the built-in files do")
                return whole
            self._compared.add(shape)
        return made

    def _give_up(self, reason: str) -> None:
        self._make = self._assembly = None
        self._tell(reason)
