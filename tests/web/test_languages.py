"""The language of a page: which one is chosen, and that every sentence on it is translated."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import available_timezones

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from fakes import THURSDAY, FakeClock
from hypothesis import given
from hypothesis import strategies as st
from messages import messages, messages_of
from websites import ask, create_app, open_app, publish

from digestmail.app import App
from digestmail.config.settings import Config
from digestmail.mail.template_files import templates_directory
from digestmail.model.personal import ReadingListKind
from digestmail.model.subscribers import Preferences, SubscriberState, Subscription
from digestmail.storage import reading_lists, schema, subscribers
from digestmail.subscribers import feedback
from digestmail.subscribers.feedback import PaperInEdition
from digestmail.web.language import negotiate

KNOWN = ("de", "en", "fr", "he", "pt-BR")


def add_reader(connection, language: str) -> int:
    who = subscribers.add(connection, "reader@example.org", THURSDAY)
    connection.execute(schema.subscribers.update().values(language=language))
    return who


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "xx"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-CH-1901", "de"),
        ("pt-br", "pt-BR"),
        ("pt", "xx"),
        ("ja, fr;q=0.5, de;q=0.8", "de"),
        ("fr, de", "fr"),
        ("en-US,en;q=0.9,he;q=0.95", "en"),
        ("en;q=0, de;q=0.1", "de"),
        ("*", "xx"),
        ("*, de;q=0.1", "de"),
        ("de;q=2, fr;q=0.1", "fr"),
        ("de;q=nan, fr;q=0.1", "fr"),
        ("de;q=x", "xx"),
        (";;,,=,q=1", "xx"),
        ("../../etc/passwd, de;q=0.1", "de"),
        ("x," * 5000 + "de", "xx"),
    ],
)
def test_the_browser_s_wish_is_read_as_the_rfcs_say(accepted, chosen):
    assert negotiate(accepted, KNOWN, "xx") == chosen


@given(st.text(max_size=200))
def test_any_field_gives_one_of_the_languages(accepted):
    assert negotiate(accepted, KNOWN, "xx") in {*KNOWN, "xx"}


@pytest.fixture
def site(tmp_path, sqlite_template):
    import shutil

    shutil.copy(sqlite_template, tmp_path / "web.db")
    with open_app(f"sqlite:///{tmp_path / 'web.db'}") as app:
        publish(app.database, 0)
        yield app


def test_a_page_follows_the_browser_and_kept_answers_do_not_mix(site):
    web = create_app(site)
    for _ in range(2):  # the second time from memory
        for accepted, lang, way, says in (
            ("de-AT,en;q=0.5", "de", "ltr", "Abonnieren"),
            ("he", "he", "rtl", "הרשמה"),
            ("fr;q=0.2, en;q=0.1", "fr", "ltr", "S’abonner"),
            ("ja", "en", "ltr", "Subscribe"),
        ):
            found = ask(web, "/", headers={"Accept-Language": accepted})
            assert f'<html lang="{lang}" dir="{way}">' in found.text
            assert says in found.text
            assert found.headers["vary"] == "Accept-Language"
            assert found.headers["content-language"] == lang
    tags = {ask(web, "/", headers={"Accept-Language": one}).headers["etag"] for one in ("de", "he", "fr", "en")}
    assert len(tags) == 4


def test_feeds_are_the_same_in_every_language_and_kept_once(site):
    web = create_app(site)
    german, english = (ask(web, "/daily/feed.atom", headers={"Accept-Language": one}) for one in ("de", "en"))
    assert german.body == english.body
    assert "vary" not in german.headers
    assert b"Thursday, 2 April 2026" in german.body


def test_dates_and_numbers_are_those_of_the_language(site):
    text = ask(create_app(site), "/", headers={"Accept-Language": "de"}).text
    assert "Donnerstag, 2. April 2026" in text
    assert "187 Stimmen" in text


def test_errors_are_translated_too(site):
    found = ask(create_app(site), "/daily/1999-01-01", headers={"Accept-Language": "de"})
    assert (found.status, "An diesem Tag gibt es keine Ausgabe." in found.text) == (404, True)


def test_a_link_of_a_subscriber_opens_in_their_language(site):
    with site.database.begin() as connection:
        who = add_reader(connection, "he")
        subscribers.subscribe(connection, who, Subscription(digest="daily"), THURSDAY)
    found = ask(create_app(site), f"/preferences/{site.tokens.unsubscribe(who, '')}", headers={"Accept-Language": "de"})
    assert '<html lang="he" dir="rtl">' in found.text


# -- nothing is left in English --------------------------------------------------------------------------------------

OPEN, CLOSE = "⟦", "⟧"
NAMES = {
    "BibTeX",
    "RIS",
    "CSL-JSON",
    "Daily",
    "Hf",
    "API",
    "Atom",
    "JSON Feed",
    "huggingface",
    "arXiv",
    "daily",
    "UTC",
    "hf",
}
"""Proper names, and what the operator wrote in the configuration."""
SHOWN = ("aria-label", "alt", "title", "placeholder", "content", "value")


class Visible(HTMLParser):
    """Collects the texts of a page a reader sees or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag in {"style", "pre"}:
            self.silent += 1
        if tag == "option" and "lang" in known:
            self.silent = 1  # the name of a language in itself
        for name in SHOWN:
            machine = tag == "meta" and known.get("name") != "description" and known.get("property") != "og:title"
            hidden = name == "value" and tag != "button"
            if known.get(name) and not machine and not hidden and tag != "link":
                self.texts.append(str(known[name]))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"style", "pre", "option"}:
            self.silent = 0

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.texts.append(data)


