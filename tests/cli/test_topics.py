"""`digestmail topics`, with papers that are already stored."""

from __future__ import annotations

import json
import tomllib

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeSource, reading, sighting
from invented import papers_about, sightings_of

from digestmail.cli.topic_text import show_suggestions
from digestmail.collect.collector import collect
from digestmail.config.load import load
from digestmail.editions.topic_suggestions import TopicSuggestions
from digestmail.selection.suggest import SuggestedTopic
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


def fill(site, count: int) -> None:
    database = Database.open("sqlite:///digestmail.db", base=site)
    collect(
        database, [FakeSource("hf", reading(*sightings_of(papers_about(count + 10)[10:], THURSDAY.date())))], THURSDAY
    )
    database.close()


def test_suggested_topics_can_be_appended_to_the_configuration(site):
    fill(site, 240)
    said = digestmail(site, "topics", "suggest", NOW, "--topics", "4")
    assert said.startswith("# Suggested from 244 papers of the last 21 days (hf).\n")
    config = site / "config.toml"
    config.write_text(config.read_text("utf-8") + "\n" + said, "utf-8")
    topics = load(config).topic_values()
    assert len(topics) == 6
    assert all(len(topic.keywords) == 5 for topic in topics[2:])
    assert said.count("#   ") == 12
    assert [row["topic"] for row in json.loads(digestmail(site, "topics", "list", NOW, "--json"))] == [
        topic.name for topic in topics
    ]


def test_suggestions_are_also_json_and_do_not_repeat_configured_names(site):
    fill(site, 240)
    arguments = ("topics", "suggest", NOW, "--topics", "4", "--digest", "daily", "--json")
    first = json.loads(digestmail(site, *arguments))
    assert (first["papers"], first["sources"], len(first["topics"])) == (244, ["hf"], 4)
    config = site / "config.toml"
    name = first["topics"][0]["name"]
    config.write_text(config.read_text("utf-8").replace('"Spoons"', f'"{name}"'), "utf-8")
    again = json.loads(digestmail(site, *arguments))
    assert name not in [topic["name"] for topic in again["topics"]]


def test_too_few_papers_for_suggestions_is_an_error_that_names_the_way_out(site):
    said = digestmail(site, "topics", "suggest", NOW, status=1)
    assert "at least 200 papers with an abstract, and the last 21 days brought 4: look further back with --days" in said
    assert "--topics" in digestmail(site, "topics", "suggest", NOW, "--topics", "1", status=2)


@pytest.mark.parametrize(
    "title", ["A title \x7f with \x1b[31m control\tcharacters", 'Quotes " and \\ slashes', "\u2028"]
)
def test_titles_cannot_break_the_suggested_toml(title, capsys):
    topic = SuggestedTopic(name='A "name" \x7f', keywords=("\\w", 'q"'), papers=5, examples=(title,))
    show_suggestions(TopicSuggestions(since=THURSDAY, sources=("hf",), papers=200, topics=(topic,)), 21)
    (read,) = tomllib.loads(capsys.readouterr().out)["topics"]
    assert (read["name"], read["keywords"]) == ('A "name" \x7f', ["\\w", 'q"'])
