"""The subscriber pages over real HTTP and SMTP: what they do, and what they must not do."""

from __future__ import annotations

import json
import re

import pytest
from fakes import FakeSource, reading, sighting
from site_fixture import Site, link, links, opened
from sqlalchemy import select

from digestmail.collect.collector import collect
from digestmail.delivery.secrets import rotate_secrets
from digestmail.editions.publish import publish
from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import Cadence
from digestmail.model.subscribers import Preferences, SubscriberState, Subscription, SuppressionReason
from digestmail.schedule.moments import is_paused
from digestmail.storage import deliveries, schema, subscribers, suppressions
from digestmail.subscribers import data_export, preferences
from digestmail.subscribers.rate_limit import Rate, Rates

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def site(tmp_path, database_url):
    with opened(tmp_path, database_url) as site:
        yield site


def subscribed(site: Site, address: str = "reader@example.org", **fields):
    """Go from the form to the welcome email; return the two emails."""
    before = len(site.mails())
    assert "Check your email" in site.fill_in("/subscribe", address=address, **({"digest": "daily"} | fields)).body
    asked = site.wait_for_mails(before + 1)[-1]
    target = link(asked, "confirm")
    assert "You are subscribed" in site.fill_in(target).body
    return asked, site.wait_for_mails(before + 2)[-1]


def test_the_banner_of_a_page_subscribes_to_the_digest_of_the_page(site):
    published(site, "One")
    for path, name in (("/weekly", "weekly"), ("/daily", "daily"), ("/", "daily")):
        page = site.get(path).body
        (banner,) = re.findall(r'<form class="banner".*?</form>', page, re.DOTALL)
        assert f'<input type="hidden" name="digest" value="{name}">' in banner
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', site.get("/weekly").body))
    before = len(site.mails())
    site.clock.sleep(5)
    site.post("/subscribe", hidden | {"address": "weekly@example.org"})
    site.fill_in(link(site.wait_for_mails(before + 1)[-1], "confirm"))
    site.wait_for_mails(before + 2)
    assert [one.digest for one in person(site, "weekly@example.org").subscriptions] == ["weekly"]


def test_pages_name_digests_by_their_titles(site):
    (navigation,) = re.findall(r"<nav.*?</nav>", site.get("/").body, re.DOTALL)
    assert ">Trending papers</a>" in navigation
    assert ">The week</a>" in navigation


def person(site: Site, address: str = "reader@example.org"):
    with site.app.database.connect() as connection:
        return subscribers.find(connection, address)


def published(site: Site, *titles: str, first: int = 1):
    found = [sighting(number, title=title) for number, title in enumerate(titles, start=first)]
    collect(site.app.database, [FakeSource("hf", reading(*found))], site.clock.now())
    return publish(site.app.database, site.app.digests[:1], site.app.mail.render, site.clock.now())


def states(site: Site) -> dict[DeliveryState, int]:
    with site.app.database.connect() as connection:
        return deliveries.counts(connection)


def contents(site: Site) -> dict[str, list[str]]:
    """Return every row of every table."""
    with site.app.database.connect() as connection:
        return {
            table.name: sorted(str(row) for row in connection.execute(select(table)).all())
            for table in schema.metadata.sorted_tables
        }


def test_from_the_form_to_the_edition_and_away_by_one_click(site):
    _, welcome = subscribed(site, **{"topics.daily": ["Vision"], "hour": "", "timezone": "Europe/Berlin"})
    preferences = link(welcome, "preferences")
    page = site.get(preferences).body
    assert "reader@example.org" in page
    assert re.search(r'value="Vision" checked', page)
    published(site, "An agent", "An image")
    assert site.app.deliver().sent == 1
    edition = site.wait_for_mails(3)[-1]
    text = edition.get_body(("plain",)).get_content()
    assert "An image" in text
    assert "An agent" not in text
    target = link(edition, "unsubscribe")
    answer = site.post(target, ONE_CLICK)
    assert (answer.status, answer.headers.get("set-cookie"), answer.headers.get("location")) == (200, None, None)
    assert person(site).state is SubscriberState.UNSUBSCRIBED
    assert site.app.deliver().sent == 0


