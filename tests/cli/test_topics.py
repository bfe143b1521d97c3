"""`digestmail topics`, with papers that are already stored."""

from __future__ import annotations

import json

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
exclude = ["museum"]
[[topics]]
name = "Spoons"
keywords = ["spoon"]
learn = false
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["hf"]
topics = ["Caches"]
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    database = Database.open("sqlite:///digestmail.db", base=tmp_path)
    database.upgrade()
    seen = [
        sighting(1, title="A cache that forgets"),
        sighting(2, abstract="We warm a cache."),
        sighting(3, title="The cache of a museum"),
        sighting(4, title="A spoon"),
    ]
    collect(database, [FakeSource("hf", reading(*seen))], THURSDAY)
    database.close()
    return tmp_path


def test_a_topic_is_tested_against_the_stored_papers(site):
    said = digestmail(site, "topics", "test", "Caches", NOW).splitlines()
    assert said[0] == "Caches: admits 2 of 4 papers of the last 14 days (hf)"
    assert said[1] == "words only: too few papers: 4 of 1,000"
    assert said[2] == "digests that use it: daily"
    assert "1 borderline paper: strength within 0.15 of min_strength 0.5, 1 above and 0 below" in said[3]
    assert said[5:10] == [
        "Admitted (2)",
        "   0.70  arxiv:2604.00001  2026-04-02  A cache that forgets",
        "         keyword cache",
        " ~ 0.50  arxiv:2604.00002  2026-04-02  Paper 2",
        "         keyword cache",
    ]
    assert said[11] == "Excluded (1)"
    assert said[13].strip() == "excluded by 'museum'; keyword cache"


def test_a_topic_that_no_digest_uses_is_tested_with_all_sources_or_those_of_a_digest(site):
    for more in ([], ["--digest", "daily"]):
        said = digestmail(site, "topics", "test", "Spoons", NOW, *more)
        assert "Spoons: admits 1 of 4 papers" in said
        assert "words only: learn = false\ndigests that use it: none" in said


def test_the_test_of_a_topic_is_also_json(site):
    found = json.loads(digestmail(site, "topics", "test", "Caches", NOW, "--json", "--days=3"))
    assert [paper["paper_id"] for paper in found["admitted"]] == ["arxiv:2604.00001", "arxiv:2604.00002"]
    assert found["basis"]["why_not"] == "too few papers: 4 of 1,000"


def test_an_unknown_topic_or_digest_is_an_error_that_lists_what_there_is(site):
    said = digestmail(site, "topics", "test", "caches", NOW, status=1)
    assert "there is no topic 'caches'; did you mean 'Caches'? configured are: Caches, Spoons" in said
    said = digestmail(site, "topics", "test", "Caches", "--digest", "weekly", NOW, status=1)
    assert "there is no digest 'weekly'; configured are: daily" in said
    assert "--days" in digestmail(site, "topics", "test", "Caches", "--days", "0", status=2)


def test_topics_are_listed_with_their_digests(site):
    said = digestmail(site, "topics", "list", NOW).splitlines()
    assert [line.split("  ")[0] for line in said] == ["topic", "Caches", "Spoons"]
    assert "daily" in said[1]
    assert "2 of 4" in said[1]
    assert "words only: learn = false" in said[2]
    rows = json.loads(digestmail(site, "topics", "list", NOW, "--json"))
    assert [(row["topic"], row["digest"], row["admitted"]) for row in rows] == [
        ("Caches", "daily", 2),
        ("Spoons", None, 0),
    ]
