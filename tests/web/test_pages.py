from __future__ import annotations

import re

import pytest
from websites import ask, create_app, open_app, publish

GET_PATHS = [
    "/",
    "/daily",
    "/daily/2026-04-02",
    "/daily/2026-04-02?topic=Agents",
    "/daily/2026-04-02/papers",
    "/papers",
    "/papers?topic=Agents&source=huggingface&to=2026-04-01",
    "/daily/week/2026-W14",
    "/daily/month/2026-04",
    "/weekly",
    "/search",
    "/search?q=memory",
    "/papers/arxiv:2601.00001",
    "/bibtex/arxiv:2601.00001",
    "/ris/arxiv:2601.00001",
    "/csl-json/arxiv:2601.00001",
    "/daily/2026-04-02/papers.bib",
    "/search.ris?q=memory",
    "/daily/feed.atom",
    "/daily/feed.json",
    "/search.atom?q=memory",
    "/sitemap.xml",
    "/sitemap-editions.xml",
    "/sitemap-papers-0.xml",
    "/robots.txt",
    "/healthz",
    "/readyz",
    "/static/digestmail.css",
    "/api/v1/papers",
    "/api/v1/openapi.json",
]


def three_days(database):
    for day in range(3):
        publish(database, day)


@pytest.fixture
def site(filled_url):
    with open_app(filled_url(three_days)) as app:
        yield create_app(app)


@pytest.mark.parametrize("path", GET_PATHS)
def test_every_page_answers_get_and_head_alike(site, path):
    got, head = ask(site, path), ask(site, path, method="HEAD")
    assert got.status == head.status == 200
    assert head.body == b""
    assert got.body
    assert head.headers.get("content-length") == got.headers.get("content-length")
    assert "script-src" not in got.headers["content-security-policy"]
    assert "default-src 'none'" in got.headers["content-security-policy"]
    assert got.headers["referrer-policy"] == "same-origin"


def test_papers_are_numbered_down_the_page_through_all_sections(site):
    text = ask(site, "/daily/2026-04-02").text
    numbers = [int(number) for number in re.findall(r'<p class="rank">(\d+)</p>', text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert text.count('<section class="topic"') > 1
    starts = [int(number) for number in re.findall(r'<ol class="entries" start="(\d+)">', text)]
    assert starts[0] == 1
    assert starts[1:] == [numbers[start - 1] for start in starts[1:]]


def test_every_page_ends_with_the_imprint(filled_url):
    imprint = "Example <Labs> & Sons, Street 1, 12345 City"
    with open_app(filled_url(three_days)) as app:
        app.config = app.config.model_copy(update={"mail": app.config.mail.model_copy(update={"imprint": imprint})})
        site = create_app(app)
        for path in (
            "/",
            "/daily/2026-04-02",
            "/search?q=memory",
            "/papers/arxiv:2601.00001",
            "/subscribe",
            "/no-page",
        ):
            footer = ask(site, path).text.split("<footer")[1]
            assert "Example &lt;Labs&gt; &amp; Sons, Street 1, 12345 City" in footer, path


def test_home_mirrors_the_source_s_page(site):
    text = ask(site, "/").text
    places = [text.index(part) for part in ("new</span>", "Subscribe", "<h1 dir", "by AK", "<time datetime=")]
    assert places == sorted(places)
    assert 'action="/subscribe"' in text
    assert 'href="/daily/2026-04-01"' in text
    assert "187 upvotes" in text
    assert "<script" not in text
    assert "style=" not in text


def test_arrows_lead_from_day_to_day(site):
    middle = ask(site, "/daily/2026-04-01").text
    assert re.search(r'rel="prev" href="/daily/2026-03-31"', middle)
    assert re.search(r'rel="next" href="/daily/2026-04-02"', middle)


def test_a_topic_narrows_an_edition(site):
    text = ask(site, "/daily/2026-04-02?topic=Vision").text
    assert "Shadows as Labels" in text
    assert "A Cache That Forgets" not in text
    assert ask(site, "/daily/2026-04-02?topic=Nonsense").status == 404


def test_the_search_offers_former_topics_beside_those_of_today(site):
    text = ask(site, "/search?topic=Vision").text
    assert re.findall(r"<option[^>]*>([^<]+)</option>", text)[:4] == ["any", "Agents", "Efficient models", "Vision"]
    assert "<option selected>Vision</option>" in text
    assert "Shadows as Labels" in text


def test_a_month_shows_the_most_upvoted_first(site):
    text = ask(site, "/daily/month/2026-04").text
    assert text.index("Skipping Layers") < text.index("Honest Look") < text.index("A Cache That Forgets")


def test_hits_of_a_search_are_marked(site):
    assert "<mark>Cache</mark>" in ask(site, "/search?q=cache").text
    assert "No papers match" in ask(site, "/search?q=zzzz").text


@pytest.mark.parametrize(
    "odd", ["page=-1", "page=x", "page=99999999999", "from=yesterday", "to=9999-12-31", "q=%00%ff", 'q="']
)
def test_odd_queries_are_answered(site, odd):
    assert ask(site, f"/search?{odd}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/daily/1999-01-01",
        "/papers/arxiv:9999.99999",
        "/daily/week/2026-W99",
        "/daily/month/2026-13",
        "/x/y/z",
        "/sitemap-papers-x.xml",
    ],
)
def test_a_missing_page_is_a_404_page(site, path):
    found = ask(site, path)
    assert found.status == 404
    assert "Go to the latest papers" in found.text
    assert found.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/papers/%00", "/daily/%00", "/%00", "/api/v1/papers/x%00", "/bibtex/%00", "/ris/%00"]
)
def test_nul_in_an_address_is_only_not_found(site, path):
    assert ask(site, path).status == 404


