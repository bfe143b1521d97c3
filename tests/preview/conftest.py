"""An installation to look at: two digests, three readers, an edition that is out, and a page on loopback."""

from __future__ import annotations

import shutil
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
NO_SERVICES = "http://127.0.0.1:9"
"""Where no source is: the preview reads none."""
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


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of an installation whose daily edition of 2 April is out, to copy."""
    directory = tmp_path_factory.mktemp("published")
    with receiving(directory / "mailbox") as (host, port), services() as base:
        text = demo_config(services=base, smtp_host=host, smtp_port=port) + WEEKLY
        config = directory / "config.toml"
        config.write_text(text, "utf-8")
        with App(load(config, environment=None), directory, SystemClock(MORNING)) as app:
            for address, digest, topics in (
                ("all@example.org", "daily", ()),
                ("agents@example.org", "daily", ("Agents",)),
                ("weekly@example.org", "weekly", ()),
                ("all@example.org", "weekly", ()),
            ):
                admin.add(app.database, app.digests, address, digest, topics, MORNING)
            app.collect()
            app.publish()
    return directory


@pytest.fixture
def site(tmp_path: Path, published: Path) -> Iterator[Site]:
    """Yield an installation whose daily edition of 2 April is out, and whose mail server is on loopback."""
    made = Site(tmp_path / "config.toml", tmp_path / "templates", tmp_path / "mailbox")
    made.templates.mkdir()
    shutil.copy(published / "digestmail.db", tmp_path)
    with receiving(made.mailbox) as (host, port):
        text = demo_config(services=NO_SERVICES, smtp_host=host, smtp_port=port)
        made.config.write_text(f'templates_dir = "templates"\n{text}{WEEKLY}', "utf-8")
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


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """Yield a page for every test: to open one costs more than most tests do with it."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def page(tab: Page, address: str) -> Iterator[Page]:
    """Yield the page, opened on the edition that is out; a request to anywhere else is an error."""
    strangers: list[str] = []
    troubles: list[str] = []

    def watch(route) -> None:
        if route.request.url.startswith(address):
            route.continue_()
            return
        strangers.append(route.request.url)
        route.abort()

    def trouble(error) -> None:
        troubles.append(str(error))

    tab.context.clear_cookies()
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": 1440, "height": 900})
    tab.context.route("**/*", watch)
    tab.on("pageerror", trouble)
    tab.goto(f"{address}?edition=2026-04-02")
    tab.frame_locator("#mail").locator("h1").wait_for()
    yield tab
    tab.goto("about:blank")
    tab.remove_listener("pageerror", trouble)
    tab.context.unroute_all(behavior="wait")
    assert strangers == []
    assert troubles == []
