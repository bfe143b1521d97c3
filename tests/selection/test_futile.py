"""Rules and topics that can have no effect are found, and none that can."""

from __future__ import annotations

import pytest
from fakes import paper
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.digests import Conditions, FilterRules, Topic
from digestmail.selection.futile import is_only_a_name, rule_faults, topic_faults
from digestmail.selection.rules import compile_rules, rejection
from digestmail.selection.tokenize import read


@pytest.mark.parametrize("pattern", [".", r"\w", r"\S+", "[^,]", "(?s)^."])
def test_a_pattern_that_blocks_every_paper_is_named(pattern):
    (fault,) = rule_faults(FilterRules(block=Conditions(patterns=("ok", pattern))))
    assert fault == f"block: the pattern {pattern!r} matches every paper, so no paper is left: remove it"


@pytest.mark.parametrize("pattern", ["[^\x00-\x7f]", "^a", r"\d", "(?i)survey", "^.{200,}$"])
def test_a_pattern_that_leaves_papers_is_none(pattern):
    assert not list(rule_faults(FilterRules(block=Conditions(patterns=(pattern,)))))


@pytest.mark.parametrize(
    ("block", "keep", "names"),
    [
        (Conditions(words=("survey",)), Conditions(words=("surveys of graphs",)), "word 'surveys of graphs'"),
        (Conditions(categories=("cs.*",)), Conditions(categories=("cs.LG",)), "category cs.LG"),
        (Conditions(authors=("Dao, Tri",)), Conditions(authors=("Tri Dao",)), "author 'Tri Dao'"),
        (
            Conditions(patterns=("(?i)agent",)),
            Conditions(words=("agents",), patterns=("(?i)agent",)),
            "word 'agents', pattern",
        ),
    ],
)
def test_a_keep_rule_that_block_removes_is_named(block, keep, names):
    (fault,) = rule_faults(FilterRules(block=block, keep=keep))
    assert fault.startswith(f"block leaves out everything that keep keeps ({names}")


def test_of_several_conditions_only_those_without_effect_are_named():
    keep = Conditions(words=("survey of graphs", "agents"), categories=("cs.LG",))
    (fault,) = rule_faults(FilterRules(block=Conditions(words=("survey",)), keep=keep))
    assert fault == (
        "keep: word 'survey of graphs' has no effect, because block leaves out such papers (word 'survey'): remove "
        "one of the two"
    )


@pytest.mark.parametrize(
    ("block", "keep"),
    [
        (Conditions(words=("deep learning",)), Conditions(words=("learning",))),
        (Conditions(categories=("cs.LG",)), Conditions(categories=("cs",))),
        (Conditions(authors=("Tri Dao",)), Conditions(authors=("T. Dao", "Ada Example"))),
        (Conditions(patterns=("^agents",)), Conditions(words=("agents",))),
        (None, Conditions(words=("agents",))),
    ],
)
def test_a_keep_rule_that_some_papers_meet_is_none(block, keep):
    assert not list(rule_faults(FilterRules(block=block, keep=keep)))


WORDS = st.lists(st.sampled_from(["deep learning", "learning", "survey", "graph", "graphs"]), min_size=1, max_size=2)


@given(WORDS, WORDS, st.lists(st.sampled_from(["deep", "learning", "of", "survey", "graph"]), max_size=5).map(" ".join))
def test_no_paper_is_left_by_rules_that_are_said_to_leave_none(block, keep, title):
    rules = FilterRules(block=Conditions(words=tuple(block)), keep=Conditions(words=tuple(keep)))
    if any("no paper is left" in fault for fault in rule_faults(rules)):
        one = paper(1, title=title)
        assert rejection(compile_rules(rules), one, read(one)) is not None


def test_a_keyword_that_the_topic_itself_excludes_is_named():
    topic = Topic(name="Agents", keywords=("agents", "tool use"), exclude=("agent",))
    assert list(topic_faults(topic)) == [
        "the keyword 'agents' has no effect, because exclude leaves out such papers ('agent'): remove one of the two"
    ]
    assert not list(topic_faults(Topic(name="Agents", keywords=("agents",), exclude=("real estate agents",))))


def test_a_strength_that_no_paper_has_is_named_unless_something_else_decides():
    (fault,) = topic_faults(Topic(name="Agents", keywords=("agents",), min_strength=1))
    assert fault == "no paper is as strong as min_strength = 1: write 0.9 or less"
    assert not list(topic_faults(Topic(name="Agents", categories=("cs.AI",), min_strength=1)))


def test_a_topic_may_be_only_a_name():
    assert is_only_a_name(Topic(name="Agents", exclude=("x",), description=" "))
    assert not is_only_a_name(Topic(name="Agents", description="programs that act"))
