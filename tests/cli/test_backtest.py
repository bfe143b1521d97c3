"""`digestmail backtest`: in the terminal, as JSON and as a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeSource, reading, sighting

from digestmail.collect.collector import collect
from digestmail.storage.database import Database

NOW = "--now=2026-04-02T12:00:00Z"
CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[[sources]]
name = "hf"
kind = "huggingface"
[[topics]]
name = "Caches"
keywords = ["cache"]
[[topics]]
name = "Spoons"
keywords = ["spoon"]
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["hf"]
topics = ["Caches"]
also_trending = false
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "new.toml").write_text(CONFIG.replace('topics = ["Caches"]', 'topics = ["Spoons"]'), "utf-8")
    database = Database.open("sqlite:///digestmail.db", base=tmp_path)
    database.upgrade()
    hostile = sighting(2, title="A <script>alert(1)</script> & spoon")
    seen = [
        sighting(1, title="A cache that forgets", upvotes=9),
        replace(hostile, paper=replace(hostile.paper, link="javascript:alert(1)")),
        sighting(3, title="A cache of spoons"),
    ]
    collect(database, [FakeSource("hf", reading(*seen))], THURSDAY)
    database.close()
    return tmp_path


def test_the_terminal_shows_slots_topics_and_totals(site):
    said = digestmail(site, "backtest", "new.toml", NOW).splitlines()
    assert said[0] == (
        "2026-03-03 to 2026-04-02, as readers of all topics get it; old: the present configuration, new: new.toml"
    )
    start = said.index("daily 2026-04-02: 1 in both, 1 only old, 1 only new")
    assert said[start + 1] == "  Caches 2 -> 0, Spoons 0 -> 2"
    assert said[start + 2] == "  - arxiv:2604.00001  A cache that forgets  [Caches]"
    assert said[start + 3].startswith("  + arxiv:2604.00002")
    assert said[start + 5] == ("daily, in total: 1 edition old, 1 new; papers: 1 in both, 1 only old, 1 only new")
    assert [line.split() for line in said[start + 7 :]] == [["Caches", "2", "0", "-2"], ["Spoons", "0", "2", "+2"]]


def test_json_has_the_same_numbers(site):
    found = json.loads(digestmail(site, "backtest", "new.toml", NOW, "--json", "--days=5"))
    (compared,) = found["digests"]
    assert (compared["both"], compared["only_old"], compared["only_new"]) == (1, 1, 1)
    assert compared["slots"][-1]["only_old"][0]["paper_id"] == "arxiv:2604.00001"


class Page(HTMLParser):
    """Collects what a page loads or links to, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href"} and value]


def test_the_page_is_complete_in_one_file_and_escapes_what_sources_say(site):
    assert "wrote page.html" in digestmail(site, "backtest", "new.toml", NOW, "--html", "page.html")
    text = (site / "page.html").read_text("utf-8")
    page = Page()
    page.feed(text)
    assert not {"script", "img", "iframe"} & set(page.tags)
    assert set(page.addresses) == {
        "data:,",
        "https://arxiv.org/abs/2604.00001",
        "https://arxiv.org/abs/2604.00003",
    }
    assert "A &lt;script&gt;alert(1)&lt;/script&gt; &amp; spoon" in text
    assert "url(" not in text
    assert re.search(r"Caches → Spoons", text)


def test_errors_of_the_other_file_are_listed_as_by_check(site):
    (site / "wrong.toml").write_text(CONFIG.replace('"Caches"]', '"Cashes"]').replace("0 7 *", "0 25 *"), "utf-8")
    checked = digestmail(site, "check", "--config", "wrong.toml", status=2)
    assert digestmail(site, "backtest", "wrong.toml", NOW, status=2) == checked
    assert len(checked.splitlines()) == 2
    assert "there is no configuration file" in digestmail(site, "backtest", "absent.toml", NOW, status=2)


def test_a_page_is_not_replayed_for_a_folder_that_does_not_exist(site):
    said = digestmail(site, "backtest", "new.toml", NOW, "--html", "absent/page.html", status=2)
    assert "there is no folder" in said


def test_a_digest_without_a_slot_in_the_period_says_so(site):
    for name in ("config.toml", "new.toml"):
        text = (site / name).read_text("utf-8").replace("0 7 * * *", "0 7 24 12 *")
        (site / name).write_text(text, "utf-8")
    said = digestmail(site, "backtest", "new.toml", NOW, "--html", "page.html")
    assert "daily: neither configuration has a slot in this period" in said
    assert "Neither configuration has a slot" in (site / "page.html").read_text("utf-8")


def test_digests_of_one_side_are_named(site):
    (site / "other.toml").write_text(CONFIG.replace('name = "daily"', 'name = "weekly"'), "utf-8")
    said = digestmail(site, "backtest", "other.toml", NOW)
    assert "digest daily is only in the present configuration: not compared" in said
    assert "digest weekly is only in other.toml: not compared" in said
    assert "no digest has the same name in both configurations" in said
    said = digestmail(site, "backtest", "new.toml", NOW, "--digest", "dayly", status=1)
    assert "there is no digest 'dayly'; did you mean 'daily'?" in said


def test_sources_that_differ_are_noted(site):
    changed = CONFIG.replace('kind = "huggingface"', 'kind = "arxiv-feed"\ncategories = ["cs.LG"]')
    (site / "other.toml").write_text(changed, "utf-8")
    assert "note: the source hf is configured differently" in digestmail(site, "backtest", "other.toml", NOW)
