from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import pytest
from fakes import digest, paper
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.model.digests import Limits, Topic
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import PaperId, Signals
from digestmail.model.selection import Candidate, Decision, Entry, Outcome, Score, Section, Selection, TopicMatch
from digestmail.selection.explain import reasons
from digestmail.selection.segments import for_all_topics, for_segment
from digestmail.selection.select import select

TODAY = date(2026, 4, 2)
MORNING = datetime(2026, 4, 2, 6, tzinfo=UTC)
AGENTS = Topic(name="Agents", keywords=("agent",))
VISION = Topic(name="Vision", keywords=("image",))
WIDE = Limits(max_papers=1000, max_per_topic=1000)


def candidate(
    number: int, *, upvotes: int | None = 1, age: int = 0, came_at: datetime = MORNING, **fields
) -> Candidate:
    return Candidate(
        paper=paper(number, **fields),
        day=TODAY - timedelta(days=age),
        came_at=came_at,
        signals=Signals(upvotes=upvotes),
        earlier=Signals(upvotes=upvotes),
    )


@dataclass(frozen=True)
class Chosen:
    """The decisions, and the sections for subscribers of all topics."""

    selection: Selection
    edition: Edition

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return self.selection.decisions

    @property
    def sections(self) -> tuple[Section, ...]:
        return for_all_topics(self.edition)


def choose(
    *candidates: Candidate,
    published=None,
    topics=(AGENTS, VISION),
    limits=WIDE,
    also_trending=True,
    last_at=None,
    elsewhere=frozenset(),
) -> Chosen:
    of = digest(topics=tuple(topics), limits=limits, also_trending=also_trending)
    selection = select(candidates, of, TODAY, published=published or {}, last_at=last_at, elsewhere=elsewhere)
    edition = Edition(
        digest="daily",
        slot=Slot(at=MORNING, key="2026-04-02", day=TODAY),
        title="",
        byline="",
        composed_at=MORNING,
        entries=selection.entries,
        beyond=selection.beyond,
        topics=tuple(topic.name for topic in topics),
        limits=limits,
    )
    return Chosen(selection, edition)


def number_of(entry: Entry) -> int:
    return int(entry.paper.id.rpartition(".")[2])


def layout(chosen: Chosen, *topics: str) -> dict[str | None, list[int]]:
    sections = for_segment(chosen.edition, topics, frozenset())
    return {section.topic: [number_of(entry) for entry in section.entries] for section in sections}


def kept(chosen: Chosen) -> list[int]:
    return [number_of(entry) for entry in chosen.selection.entries]


def outcomes(selection: Chosen) -> dict[int, Outcome]:
    return {int(decision.paper_id.rpartition(".")[2]): decision.outcome for decision in selection.decisions}


def decision_on(selection: Chosen, number: int) -> Decision:
    return next(decision for decision in selection.decisions if decision.paper_id == paper(number).id)


AGENT, IMAGE, OTHER = {"title": "An agent"}, {"title": "An image"}, {"title": "Something else"}


def test_papers_are_grouped_by_topic_best_first_with_a_last_section():
    selection = choose(
        candidate(1, **IMAGE), candidate(2, upvotes=9, **OTHER), candidate(3, **AGENT), candidate(4, upvotes=3, **AGENT)
    )
    assert list(layout(selection).items()) == [("Agents", [4, 3]), ("Vision", [1]), (None, [2])]
    assert [entry.rank for section in selection.sections for entry in section.entries] == [1, 3, 2, 4]


def test_empty_sections_are_left_out():
    assert layout(choose(candidate(1, **IMAGE))) == {"Vision": [1]}
    assert choose().sections == ()


def test_a_paper_appears_once_under_its_best_topic():
    selection = choose(candidate(1, title="An image", abstract="By an agent."))
    assert layout(selection) == {"Vision": [1]}
    assert [match.topic for match in decision_on(selection, 1).other_matches] == ["Agents"]


def test_of_equal_matches_the_first_topic_wins():
    both = candidate(1, title="An agent sees an image")
    assert layout(choose(both)) == {"Agents": [1]}
    assert layout(choose(both, topics=(VISION, AGENTS))) == {"Vision": [1]}


def test_without_the_last_section_unmatched_papers_are_left_out():
    selection = choose(candidate(1, **OTHER), candidate(2, **AGENT), also_trending=False)
    assert layout(selection) == {"Agents": [2]}
    assert outcomes(selection) == {1: Outcome.NO_TOPIC, 2: Outcome.SELECTED}


def test_a_digest_without_topics_is_one_section_even_without_also_trending():
    selection = choose(candidate(1, **OTHER), candidate(2, **AGENT), topics=(), also_trending=False)
    assert layout(selection) == {None: [1, 2]}


