from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from fakes import AGENTS, digest, paper
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.digests import Conditions, Digest, FilterRules, Limits
from digestmail.model.papers import Mention, Mentioned, Paper, Signals
from digestmail.model.selection import Candidate, Outcome, Rejection, Selection
from digestmail.selection.explain import reasons
from digestmail.selection.rules import admit, compile_rules, compile_sources, rejected_by, rejection
from digestmail.selection.select import select
from digestmail.selection.tokenize import read

TODAY = date(2026, 4, 2)
MORNING = datetime(2026, 4, 2, 6, tzinfo=UTC)
SURVEYS = Conditions(words=("survey",))


def judged(rules: FilterRules, subject: Paper) -> Rejection | None:
    return rejection(compile_rules(rules), subject, read(subject))


def chosen(of: Digest, *papers: Paper, published: dict[str, str] | None = None) -> Selection:
    found = [Candidate(paper=one, day=TODAY, came_at=MORNING, signals=Signals(upvotes=1)) for one in papers]
    return select(found, of, TODAY, published=published or {})


def outcomes(selection: Selection) -> dict[str, Outcome]:
    return {str(decision.paper_id)[-1]: decision.outcome for decision in selection.decisions}


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (Conditions(words=("survey",)), "word 'survey'"),
        (Conditions(words=("pre-training",)), "word 'pre-training'"),
        (Conditions(words=("own keyword",)), "word 'own keyword'"),
        (Conditions(authors=("Étude, Zoe",)), "author 'Z. Étude'"),
        (Conditions(categories=("cs",)), "category cs.CR"),
        (Conditions(categories=("CS.cr",)), "category cs.CR"),
        (Conditions(patterns=("^Two",)), "pattern '^Two'"),
        (Conditions(words=("rabbit",)), None),
        (Conditions(words=("surve",)), None),
        (Conditions(authors=("Étude",)), None),
        (Conditions(categories=("cs.C",)), None),
        (Conditions(patterns=("two",)), None),
    ],
)
def test_each_kind_of_condition_blocks_and_keeps(conditions, said):
    subject = paper(
        1,
        title="Two Surveys",
        abstract="About pretraining.",
        keywords=("own keyword",),
        authors=("Z. Étude", "Ada Example"),
        categories=("stat.ML", "cs.CR"),
    )
    blocked = judged(FilterRules(block=conditions), subject)
    kept = judged(FilterRules(keep=conditions), subject)
    if said:
        assert blocked == Rejection(outcome=Outcome.BLOCKED, conditions=(said,))
        assert kept is None
    else:
        assert blocked is None
        assert kept == Rejection(outcome=Outcome.NOT_KEPT)


def test_all_conditions_that_block_are_named():
    rules = FilterRules(block=Conditions(words=("survey", "rabbit", "agent"), patterns=("(?i)survey",)))
    found = judged(rules, paper(1, title="A survey of agents"))
    assert found is not None
    assert found.conditions == ("word 'survey'", "word 'agent'", "pattern '(?i)survey'")


def test_a_digest_leaves_out_what_its_rules_say_and_counts_it():
    of = digest(rules=FilterRules(block=SURVEYS, keep=Conditions(words=("agent",))))
    selection = chosen(of, paper(1, title="An agent"), paper(2, title="A survey of agents"), paper(3, title="An image"))
    assert outcomes(selection) == {"1": Outcome.SELECTED, "2": Outcome.BLOCKED, "3": Outcome.NOT_KEPT}
    assert [entry.paper.id for entry in selection.entries] == [paper(1).id]
    assert [reasons(one, of.limits)[0] for one in selection.decisions] == [
        "selected, among the papers without a topic",
        "left out by the digest's rule block: word 'survey'",
        "left out by the digest's rule keep: the paper meets none of its conditions",
    ]


def test_what_rules_leave_out_uses_up_neither_ranks_nor_limits():
    of = digest(topics=(AGENTS,), limits=Limits(max_papers=1), rules=FilterRules(block=SURVEYS))
    selection = chosen(of, paper(1, title="A survey of agents"), paper(2, title="An agent"), paper(3, title="Agents"))
    assert outcomes(selection)["1"] is Outcome.BLOCKED
    assert sorted(one.rank for one in selection.decisions if one.rank) == [1, 2]
    assert len(selection.entries) == 1
    assert sum(beyond.papers for beyond in selection.beyond) == 1


def test_published_and_withdrawn_papers_are_still_called_so():
    of = digest(rules=FilterRules(block=SURVEYS))
    old, withdrawn = paper(1, title="A survey"), paper(2, title="A survey", withdrawn=True)
    selection = chosen(of, old, withdrawn, published={old.id: "2026-04-01"})
    assert outcomes(selection) == {"1": Outcome.PUBLISHED_BEFORE, "2": Outcome.WITHDRAWN}


