"""Mails in a real browser: nothing scrolls sideways, axe finds nothing, in three widths and both palettes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from announcements import EXAMPLE, rendered
from browser import axe, overflows
from dark_reading import LOOK, STRIPPED, THUNDERBIRD
from editions import GOLDEN_EDITIONS, full_edition
from playwright.sync_api import Browser, Page

from digestmail.mail.render import Renderer, page
from digestmail.model.deliveries import NoticeKind
from digestmail.model.selection import Count, Trending
from digestmail.model.theme import LIGHT, Appearance, Layout, Theme

RENDERER = Renderer()
BASE_URL = "https://digest.example.org"
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTHS = (320, 600, 900)
PALETTES = ("light", "dark")
Palette = Literal["light", "dark"]


def mails() -> dict[str, str]:
    """Return pages by name: the golden editions, the full edition in each layout, announcements and notices."""
    found = {
        name: page(RENDERER.render(of, of.sections, base_url=BASE_URL, language=language, look=look))
        for name, (of, look, language) in GOLDEN_EDITIONS.items()
    }
    of = full_edition()
    for layout in Layout:
        found[layout] = page(RENDERER.render(of, of.sections, base_url=BASE_URL, look=Appearance(layout=layout)))
    again = Trending(paper=of.entries[0].paper, published_on=of.slot.day, topics=(), count=Count.UPVOTES, growth=1085)
    for language in ("en", "he"):
        caught_up = replace(of, since=of.slot.day, trending=(again,) * 3)
        found[f"occasional-{language}"] = page(
            RENDERER.render(caught_up, of.sections, base_url=BASE_URL, language=language)
        )
    for language in ("en", "he"):
        found[f"announcement-{language}"] = rendered(EXAMPLE, language=language).html
    for number, kind in enumerate(NoticeKind):
        found[f"notice-{kind}"] = RENDERER.notice(
            kind,
            title="Trending papers",
            digests=("Daily", "Weekly"),
            action_url=f"{BASE_URL}/confirm/x",
            preferences_url=f"{BASE_URL}/preferences/x",
            language=("en", "he")[number % 2],
        ).html
    return found


MAILS = mails()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """Yield a page for every mail: to open one costs more than all that a test does with it."""
    opened = browser.new_page()
    opened.route("**/*", lambda route: route.abort())
    yield opened
    opened.close()


def show(tab: Page, html: str, *, palette: Palette = "light", width: int = 600) -> None:
    """Show a mail on an empty page."""
    tab.goto("about:blank")
    tab.emulate_media(color_scheme=palette)
    tab.set_viewport_size({"width": width, "height": 900})
    tab.set_content(html)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("name", MAILS)
def test_a_mail_is_accessible_and_never_scrolls_sideways(tab: Page, name: str, palette: Palette):
    show(tab, MAILS[name], palette=palette)
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        assert not overflows(tab), f"{name} scrolls sideways at {width} px"
    assert axe(tab) == []


@pytest.mark.parametrize("name", ["normal", "right-to-left"])
def test_in_a_dark_program_no_ground_stays_light(tab: Page, name: str):
    show(tab, MAILS[name], palette="dark", width=900)
    grounds = tab.evaluate(
        "() => [document.documentElement, document.body, ...document.querySelectorAll('div,td,table')]"
        ".map(e => getComputedStyle(e).backgroundColor).filter(c => c != 'rgba(0, 0, 0, 0)')"
    )
    assert set(grounds) <= {"rgb(15, 17, 21)", "rgb(23, 26, 33)", "rgb(251, 191, 36)"}


def look(tab: Page, html: str, darken: str, selector: str, kind: str = "text") -> list[dict]:
    """Return how the elements of a selector look in a mail program that darkens the mail in its own way."""
    show(tab, html, width=640)
    tab.evaluate(darken)
    return tab.evaluate(LOOK, [selector, kind])


@pytest.mark.parametrize("name", MAILS)
def test_all_text_can_be_read_when_thunderbird_darkens_it(tab: Page, name: str):
    texts = look(tab, MAILS[name], THUNDERBIRD, "h1,h2,h3,p,a,b,span,td,li")

    assert texts
    assert [text for text in texts if text["contrast"] < 4.5] == []


@pytest.mark.parametrize("bar", [LIGHT.bar, "#fde68a", "#fffbeb"])
@pytest.mark.parametrize("darken", [THUNDERBIRD, STRIPPED], ids=["thunderbird", "stripped"])
def test_numbers_and_bars_stay_when_a_program_strips_colours_and_backgrounds(tab: Page, darken: str, bar: str):
    of, theme = full_edition(), Theme(light=replace(LIGHT, bar=bar))
    html = page(RENDERER.render(of, of.sections, base_url=BASE_URL, look=Appearance(theme=theme)))

    numbers = look(tab, html, darken, "p.r, td.r, td.k")
    bars = look(tab, html, darken, "td.b", "bar")

    assert [number["text"].split("\xa0")[0] for number in numbers] == ["1", "2", "3", "4"]
    assert all(number["contrast"] >= 4.5 for number in numbers)
    assert [round(one["height"]) for one in bars] == [8, 8, 8]
    assert all(one["contrast"] >= 3 for one in bars)
    assert bars[0]["width"] > bars[1]["width"] > bars[2]["width"] >= 8


@pytest.mark.parametrize("name", [*Layout, "right-to-left", "sixty-papers"])
@pytest.mark.parametrize("darken", [THUNDERBIRD, STRIPPED, "() => {}"], ids=["thunderbird", "stripped", "light"])
def test_tags_small_print_and_thin_lines_stay_in_every_program(tab: Page, name: str, darken: str):
    stripped = darken == STRIPPED  # of links, only a browser's own colour is left
    small = look(tab, MAILS[name], darken, ".g, .s, .y, .z, .o" + ("" if stripped else ", .f a"))
    lines = look(tab, MAILS[name], darken, ".l" if stripped else ".l, .g", "line")

    assert small
    assert [text for text in small if text["contrast"] < 4.5] == []
    assert [line for line in lines if line["contrast"] < 1.2] == []
    assert lines or name != Layout.FULL


def test_in_the_dark_palette_tags_and_thin_lines_can_be_seen(tab: Page):
    show(tab, MAILS["full"], palette="dark", width=640)

    assert min(line["contrast"] for line in tab.evaluate(LOOK, [".l, .g", "line"])) >= 1.2
    assert min(text["contrast"] for text in tab.evaluate(LOOK, [".g, .s, .f a, .y, .z, .o", "text"])) >= 4.5


def test_without_its_style_sheet_a_mail_has_the_same_words_and_sizes_of_titles(tab: Page):
    show(tab, MAILS["full"], width=640)
    titles = "[...document.querySelectorAll('h2,h3')].map(e => [getComputedStyle(e).fontSize, e.textContent])"
    words = tab.inner_text("body").lower().split()
    sizes = tab.evaluate(titles)
    tab.evaluate("for (const node of document.querySelectorAll('style')) node.remove()")

    assert tab.inner_text("body").lower().split() == words
    assert tab.evaluate(titles) == sizes
    assert not overflows(tab)


@pytest.mark.parametrize("darken", [THUNDERBIRD, "() => {}"], ids=["thunderbird", "light"])
def test_a_button_keeps_a_frame_or_a_ground(tab: Page, darken: str):
    (button,) = look(tab, MAILS["notice-confirm"], darken, ".n", "bar")

    assert button["contrast"] >= 4.5


def test_a_right_to_left_email_starts_at_the_right(tab: Page):
    show(tab, MAILS["right-to-left"])
    rank = tab.locator("td.r").first.bounding_box()
    title = tab.locator("h3").first.bounding_box()
    assert tab.evaluate("document.documentElement.dir") == "rtl"
    assert rank["x"] > title["x"]
    assert title["x"] + title["width"] > 500


def test_in_a_right_to_left_email_names_from_left_to_right_keep_their_order(tab: Page):
    of = full_edition()
    show(tab, page(RENDERER.render(of, of.sections, base_url=BASE_URL, language="he")), width=900)

    topics = [link.bounding_box()["x"] for link in tab.locator("a.a[dir]").all()]
    assert len(topics) == 3
    assert topics == sorted(topics, reverse=True), "the first topic is on the right"
    names = tab.locator("p.y span").first.bounding_box()
    line = tab.locator("p.y").first.bounding_box()
    assert names["x"] + names["width"] == pytest.approx(line["x"] + line["width"], abs=1), "the authors come first"


def test_the_pictures_in_the_documents_are_of_these_mails(browser: Browser, request: pytest.FixtureRequest):
    """`pytest --regenerate` takes new ones; otherwise only their presence and size are checked."""
    wanted = [(name, width, palette) for name in ("full", "compact", "headlines") for width, palette in _SHOTS[name]]
    for name, width, palette in [*wanted, ("right-to-left", 600, "light"), ("notice-confirm", 600, "light")]:
        path = IMAGES / f"mail-{name}-{width}-{palette}.png"
        if request.config.getoption("--regenerate"):
            shown = browser.new_page(color_scheme=palette, viewport={"width": width, "height": 400})
            shown.set_content(MAILS[name])
            shown.screenshot(path=path, full_page=True)
            shown.close()
        assert path.stat().st_size < 300_000


_SHOTS = {
    "full": ((320, "light"), (320, "dark"), (600, "light"), (600, "dark"), (900, "light"), (900, "dark")),
    "compact": ((320, "dark"), (600, "light")),
    "headlines": ((320, "light"), (600, "dark")),
}
