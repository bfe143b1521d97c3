"""Takes the pictures of the pages in docs/images, of made-up papers: `python tests/pictures.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from browser import chromium, follow
from fakes import FakeClock
from operator_fixture import NOW, fill
from site_fixture import link, opened
from websites import TOKEN, open_app, publish, served

from digestmail.storage.database import Database

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PICTURES = (
    ("web-home", "/", "light", 900, 1000),
    ("web-home-dark", "/", "dark", 900, 1000),
    ("web-search", "/search?q=memory+cache", "light", 900, 760),
    ("web-paper", "/papers/arxiv:2601.00001", "dark", 900, 1000),
    ("web-phone", "/", "light", 390, 844),
)


def main() -> None:
    """Serve a few days of papers and take every picture."""
    with tempfile.TemporaryDirectory(prefix="digestmail-pictures-") as directory:
        url = f"sqlite:///{directory}/web.db"
        database = Database.open(url, base=Path())
        database.upgrade()
        for day in range(6):
            publish(database, day)
        database.close()
        with open_app(url, base_url=None) as app, served(app) as address, chromium() as browser:
            for name, path, scheme, width, height in PICTURES:
                page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
                page.goto(address + path)
                page.screenshot(path=IMAGES / f"{name}.png")
                page.close()
    people()
    operator()


def operator() -> None:
    """Take the picture of the operator's page, two weeks after an installation began."""
    with tempfile.TemporaryDirectory(prefix="digestmail-pictures-") as directory:
        url = f"sqlite:///{directory}/operator.db"
        database = Database.open(url, base=Path())
        database.upgrade()
        fill(database)
        database.close()
        with open_app(url, base_url=None) as app, chromium() as browser:
            app.clock = app.wall_clock = FakeClock(NOW)
            with served(app) as address:
                page = browser.new_page(viewport={"width": 1000, "height": 1000})
                page.goto(address + "/operator")
                page.get_by_label("Admin token").fill(TOKEN)
                follow(page.get_by_role("button", name="Sign in"))
                page.screenshot(path=IMAGES / "operator-status.png")


def people() -> None:
    """Sign up at a site of our own, and take the pictures of the form and of the preferences."""
    with tempfile.TemporaryDirectory(prefix="digestmail-pictures-") as directory:
        url = f"sqlite:///{directory}/people.db"
        database = Database.open(url, base=Path())
        database.upgrade()
        database.close()
        with opened(Path(directory), url) as site, chromium() as browser:
            page = browser.new_page(viewport={"width": 900, "height": 1000})
            page.goto(f"{site.base_url}/subscribe")
            page.screenshot(path=IMAGES / "web-subscribe.png")
            site.fill_in("/subscribe", address="reader@example.org", digest="daily", **{"topics.daily": "Vision"})
            site.fill_in(link(site.wait_for_mails(1)[-1], "confirm"))
            page.goto(link(site.wait_for_mails(2)[-1], "preferences"))
            page.screenshot(path=IMAGES / "web-preferences.png", full_page=True)


if __name__ == "__main__":
    main()
