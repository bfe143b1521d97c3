"""`[bounces]`: where bounces arrive and what they weigh."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from digestmail.bounces.score import Scoring
from digestmail.config.oauth import OAuthTable
from digestmail.config.values import Line, Password, Table

_SCORING = Scoring()


class BouncesTable(Table):
    """`[bounces]`: where bounces and complaints arrive, and what they weigh."""

    kind: Literal["maildir", "mbox", "imap", "listen"] = "maildir"
    path: Path = Path("bounces")
    host: str = "localhost"
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "tls"
    ca_file: Path | None = None
    username: str | None = None
    password: Password | None = None
    password_file: Path | None = None
    oauth: OAuthTable | None = None
    allow_plaintext_password: bool = False
    folder: Line = "INBOX"
    timeout: float = Field(default=60.0, gt=0, le=3600)
    protocol: Literal["lmtp", "smtp"] = "lmtp"
    max_bytes: int = Field(default=10_000_000, ge=10_000)
    threshold: float = Field(default=_SCORING.threshold, gt=0)
    half_life_days: float = Field(default=_SCORING.half_life_days, gt=0, le=10_000)
    soft: float = Field(default=_SCORING.soft, ge=0)

    def scoring(self) -> Scoring:
        """Return when bounces suppress an address."""
        return Scoring(threshold=self.threshold, half_life_days=self.half_life_days, soft=self.soft)
