"""The operator's pages in a real browser: without JavaScript, on a phone, for everyone."""

from __future__ import annotations

import pytest
from browser import axe, follow, overflows
from fakes import FakeClock
from operator_fixture import NOW, hostile
from websites import TOKEN, open_app, served

from digestmail.delivery import admin as deliveries

PAGES = [
    "/operator",
    "/operator/editions/daily/2026-04-02",
    "/operator/subscribers",
    "/operator/subscribers/1?digest=daily&slot=2026-04-02",
    "/operator/next/daily",
]


@pytest.fixture
def operator_app(sqlite, tmp_path):
    hostile(sqlite)
    sqlite.close()
    with open_app(f"sqlite:///{tmp_path / 'test.db'}", base_url=None) as app:
        app.clock = app.wall_clock = FakeClock(NOW)
        yield app


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_every_page_is_accessible_and_fits(browser, operator_app, scheme, width):
    with served(operator_app) as address:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page = context.new_page()
        page.goto(address + "/operator")
        assert axe(page) == []
        page.get_by_label("Admin token").fill(TOKEN)
        follow(page.get_by_role("button", name="Sign in"))
        for path in PAGES:
            page.goto(address + path)
            assert axe(page) == [], path
            assert not overflows(page), path
            assert page.title() != "pwned"
        context.close()


def test_the_operator_signs_in_pauses_resumes_and_sends_an_email_again_without_scripts(browser, operator_app):
    with served(operator_app) as address:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(address + "/operator")
        page.get_by_label("Admin token").fill("not the token at all")
        follow(page.get_by_role("button", name="Sign in"))
        assert page.get_by_role("alert").inner_text() == "This is not the admin token."
        page.get_by_label("Admin token").fill(TOKEN)
        follow(page.get_by_role("button", name="Sign in"))
        page.get_by_label("Pause for").select_option("4 hours")
        follow(page.get_by_role("button", name="Pause"))
        assert page.get_by_role("status").inner_text() == "Sending is paused for 4 hours."
        assert deliveries.pauses(operator_app.database, NOW)
        follow(page.get_by_role("button", name="Resume"))
        assert not deliveries.pauses(operator_app.database, NOW)
        follow(page.get_by_role("link", name="2026-04-02"))
        follow(page.get_by_role("link", name="reader0@example.org"))
        follow(page.get_by_role("button", name="Send this email again"))
        assert page.get_by_role("status").inner_text() == "1 email queued again."
        follow(page.get_by_role("button", name="Sign out"))
        assert page.title() == "Sign in · digestmail"
        context.close()
