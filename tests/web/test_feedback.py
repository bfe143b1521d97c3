"""Feedback on papers over real HTTP and SMTP: the links of an email, their page, and the reader's own data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
from fakes import FakeSource, reading, sighting
from site_fixture import Site, links, opened
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.delivery.secrets import rotate_secrets
from digestmail.editions.publish import publish
from digestmail.model.digests import Limits
from digestmail.model.papers import PaperId, Sighting
from digestmail.model.personal import Profile
from digestmail.model.subscribers import Subscription
from digestmail.storage import schema, subscribers
from digestmail.subscribers import data_export


@pytest.fixture
def site(tmp_path, database_url):
    with opened(tmp_path, database_url) as site:
        yield site


@pytest.fixture
def mail(site):
    """Return the edition with two papers that a reader got."""
    return edition_mail(site)


def edition_mail(site: Site, language: str | None = None):
    with site.app.database.begin() as connection:
        reader = subscribers.add(connection, "reader@example.org", site.clock.now())
        subscribers.subscribe(connection, reader, Subscription(digest="daily"), site.clock.now())
        connection.execute(schema.subscribers.update().values(language=language))
    found = [sighting(1, title="An agent <b>", upvotes=9), sighting(2, title="An image")]
    collect(site.app.database, [FakeSource("hf", reading(*found))], site.clock.now())
    publish(site.app.database, site.app.digests[:1], site.app.mail.render, site.clock.now())
    assert site.app.deliver().sent == 1
    return site.wait_for_mails(1)[0]


def thumbs(mail) -> list[str]:
    """Return the feedback links of a mail, each once."""
    return [one for one in links(mail) if "/feedback/" in one]


def thumb(mail, position: int, answer: str) -> str:
    (found,) = (one for one in thumbs(mail) if one.endswith(f"/{position}/{answer}"))
    return found


def stored(site: Site) -> list[tuple[int, bool]]:
    with site.app.database.connect() as connection:
        f = schema.feedback.c
        return [tuple(row) for row in connection.execute(select(f.paper_id, f.liked).order_by(f.paper_id))]


def press(site: Site, link: str, answer: str):
    """Open a link, choose an answer, and send the form."""
    return site.fill_in(link, link.rpartition("/")[0], answer=answer)


def chosen(body: str) -> list[str]:
    return re.findall(r'name="answer" value="(\w+)" required checked', body)


def test_each_paper_of_an_email_has_two_links_in_its_html_and_none_in_its_text(site, mail):
    assert len(thumbs(mail)) == 4
    html, text = (mail.get_body((kind,)).get_content() for kind in ("html", "plain"))
    for position in (1, 2):
        more, less = thumb(mail, position, "more"), thumb(mail, position, "less")
        assert f'<a href="{more}">More like this</a>' in html
        assert f'<a href="{less}">Less like this</a>' in html
    assert html.index("An agent") < html.index(thumb(mail, 1, "more")) < html.index(thumb(mail, 2, "more"))
    assert "/feedback/" not in text


def test_a_scanner_that_opens_every_link_stores_nothing(site, mail):
    assert len(thumbs(mail)) == 4
    for link in thumbs(mail):
        for method in ("GET", "HEAD", "GET"):
            assert site.ask(method, link).status == 200, link
    assert stored(site) == []


def test_a_post_without_the_form_s_own_token_or_with_another_answer_stores_nothing(site, mail):
    target = thumb(mail, 1, "more").rpartition("/")[0]
    token = re.search(r'name="token" value="([^"]+)"', site.get(target).body)[1]
    assert site.post(target, {"answer": "more"}).status == 404
    assert site.post(target, {"answer": "more", "token": "made-up"}).status == 404
    assert site.post(target, {"answer": "more", "token": token}, {"Sec-Fetch-Site": "cross-site"}).status == 404
    assert site.post(target, {"answer": "perhaps", "token": token}).status == 404
    assert site.post(target, {"token": token}).status == 404
    assert site.post(f"{target}/more", {"token": token, "answer": "more"}).status == 405
    assert stored(site) == []
    assert site.post(target, {"answer": "more", "token": token}).status == 200
    assert len(stored(site)) == 1


@pytest.mark.parametrize(("answer", "says"), [("more", "you want more papers"), ("less", "you want fewer papers")])
def test_the_form_has_the_answer_of_the_link_and_the_page_says_what_was_stored(site, mail, answer, says):
    link = thumb(mail, 1, answer)
    shown = site.get(link)
    assert chosen(shown.body) == [answer]
    assert "An agent &lt;b&gt;" in shown.body
    assert "Remove my feedback" not in shown.body
    saved = press(site, link, answer)
    assert says in saved.body
    assert "Remove my feedback" in saved.body
    assert [liked for _, liked in stored(site)] == [answer == "more"]
    for headers in (shown.headers, saved.headers):
        assert "no-store" in headers["cache-control"]


def test_the_last_answer_counts_and_can_be_taken_back_on_the_page(site, mail):
    more, less = thumb(mail, 2, "more"), thumb(mail, 2, "less")
    press(site, more, "more")
    changed = site.get(less)
    assert "Saved: more like this" in changed.body
    assert chosen(changed.body) == ["less"]
    assert "you want fewer papers" in press(site, less, "less").body
    assert [liked for _, liked in stored(site)] == [False]
    assert chosen(site.get(less.rpartition("/")[0]).body) == ["less"]
    assert "was removed" in press(site, less, "none").body
    assert stored(site) == []
    assert press(site, less, "none").status == 200


def test_a_link_that_was_changed_on_the_way_still_works(site, mail):
    link = thumb(mail, 2, "less")
    token = link.split("/")[-4]
    for changed in (f"{link}.", f"{link}%3E", link.replace(token, f"{token[:9]}%0D%0A{token[9:]}"), f"{link}/"):
        assert chosen(site.get(changed).body) == ["less"], changed


def test_a_link_that_is_wrong_or_of_a_forgotten_key_is_refused(site, mail):
    link = thumb(mail, 1, "more")
    token = link.split("/")[-4]
    base, _, rest = link.partition(token)
    notice = site.app.tokens.unsubscribe(1, "")
    weekly = site.app.tokens.unsubscribe(1, "weekly")
    stranger = site.app.tokens.unsubscribe(99, "daily")
    for other in (("A" if token[0] != "A" else "B") + token[1:], notice, weekly, stranger):
        assert site.get(base + other + rest).status == 404
    for place in ("2026-04-02/3", "2026-04-02/0", "2026-04-03/1"):
        answer = site.get(f"{base}{token}/{place}")
        assert (answer.status, "no such paper" in answer.body) == (404, True), place
    for place in ("", "/2026-04-02", "/2026-04-02/99999", "/x/1", "/2026-04-02/x", "/%00/1", "/2026-04-02/\u0663"):
        assert site.get(f"{base}{token}{quote(place, safe='/%')}").status == 404, place
    form = re.search(r'name="token" value="([^"]+)"', site.get(link).body)[1]
    rotate_secrets(site.app.database, site.app.epoch(), forget=True)
    site.clock.sleep(120)
    assert site.get(link).status == 404
    assert site.post(link.rpartition("/")[0], {"token": form, "answer": "more"}).status == 404
    assert stored(site) == []


def test_links_to_two_papers_that_were_merged_are_about_the_same_paper(site, mail):
    press(site, thumb(mail, 1, "more"), "more")
    site.clock.sleep(60)
    press(site, thumb(mail, 2, "less"), "less")
    one, other = sighting(1).paper, sighting(2).paper
    alias = PaperId("doi:10.1000/same")
    for found in (one, other):
        seen = Sighting(source="hf", paper=replace(found, aliases=(alias,)), day=site.clock.now().date())
        collect(site.app.database, [FakeSource("hf", reading(seen))], site.clock.now())
    if len(stored(site)) == 2:
        pytest.fail("the papers were not merged")
    assert [liked for _, liked in stored(site)] == [False]
    for position in (1, 2):
        assert "Saved: less like this" in site.get(thumb(mail, position, "more")).body


def test_the_reader_s_data_lists_feedback_and_removes_it_one_by_one(site, mail):
    press(site, thumb(mail, 1, "more"), "more")
    press(site, thumb(mail, 2, "less"), "less")
    target = next(one for one in links(mail) if "/preferences/" in one)
    page = site.get(f"{target}/data").body
    assert "An agent &lt;b&gt;" in page
    assert "An image" in page
    exported = json.loads(site.get(f"{target}/data.json").body)["feedback"]
    assert [(one["title"], one["liked"], one["given_at"][:10]) for one in exported] == [
        ("An image", False, "2026-04-02"),
        ("An agent <b>", True, "2026-04-02"),
    ]
    papers = [unescape(one) for one in re.findall(r'name="paper" value="([^"]+)"', page)]
    assert papers == [one["paper_id"] for one in exported]
    assert site.post(f"{target}/feedback", {"paper": papers[0]}).status == 404
    assert len(stored(site)) == 2
    for _ in range(2):
        after = site.fill_in(f"{target}/data", f"{target}/feedback", paper=papers[0]).body
        assert "was removed" in after
        assert "An image" not in after
        assert "An agent &lt;b&gt;" in after
        assert [liked for _, liked in stored(site)] == [True]


def test_an_erased_reader_s_feedback_is_gone_and_their_links_store_none(site, mail):
    link = thumb(mail, 1, "more")
    press(site, link, "more")
    form = re.search(r'name="token" value="([^"]+)"', site.get(link).body)[1]
    data_export.erase(site.app.database, 1, site.clock.now(), random_token=lambda: "a key")
    assert stored(site) == []
    assert site.get(link).status == 404
    assert site.post(link.rpartition("/")[0], {"token": form, "answer": "more"}).status == 404
    assert stored(site) == []


def test_turned_off_there_are_no_links_and_no_page_but_what_was_given_can_be_removed(tmp_path, database_url):
    with opened(tmp_path, database_url, settings="[web]\nfeedback = false\n") as site:
        mail = edition_mail(site)
        assert thumbs(mail) == []
        token = site.app.tokens.unsubscribe(1, "daily")
        target = f"/feedback/{token}/2026-04-02/1"
        assert site.get(f"{target}/more").status == 404
        assert site.post(target, {"answer": "more"}).status == 404
        with site.app.database.begin() as connection:
            given = {"subscriber_id": 1, "paper_id": 1, "liked": True, "given_at": site.clock.now()}
            connection.execute(schema.feedback.insert().values(**given))
        data = f"/preferences/{token}/data"
        assert site.fill_in(data, f"/preferences/{token}/feedback", paper="arxiv:2604.00001").status == 200
        assert stored(site) == []


def test_pages_of_the_archive_have_no_feedback_links(site, mail):
    assert thumbs(mail)
    for path in ("/", "/daily", "/daily/2026-04-02", "/papers/arxiv:2604.00001", "/daily/feed.atom"):
        answer = site.get(path)
        assert (answer.status, "feedback" in answer.body) == (200, False), path
    edition = site.app.upcoming(site.app.digests[1]).edition
    assert edition.entries
    assert "feedback" not in site.app.mail.page(edition)


def test_the_page_is_in_the_reader_s_language(site):
    link = thumb(edition_mail(site, "de"), 1, "more")
    assert "Mehr davon" in site.get(link).body
    assert "Deine Rückmeldung wurde gespeichert" in press(site, link, "more").body


def test_a_press_gives_the_next_email_a_section_that_says_why_and_whose_links_work(site, mail):
    press(site, thumb(mail, 1, "more"), "more")
    site.clock.sleep(86_400)
    words = "agent tool browser plan act memory"
    papers = [
        sighting(number, title=f"Another {number}", upvotes=number, day=site.clock.now().date(), abstract=abstract)
        for number, abstract in enumerate([f"An {words}", *["A proof about numbers and sets"] * 5], start=11)
    ]
    collect(site.app.database, [FakeSource("hf", reading(*papers))], site.clock.now())
    one = replace(site.app.digests[0], limits=Limits(max_papers=2), for_you=1, profile=Profile(exploration=0.0))
    (report,) = publish(site.app.database, [one], site.app.mail.render, site.clock.now()).digests
    assert report.personal == 1
    assert site.app.deliver().sent == 1
    message = site.wait_for_mails(2)[-1]
    html = message.get_body(("html",)).get_content()
    assert re.search(r"1(&nbsp;|\u00a0)· For you", html)
    assert "Like “An agent &lt;b&gt;”, which you liked" in html
    assert len(thumbs(message)) == 4
    shown = press(site, thumbs(message)[0], "less")
    assert "Another 11" in shown.body
    assert [liked for _, liked in stored(site)] == [True, False]


def test_of_thousands_of_answers_the_page_shows_the_latest_and_the_download_has_all(site, mail):
    press(site, thumb(mail, 1, "more"), "more")
    with site.app.database.begin() as connection:
        model = dict(connection.execute(schema.papers.select().limit(1)).mappings().one())
        answer = dict(connection.execute(schema.feedback.select()).mappings().one())
        numbers = range(10_000, 20_000)
        connection.execute(
            schema.papers.insert(), [model | {"id": n, "key": f"arxiv:{n}", "title": f"Paper {n}"} for n in numbers]
        )
        given = [
            answer | {"paper_id": n, "liked": n % 4 == 0, "given_at": answer["given_at"] + timedelta(seconds=n)}
            for n in numbers
        ]
        connection.execute(schema.feedback.insert(), given)
    target = next(one for one in links(mail) if "/preferences/" in one)
    page = site.get(f"{target}/data").body
    assert len(page) < 100_000
    assert re.findall(r'name="paper" value="([^"]+)"', page) == [f"arxiv:{n}" for n in range(19_999, 19_899, -1)]
    assert "More like this: 2501" in page
    assert "Less like this: 7500" in page
    assert "This page shows the latest 100." in page
    assert len(json.loads(site.get(f"{target}/data.json").body)["feedback"]) == 10_001