def test_no_link_of_any_mail_changes_anything_when_a_scanner_opens_it(site):
    asked, welcome = subscribed(site)
    published(site, "An agent")
    site.app.deliver()
    edition = site.wait_for_mails(3)[-1]
    site.later(2 * 86400)
    site.fill_in("/subscribe", address="other@example.org", digest="daily")
    pending = site.wait_for_mails(4)[-1]
    site.settle()
    before = contents(site)
    opened_links = 0
    for mail in (asked, welcome, edition, pending):
        for one in (one for one in links(mail) if one.startswith(site.base_url)):
            for method in ("GET", "HEAD", "GET"):
                assert site.ask(method, one).status in {200, 404, 410}, one
                opened_links += 1
    assert opened_links > 12
    for more in ("/data", "/data.json"):
        assert site.get(link(welcome, "preferences") + more).status == 200
    assert contents(site) == before


def test_how_often_is_chosen_for_each_digest_and_kept_when_the_form_is_sent_again(site):
    _, welcome = subscribed(site)
    assert "How often" not in site.get("/subscribe").body, "signing up stays simple"
    target = link(welcome, "preferences")
    saved = site.fill_in(target, **{"digest": ["daily", "weekly"], "cadence.daily": "weekly"})
    assert re.search(r'value="weekly" selected', saved.body)
    chosen = (Subscription(digest="daily", cadence=Cadence.WEEKLY), Subscription(digest="weekly"))
    assert person(site).subscriptions == chosen
    stored = json.loads(site.get(f"{target}/data.json").body)
    assert stored["subscriber"]["subscriptions"][0]["cadence"] == "weekly"
    assert "Once a week" in site.get(f"{target}/data").body
    refused = site.fill_in(target, **{"digest": "daily", "cadence.daily": "hourly"})
    assert (refused.status, "There is no frequency" in refused.body) == (404, True)
    assert person(site).subscriptions == chosen


def test_a_form_offers_only_frequencies_that_are_lower_than_the_digests_own(site):
    _, welcome = subscribed(site)
    body = site.get(link(welcome, "preferences")).body
    offered = {
        name: re.findall(r'<option value="(\w+)"', body.split(f'name="cadence.{name}"')[1].split("</select>")[0])
        for name in ("daily", "weekly")
    }
    assert offered == {"daily": ["weekdays", "weekly", "monthly"], "weekly": ["monthly"]}


def test_weekly_instead_of_leaving_takes_one_press_and_an_email_confirms_it(site):
    subscribed(site, digest=["daily", "weekly"])
    published(site, "An agent")
    site.app.deliver()
    edition = site.wait_for_mails(3)[-1]
    leave = link(edition, "unsubscribe")
    shown = site.get(leave).body
    assert "Once a week instead" in shown
    assert person(site).subscriptions[0].cadence is None, "looking changes nothing"
    answer = site.fill_in(leave, f"{leave.replace('unsubscribe', 'preferences')}/cadence", cadence="weekly")
    assert "You get fewer emails now" in answer.body
    assert person(site).subscriptions == (
        Subscription(digest="daily", cadence=Cadence.WEEKLY),
        Subscription(digest="weekly"),
    )
    told = site.wait_for_mails(4)[-1]
    assert "changed how often Trending papers arrives" in told.get_body(("plain",)).get_content()
    assert "Once a month instead" in site.get(leave).body
    assert "back" in site.fill_in(link(told, "undo")).body or person(site).subscriptions[0].cadence is None
    assert person(site).subscriptions[0].cadence is None


def test_weekly_instead_needs_the_form_and_a_subscription(site):
    subscribed(site)
    token = site.app.tokens.unsubscribe(person(site).id, "daily")
    for fields in ({"cadence": "weekly"}, {"cadence": "weekly", "token": "x"}):
        assert site.post(f"/preferences/{token}/cadence", fields).status == 404
    assert site.ask("GET", f"/preferences/{token}/cadence").status == 405
    for wrong in ("", "hourly"):
        assert site.fill_in(f"/unsubscribe/{token}", f"/preferences/{token}/cadence", cadence=wrong).status == 404
    assert person(site).subscriptions[0].cadence is None
    other = site.app.tokens.unsubscribe(person(site).id, "weekly")
    assert "instead" not in site.get(f"/unsubscribe/{other}").body
    assert site.post(f"/unsubscribe/{token}", ONE_CLICK).body == "unsubscribed\n"
    assert person(site).state is SubscriberState.UNSUBSCRIBED
    assert "instead" not in site.get(f"/unsubscribe/{token}").body