def unmarked(html: str) -> set[str]:
    """Return the texts of a page with Latin letters outside of marks."""
    page = Visible()
    page.feed(html)
    left, depth = set(), 0
    for text in page.texts:
        rest = ""
        for sign in text:
            depth += (sign == OPEN) - (sign == CLOSE)
            rest += sign if depth == 0 else ""
        words = rest.strip(f" \n·,:;()+{CLOSE}")
        if any(sign.isascii() and sign.isalpha() for sign in words) and words not in NAMES | available_timezones():
            left.add(words)
    assert depth == 0
    return left


def marked(path: Path) -> None:
    """Write a catalogue that puts every message between marks."""
    catalogue = Catalog(locale="sv")
    for message in messages():
        one = message if isinstance(message, str) else message[0]
        catalogue.add(
            message, f"{OPEN}{one}{CLOSE}" if isinstance(message, str) else [f"{OPEN}{m}{CLOSE}" for m in message]
        )
    (path / "locales").mkdir(parents=True)
    with (path / "locales" / "sv.po").open("wb") as file:
        write_po(file, catalogue)


@pytest.fixture
def greek(tmp_path, sqlite_template):
    """An app whose papers, digests and topics have no Latin letters."""
    import shutil

    shutil.copy(sqlite_template, tmp_path / "web.db")
    marked(tmp_path / "own")
    config = Config.model_validate(
        {
            "base_url": "https://papers.example.org",
            "database": f"sqlite:///{tmp_path / 'web.db'}",
            "templates_dir": str(tmp_path / "own"),
            "mail": {"sender": "digest@example.org"},
            "web": {"feedback": True},
            "sources": [{"name": "huggingface", "kind": "huggingface"}],
            "topics": [{"name": "Ω", "keywords": ["ω"]}, {"name": "Ψ", "keywords": ["ψ"]}],
            "digests": [
                {
                    "name": name,
                    "title": "Ωψ",
                    "byline": "Ψω",
                    "schedule": "0 6 * * *",
                    "sources": ["huggingface"],
                    "topics": ["Ω", "Ψ"],
                }
                for name in ("daily", "hf")
            ],
        }
    )
    with App(config, Path.cwd(), FakeClock(THURSDAY + timedelta(hours=2))) as app:
        yield app


def web_of(app):
    """Return the web app, with dates without letters."""
    web = create_app(app)
    environment = web.state.pages.environment("sv")
    environment.filters |= dict.fromkeys(("long_day", "date", "short_day", "medium_day", "month"), lambda _day: "1")
    environment.filters["compact"] = str
    environment.globals["day_range"] = lambda _first, _last: "1"
    return web


def fill(app, day: int = 0) -> None:
    titles = dict.fromkeys(range(7), "Φωψ")
    fields = {
        "summary": None,
        "abstract": "Φψωδ. " * 9,
        "authors": ("Ω", "Ψ", "Φ", "Δ"),
        "organization": "Φ",
        "categories": (),
        "project_url": "https://example.org/p",
    }
    publish(app.database, day, titles=titles, **fields)


PATHS = [
    "/",
    "/daily",
    "/daily/2026-04-02",
    "/daily/2026-04-01",
    "/daily/week/2026-W14",
    "/daily/month/2026-04",
    "/daily/week/2026-W01",
    "/daily/month/2026-01",
    "/hf",
    "/search",
    "/search?q=%CF%89",
    "/subscribe",
    "/papers/arxiv:2601.00001",
    "/papers/arxiv:9999.00001",
    "/nothing",
    "/daily/1999-01-01",
    "/preferences/x",
    "/confirm/x",
]