def test_published_and_withdrawn_papers_are_not_selected_and_have_no_rank():
    first, second, third = candidate(1, upvotes=99), candidate(2, upvotes=50, withdrawn=True), candidate(3)
    selection = choose(first, second, third, published={first.paper.id: "2026-04-01"})
    assert outcomes(selection) == {
        1: Outcome.PUBLISHED_BEFORE, 2: Outcome.WITHDRAWN, 3: Outcome.SELECTED,
    }  # fmt: skip
    assert decision_on(selection, 1).published_in == "2026-04-01"
    assert [decision_on(selection, number).rank for number in (1, 2, 3)] == [None, None, 1]


def test_a_paper_published_under_another_of_its_ids_is_not_chosen():
    alias = PaperId("doi:10.1/x")
    selection = choose(candidate(1, aliases=(alias,)), published={alias: "2026-03-31"})
    assert outcomes(selection) == {1: Outcome.PUBLISHED_BEFORE}


def test_the_same_paper_twice_is_one_paper():
    better, worse = candidate(1, upvotes=9), candidate(1, upvotes=2)
    for twice in ((better, worse), (worse, better)):
        selection = choose(*twice)
        assert len(selection.decisions) == 1
        assert selection.sections[0].entries[0].signals.upvotes == 9


def test_a_topic_has_a_limit_and_counts_the_papers_over_it():
    papers = [candidate(number, upvotes=20 - number, **AGENT) for number in range(1, 6)]
    selection = choose(*papers, candidate(9, **IMAGE), limits=Limits(max_papers=10, max_per_topic=2))
    assert layout(selection) == {"Agents": [1, 2], "Vision": [9]}
    assert [section.more for section in selection.sections] == [3, 0]
    assert Counter(outcomes(selection).values())[Outcome.OVER_TOPIC_LIMIT] == 3


def test_the_closing_section_keeps_to_the_topic_limit_too():
    papers = [candidate(number, upvotes=50, **OTHER) for number in range(1, 6)]
    selection = choose(*papers, candidate(9, **AGENT), limits=Limits(max_papers=4, max_per_topic=3))
    assert layout(selection) == {"Agents": [9], None: [1, 2, 3]}


def test_without_topics_only_the_total_limit_applies():
    papers = [candidate(number) for number in range(1, 8)]
    selection = choose(*papers, topics=(), limits=Limits(max_papers=5, max_per_topic=2))
    assert layout(selection) == {None: [1, 2, 3, 4, 5]}
    assert selection.sections[0].more == 2


def test_the_limit_over_all_is_met_by_rank_and_counted_where_it_struck():
    papers = [candidate(1, upvotes=9, **AGENT), candidate(2, upvotes=8, **IMAGE), candidate(3, upvotes=7, **AGENT)]
    selection = choose(*papers, limits=Limits(max_papers=2))
    assert layout(selection) == {"Agents": [1], "Vision": [2]}
    assert [section.more for section in selection.sections] == [1, 0]
    # Who chose Agents has room for it.
    assert outcomes(selection)[3] is Outcome.SELECTED
    assert layout(selection, "Agents") == {"Agents": [1, 3]}


def test_a_low_score_keeps_a_paper_out():
    selection = choose(candidate(1, upvotes=50), candidate(2, upvotes=0), limits=replace(WIDE, min_score=1.0))
    assert outcomes(selection) == {1: Outcome.SELECTED, 2: Outcome.BELOW_MIN_SCORE}


def test_an_exclusion_takes_a_paper_out_of_the_topic_only():
    topics = (replace(AGENTS, exclude=("survey",)), VISION)
    selection = choose(candidate(1, title="A survey of agents that see images"), topics=topics)
    assert layout(selection) == {"Vision": [1]}
    assert decision_on(selection, 1).excluded == ("Agents: survey",)


def test_an_exclusion_that_changed_nothing_is_not_reported():
    topics = (replace(AGENTS, exclude=("survey",)), VISION)
    assert decision_on(choose(candidate(1, title="A survey of images"), topics=topics), 1).excluded == ()


def test_of_equal_scores_the_newest_comes_first_then_the_id_decides():
    later = MORNING + timedelta(hours=1)
    unscored = [
        candidate(1, upvotes=0, age=2),
        candidate(2, upvotes=0),
        candidate(3, upvotes=0, age=1),
        candidate(5, upvotes=0, came_at=later),
        candidate(4, upvotes=0, came_at=later),
    ]
    assert layout(choose(*unscored)) == {None: [4, 5, 2, 3, 1]}


def test_new_papers_come_before_leftover_ones():
    before = MORNING - timedelta(hours=1)
    left_over = [candidate(number, upvotes=90, came_at=before) for number in (1, 2)]
    selection = choose(*left_over, candidate(3), candidate(4, upvotes=2), last_at=before, limits=Limits(max_papers=3))
    assert layout(selection) == {None: [4, 3, 1]}
    assert [decision.new for decision in selection.decisions] == [True, True, False, False]
    assert reasons(decision_on(selection, 1), WIDE)[2] == (
        "left over from the last edition, so newer papers come first"
    )