def test_a_weekly_email_belongs_to_its_digest(site):
    _, welcome = subscribed(site)
    site.fill_in(link(welcome, "preferences"), **{"digest": "daily", "cadence.daily": "weekly"})
    site.wait_for_mails(3)
    while site.clock.now().weekday() != 0:
        site.later(86400)
    published(site, "An agent")
    site.app.deliver()
    edition = site.wait_for_mails(4)[-1]
    plain = site.app.mail.sender
    assert edition["List-Id"].split()[-1].startswith("<daily.")
    assert "daily-weekly" in edition["Message-ID"]
    html = edition.get_body(("html",)).get_content()
    more = re.search(r"/feedback/[^/]+/(\d{4}-\d\d-\d\d\.weekly)/1/more", html)
    assert more is not None
    assert f'href="{plain.base_url}/daily"' in html, "the archive has no page of its own for it"
    found = site.get(more.group())
    assert found.status == 200
    assert "An agent" in found.body
    day = more.group(1).removesuffix(".weekly")
    assert "daily@weekly" not in site.get("/daily").body + site.get("/sitemap-editions.xml").body
    assert site.get(f"/daily@weekly/{day}").status == 404
    assert site.get(f"/api/v1/editions/daily@weekly/{day}").status == 404
    listed = json.loads(site.get("/api/v1/editions").body)["items"]
    assert {one["digest"] for one in listed} == {"daily"}
    assert site.post(link(edition, "unsubscribe"), ONE_CLICK).status == 200
    assert person(site).state is SubscriberState.UNSUBSCRIBED


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
def test_one_click_accepts_both_encodings_repeatedly_for_one_digest(site, form):
    subscribed(site, digest=["daily", "weekly"])
    published(site, "An agent")
    token = site.app.tokens.unsubscribe(person(site).id, "daily")
    boundary = "x1"
    field = 'Content-Disposition: form-data; name="List-Unsubscribe"'
    part = f"--{boundary}\r\n{field}\r\n\r\nOne-Click\r\n--{boundary}--\r\n"
    for _ in range(2):
        if form == "multipart":
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            answer = site.ask("POST", f"/unsubscribe/{token}", part.encode(), headers)
        else:
            answer = site.post(f"/unsubscribe/{token}", ONE_CLICK, {"Sec-Fetch-Site": "cross-site"})
        assert (answer.status, answer.body) == (200, "unsubscribed\n")
    assert [one.digest for one in person(site).subscriptions] == ["weekly"]
    with site.app.database.connect() as connection:
        assert deliveries.counts(connection) == {DeliveryState.CANCELLED: 1}
    assert "no longer receive Trending papers" in site.wait_for_mails(3)[-1].get_body(("plain",)).get_content()
    site.settle()
    assert len(site.mails()) == 3


ENCODINGS = {
    "application/x-www-form-urlencoded": b"List-Unsubscribe=One-Click",
    # RFC 8058 section 8.2
    "multipart/form-data; boundary=---FormBoundaryjWmhtjORrn": (
        b"-----FormBoundaryjWmhtjORrn\r\n"
        b'Content-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n'
        b"-----FormBoundaryjWmhtjORrn--\r\n"
    ),
}


