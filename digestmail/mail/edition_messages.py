"""The messages of one edition in one language, for readers who each get another choice of its papers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from digestmail.errors import RenderError
from digestmail.mail.assembly import Assembly
from digestmail.mail.message import MessageTemplate
from digestmail.mail.parts import CannotAssembleError
from digestmail.model.editions import Edition
from digestmail.model.selection import Section

Whole: TypeAlias = Callable[[Edition, tuple[Section, ...]], MessageTemplate]
"""Renders an email as a whole. Raises RenderError."""

log = logging.getLogger("digestmail.mail")


def warn(reason: str) -> None:
    """Log why emails of an edition are not assembled."""
    log.warning("every email of this edition is rendered as a whole, which takes longer: %s", reason)


class EditionMessages:
    """Assembles messages, or renders each as a whole if your own templates do not allow anything else."""

    def __init__(self, make: Callable[[], Assembly], whole: Whole, tell: Callable[[str], None] = warn) -> None:
        """Take what `make` returns, unless it raises RenderError or CannotAssembleError.

        `tell` is called once if messages cannot be assembled (any more), with the reason.
        """
        self._whole = whole
        self._tell = tell
        self._compared: set[tuple[object, ...]] = set()
        self._assembly: Assembly | None = None
        try:
            self._assembly = make()
        except (RenderError, CannotAssembleError) as error:
            self._give_up(str(error))

    def message(self, edition: Edition, sections: tuple[Section, ...]) -> MessageTemplate:
        """Return the message with `sections` of `edition`. Raises RenderError.

        The first message with the same cards is also rendered as a whole, and both are compared.
        """
        if self._assembly is None:
            return self._whole(edition, sections)
        try:
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
        self._assembly = None
        self._tell(reason)
