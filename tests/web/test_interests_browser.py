"""The page "For you" in a real browser: accessible, without scripts, on a phone and on a desk."""

from __future__ import annotations

import shutil

import pytest
from browser import axe, follow, overflows
from websites import THURSDAY, open_app, served

from digestmail.model.personal import KnownPaper, Profile, ReadingListKind
from digestmail.model.subscribers import Subscription
from digestmail.storage import profiles, reading_lists, subscribers

WIDTHS = (320, 1280)


@pytest.fixture
def app(sqlite_template, tmp_path):
    shutil.copy(sqlite_template, tmp_path / "web.db")
    with open_app(f"sqlite:///{tmp_path / 'web.db'}", base_url=None) as app:
        yield app


@pytest.fixture
def path(app) -> str:
    """A reader with a profile and every kind of reading list, with the longest names that fit."""
    with app.database.begin() as connection:
        reader = subscribers.add(connection, "ada@example.org", THURSDAY)
        subscribers.subscribe(connection, reader, Subscription(digest="daily"), THURSDAY)
        said = Profile(interests="word " * 300, authors=("Ada Example",) * 3, blocked_words=("x" * 100,))
        profiles.store(connection, reader, said, THURSDAY)
        for kind in ReadingListKind:
            known = [KnownPaper(title="A paper")]
            list_id = reading_lists.add(connection, reader, kind, "long_name" * 20, known, THURSDAY)
            if kind is ReadingListKind.ZOTERO:
                reading_lists.record_failure(connection, list_id, "https://" + "x" * 200, THURSDAY)
    return f"/preferences/{app.tokens.unsubscribe(reader, '')}/interests"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "he"])
def test_the_page_is_accessible_and_fits_every_screen(browser, app, path, scheme, language):
    with served(app) as address:
        context = browser.new_context(color_scheme=scheme, locale=language)
        page = context.new_page()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(address + path)
            assert page.locator("html").get_attribute("lang") == language
            assert axe(page) == [], width
            assert not overflows(page), width
        context.close()


def test_a_reader_fills_in_the_page_without_scripts(browser, app, path, tmp_path):
    library = tmp_path / "library.bib"
    library.write_text("@misc{a, title = {A {BERT} paper}}\n")
    with served(app) as address:
        context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 700})
        page = context.new_page()
        page.goto(address + path.removesuffix("/interests"))
        follow(page.get_by_role("link", name="For you: your interests"))
        page.get_by_label("What you work on").fill("protein folding\nand more")
        page.get_by_label("Authors you follow").fill("Ada Example")
        page.get_by_label("Blocked words").fill("")
        page.get_by_label("Papers from outside your interests").select_option("More")
        follow(page.get_by_role("button", name="Save"))
        assert "Your interests were saved" in page.get_by_role("status").inner_text()
        assert page.get_by_label("What you work on").input_value() == "protein folding\nand more"
        follow(page.get_by_role("button", name="Remove: ORCID iD"))
        page.get_by_label("BibTeX or RIS file", exact=True).set_input_files(library)
        follow(page.get_by_role("button", name="Add a file"))
        assert "Papers: 1." in page.get_by_role("status").inner_text()
        page.get_by_label("Kind").select_option("ORCID iD")
        page.get_by_label("IDs or link", exact=True).fill("0000-0002-1825-0097")
        follow(page.get_by_role("button", name="Add a list"))
        assert "at most 5 reading lists" in page.get_by_role("alert").inner_text()
        assert page.get_by_label("IDs or link", exact=True).input_value() == "0000-0002-1825-0097"
        context.close()
    with app.database.connect() as connection:
        stored = profiles.of(connection, 1)
    assert (stored.interests, stored.blocked_words, stored.exploration) == ("protein folding\nand more", (), 0.4)
    assert KnownPaper(title="A BERT paper") in stored.papers
