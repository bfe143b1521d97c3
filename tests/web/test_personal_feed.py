"""A reader's own feed: what they were sent, with their picks; secret, and only good for reading."""

from __future__ import annotations

import re
from datetime import timedelta

import feedparser
import pytest
from atom_rules import broken_atom_rules
from fakes import THURSDAY
from readers import DAY, Readers, mixed
from sqlalchemy import select, update
from websites import ask, create_app, open_app

from digestmail.errors import TokenError
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import DeliveryState
from digestmail.model.subscribers import Consent
from digestmail.storage import schema, subscribers
from digestmail.subscribers import data_export, preferences
from digestmail.web.access_log import loggable
from digestmail.web.link_repair import repair_link

NOW = THURSDAY + timedelta(hours=1)


@pytest.fixture
def world(database):
    """Ada, who likes a paper about optics, and Ben were sent two editions; a third one waits to be sent."""
    world = Readers(database)
    world.add("ada")
    world.add("ben")
    world.see({900: "optics"}, THURSDAY - DAY)
    world.rate("ada", 900)
    for day in range(3):
        world.see(mixed(100 * day, 12), THURSDAY + day * DAY)
        world.publish(now=THURSDAY + day * DAY)
        if day < 2:
            send(database, THURSDAY + day * DAY + timedelta(hours=1))
    return world


def send(database, at) -> None:
    waiting = schema.deliveries.c.state == DeliveryState.QUEUED
    sent = {"state": DeliveryState.SENT, "due_at": None, "ended_at": at, "attempts": 1}
    with database.begin() as connection:
        connection.execute(update(schema.deliveries).where(waiting).values(sent))


@pytest.fixture
def site(world, database_url):
    with open_app(database_url) as app:
        yield create_app(app)


def feed_of(site, world, name: str) -> str:
    """Return the path of a reader's feed, as their preferences offer it."""
    app = site.state.digestmail
    text = ask(site, f"/preferences/{app.tokens.unsubscribe(world.ids[name], 'daily')}").text
    (path,) = re.findall(r'href="(/for-you/[^"]+)\.atom"', text)
    return path


def entries(site, path: str):
    document = ask(site, f"{path}.atom").body
    assert broken_atom_rules(document) == []
    return feedparser.parse(document).entries


def test_the_feed_has_the_editions_that_were_sent_newest_first_with_the_picks(site, world):
    path = feed_of(site, world, "ada")
    found = entries(site, path)
    assert [one.title for one in found] == [
        "Trending papers, Friday, 3 April 2026",
        "Trending papers, Thursday, 2 April 2026",
    ]
    assert [one.published for one in found] == ["2026-04-03T09:00:00Z", "2026-04-02T09:00:00Z"]
    for entry, slot in zip(found, ("2026-04-03", "2026-04-02"), strict=True):
        sent = [paper.paper.id for section in world.email("ada", slot=slot) for paper in section.entries]
        assert re.findall(r'/papers/(arxiv:[0-9.]+)"', entry.content[0].value) == sent
        assert entry.content[0].value.count(">For you<") == 1
    assert ">For you<" not in entries(site, feed_of(site, world, "ben"))[0].content[0].value


def test_json_feed_says_the_same(site, world):
    path = feed_of(site, world, "ada")
    document = ask(site, f"{path}.json").json
    assert [item["id"] for item in document["items"]] == [entry.id for entry in entries(site, path)]
    assert document["feed_url"] == f"https://papers.example.org{path}.json"


def test_entries_have_an_identity_of_their_own_that_does_not_tell_the_secret(site, world):
    paths = [feed_of(site, world, name) for name in ("ada", "ben")]
    ids = [[entry.id for entry in entries(site, path)] for path in paths]
    assert len({one for found in ids for one in found}) == 4
    assert all(
        re.fullmatch(r"tag:papers\.example\.org,2026:for-you/[0-9a-f]{16}/daily/2026-04-0[23]", one) for one in ids[0]
    )
    assert ids[0] == [entry.id for entry in entries(site, paths[0])]
    public = feedparser.parse(ask(site, "/daily/feed.atom").body).entries
    assert not {one.id for one in public} & {*ids[0], *ids[1]}


def test_only_the_reader_s_own_program_may_keep_the_feed_and_no_crawler_lists_it(site, world):
    path = feed_of(site, world, "ada")
    first = ask(site, f"{path}.atom")
    assert first.headers["cache-control"] == "private, max-age=60"
    assert first.headers["x-robots-tag"] == "noindex"
    again = ask(site, f"{path}.atom", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert ask(site, f"{path}.atom", method="HEAD").headers["etag"] == first.headers["etag"]
    assert "Disallow: /for-you/" in ask(site, "/robots.txt").text


def test_reading_the_feed_changes_nothing(site, world):
    path = feed_of(site, world, "ada")
    before = contents(world)
    for method in ("GET", "HEAD"):
        assert ask(site, f"{path}.atom", method=method).status == 200
    assert ask(site, f"{path}.atom", method="POST").status == 405
    assert contents(world) == before


def contents(world) -> dict[str, list[str]]:
    with world.database.connect() as connection:
        return {
            name: sorted(map(str, connection.execute(select(table)))) for name, table in schema.metadata.tables.items()
        }


def test_the_token_of_a_feed_opens_nothing_else_and_no_other_token_opens_a_feed(site, world):
    tokens = site.state.digestmail.tokens
    own = feed_of(site, world, "ada").split("/")[2]
    for page in ("preferences", "unsubscribe", "confirm", "undo", "erase"):
        for method in ("GET", "POST"):
            assert ask(site, f"/{page}/{own}", method=method).status in {400, 404, 405, 410}, page
    assert subscriber(world, "ada").subscriptions
    other = tokens.unsubscribe(world.ids["ada"], "daily")
    assert ask(site, f"/for-you/{other}/feed.atom").status == 404
    assert ask(site, "/for-you/x/feed.json").status == 404


def subscriber(world, name: str):
    with world.database.connect() as connection:
        return subscribers.get(connection, world.ids[name])


def test_who_leaves_ends_the_feed_and_who_comes_back_gets_another(site, world):
    path = feed_of(site, world, "ada")
    preferences.unsubscribe(world.database, world.ids["ada"], None, NOW)
    assert ask(site, f"{path}.atom").status == 410
    with world.database.begin() as connection:
        subscribers.activate(connection, world.ids["ada"], Consent(source="web", at=NOW + DAY), NOW + DAY)
    assert ask(site, f"{path}.atom").status == 410
    assert entries(site, feed_of(site, world, "ada"))
    tokens = Tokens("secret")
    assert tokens.feed(1, NOW) != tokens.feed(1, NOW + DAY) != tokens.feed(2, NOW + DAY)


def test_erasing_ends_the_feed(site, world):
    path = feed_of(site, world, "ada")
    data_export.erase(world.database, world.ids["ada"], NOW, random_token=lambda: "x")
    assert ask(site, f"{path}.json").status in {404, 410}


def test_a_feed_survives_a_new_secret():
    old = Tokens("old").feed(7, NOW)
    assert Tokens("new", "old").read_feed(old) == (7, int(NOW.timestamp()))
    with pytest.raises(TokenError):
        Tokens("new").read_feed(old)


def test_the_address_of_a_feed_is_repaired_and_never_logged(site, world):
    path = f"{feed_of(site, world, 'ada')}.atom"
    assert repair_link(path) == path
    assert repair_link(f"{path}?x=1&y") == path
    assert loggable(path) == "/for-you/-/feed.atom"