@pytest.mark.parametrize("encoding", ENCODINGS, ids=["urlencoded", "multipart"])
def test_one_click_in_a_mail_program_unsubscribes(tmp_path, database_url, encoding):
    """RFC 8058 behind a proxy that terminates TLS, with the URL from the email."""
    with opened(tmp_path, database_url, "https://digest.example.org/papers") as site:
        subscribed(site)
        published(site, "An agent")
        assert site.app.deliver().sent == 1
        edition = site.wait_for_mails(3)[-1]
        assert edition["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        target = re.match(r"<(https://digest\.example\.org/papers/unsubscribe/[^>]+)>", edition["List-Unsubscribe"])[1]
        site.later(86_400)
        published(site, "Another agent", first=2)
        assert states(site) == {DeliveryState.SENT: 1, DeliveryState.QUEUED: 1}
        proxied = {"Host": "digest.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}
        for _ in range(2):
            answer = site.ask("POST", target, ENCODINGS[encoding], {"Content-Type": encoding, **proxied})
            assert (answer.status, answer.body) == (200, "unsubscribed\n")
            assert not {"Location", "Set-Cookie"} & {name.title() for name in answer.headers}
        assert person(site).state is SubscriberState.UNSUBSCRIBED
        assert site.wait_for_mails(4)[3]["Subject"] == "Trending papers: You are unsubscribed"
        site.settle()
        site.later(86_400)
        published(site, "A third agent", first=3)
        site.app.send_notices()
        assert site.app.deliver().sent == 0
        assert states(site) == {DeliveryState.SENT: 1, DeliveryState.CANCELLED: 1}
        assert len(site.mails()) == 4


def test_a_post_without_the_form_s_own_token_does_nothing(site):
    _, welcome = subscribed(site)
    token = link(welcome, "preferences").rpartition("/")[2]
    site.settle()
    before = contents(site)
    paths = ("preferences/{}", "preferences/{}/pause", "preferences/{}/erase", "preferences/{}/address")
    for path in (*paths, "confirm/{}", "undo/{}", "address/{}", "erase/{}"):
        for fields in ({}, {"token": "made-up"}, {"List-Unsubscribe": "maybe", "sure": "yes", "digest": "weekly"}):
            assert site.post("/" + path.format(token), fields).status in {404, 410}
    elsewhere = re.search(r'name="token" value="([^"]+)"', site.get(f"/preferences/{token}").body)[1]
    answer = site.post(
        f"/preferences/{token}/erase", {"token": elsewhere, "sure": "yes"}, {"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status == 404
    assert contents(site) == before


def test_the_response_is_the_same_for_everyone_and_one_email_is_sent(site):
    subscribed(site)
    with site.app.database.begin() as connection:
        suppressions.add(connection, "gone@example.org", SuppressionReason.BOUNCED, "", site.clock.now())
    addresses = ("reader@example.org", "gone@example.org", "new@example.org", "new@example.org", "NEW@example.org")
    answers = [site.fill_in("/subscribe", address=address, digest="daily") for address in addresses]
    shown = {(answer.status, re.sub(r'value="[^"]+"', "", answer.body)) for answer in answers}
    assert len(shown) == 1
    mails = site.wait_for_mails(4)
    site.settle()
    assert len(site.mails()) == 4
    # A notice goes to the address as it was typed last.
    assert sorted(mail["To"].lower() for mail in mails[2:]) == ["new@example.org", "reader@example.org"]


def test_bots_that_fill_the_honeypot_or_are_too_fast_trigger_no_email(site):
    token = re.search(r'name="token" value="([^"]+)"', site.get("/").body)[1]
    assert site.post("/subscribe", {"token": token, "address": "a@example.org"}).status == 400
    site.clock.sleep(5)
    said = site.post("/subscribe", {"token": token, "address": "a@example.org", "website": "https://spam.example"})
    assert "Check your email" in said.body
    site.later(2 * 86400)
    assert site.post("/subscribe", {"token": token, "address": "a@example.org"}).status == 400
    site.settle()
    assert site.mails() == []
    assert person(site, "a@example.org") is None


def test_the_home_page_s_form_needs_no_more_than_an_address(site):
    assert "Check your email" in site.fill_in("/", "/subscribe", address="reader@m\u00fcnchen.example").body
    (mail,) = site.wait_for_mails(1)
    assert mail["To"] == "reader@xn--mnchen-3ya.example"
    assert person(site, "reader@m\u00fcnchen.example").state is SubscriberState.PENDING


def test_too_many_from_one_network_are_refused_and_too_many_for_a_domain_stay_silent(site):
    site_guard = site.app  # the pages share one guard a process
    assert site_guard is not None
    for number in range(10):
        assert site.fill_in("/subscribe", address=f"p{number}@example.org", digest="daily").status == 200
    assert site.fill_in("/subscribe", address="p11@example.org", digest="daily").status == 429
    site.later(3600)
    assert site.fill_in("/subscribe", address="p11@example.org", digest="daily").status == 200
    assert Rates().network == Rate(10, 3600)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"address": "nobody"}, "not an email address"),
        ({"address": "a@example.org", "digest": "nightly"}, "Choose at least one"),
        ({"address": "a@example.org", "digest": "daily", "topics.daily": "Cooking"}, "no topic"),
        ({"address": "a@example.org", "digest": "daily", "hour": "noon"}, "hour must be a number"),
        ({"address": "a@example.org", "digest": "daily", "timezone": "Mars/Olympus"}, "no time zone"),
        ({"address": "a@example.org", "digest": "daily", "language": "tlh"}, "language is not available"),
        ({"address": "<script>alert(1)</script>", "digest": "daily"}, "&lt;script&gt;"),
    ],
)
def test_errors_are_shown_on_the_page(site, fields, says):
    answer = site.fill_in("/subscribe", **fields)
    assert (answer.status, says in answer.body) == (422, True)
    assert "<script" not in answer.body


def test_preferences_are_saved_paused_shown_and_erased(site):
    _, welcome = subscribed(site)
    target = link(welcome, "preferences")
    saved = site.fill_in(
        target, **{"digest": ["daily", "weekly"], "topics.daily": "Agents", "hour": "7", "language": "de"}
    )
    assert "gespeichert" in saved.body
    site.wait_for_mails(3)
    assert person(site).subscriptions == (
        Subscription(digest="daily", topics=("Agents",), hour=7),
        Subscription(digest="weekly", hour=7),
    )
    assert site.fill_in(target, digest=[]).status == 422
    assert "pausiert" in site.fill_in(target, f"{target}/pause", weeks="2").body
    assert "Jetzt fortsetzen" in site.get(target).body
    assert "wieder" in site.fill_in(target, f"{target}/pause").body
    assert not is_paused(person(site).paused_until, site.clock.now())
    assert site.fill_in(target, f"{target}/pause", weeks="99").status == 404
    stored = json.loads(site.get(f"{target}/data.json").body)
    assert stored["subscriber"]["address"] == "reader@example.org"
    assert [mail["kind"] for mail in stored["mails"]] == ["confirm", "welcome", "changed", "changed"]
    assert site.fill_in(f"{target}/data", f"{target}/erase").status == 404
    assert "Postfach" in site.fill_in(f"{target}/data", f"{target}/erase", sure="yes").body
    assert person(site).state is SubscriberState.ACTIVE
    asked = next(mail for mail in site.wait_for_mails(4) if "/erase/" in str(links(mail)))
    assert "reader@example.org" in site.get(link(asked, "erase")).body
    assert "wurden gelöscht" in site.fill_in(link(asked, "erase")).body
    assert site.get(link(asked, "erase")).status == 403
    assert "reader@example.org" not in str(contents(site))
    assert site.get(target).status == 404
    assert site.post(target.replace("preferences", "unsubscribe"), ONE_CLICK).status == 200


def test_no_page_shows_anything_of_an_erased_reader(site):
    _, welcome = subscribed(site)
    published(site, "One")
    assert site.app.deliver().sent == 1, "the row of the reader stays, without a name"
    target = link(welcome, "preferences")
    own_token = re.search(r'name="token" value="([^"]+)"', site.get(target).body)[1]
    data_export.erase(site.app.database, person(site).id, site.clock.now(), random_token=lambda: "key")
    before = contents(site)
    shown = [
        site.get(target + rest) for rest in ("", "/data", "/data.json", "/interests")
    ] + [
        site.post(target + rest, {"token": own_token, "weeks": "2", "sure": "yes", "digest": "daily"})
        for rest in ("", "/pause", "/erase", "/feedback", "/interests", "/interests/clear")
    ]  # fmt: skip
    shown.append(site.get(target.replace("preferences", "unsubscribe")))
    for answer in shown:
        assert (answer.status, "erased.invalid" in answer.body) == (404, False)
        assert "<p>No data is stored about this subscriber.</p>" in answer.body
    assert contents(site) == before


def test_unsubscribing_with_the_form_sends_a_goodbye(site):
    _, welcome = subscribed(site, digest=["daily", "weekly"])
    token = site.app.tokens.unsubscribe(person(site).id, "daily")
    assert "All digests" in site.get(f"/unsubscribe/{token}").body
    assert "You will not receive this digest any more" in site.fill_in(f"/unsubscribe/{token}", scope="digest").body
    assert "has changed" in site.wait_for_mails(3)[-1]["Subject"]
    site.settle()
    assert "Thank you" in site.fill_in(f"/unsubscribe/{token}", scope="all").body
    assert "unsubscribed" in site.wait_for_mails(4)[-1]["Subject"]
    assert "not subscribed" in site.get(f"/unsubscribe/{token}").body
    assert (
        site.fill_in(link(welcome, "preferences") + "/data", link(welcome, "preferences"), digest="daily").status == 422
    )


def test_a_link_stays_good_after_a_rotation_and_dies_with_a_forgotten_secret(site):
    asked, welcome = subscribed(site)
    target = link(welcome, "preferences")
    assert rotate_secrets(site.app.database, site.app.epoch(), forget=False) == 2
    assert site.get(target).status == 200
    assert "were saved" in site.fill_in(target, digest="weekly").body
    assert rotate_secrets(site.app.database, site.app.epoch(), forget=True) == 1
    assert site.get(target).status == 404
    assert site.get(link(asked, "confirm")).status == 410


def test_large_forms_and_invalid_bodies_are_refused(site):
    assert site.post("/subscribe", {"address": "a" * 100_000}).status == 413
    assert site.ask(
        "POST", "/subscribe", b"\xff\x00=%", {"Content-Type": "application/x-www-form-urlencoded"}
    ).status in {400, 422}
    assert site.ask("POST", "/subscribe", b"--", {"Content-Type": "multipart/form-data"}).status in {400, 422}
    assert site.ask("DELETE", "/subscribe").status == 405
    assert Preferences().subscriptions == ()


def test_whoever_confirms_twice_is_still_subscribed_until_they_leave(site):
    asked, welcome = subscribed(site)
    target = link(asked, "confirm")
    assert "You are subscribed" in site.get(target).body
    assert person(site).state is SubscriberState.ACTIVE
    assert len(site.mails()) == 2
    preferences.unsubscribe(site.app.database, person(site).id, None, site.clock.now())
    assert site.get(target).status == 410
    assert link(welcome, "preferences")


def test_a_second_press_of_the_button_says_the_same(site):
    site.fill_in("/subscribe", address="reader@example.org", digest="daily")
    target = link(site.wait_for_mails(1)[0], "confirm")
    token = re.search(r'name="token" value="([^"]+)"', site.get(target).body)[1]
    pages = [site.post(target, {"token": token}) for _ in range(2)]
    assert [page.status for page in pages] == [200, 200]
    assert all("You are subscribed" in page.body for page in pages)
    assert len(site.wait_for_mails(2)) == 2


def test_the_unsubscribe_page_names_the_newsletter_and_the_address(site):
    _, welcome = subscribed(site)
    body = site.get(link(welcome, "preferences").replace("/preferences/", "/unsubscribe/")).body
    assert "reader@example.org is subscribed to: <strong>Trending papers</strong>" in body


def test_a_mistyped_time_zone_is_shown_with_the_one_that_was_meant_and_loses_nothing(site):
    _, welcome = subscribed(site)
    target = link(welcome, "preferences")
    topics = {"digest": "daily", "topics.daily": ["Vision"], "hour": "7"}
    wrong = site.fill_in(target, **topics, timezone="Kiev")
    assert wrong.status == 422
    assert "did you mean Europe/Kyiv?" in wrong.body
    assert 'value="Kiev"' in wrong.body
    assert 'value="Vision" checked' in wrong.body
    assert '<option value="7" selected>' in wrong.body
    assert person(site).timezone is None
    assert site.fill_in(target, **topics, timezone="america/new york").status == 200
    assert person(site).timezone == "America/New_York"
    assert site.fill_in(target, **topics, timezone="Asia/Calcutta").status == 200
    assert 'value="Asia/Calcutta"' in site.get(target).body
