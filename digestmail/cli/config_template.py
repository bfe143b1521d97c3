"""The configuration `digestmail init` writes."""

from __future__ import annotations

import json
from pathlib import Path

_STARTER = """\
# A small configuration; config.example.toml in the project documents every key.
[mail]
sender = {sender}
{transport}
[[sources]]
name = "huggingface"
kind = "huggingface"

[[digests]]
name = "daily"
title = "Trending papers"
byline = "by AK and the research community"
schedule = "0 12 * * *"
timezone = "UTC"
sources = ["huggingface"]
"""


def starter(sender: str, maildir: Path | None, smtp: str) -> str:
    """Return the text of a small configuration. TOML's basic strings are JSON strings."""
    if maildir is not None:
        transport = f'transport = "maildir"\n\n[mail.maildir]\npath = {json.dumps(str(maildir))}\n'
    else:
        host, _, port = smtp.partition(":")
        transport = f"\n[mail.smtp]\nhost = {json.dumps(host)}\nport = {port or 25}\n"
    return _STARTER.format(sender=json.dumps(sender, ensure_ascii=False), transport=transport)
