"""Writes the previewed email and a JSON report of the lint rules to files, for use in CI."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from digestmail.preview.options import PreviewOptions
from digestmail.preview.service import NotShownError, PreviewService
from digestmail.preview.views import PreviewedEmail, View


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReport:
    """The written files, and the results of the lint rules."""

    files: tuple[Path, ...]
    failed: tuple[str, ...]
    """A sentence for each failed rule."""
    octets: int
    limit: int


def write(service: PreviewService, options: PreviewOptions, directory: Path) -> OutputReport:
    """Write `mail.html`, `mail.txt`, `mail.eml` and `rules.json` to `directory`, which is created if necessary.

    Raises DigestmailError, without writing anything, if there is no email.
    """
    view = service.render(options)
    email = view.email
    if email is None:
        raise NotShownError("\n".join(view.problem.lines) if view.problem else "there is no email to show")
    directory.mkdir(parents=True, exist_ok=True)
    contents = {
        "mail.html": email.html.encode(),
        "mail.txt": email.text.encode(),
        "mail.eml": email.message,
        "rules.json": json.dumps(_report(view, email), indent=2, ensure_ascii=False).encode() + b"\n",
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return OutputReport(
        files=tuple(directory / name for name in contents),
        failed=tuple(f"{rule.chapter} {rule.name}: {rule.detail}" for rule in email.failed),
        octets=email.octets,
        limit=email.limit,
    )


def _report(view: View, email: PreviewedEmail) -> dict[str, Any]:
    return {
        "digest": view.options.digest,
        "edition": view.options.edition,
        "reader": view.options.reader,
        "subject": email.subject,
        "papers": email.papers,
        "shortened": email.shortened,
        "octets": email.octets,
        "limit": email.limit,
        "passed": not email.failed,
        "rules": [asdict(rule) for rule in email.rules],
    }
