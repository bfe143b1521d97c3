"""`[alerts]`: what tells the operator about problems."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from digestmail.config.values import Mailbox, Name, Table

ALERT_KINDS = ("webhook", "apprise")
"""The kinds of outputs that can send alerts."""
QuietHours = Annotated[str, StringConstraints(pattern=r"^([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-3])$")]


class AlertsTable(Table):
    """`[alerts]`."""

    to: Mailbox | None = None
    outputs: tuple[Name, ...] = ()
    after_minutes: int = Field(default=45, ge=0, le=10_080)
    quiet_hours: QuietHours | None = None
    timezone: str = "UTC"

    def quiet(self) -> tuple[int, int] | None:
        """Return the hours (0 to 23) from which to which no alert is sent; None if there are none."""
        if self.quiet_hours is None:
            return None
        first, _, end = self.quiet_hours.partition("-")
        return int(first), int(end)
