"""The web shows no announcement, neither in lists nor under any address that could be guessed."""

from __future__ import annotations

import pytest
from fakes import render
from websites import THURSDAY, ask, create_app, open_app, publish

from digestmail.editions.announce import announce, announcement_status
from digestmail.model.editions import Announcement
from digestmail.subscribers import admin

TEXT = "An unlikely announcement"
FOUND = Announcement(subject=TEXT, text=TEXT)


@pytest.fixture
def site_and_key(database_url):
    with open_app(database_url) as app:
        publish(app.database, 0)
        admin.add(app.database, app.digests, "reader@example.org", "daily", (), THURSDAY)
        assert announce(app.database, app.digests[0], FOUND, render, THURSDAY) == 1
        status = announcement_status(app.database, app.digests[0], FOUND, THURSDAY)
        yield create_app(app), status.key


@pytest.mark.parametrize(
    "path",
    ["/", "/daily", "/daily/2026-04-02", "/daily/feed.atom", "/daily/feed.json", "/search?q=announcement",
     "/search.atom?q=announcement", "/sitemap.xml", "/sitemap-editions.xml", "/papers", "/daily/2026-04-02/papers",
     "/api/v1/editions?digest=daily", "/api/v1/editions"],
)  # fmt: skip
def test_no_list_page_or_feed_mentions_it(site_and_key, path):
    site, _ = site_and_key
    answer = ask(site, path)
    assert answer.status == 200
    assert TEXT not in answer.text
    assert "@announcement" not in answer.text


ADDRESSES = (
    *("/daily/{0}", "/daily/{0}.announcement", "/daily@announcement/{0}", "/daily@announcement"),
    *("/api/v1/editions/daily/{0}", "/api/v1/editions/daily@announcement/{0}"),
    *("/daily/{0}/papers", "/daily/{0}.announcement/papers", "/daily@announcement/{0}/papers"),
    *("/daily/{0}/papers.bib", "/daily/{0}.announcement/papers.ris"),
    "/api/v1/editions?digest=daily@announcement",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_leads_to_it(site_and_key, address):
    site, key = site_and_key
    answer = ask(site, address.format(key))
    assert answer.status == 404
    assert TEXT not in answer.text
