"""An installation to look at: two digests, three readers, an edition that is out, and a page on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.config.load import load
from digestmail.demo.receiver import receiving
from digestmail.demo.run import demo_config
from digestmail.demo.sample import sample_edition
from digestmail.demo.services import serving as services
from digestmail.preview.server import serving
from digestmail.preview.service import PreviewService
from digestmail.subscribers import admin

MORNING = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)
TOKEN = "a-token-of-the-tests"
WEEKLY = """
[[digests]]
name = "weekly"
title = "Papers of the week"
schedule = "0 9 * * 4"
timezone = "Europe/Berlin"
sources = ["huggingface", "blog"]
"""


@dataclass(frozen=True)
class Site:
    """Where everything is."""

    config: Path
    templates: Path
    mailbox: Path

    def change(self, old: str, new: str) -> None:
        """Change the configuration."""
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Yield an installation whose daily edition of 2 April is out, and whose mail server is on loopback."""
    made = Site(tmp_path / "config.toml", tmp_path / "templates", tmp_path / "mailbox")
    made.templates.mkdir()
    with receiving(made.mailbox) as (host, port):
        with services() as base:
            text = demo_config(services=base, smtp_host=host, smtp_port=port)
            made.config.write_text(f'templates_dir = "templates"\n{text}{WEEKLY}', "utf-8")
            with App(load(made.config, environment=None), tmp_path, SystemClock(MORNING)) as app:
                for address, digest, topics in (
                    ("all@example.org", "daily", ()),
                    ("agents@example.org", "daily", ("Agents",)),
                    ("weekly@example.org", "weekly", ()),
                    ("all@example.org", "weekly", ()),
                ):
                    admin.add(app.database, app.digests, address, digest, topics, MORNING)
                app.collect()
                app.publish()
        yield made


@pytest.fixture
def service(site: Site) -> Iterator[PreviewService]:
    """Yield a service on it."""
    opened = PreviewService(site.config, SystemClock(MORNING), SystemClock(), sample_edition)
    yield opened
    opened.close()


@pytest.fixture
def address(service: PreviewService) -> Iterator[str]:
    """Yield the address of the page."""
    with serving(service, token=TOKEN, poll=timedelta(milliseconds=40)) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Yield the page, opened on the edition that is out; a request to anywhere else is an error."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    strangers: list[str] = []
    troubles: list[str] = []

    def watch(route) -> None:
        if route.request.url.startswith(address):
            route.continue_()
            return
        strangers.append(route.request.url)
        route.abort()

    context.route("**/*", watch)
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.goto(f"{address}?edition=2026-04-02")
    opened.frame_locator("#mail").locator("h1").wait_for()
    yield opened
    context.close()
    assert strangers == []
    assert troubles == []