def test_a_source_rule_takes_away_the_mention_of_its_source_only():
    mentions = tuple(Mention(source=name, first_seen_at=MORNING, day=TODAY) for name in ("arxiv", "blog"))
    survey = Mentioned(paper=paper(1, title="A survey"), mentions=mentions)
    other = Mentioned(paper=paper(2, title="An agent"), mentions=mentions)
    blog = compile_sources([("blog", FilterRules(block=SURVEYS))])
    assert list(admit([survey, other], blog)) == [replace(survey, mentions=mentions[:1]), other]
    both = blog | compile_sources([("arxiv", FilterRules(keep=Conditions(words=("agent",))))])
    assert list(admit([survey, other], both)) == [other]
    assert rejected_by(survey.paper, ["arxiv", "blog", "hf"], both) == {
        "arxiv": Rejection(outcome=Outcome.NOT_KEPT),
        "blog": Rejection(outcome=Outcome.BLOCKED, conditions=("word 'survey'",)),
    }


WORDS = ("agent", "image", "survey")
titles = st.sets(st.sampled_from(WORDS)).map(lambda words: " ".join(("Paper", *sorted(words))))
authors = st.lists(st.sampled_from(["Ada Example", "Bo Sample"]), max_size=2, unique=True).map(tuple)
conditions = st.builds(
    Conditions,
    words=st.lists(st.sampled_from(WORDS), max_size=3).map(tuple),
    authors=authors,
    categories=st.lists(st.sampled_from(["cs", "cs.LG", "math.*"]), max_size=2).map(tuple),
    patterns=st.lists(st.sampled_from(["agent.*survey", "^Paper$", "(?i)IMAGE"]), max_size=2).map(tuple),
)
papers = st.builds(
    lambda number, title, names, categories: paper(number, title=title, authors=names, categories=categories),
    st.integers(1, 9),
    titles,
    authors,
    st.lists(st.sampled_from(["cs.LG", "cs.CL", "math.ST"]), max_size=2, unique=True).map(tuple),
)


def turned(one: Conditions) -> Conditions:
    return Conditions(
        words=one.words[::-1], authors=one.authors[::-1], categories=one.categories[::-1], patterns=one.patterns[::-1]
    )


@given(papers, conditions, conditions)
def test_block_wins_and_keep_decides_about_the_rest(subject, block, keep):
    blocked = judged(FilterRules(block=block), subject)
    unkept = judged(FilterRules(keep=keep), subject)
    assert judged(FilterRules(block=block, keep=keep), subject) == (blocked or unkept)
    assert (blocked is None) is (judged(FilterRules(keep=block), subject) is not None)


@given(papers, conditions, conditions)
def test_the_order_of_conditions_does_not_matter(subject, block, keep):
    found = judged(FilterRules(block=block, keep=keep), subject)
    again = judged(FilterRules(block=turned(block), keep=turned(keep)), subject)
    assert (found and (found.outcome, set(found.conditions))) == (again and (again.outcome, set(again.conditions)))


@given(st.lists(papers, max_size=9, unique_by=lambda one: one.id), conditions)
def test_rules_choose_as_if_the_papers_they_leave_out_were_not_there(found, block):
    ruled = chosen(digest(rules=FilterRules(block=block)), *found)
    remaining = [one for one in found if judged(FilterRules(block=block), one) is None]
    plain = chosen(digest(), *remaining)
    assert [entry.paper for entry in ruled.entries] == [entry.paper for entry in plain.entries]
    assert {one for one, outcome in outcomes(ruled).items() if outcome is Outcome.BLOCKED} == {
        str(one.id)[-1] for one in found if one not in remaining
    }


@given(st.lists(papers, max_size=9), conditions)
def test_without_rules_a_digest_selects_as_before(found, unmet):
    nowhere = Conditions(words=("rabbit",), authors=("Cy Noone",), categories=("q-bio",), patterns=("rabbit",))
    assert chosen(digest(rules=FilterRules(block=nowhere)), *found) == chosen(digest(), *found)
    assert all(one.rejection is None for one in chosen(digest(), *found).decisions)
    seen = [Mentioned(paper=one, mentions=(Mention(source="hf", first_seen_at=MORNING, day=TODAY),)) for one in found]
    assert list(admit(seen, {})) == seen
    assert list(admit(seen, compile_sources([("another", FilterRules(block=unmet, keep=unmet))]))) == seen
