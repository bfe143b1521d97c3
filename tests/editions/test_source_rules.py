"""Block and keep rules act when a digest is composed, and are explained."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeSource, digest, reading, render, sighting

from digestmail.collect.collector import collect
from digestmail.editions.compose import Composed, compose_next, find_candidates
from digestmail.editions.explain import Explanation, explain_paper
from digestmail.editions.publish import publish
from digestmail.model.digests import Conditions, Digest, FilterRules
from digestmail.storage.database import Database

SURVEYS = FilterRules(block=Conditions(words=("survey",)))
AGENTS = FilterRules(keep=Conditions(patterns=("(?i)agents?",)))


def of(*source_rules: tuple[str, FilterRules], rules: FilterRules = FilterRules()) -> Digest:  # noqa: B008 - frozen
    return digest(sources=("arxiv", "blog"), curated=("blog",), source_rules=source_rules, rules=rules, window_days=5)


def see(database: Database, source: str, *titles: str, now=THURSDAY) -> None:
    seen = [sighting(number, source=source, title=title) for number, title in enumerate(titles, 1)]
    collect(database, [FakeSource(source, reading(*seen, source=source))], now)


def titles(composed: Composed) -> list[str]:
    return sorted(entry.paper.title for entry in composed.edition.entries)


def explained(database: Database, daily: Digest, ref: str, now=THURSDAY) -> Explanation:
    _, (explanation,) = explain_paper(database, [daily], ref, now)
    return explanation


def test_a_blocked_paper_comes_through_another_source_that_shows_it(database):
    see(database, "blog", "A survey", "An agent", "A survey of agents")
    see(database, "arxiv", "A survey")
    daily = of(("blog", SURVEYS))
    assert titles(compose_next(database, daily, THURSDAY)) == ["A survey", "An agent"]
    found = explained(database, daily, "A survey of agents")
    assert (found.outcome, found.reasons) == (
        "not-a-candidate",
        ("blog does not count, because of its rule block: word 'survey'",),
    )
    through = explained(database, daily, "arxiv:2604.00001")
    assert through.outcome == "selected"
    assert "blog does not count, because of its rule block: word 'survey'" in through.reasons


def test_every_source_that_turns_a_paper_away_is_explained(database):
    see(database, "blog", "A survey")
    see(database, "arxiv", "A survey")
    found = explained(database, of(("blog", SURVEYS), ("arxiv", AGENTS)), "A survey")
    assert found.reasons == (
        "arxiv does not count, because of its rule keep: the paper meets none of its conditions",
        "blog does not count, because of its rule block: word 'survey'",
    )


def test_a_changed_rule_acts_at_once_and_loses_nothing(database):
    see(database, "blog", "A survey", "An agent")
    ruled, free = of(("blog", SURVEYS)), of()
    publish(database, [ruled], render, THURSDAY)
    assert titles(compose_next(database, ruled, THURSDAY + timedelta(days=1))) == []
    see(database, "blog", "A survey", "An agent", "An image", now=THURSDAY + timedelta(days=1))
    again = compose_next(database, free, THURSDAY + timedelta(days=1))
    assert titles(again) == ["A survey", "An image"]
    assert titles(compose_next(database, ruled, THURSDAY + timedelta(days=1))) == ["An image"]


def test_a_mention_that_does_not_count_does_not_make_a_paper_old(database):
    see(database, "blog", "A survey", now=THURSDAY - timedelta(days=20))
    see(database, "arxiv", "A survey")
    assert explained(database, of(), "A survey").outcome == "not-a-candidate"
    assert explained(database, of(("blog", SURVEYS)), "A survey").outcome == "selected"


def test_an_old_paper_is_explained_by_the_rule_and_by_the_sources_that_count(database):
    see(database, "arxiv", "A survey", now=THURSDAY - timedelta(days=20))
    see(database, "blog", "A survey")
    first, *others = explained(database, of(("blog", SURVEYS)), "A survey").reasons
    assert first.startswith("blog does not count")
    assert others[0].startswith("too old")
    assert len(others) == 2
    assert others[1].startswith("arxiv first showed it")


def test_the_rules_of_a_digest_hold_for_all_its_sources_and_are_counted(database):
    see(database, "blog", "A survey", "An agent", "An image")
    see(database, "arxiv", "A survey")
    daily = of(rules=FilterRules(block=SURVEYS.block, keep=AGENTS.keep))
    assert explained(database, daily, "A survey").outcome == "blocked"
    assert explained(database, daily, "An image").reasons[0] == (
        "left out by the digest's rule keep: the paper meets none of its conditions"
    )
    (report,) = publish(database, [daily], render, THURSDAY).digests
    assert (report.papers, report.considered) == (1, 3)
    assert report.outcomes == {"selected": 1, "blocked": 1, "not-kept": 1}
    assert explained(database, of(), "A survey", THURSDAY + timedelta(days=1)).outcome == "selected"


@pytest.mark.parametrize(
    ("daily", "said"),
    [
        (of(rules=SURVEYS), "none of 2 new papers qualified, 2 left out by the digest's rules; "),
        (of(("blog", SURVEYS)), "2 papers left out by the rules of sources; no new papers; "),
    ],
)
def test_an_edition_without_papers_says_that_rules_left_them_out(sqlite, daily, said):
    see(sqlite, "blog", "A survey", "A survey of agents")
    assert compose_next(sqlite, daily, THURSDAY).edition.reason.startswith(said)


def test_candidates_are_found_under_the_same_rules(sqlite):
    see(sqlite, "blog", "A survey", "An agent")
    (found,) = find_candidates(sqlite, of(("blog", SURVEYS)), THURSDAY - timedelta(days=1), THURSDAY)
    assert found.paper.title == "An agent"
