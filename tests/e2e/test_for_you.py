"""People at a real browser with a real mailbox: what they say about papers comes back as the section "For you"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser import follow
from clirun import digestmail
from corpus import FIELDS, abstract
from fakes import FakeSource, reading, sighting
from playwright.sync_api import Browser, Page, expect
from site_fixture import Site, link, links, opened

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.model.personal import Profile
from digestmail.model.subscribers import Subscription
from digestmail.storage import schema, subscribers
from digestmail.subscribers import interests

ADDRESS = "reader@example.org"
DAY = 86_400
OFFERED = 16
"""Papers a day, of four fields in turn, and one that is always there for the topic of the digest."""


@pytest.fixture
def site(tmp_path, database_url):
    with opened(tmp_path, database_url) as site:
        yield site


@pytest.fixture
def page(browser: Browser):
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    assert context.cookies() == []
    context.close()


@pytest.fixture
def reader(site: Site) -> int:
    return subscribe(site, ADDRESS)


def subscribe(site: Site, address: str) -> int:
    with site.app.database.begin() as connection:
        found = subscribers.add(connection, address, site.clock.now())
        subscribers.subscribe(connection, found, Subscription(digest="daily"), site.clock.now())
    return found


def title(number: int) -> str:
    field = list(FIELDS)[number % len(FIELDS)]
    return f"{field} {number}: {' '.join(FIELDS[field].split()[number % 7 : number % 7 + 3])}"


def next_edition(site: Site, day: int, people: int = 1, **extra: Any) -> list[EmailMessage]:
    """Let a day pass, publish and deliver; return the emails by address. `extra` is about the paper for the topic."""
    if day:
        site.later(DAY)
    today = site.clock.now().date()
    found = [sighting(100 * day + 99, title=f"An agent of day {day}", day=today, upvotes=500, **extra)]
    for number in range(100 * day, 100 * day + OFFERED):
        text = abstract(list(FIELDS)[number % len(FIELDS)], Random(number))
        found.append(sighting(number, title=title(number), abstract=text, day=today, authors=(f"Person {number}",)))
    collect(site.app.database, [FakeSource("hf", reading(*found))], site.clock.now())
    published = publish(site.app.database, site.app.digests[:1], site.app.mail.render, site.clock.now())
    assert not published.failed, published
    before = len(site.mails())
    # Playwright allows no other event loop in this thread.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(site.app.deliver).result().sent == people
    return sorted(site.wait_for_mails(before + people)[before:], key=lambda mail: mail["To"])


def text_of(mail: EmailMessage) -> str:
    return mail.get_body(("plain",)).get_content()


def html_of(mail: EmailMessage) -> str:
    return mail.get_body(("html",)).get_content()


def section(mail: EmailMessage) -> str:
    """Return the section "For you" of the text part; empty if there is none."""
    found = re.search(r"\nFor you\n=+\n(.*?)(?=\n\n\n\S[^\n]*\n[=-]{20,}\n|\Z)", text_of(mail), re.DOTALL)
    return found[1] if found else ""


def picked(mail: EmailMessage) -> dict[int, str]:
    """Return the reason of each paper in the section, by number and in order."""
    papers = re.split(r"\n(?=\d+\. )", section(mail))[1:]
    reasons = (one.partition("\n   arXiv: ")[0].splitlines()[-1].strip() for one in papers)
    return {int(one.rpartition("/abs/2604.")[2][:5]): reason for one, reason in zip(papers, reasons, strict=True)}


def fields_of(numbers: Iterable[int]) -> set[str]:
    return {list(FIELDS)[number % len(FIELDS)] for number in numbers if number % 100 < OFFERED}


def thumb(mail: EmailMessage, name: str, answer: str) -> str:
    """Return the link beside the paper with this title, as the HTML part shows it."""
    # Above its own row, a paper may be named beside the bars.
    after = html_of(mail).rsplit(f">{name}<", 1)[1]
    return unescape(re.search(rf'href="(https?://[^"]+/feedback/[^"]+/{answer})"', after)[1])


def explained(site: Site, directory: Path, number: int) -> str:
    words = ("explain", f"2604.{number:05d}", "--subscriber", ADDRESS, "--now", site.clock.now().isoformat())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(digestmail, directory, *words).result()


def everything(site: Site) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables."""
    with site.app.database.connect() as connection:
        tables = schema.metadata.sorted_tables
        return {one.name: sorted(map(tuple, connection.execute(one.select())), key=repr) for one in tables}


def open_interests(page: Page, mail: EmailMessage) -> None:
    """Go from an email to the page "For you" as a reader does."""
    page.goto(link(mail, "preferences"))
    follow(page.get_by_role("link", name="For you: your interests"))


