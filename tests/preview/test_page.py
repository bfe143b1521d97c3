"""The preview in a real browser."""

from __future__ import annotations

import re
import shutil
from email import message_from_bytes, policy

import pytest
from browser import axe, overflows
from playwright.sync_api import Page, expect

from digestmail.mail.template_files import templates_directory
from digestmail.preview.server import listening


def mail(page: Page):
    return page.frame_locator("#mail")


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f"#{name}-{value}").check(force=True)
    expect(page).to_have_url(re.compile(f"{name}={value}"))


def test_the_edition_that_is_out_is_shown_with_its_size_and_rules(page):
    expect(page.locator(".subject")).to_have_text(re.compile(r"\S and \d+ more papers$"))
    expect(page.locator("#edition")).to_have_value("2026-04-02")
    expect(page.locator("#size")).to_have_text(re.compile(r"^[\d,]{5,7} of 100,000 bytes$"))
    expect(page.locator("#verdict")).to_have_text(re.compile(r"^(\d+) of \1 pass$"))
    assert page.locator("#rules li").count() >= 30
    assert page.locator("#rules .failed").count() == 0


def test_each_screen_has_its_width_and_the_mail_never_overflows(page):
    widths = {}
    for frame in ("tablet", "phone", "desktop"):
        choose(page, "frame", frame)
        expect(page.locator(f".screen.{frame}")).to_be_visible()
        mail(page).locator("h1").wait_for()
        widths[frame] = page.locator("#mail").bounding_box()["width"]
        inner = page.locator("#mail").element_handle().content_frame()
        assert inner.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    assert widths["phone"] == 375
    assert widths["tablet"] == 768
    assert widths["desktop"] > 900


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_mail_has_the_palette_that_is_chosen_whatever_the_browser_s_is(page, scheme):
    page.emulate_media(color_scheme=scheme)
    inks = {}
    for palette in ("dark", "inverted", "light"):
        choose(page, "palette", palette)
        expect(page.locator(f".screen.{palette}")).to_be_visible()
        mail(page).locator("h1").wait_for()
        html = mail(page).locator("html")
        inks[palette] = mail(page).locator("h1").evaluate("node => getComputedStyle(node).color")
        turned_over = html.evaluate("node => getComputedStyle(node).filter") != "none"
        assert turned_over == (palette == "inverted")

    assert inks["dark"] != inks["light"] == inks["inverted"]


def test_a_reader_is_shown_what_they_get(page):
    everybody = mail(page).locator("h3").count()
    page.select_option("#reader", "agents@example.org")
    expect(page.locator(".route")).to_contain_text("to agents@example.org")
    expect(page.locator(".notes")).to_contain_text("Topics: Agents.")
    expect(page.locator(".notes")).to_contain_text("stored for them when the edition was published")
    mail(page).locator("h1").wait_for()

    assert 0 < mail(page).locator("h3").count() < everybody


def test_papers_already_received_are_left_out_of_another_digest(page):
    page.select_option("#digest", "weekly")
    expect(page.locator(".subject")).to_contain_text("Papers of the week")
    page.select_option("#edition", "2026-04-02")
    expect(page.locator(".notes")).to_have_count(0)
    page.select_option("#reader", "all@example.org")
    expect(page.locator(".route, .fault")).to_contain_text("all@example.org")

    expect(page.locator(".notes")).to_contain_text("left out, because they received them before")


def test_text_headers_and_source_are_shown(page):
    choose(page, "tab", "text")
    expect(page.locator("#text")).to_contain_text("Unsubscribe")
    choose(page, "tab", "headers")
    expect(page.get_by_role("row", name="List-Id")).to_contain_text("<daily.example.org>")
    choose(page, "tab", "source")
    expect(page.locator("#source")).to_contain_text("Content-Transfer-Encoding: quoted-printable")


