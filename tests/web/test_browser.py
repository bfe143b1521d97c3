"""The pages in a real browser: no foreign scripts run, the pages are accessible, nothing is loaded from other hosts."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import axe, follow, overflows
from websites import leave_out, open_app, publish, served

from digestmail.editions import archive
from digestmail.storage.database import Database
from digestmail.subscribers import admin

HOSTILE = [
    "<script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    '"><svg onload="document.title=\'pwned\'">',
    "'-document.title='pwned'-'",
    "</title><script>document.title='pwned'</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:document.title='pwned'",
    "<a href=\"javascript:document.title='pwned'\">x</a>",
    "\ue000<script>document.title='pwned'</script>\ue001",
    "]]><script>document.title='pwned'</script><!--",
]
PAGES = [
    "/",
    "/daily",
    "/daily/2026-04-02?topic=Agents",
    "/daily/2026-04-02/papers",
    "/papers",
    "/subscribe",
    "/daily/week/2026-W14",
    "/daily/month/2026-04",
    "/weekly",
    "/search?q=memory+cache",
    "/search?q=zzzz",
    "/papers/arxiv:2601.00001",
    "/nothing",
]


@pytest.fixture
def make(sqlite_template, tmp_path):
    """Return what makes a database with these titles and fields."""

    def made(**fields) -> str:
        shutil.copy(sqlite_template, tmp_path / "web.db")
        url = f"sqlite:///{tmp_path / 'web.db'}"
        database = Database.open(url, base=Path())
        for day in range(2):
            publish(database, day, **fields)
        database.close()
        return url

    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(browser, make, scheme):
    with open_app(make(), base_url=None) as app, served(app) as address:
        context = browser.new_context(color_scheme=scheme, viewport={"width": 900, "height": 900})
        page = context.new_page()
        for path in PAGES:
            page.set_viewport_size({"width": 900, "height": 900})
            page.goto(address + path)
            assert axe(page) == [], path
            for width in (1440, 900, 375, 320):
                page.set_viewport_size({"width": width, "height": 700})
                assert not overflows(page), (path, width)
        context.close()


def test_nothing_is_loaded_from_other_hosts(browser, make):
    asked: list[str] = []
    with (
        open_app(make(thumbnail_url="https://pictures.example.net/1.png"), base_url=None) as app,
        served(app) as address,
    ):
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for path in PAGES:
            page.goto(address + path)
        page.close()
    assert asked
    assert all(url.startswith(address) for url in asked)


def test_no_script_of_a_stranger_runs(browser, make):
    titles = dict(enumerate(HOSTILE[:7]))
    text = " ".join(HOSTILE)
    fields = {
        "abstract": text,
        "summary": HOSTILE[0],
        "authors": tuple(HOSTILE),
        "organization": HOSTILE[1],
        "comment": HOSTILE[2],
        "link": HOSTILE[6],
        "discussion_url": HOSTILE[6],
        "code_url": "https://x.example/\"onmouseover=\"document.title='pwned'",
    }
    queries = [f"/search?q={quote(hostile)}" for hostile in HOSTILE]
    with open_app(make(titles=titles, **fields), base_url=None) as app, served(app) as address:
        page = browser.new_page(bypass_csp=True)  # escaping alone must do; the policy is the second wall
        for path in [*PAGES, *queries, "/search?q=pwned", "/search?topic=%22%3E%3Cscript%3E"]:
            page.goto(address + path)
            assert page.title() != "pwned", path
            assert page.evaluate("document.scripts.length") == 0, path
            assert (
                page.evaluate("document.querySelectorAll('main [onload], main [onerror], main [onmouseover]').length")
                == 0
            )
            assert page.evaluate("[...document.links].every(a => /^https?:/.test(a.href))"), path
        page.close()


def test_a_reader_finds_the_way_without_scripts(browser, make):
    with open_app(make(), base_url=None) as app, served(app) as address:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(address)
        follow(page.get_by_label("Previous: Wednesday, 1 April 2026"))
        assert page.url.endswith("/daily/2026-04-01")
        page.get_by_role("searchbox").fill("memory cache")
        with page.expect_navigation():
            page.get_by_role("searchbox").press("Enter")
        follow(page.get_by_role("link", name="A Cache That Forgets on Purpose", exact=True))
        assert page.get_by_role("heading", level=1).inner_text() == "A Cache That Forgets on Purpose"
        context.close()


def test_a_reader_goes_from_a_counted_paper_to_its_page_and_back(browser, make):
    with open_app(make(), base_url=None) as app, served(app) as address:
        leave_out(app.database, archive.find_edition(app.database, "daily", "2026-04-02").edition, 72)
        context = browser.new_context(java_script_enabled=False, viewport={"width": 375, "height": 700})
        page = context.new_page()
        page.goto(f"{address}/daily/2026-04-02")
        follow(page.get_by_role("link", name="2 more papers"))
        follow(page.get_by_role("link", name="Left Out, Number 72"))
        assert page.get_by_role("heading", level=1).inner_text() == "Left Out, Number 72"
        follow(page.get_by_role("main").get_by_role("link", name="All papers"))
        page.get_by_label("Source").select_option("huggingface")
        follow(page.get_by_role("button", name="Show"))
        assert page.url.startswith(f"{address}/papers?")
        follow(page.get_by_role("main").get_by_role("link", name="A Cache That Forgets on Purpose", exact=True))
        follow(page.get_by_role("main").get_by_role("link", name="Trending papers, Thursday, 2 April 2026").first)
        assert page.url.endswith("/daily/2026-04-02")
        context.close()


def test_the_citation_of_a_paper_fits_a_narrow_phone(browser, make):
    long = "https://arxiv.org/abs/" + "2601.00001" * 12
    with open_app(make(link=long), base_url=None) as app, served(app) as address:
        page = browser.new_page(viewport={"width": 320, "height": 700})
        page.goto(f"{address}/papers/arxiv:2601.00001")
        assert page.evaluate("[...document.querySelectorAll('pre')].every(e => e.scrollWidth <= e.clientWidth)")
        assert not overflows(page)
        page.close()


def test_a_reader_who_wants_to_leave_gets_a_weekly_email_with_one_press(browser, make):
    with open_app(make(), base_url=None) as app, served(app) as address:
        reader = admin.add(app.database, app.digests, "a@example.org", "daily", [], app.wall_clock.now())
        token = app.tokens.unsubscribe(reader.id, "daily")
        context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 700})
        page = context.new_page()
        page.goto(f"{address}/unsubscribe/{token}")
        checked_page = browser.new_page()
        for path in (f"/unsubscribe/{token}", f"/preferences/{token}"):
            checked_page.set_viewport_size({"width": 320, "height": 700})
            checked_page.goto(address + path)
            assert axe(checked_page) == [], path
            assert not overflows(checked_page), path
        checked_page.close()
        follow(page.get_by_role("button", name="Once a week instead"))
        assert page.get_by_role("heading", level=1).inner_text() == "You get fewer emails now"
        follow(page.get_by_role("link", name="Your preferences"))
        assert page.get_by_label("How often").first.input_value() == "weekly"
        page.get_by_label("How often").first.select_option("Every edition")
        follow(page.get_by_role("button", name="Save"))
        assert page.get_by_label("How often").first.input_value() == ""
        context.close()
