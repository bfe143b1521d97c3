"""People at a real browser with a real mailbox: signing up, choosing, reading, leaving; pages that all can read."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from browser import axe, follow, overflows
from fakes import FakeSource, reading, sighting
from playwright.sync_api import Browser, Page, expect
from site_fixture import Site, link, opened

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.model.deliveries import DeliveryState
from digestmail.model.reports import DeliverReport
from digestmail.model.subscribers import SubscriberState
from digestmail.storage import deliveries, subscribers

ADDRESS = "reader@example.org"


@pytest.fixture
def site(tmp_path, sqlite_template):
    shutil.copy(sqlite_template, tmp_path / "test.db")
    with opened(tmp_path, f"sqlite:///{tmp_path / 'test.db'}") as site:
        yield site


def published(site: Site, **titles: str) -> None:
    """Publish an edition of the daily digest: the words of each title by the number of its paper."""
    found = [sighting(int(number.strip("n")), title=title) for number, title in titles.items()]
    collect(site.app.database, [FakeSource("hf", reading(*found))], site.clock.now())
    publish(site.app.database, site.app.digests[:1], site.app.mail.render, site.clock.now())


def delivered(site: Site) -> DeliverReport:
    """Deliver the queue in a separate thread, because Playwright allows no other event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(site.app.deliver).result()


def subscribe(site: Site, page: Page, path: str = "/") -> None:
    """Fill in the form at `path` as a person does."""
    page.goto(site.base_url + path)
    page.locator("input[name=address]").fill(ADDRESS)
    site.clock.sleep(5)
    follow(page.get_by_role("button", name="Subscribe").first)
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")


def confirm(site: Site, page: Page) -> None:
    """Open the link of the mail that came last, and press its button."""
    page.goto(link(site.mails()[-1], "confirm"))
    follow(page.get_by_role("button", name="Confirm subscription"))
    expect(page.get_by_role("heading", level=1)).to_have_text("You are subscribed")


def test_from_the_home_page_to_the_edition_and_away_by_one_click(browser: Browser, site: Site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    subscribe(site, page)
    (asked,) = site.wait_for_mails(1)
    assert asked["To"] == ADDRESS
    confirm(site, page)
    site.wait_for_mails(2)

    follow(page.get_by_role("link", name="Choose topics, delivery time and language"))
    page.get_by_role("group", name="Topics of Trending papers").get_by_label("Vision").check()
    follow(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("status")).to_contain_text("were saved")
    site.wait_for_mails(3)

    published(site, n1="An agent that plans", n2="An image from noise")
    assert delivered(site).sent == 1
    edition = site.wait_for_mails(4)[-1]
    text = edition.get_body(("plain",)).get_content()
    assert ("An image from noise" in text, "An agent that plans" in text) == (True, False)

    # A mail program's request (RFC 8058 section 3.2): no cookies, no Referer.
    answer = site.post(link(edition, "unsubscribe"), {"List-Unsubscribe": "One-Click"})
    assert (answer.status, answer.headers.get("location"), answer.headers.get("set-cookie")) == (200, None, None)
    page.reload()
    expect(page.get_by_text("This address is not subscribed.")).to_be_visible()
    assert context.cookies() == []
    context.close()
    assert "unsubscribed" in site.wait_for_mails(5)[-1]["Subject"]
    site.settle()

    site.later(86400)
    published(site, n3="Another image", n4="Another agent")
    assert delivered(site).sent == 0
    assert len(site.mails()) == 5
    with site.app.database.connect() as connection:
        assert subscribers.find(connection, ADDRESS).state is SubscriberState.UNSUBSCRIBED
        assert deliveries.counts(connection) == {DeliveryState.SENT: 1}


def test_who_is_unsubscribed_by_a_stranger_undoes_it_and_moves_to_another_address(browser: Browser, site: Site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    subscribe(site, page)
    site.wait_for_mails(1)
    confirm(site, page)
    preferences = link(site.wait_for_mails(2)[-1], "preferences")
    assert site.post(preferences.replace("/preferences/", "/unsubscribe/"), {}).status == 200
    goodbye = site.wait_for_mails(3)[-1]

    # As a mail program links it that takes the bracket for a part of the address.
    page.goto(link(goodbye, "undo") + ">.")
    expect(page.get_by_role("main")).to_contain_text("You receive Trending papers again.")
    site.clock.sleep(5)
    follow(page.get_by_role("button", name="Undo this change"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Change undone")
    follow(page.get_by_role("link", name="Your preferences"))
    page.get_by_label("New email address").fill("new@example.org")
    site.clock.sleep(5)
    follow(page.get_by_role("button", name="Change address"))
    expect(page.get_by_role("status")).to_contain_text("Nothing changes until you confirm it")
    asked = site.wait_for_mails(4)[-1]
    assert asked["To"] == "new@example.org"
    page.goto(link(asked, "address"))
    follow(page.get_by_role("button", name="Confirm new address"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Your address was changed")
    assert site.wait_for_mails(5)[-1]["To"] == ADDRESS
    assert context.cookies() == []
    context.close()

    published(site, n1="An agent that plans")
    assert delivered(site).sent == 1
    assert site.wait_for_mails(6)[-1]["To"] == "new@example.org"


def readable(page: Page) -> None:
    """Assert that axe has nothing to say and that nothing scrolls sideways, on a desk and on a phone."""
    page.set_viewport_size({"width": 900, "height": 900})
    assert axe(page) == [], page.url
    for width in (900, 320):
        page.set_viewport_size({"width": width, "height": 700})
        assert not overflows(page), (page.url, width)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_for_people_is_accessible_and_fits_a_phone(browser: Browser, site: Site, scheme: str):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{site.base_url}/subscribe")
    readable(page)
    subscribe(site, page, "/subscribe")
    readable(page)
    (asked,) = site.wait_for_mails(1)
    page.goto(link(asked, "confirm"))
    readable(page)
    confirm(site, page)
    readable(page)
    preferences = link(site.wait_for_mails(2)[-1], "preferences")
    for target in (preferences, f"{preferences}/data", preferences.replace("/preferences/", "/unsubscribe/")):
        page.goto(target)
        readable(page)
    page.goto(preferences)
    follow(page.get_by_role("button", name="Pause"))
    readable(page)
    expect(page.get_by_role("status").filter(has_text="Your emails are paused until")).to_be_visible()
    page.goto(link(site.wait_for_mails(3)[-1], "undo"))
    readable(page)
    page.goto(preferences)
    page.get_by_label("New email address").fill("new@example.org")
    follow(page.get_by_role("button", name="Change address"))
    readable(page)
    page.goto(link(site.wait_for_mails(4)[-1], "address"))
    readable(page)
    page.goto(f"{preferences}/data")
    page.get_by_role("checkbox").check()
    follow(page.get_by_role("button", name="Erase my data"))
    readable(page)
    page.goto(link(site.wait_for_mails(5)[-1], "erase"))
    readable(page)
    page.goto(preferences.replace("/preferences/", "/unsubscribe/"))
    follow(page.get_by_role("button", name="Unsubscribe"))
    readable(page)
    page.goto(link(site.wait_for_mails(6)[-1], "undo"))
    follow(page.get_by_role("button", name="Undo this change"))
    readable(page)
    page.goto(preferences[:-1])
    readable(page)
    context.close()
