"""The demo: the real operations on a bundled sample, with a feed server and a receiving mail server on loopback."""

from __future__ import annotations

import email
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.config.load import load
from digestmail.demo.receiver import receiving
from digestmail.demo.services import serving
from digestmail.errors import DigestmailError
from digestmail.model.reports import RunReport
from digestmail.subscribers import admin

_READER = "reader@example.org"
_MARK = ".digestmail-demo"
MORNING = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)
"""The morning on which the sample was announced."""

_CONFIG = """\
database = "sqlite:///digestmail.db"

[mail]
sender = "Trending papers <digest@example.org>"

[mail.smtp]
host = "{smtp_host}"
port = {smtp_port}

[network]
allow_private_hosts = ["127.0.0.1"]

[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{services}"

[[sources]]
name = "arxiv"
kind = "arxiv-feed"
base_url = "{services}"
categories = ["cs.LG", "cs.CL", "cs.AI"]

[[sources]]
name = "blog"
kind = "feed"
url = "{services}/feed.atom"

[[topics]]
name = "Agents"
keywords = ["agent", "tool use", "computer use"]
description = "language models that plan, call tools and act on their own"

[[topics]]
name = "Efficient models"
keywords = ["quantization", "sparse", "pruning", "memory-efficient", "distillation", "low-rank"]
description = "training and serving large models with less memory, time and energy"

[[topics]]
name = "Vision and video"
keywords = ["image", "video", "vision", "diffusion", "3D"]
categories = ["cs.CV"]

[[digests]]
name = "daily"
title = "Trending papers"
byline = "by AK and the research community"
schedule = "0 7 * * *"
timezone = "Europe/Berlin"
sources = ["huggingface", "arxiv", "blog"]
topics = ["Agents", "Efficient models", "Vision and video"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What the demo did, and where to look."""

    run: RunReport
    mail: Path
    page: Path
    text: Path


def demo_config(*, services: str, smtp_host: str, smtp_port: int) -> str:
    """Return the demo's configuration as TOML; `services` is the base URL of the sample."""
    return _CONFIG.format(services=services, smtp_host=smtp_host, smtp_port=smtp_port)


def demonstrate(output: Path) -> DemoReport:
    """Run collect, publish and deliver on the sample. `output` is replaced and contains all results.

    Raises DigestmailError if `output` contains anything but an earlier demo.
    """
    _clear(output)
    mailbox = output / "mailbox"
    with serving() as services, receiving(mailbox) as (smtp_host, smtp_port):
        config = output / "config.toml"
        config.write_text(demo_config(services=services, smtp_host=smtp_host, smtp_port=smtp_port), "utf-8")
        with App(load(config, environment=None), output.resolve(), SystemClock(MORNING)) as app:
            admin.add(app.database, app.digests, _READER, "daily", (), app.clock.now())
            report = app.run()
    return _report(output, report, mailbox)


def _clear(output: Path) -> None:
    """Replace `output`. Only a directory with the demo's own marker file is ever deleted."""
    if output.is_dir() and any(output.iterdir()):
        if not (output / _MARK).is_file():
            raise DigestmailError(f"{output} is not empty and not from an earlier demo; choose another --output")
        for made in output.iterdir():
            if made.is_dir():
                shutil.rmtree(made)
            else:
                made.unlink()
    output.mkdir(parents=True, exist_ok=True)
    (output / _MARK).write_text("digestmail demo made this directory, and empties it when it runs again.\n", "utf-8")


def _report(output: Path, report: RunReport, mailbox: Path) -> DemoReport:
    received = sorted((mailbox / "new").iterdir())
    if not received:
        raise DigestmailError("the demo delivered no email")
    message = email.message_from_bytes(received[0].read_bytes(), policy=policy.default)
    page, text = output / "mail.html", output / "mail.txt"
    page.write_text(_part(message, "html"), "utf-8")
    text.write_text(_part(message, "plain"), "utf-8")
    return DemoReport(run=report, mail=received[0], page=page, text=text)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    content = part.get_content() if part is not None else None
    if not isinstance(content, str):
        raise DigestmailError(f"the demo's email has no {kind} part")
    return content