def test_an_edition_keeps_for_each_topic_as_many_as_its_readers_may_get():
    loud = [candidate(number, upvotes=90, **AGENT) for number in range(1, 6)]
    quiet = [candidate(number, upvotes=1, **IMAGE) for number in range(6, 9)]
    selection = choose(*loud, *quiet, limits=Limits(max_papers=2, max_per_topic=2))
    assert layout(selection) == {"Agents": [1, 2]}
    assert layout(selection, "Vision") == {"Vision": [6, 7]}
    assert layout(selection, "Agents", "Vision") == {"Agents": [1, 2]}
    assert kept(selection) == [1, 2, 6, 7]


def test_each_subscriber_sees_a_paper_under_their_best_chosen_topic():
    both = candidate(1, title="An agent", abstract="It sees an image.")
    selection = choose(both, candidate(2, upvotes=0, **IMAGE))
    assert layout(selection) == {"Agents": [1], "Vision": [2]}
    assert layout(selection, "Vision") == {"Vision": [1, 2]}
    (section,) = for_segment(selection.edition, ("Vision",), frozenset())
    assert [entry.match.topic for entry in section.entries] == ["Vision", "Vision"]
    assert [match.topic for match in section.entries[0].matches] == ["Vision", "Agents"]


def test_papers_of_another_digest_use_up_no_limit():
    papers = [candidate(number, upvotes=20 - number) for number in range(1, 7)]
    sent = frozenset(one.paper.id for one in papers[:3])
    selection = choose(*papers, topics=(), limits=Limits(max_papers=2), elsewhere=sent)
    assert kept(selection) == [1, 2, 3, 4, 5]
    assert layout(selection) == {None: [1, 2]}
    (section,) = for_segment(selection.edition, (), sent)
    assert [number_of(entry) for entry in section.entries] == [4, 5]
    assert section.more == 1


def test_an_edition_keeps_only_papers_that_a_subscriber_may_need():
    # Subscribers of Vision get two of these; those of Agents as well get them under Agents.
    papers = [candidate(number, title="An agent", abstract="It sees an image.") for number in range(1, 50)]
    selection = choose(*papers, limits=Limits(max_per_topic=2))
    assert kept(selection) == [1, 2]
    assert [(beyond.topics, beyond.papers) for beyond in selection.selection.beyond] == [(("Agents", "Vision"), 47)]
    (section,) = for_segment(selection.edition, ("Vision",), frozenset())
    assert (len(section.entries), section.more) == (2, 47)


def test_older_papers_sink():
    assert layout(choose(candidate(1, age=2, upvotes=10), candidate(2, upvotes=10))) == {None: [2, 1]}


TITLES = ("An agent", "An image", "Agents draw images", "A survey of agents", "Else", "Serving with less memory")
TOPICS = (
    replace(AGENTS, exclude=("survey",)),
    VISION,
    Topic(name="Serving", description="serving models with less memory"),
)
papers = st.builds(
    candidate,
    st.integers(1, 30),
    upvotes=st.none() | st.integers(0, 5),
    age=st.integers(0, 3),
    title=st.sampled_from(TITLES),
    withdrawn=st.sampled_from([False, False, False, True]),
)
limits = st.builds(
    Limits, max_papers=st.integers(1, 8), max_per_topic=st.integers(1, 4), min_score=st.sampled_from([0.0, 0.5])
)


