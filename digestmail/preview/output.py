"""The same as files, for CI: what the page shows, and a report on the rules that programs can read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from digestmail.preview.options import PreviewOptions
from digestmail.preview.service import NotShownError, PreviewService
from digestmail.preview.views import Shown, View


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReport:
    """What was written, and how the mail did."""

    files: tuple[Path, ...]
    failed: tuple[str, ...]
    """One sentence for each broken rule."""
    octets: int
    limit: int


def write(desk: PreviewService, asked: PreviewOptions, directory: Path) -> OutputReport:
    """Write `mail.html`, `mail.txt`, `mail.eml` and `rules.json` into `directory`, made if it is not there.

    Raises DigestmailError when there is no mail to write; then nothing is written.
    """
    view = desk.look(asked)
    shown = view.shown
    if shown is None:
        raise NotShownError("\n".join(view.fault.lines) if view.fault else "there is no mail to show")
    directory.mkdir(parents=True, exist_ok=True)
    contents = {
        "mail.html": shown.html.encode(),
        "mail.txt": shown.text.encode(),
        "mail.eml": shown.message,
        "rules.json": json.dumps(_report(view, shown), indent=2, ensure_ascii=False).encode() + b"\n",
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return OutputReport(
        files=tuple(directory / name for name in contents),
        failed=tuple(f"{rule.chapter} {rule.name}: {rule.detail}" for rule in shown.failed),
        octets=shown.octets,
        limit=shown.limit,
    )


def _report(view: View, shown: Shown) -> dict[str, Any]:
    return {
        "digest": view.asked.digest,
        "edition": view.asked.edition,
        "reader": view.asked.reader,
        "subject": shown.subject,
        "papers": shown.papers,
        "shortened": shown.shortened,
        "octets": shown.octets,
        "limit": shown.limit,
        "passed": not shown.failed,
        "rules": [asdict(rule) for rule in shown.rules],
    }