def test_a_paper_leads_to_its_own_name(site):
    moved = ask(site, "/papers/2601.00001v2")
    assert (moved.status, moved.headers["location"]) == (302, "/papers/arxiv:2601.00001")


def test_a_paper_s_page_has_its_chart_editions_and_citation(site):
    text = ask(site, "/papers/arxiv:2601.00001").text
    assert "<polyline" in text
    assert '<a href="/daily/2026-04-02"><bdi>Trending papers</bdi>, <bdi>Thursday, 2 April 2026</bdi></a>' in text
    assert "archivePrefix" in text
    assert '<link rel="canonical" href="https://papers.example.org/papers/arxiv:2601.00001">' in text
    assert 'property="og:title"' in text


def test_pictures_are_shown_only_if_the_operator_wants_them(database, database_url):
    publish(database, 0, thumbnail_url="https://pictures.example.net/1.png")
    with open_app(database_url) as app:
        found = ask(create_app(app), "/")
        assert "pictures.example.net" not in found.text
        assert "https:" not in found.headers["content-security-policy"]
    with open_app(database_url, thumbnails=True) as app:
        found = ask(create_app(app), "/")
        assert "pictures.example.net" in found.text
        assert "img-src 'self' https:" in found.headers["content-security-policy"]


def test_the_home_page_explains_that_there_is_no_edition_yet(database_url):
    with open_app(database_url) as app:
        assert "no editions yet" in ask(create_app(app), "/").text


def test_the_pages_change_nothing(site):
    database = site.state.digestmail.database

    def whole() -> dict[str, object]:
        from sqlalchemy import text

        from digestmail.storage import schema

        with database.connect() as connection:
            return {
                name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608 - our tables
                for name in schema.metadata.tables
            }

    before = whole()
    for path in GET_PATHS:
        ask(site, path)
    assert whole() == before


def test_every_local_link_of_every_page_leads_somewhere(site):
    seen: set[str] = set()
    todo = ["/"]
    while todo and len(seen) < 150:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        found = ask(site, path)
        assert found.status == 200, path
        if found.headers["content-type"].startswith("text/html"):
            links = re.findall(r'href="(/[^"]*)"', found.text)
            todo += [link.replace("&amp;", "&") for link in links]
    assert len(seen) > 20


def test_weeks_and_months_lead_to_others_with_editions_and_never_into_the_future(site):
    def arrows(path: str) -> list[str]:
        return re.findall(r'class="arrow" rel="(?:prev|next)" href="([^"]+)"', ask(site, path).text)

    assert arrows("/daily/week/2026-W14") == []
    assert arrows("/daily/week/2026-W13") == ["/daily/week/2026-W14"]
    assert arrows("/daily/week/2026-W15") == ["/daily/week/2026-W14"]
    assert arrows("/daily/month/2026-04") == ["/daily/month/2026-03"]
    assert arrows("/daily/month/2026-03") == ["/daily/month/2026-04"]


def test_an_edition_dated_in_the_future_is_not_linked_from_the_week_before(filled_url):
    with open_app(filled_url(three_days)) as app:
        publish(app.database, -7)
        assert 'rel="next"' not in ask(create_app(app), "/daily/week/2026-W14").text