@settings(deadline=None)
@given(
    st.lists(papers, max_size=15),
    st.sets(st.integers(1, 30).map(lambda number: paper(number).id), max_size=5),
    st.integers(0, 3),
    limits,
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_select_never_repeats_ignores_order_and_keeps_to_its_limits(found, before, topic_count, limit, also, random):
    topics, published = TOPICS[:topic_count], dict.fromkeys(before, "2026-04-01")
    chosen = choose(*found, published=published, topics=topics, limits=limit, also_trending=also)
    shuffled = random.sample(found, len(found))
    assert choose(*shuffled, published=published, topics=topics, limits=limit, also_trending=also) == chosen

    ids = [entry.paper.id for section in chosen.sections for entry in section.entries]
    assert len(ids) == len(set(ids)) <= limit.max_papers
    held = [entry.paper.id for entry in chosen.edition.entries]
    assert set(ids) <= set(held)
    assert len(held) == len(set(held))
    assert not before & set(ids)
    assert all(not entry.paper.withdrawn for section in chosen.sections for entry in section.entries)
    if topics:
        assert all(len(section.entries) <= limit.max_per_topic for section in chosen.sections)

    decided = [decision.paper_id for decision in chosen.decisions]
    assert sorted(decided) == sorted({one.paper.id for one in found})
    ranks = [decision.rank for decision in chosen.decisions if decision.rank is not None]
    assert ranks == list(range(1, len(ranks) + 1))
    scores = [decision.score.total for decision in chosen.decisions if decision.rank is not None]
    assert scores == sorted(scores, reverse=True)
    assert {d.paper_id for d in chosen.decisions if d.outcome is Outcome.SELECTED} == set(held)
    others = [entry.paper.id for entry in chosen.selection.others]
    assert others == [d.paper_id for d in chosen.decisions if d.rank is not None and d.outcome is not Outcome.SELECTED]
    over = sum(decision.outcome in {Outcome.OVER_LIMIT, Outcome.OVER_TOPIC_LIMIT} for decision in chosen.decisions)
    assert sum(beyond.papers for beyond in chosen.edition.beyond) == over

    assert all(section.entries for section in chosen.sections)
    best = [(section.topic is None, section.entries[0].rank) for section in chosen.sections]
    assert best == sorted(best)
    assert {section.topic for section in chosen.sections} <= {*(topic.name for topic in topics), None}


@settings(deadline=None, max_examples=50)
@given(st.lists(papers, max_size=25), limits, st.sets(st.integers(1, 30), max_size=6), st.booleans())
def test_every_choice_of_topics_gets_the_same_papers_as_from_all_candidates(found, limit, sent, also):
    elsewhere = frozenset(paper(number).id for number in sent)
    chosen = choose(*found, topics=TOPICS, limits=limit, also_trending=also, elsewhere=elsewhere)
    everything = choose(
        *found,
        topics=TOPICS,
        limits=Limits(max_papers=1000, max_per_topic=1000, min_score=limit.min_score),
        also_trending=also,
    )
    whole = replace(everything.edition, limits=limit)
    needed: set[PaperId] = set()
    for size in range(len(TOPICS) + 1):
        for choice in combinations([topic.name for topic in TOPICS], size):
            assert for_segment(chosen.edition, choice, ()) == for_segment(whole, choice, ())
            gets = for_segment(chosen.edition, choice, elsewhere)
            wanted = for_segment(whole, choice, elsewhere)
            assert [(one.topic, one.entries) for one in gets] == [(one.topic, one.entries) for one in wanted]
            roomy = replace(whole, limits=replace(limit, max_papers=1000))
            needed.update(entry.paper.id for one in for_segment(roomy, choice, ()) for entry in one.entries)
    if not sent and limit.max_per_topic <= limit.max_papers:
        assert {entry.paper.id for entry in chosen.edition.entries} == needed


# -- reasons ---------------------------------------------------------------------------------------------------------


def test_the_reasons_name_topic_words_score_and_rank():
    topics = (AGENTS, VISION, replace(AGENTS, name="Surveys", exclude=("image",)))
    selection = choose(candidate(1, upvotes=9, age=3, title="Agents", abstract="On images."), topics=topics)
    assert reasons(selection.decisions[0], WIDE) == (
        "selected, under 'Agents'",
        "matches 'Agents' with strength 0.70: keyword agent",
        "also matches 'Vision' with strength 0.50: keyword image",
        "excluded from 'Surveys' by 'image'",
        "score 1.16 = 0.50 for age * (0.70 for relevance * (upvotes 2.30) + topic match 0.70)",
        "rank 1",
    )


def test_the_reasons_name_the_words_that_make_a_paper_similar():
    match = TopicMatch(topic="T", strength=0.8, authors=("Tri Dao",), similarity=0.31, words=("memory", "time"))
    decision = Decision(paper_id=paper(1).id, outcome=Outcome.SELECTED, score=Score(total=0.0), rank=4, match=match)
    assert (
        reasons(decision, WIDE)[1]
        == "matches 'T' with strength 0.80: similarity 0.31 because of memory, time; author Tri Dao"
    )


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (Outcome.SELECTED, "selected, among the papers without a topic"),
        (Outcome.PUBLISHED_BEFORE, "published before, in the edition of 2026-04-01"),
        (Outcome.WITHDRAWN, "withdrawn by its authors"),
        (Outcome.NO_TOPIC, "left out: it matches no topic, and the digest has no section for such papers"),
        (Outcome.BELOW_MIN_SCORE, "left out: its score is below min_score 0.5"),
        (Outcome.OVER_TOPIC_LIMIT, "left out: 10 papers rank higher among the papers without a topic"),
        (Outcome.OVER_LIMIT, "left out: 25 papers rank higher"),
    ],
)
def test_every_outcome_has_a_sentence(outcome, says):
    decision = Decision(paper_id=paper(1).id, outcome=outcome, score=Score(total=0.0), published_in="2026-04-01")
    said = reasons(decision, Limits(min_score=0.5))
    assert said[:2] == (says, "score 0.00; it matches no topic, and no source has counts for it")