def test_the_page_reloads_by_itself_when_a_template_changes_and_recovers_when_it_is_broken(page, site):
    own = site.templates / "email" / "subject.txt"
    own.parent.mkdir()
    own.write_text("Made by hand: {{ title }}", "utf-8")
    expect(page.locator(".subject")).to_have_text("Made by hand: Trending papers")
    expect(page.locator("#state")).to_contain_text("Reloaded at")

    own.write_text("{{ title ", "utf-8")
    expect(page.get_by_role("alert")).to_contain_text("email/subject.txt, line 1")
    assert page.locator("#reader").is_visible()

    own.unlink()
    expect(page.locator(".subject")).to_have_text(re.compile(r"\S and \d+ more papers$"))
    assert page.locator(".fault").count() == 0


def test_an_invalid_configuration_is_reported_until_it_is_fixed(page, site):
    site.change('sender = "Trending papers <digest@example.org>"', 'sender = "nobody"\nsenders = 1')
    expect(page.get_by_role("alert")).to_contain_text("mail.sender: not a mail address")
    expect(page.get_by_role("alert")).to_contain_text("mail.senders: unknown key")

    site.change('sender = "nobody"\nsenders = 1', 'sender = "Another name <digest@example.org>"')
    expect(page.locator(".route")).to_contain_text("Another name <digest@example.org>")


def test_failed_rules_are_listed_first(page, site):
    shutil.copytree(templates_directory() / "email", site.templates / "email")
    edition = site.templates / "email" / "frame.mjml"
    source = edition.read_text("utf-8")
    edition.write_text(source.replace("</h1>", '</h1><p style="position:fixed">x</p>', 1), "utf-8")

    expect(page.locator("#rules li").first).to_contain_text("Fail")
    expect(page.locator("#rules li").first).to_contain_text("a style with position:fixed")


def test_images_are_loaded_only_when_they_are_on(page, site):
    asked = []
    page.context.unroute("**/*")
    page.context.route("https://images.invalid/*", lambda route: (asked.append(route.request.url), route.abort()))
    choose(page, "images", "off")
    shutil.copytree(templates_directory() / "email", site.templates / "email")
    edition = site.templates / "email" / "frame.mjml"
    picture = '</h1><img src="https://images.invalid/x.png" alt="A picture" width="9" height="9">'
    edition.write_text(edition.read_text("utf-8").replace("</h1>", picture, 1), "utf-8")
    mail(page).get_by_alt_text("A picture").wait_for()
    assert asked == []

    with page.expect_request("https://images.invalid/x.png"):
        choose(page, "images", "on")


def test_a_test_email_matches_the_preview_and_its_links_unsubscribe_no_one(page, site):
    page.fill("#address", "me@example.org")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#notice")).to_contain_text("Sent to me@example.org: 250")

    (received,) = (site.mailbox / "new").iterdir()
    message = message_from_bytes(received.read_bytes(), policy=policy.default)
    assert message["Delivered-To"] == message["To"] == "me@example.org"
    assert message["Subject"] == page.locator(".subject").inner_text()
    assert "-test-" in message["Message-ID"]
    assert page.locator("#address").input_value() == "me@example.org"


def test_a_failed_test_email_shows_the_reason(page, site):
    with listening(0) as taken:
        closed = taken.getsockname()[1]
    site.config.write_text(re.sub(r"(?m)^port = \d+", f"port = {closed}", site.config.read_text("utf-8")), "utf-8")
    expect(page.locator("#send")).to_contain_text(f"127.0.0.1:{closed}")
    page.fill("#address", "me@example.org")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#notice")).to_contain_text("Not sent: ")
    assert not list((site.mailbox / "new").iterdir())


def test_the_sample_needs_nothing_in_the_database(page):
    page.select_option("#edition", "sample")
    mail(page).locator("h3").nth(10).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["edition=sample", "tab=headers", "tab=text&frame=phone", "digest=missing"])
def test_the_page_is_accessible(page, address, scheme, query):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}?{query}")
    assert axe(page) == []
    assert not overflows(page)


def test_the_page_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    assert not overflows(page)
    assert axe(page) == []
