"""`[logs]`: what is logged, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from digestmail.config.values import Table
from digestmail.logs.setup import LogSettings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
"""As in the module logging, which is loaded only where something is logged."""


class LogsTable(Table):
    """`[logs]`: what is logged, and where."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] | None = None
    mail_log: Path | None = None

    def settings(self, base: Path) -> LogSettings:
        """Return how to log. A relative path begins at `base`."""
        return LogSettings(
            json=self.format == "json",
            level=None if self.level is None else _LEVELS[self.level],
            mail_log=None if self.mail_log is None else base / self.mail_log,
        )