def test_a_thumb_in_the_email_of_today_is_a_section_of_tomorrow_until_it_is_erased(site, reader, page, tmp_path):
    (first,) = next_edition(site, 0)
    assert "For you" not in text_of(first) + html_of(first)

    page.goto(thumb(first, title(4), "more"))
    expect(page.get_by_label("More like this")).to_be_checked()
    expect(page.get_by_role("link", name=title(4))).to_be_visible()
    assert everything(site)["feedback"] == [], "nothing is stored before the button is pressed"
    follow(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("status")).to_contain_text("you want more papers like this one")

    (second,) = next_edition(site, 1)
    liked = [number for number, why in picked(second).items() if why == f"Like “{title(4)}”, which you liked"]
    assert liked
    assert fields_of(liked) == {"optics"}
    assert f"Like “{title(4)}”, which you liked" in html_of(second)
    said = explained(site, tmp_path, liked[0])
    assert f'{ADDRESS} got it as number 1 of "For you": like {title(4)!r}, which they liked' in said

    page.goto(link(second, "preferences"))
    follow(page.get_by_role("link", name="Your data"))
    expect(page.get_by_text(title(4))).to_be_visible()
    follow(page.get_by_role("button", name="Remove my feedback"))
    expect(page.get_by_role("status")).to_contain_text("was removed")
    expect(page.get_by_text(title(4))).to_have_count(0)

    (third,) = next_edition(site, 2)
    assert "For you" not in text_of(third) + html_of(third)
    assert "An agent of day 2" in text_of(third)
    assert "For you" not in explained(site, tmp_path, 200)


def ours(site: Site, mail: EmailMessage) -> list[str]:
    return [one for one in links(mail) if one.startswith(site.base_url)]


def follow_in_browser(site: Site, browser: Browser, mail: EmailMessage, targets: list[str]) -> None:
    """Open links in a browser, with its scripts, and follow what is found there, as some scanners do."""
    context = browser.new_context()
    opened_page = context.new_page()
    found = set(targets)
    for target in targets:
        opened_page.goto(target)
        hrefs = opened_page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
        found.update(one for one in hrefs if one.startswith(site.base_url))
    for target in found - set(targets):
        assert site.get(target).status == 200, target
    context.close()
    assert f"{link(mail, 'preferences')}/interests" in found


@pytest.mark.parametrize("known", [False, True], ids=["a new reader", "a reader with picks"])
def test_a_scanner_that_opens_every_link_of_an_email_changes_nothing(site, reader, browser, known):
    if known:
        said = Profile(interests=FIELDS["optics"], authors=("Person 3",))
        interests.save(site.app.database, reader, said, site.clock.now())
    (mail,) = next_edition(site, 0)
    assert bool(section(mail)) is known
    targets = ours(site, mail)
    kinds = {urlsplit(one).path.split("/")[1] for one in targets}
    assert {"feedback", "preferences", "unsubscribe", "daily"} <= kinds
    site.settle()
    before = everything(site)
    for target in targets:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert site.ask(method, target).status in {200, 405}, (method, target)
    if known:  # the email with most links
        follow_in_browser(site, browser, mail, targets)
    site.settle()
    assert everything(site) == before
    assert len(site.mails()) == 1


LIBRARY = "\n".join(
    f"@article{{p{n}, title = {{Law {n}}}, abstract = {{{abstract('law', Random(n))}}}}}" for n in range(9)
)


def test_interests_followed_authors_and_blocked_words_of_the_page_decide_the_next_edition(site, reader, page):
    (first,) = next_edition(site, 0)
    open_interests(page, first)
    page.get_by_label("What you work on").fill("lasers, photons and waveguides; coherence of a cavity")
    page.get_by_label("Authors you follow").fill("Person 101\nPerson 102, Jr.\nNobody Here")
    page.get_by_label("Blocked words").fill("coherence")
    page.get_by_label("Papers from outside your interests").select_option("None")
    follow(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("status")).to_contain_text("were saved")

    (second,) = next_edition(site, 1, authors=("A. Person", "P. 101"))
    why = picked(second)
    texts = {n: abstract(list(FIELDS)[n % 4], Random(n)) for n in range(200)}
    by_authors = [
        number for number, reason in why.items() if re.fullmatch("By (P.|Person) 101, whom you follow", reason)
    ]
    assert by_authors == list(why)[: len(by_authors)], "they come first"
    assert set(by_authors) == {101, 199}, "a law paper and one about an agent, because of their author"
    rest = [number for number in why if number not in by_authors]
    assert rest
    assert fields_of(rest) == {"optics"}
    assert not any("coherence" in texts[number].split() for number in rest)
    open_interests(page, second)
    follow(page.get_by_role("button", name="Remove everything here"))
    expect(page.get_by_role("status")).to_contain_text("were removed")
    (third,) = next_edition(site, 2)
    assert section(third) == ""


def test_an_uploaded_library_decides_the_next_edition_and_its_titles_are_shown_to_its_reader_only(
    site, reader, page, tmp_path
):
    library = tmp_path / "my library.bib"
    library.write_text(LIBRARY, "utf-8")
    subscribe(site, "second@example.org")
    first = next_edition(site, 0, people=2)[0]
    open_interests(page, first)
    page.get_by_label("BibTeX or RIS file", exact=True).set_input_files(library)
    follow(page.get_by_role("button", name="Add a file"))
    expect(page.get_by_role("status")).to_contain_text("Papers: 9.")

    mine, theirs = next_edition(site, 1, people=2)
    why = picked(mine)
    like_law = [
        number for number, reason in why.items() if re.fullmatch(r"Like “Law \d” from your reading list", reason)
    ]
    assert fields_of(like_law) == {"law"}
    assert len(like_law) >= 3
    assert "Law " not in text_of(theirs) + html_of(theirs)
    assert section(theirs) == ""

    open_interests(page, mine)
    follow(page.get_by_role("button", name="Remove: BibTeX or RIS file my library.bib"))
    expect(page.get_by_role("status")).to_contain_text("was removed")
    (mine, _) = next_edition(site, 2, people=2)
    assert section(mine) == ""
