"""Pages in a real browser: Debian's chromium, driven by Playwright, with axe for accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_COUNTED = {"critical", "serious", "moderate"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; skip loudly where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine: the tests in a browser did not run")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def axe(page: Page) -> list[dict[str, Any]]:
    """Return what axe finds on the page: serious, critical and moderate violations."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        {"id": one["id"], "impact": one["impact"], "nodes": [node["html"] for node in one["nodes"]]}
        for one in found
        if one["impact"] in _COUNTED
    ]


def overflows(page: Page) -> bool:
    """Return whether the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def follow(target: Locator) -> None:
    """Click a link or a button, and wait for the page that it leads to: a click alone returns before it is there."""
    with target.page.expect_navigation():
        target.click()