def test_every_word_of_the_public_pages_is_translated(greek):
    swedish = {"Accept-Language": "sv"}
    assert unmarked(ask(web_of(greek), "/", headers=swedish).text) == set()
    for day in range(2):
        fill(greek, day)
    web = web_of(greek)
    left = {path: unmarked(ask(web, path, headers=swedish).text) for path in PATHS}
    published = {
        "arxiv:2601.00001 · Φ",
        "Trending papers",
        "Trending papers, 1",
        "by AK and the research community",
        "example.org",
        "huggingface.co",
        "github.com",
    }
    topics = {"Efficient models", "Agents", "Vision", "agent", "efficient model", "vision", "daily, 2026-04-02"}
    assert set().union(*left.values()) - published - topics == set()


def test_every_word_of_the_personal_pages_is_translated(greek):
    web, used = web_of(greek), set()
    with greek.database.begin() as connection:
        who = add_reader(connection, "sv")
        for name in ("daily", "hf"):
            subscribers.subscribe(connection, who, Subscription(digest=name), THURSDAY)
    person = subscribers_of(greek)
    token = greek.tokens.unsubscribe(who, "daily")
    publish(greek.database, 0, titles=dict.fromkeys(range(20), "Φ"))
    paper = PaperInEdition(digest="daily", slot="2026-04-02", position=1)
    paths = (
        f"preferences/{token}",
        f"unsubscribe/{token}",
        f"preferences/{token}/data",
        f"preferences/{token}/interests",
        f"feedback/{token}/2026-04-02/1",
    )
    shown = []
    with greek.database.begin() as connection:
        for kind in ReadingListKind:
            list_id = reading_lists.add(connection, who, kind, "Ω", (), THURSDAY, complete=kind is ReadingListKind.FILE)
            reading_lists.record_failure(connection, list_id, "Ω", THURSDAY)
    for liked in (True, False):
        feedback.give(greek.database, who, paper, THURSDAY, liked=liked)
        shown += [ask(web, f"/{path}").text for path in paths]
    assert "form" in shown[-1]
    shown.append(ask(web, f"/erase/{greek.link_tokens().erase(who, greek.wall_clock.now())}").text)
    shown.append(ask(web, f"/preferences/{token}/pause", method="POST").text)
    assert person.state is SubscriberState.ACTIVE

    class UndoPreview:
        done = False
        before = person

    steps = [
        (what, "Ω")
        for what in ("added", "left", "topics", "hour", "cadence", "language", "timezone", "paused", "resumed", "x")
    ]
    form = {"token": "x", "own_token": "x"}
    by_hand = {
        "address.html": form | {"address": "a@example.org"},
        "check-mail.html": {},
        "confirm.html": form | {"titles": ["Ω"]},
        "confirmed.html": form,
        "undo.html": form | {"undoing": UndoPreview, "steps": steps},
        "undone.html": form,
        "unsubscribed.html": form | {"all": False},
        "fewer_emails.html": form | {"cadence": "monthly"},
        "message.html": {"heading": "1", "text": "1", "link": "/subscribe"},
    }
    from fastapi import Request

    scope = {
        "type": "http",
        "headers": [],
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "app": web,
        "root_path": "",
    }
    others = [("fewer_emails.html", form | {"cadence": cadence}) for cadence in ("weekdays", "weekly")]
    for name, context in (*by_hand.items(), *others):
        shown.append(web.state.pages.fill_in(Request(scope), name, language="sv", **context))
        used.add(name)
    left = set().union(*map(unmarked, shown))
    assert left - {"reader@example.org", "sv", "daily", "daily; hf"} == set()
    seen = {
        "preferences.html",
        "unsubscribe.html",
        "my_data.html",
        "erase.html",
        "feedback.html",
        "interests.html",
    } | used
    public = {"archive.html", "edition.html", "empty.html", "error.html", "paper.html", "period.html", "search.html"}
    public |= {"papers.html", "qualified.html"}
    shared = {"base.html", "form_page.html", "macros.html", "subscribe-banner.html", "subscription_fields.html"}
    every = {path.name for path in (templates_directory() / "web").glob("*.html") if not path.name.startswith("feed-")}
    assert seen | public | shared | {"subscribe.html"} == every


def subscribers_of(app):
    with app.database.connect() as connection:
        return subscribers.find(connection, "reader@example.org")


def test_an_english_word_in_a_page_would_be_found():
    assert unmarked(f"<p>{OPEN}one <b>two</b>{CLOSE} three</p><img alt='four'>") == {"three", "four"}
    assert set(messages_of('TokenError("a" if x else "b"); HTTPException(404, "c"); other("d")')) == {"a", "b", "c"}
    assert Preferences().subscriptions == ()


def test_the_sign_up_form_lists_languages_by_their_own_names(greek):
    form = ask(create_app(greek), "/subscribe").text
    assert re.findall(r'<option value="(?:en|de|sv)"[^>]*>([^<]+)<', form) == ["Deutsch", "English", "Svenska"]
