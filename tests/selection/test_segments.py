from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from fakes import paper

from digestmail.model.digests import Limits
from digestmail.model.editions import Edition, Segment, Slot
from digestmail.model.papers import PaperId, Signals
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import Beyond, Entry, PersonalSection, Score, TopicMatch
from digestmail.selection.segments import committed, for_all_topics, for_segment, matching, with_picks

NOON = datetime(2026, 4, 2, 12, tzinfo=UTC)
TOPICS = ("Agents", "Vision", "Speech")


def edition(*matched: tuple[str, ...], beyond: tuple[Beyond, ...] = (), limits: Limits = Limits()) -> Edition:  # noqa: B008 - frozen
    """Make an edition of papers 1, 2, ..., each with the topics it matches, the best first."""
    return Edition(
        digest="daily",
        slot=Slot(at=NOON, key="2026-04-02", day=date(2026, 4, 2)),
        title="Papers",
        byline="",
        composed_at=NOON,
        entries=tuple(
            Entry(
                paper=paper(rank),
                signals=Signals(),
                score=Score(total=1.0),
                rank=rank,
                matches=tuple(TopicMatch(topic=topic, strength=1.0) for topic in topics),
            )
            for rank, topics in enumerate(matched, start=1)
        ),
        beyond=beyond,
        topics=TOPICS,
        limits=limits,
    )


WHOLE = edition(("Agents", "Vision"), ("Vision",), (), ("Agents",), ())


def ids(*numbers: int) -> frozenset[PaperId]:
    return frozenset(paper(number).id for number in numbers)


def got(topics: tuple[str, ...] = (), *without: int, of: Edition = WHOLE) -> list[tuple[str | None, list[int]]]:
    return [(one.topic, [entry.rank for entry in one.entries]) for one in for_segment(of, topics, ids(*without))]


def mores(topics: tuple[str, ...], *without: int, of: Edition) -> dict[str | None, int]:
    return {one.topic: one.more for one in for_segment(of, topics, ids(*without))}


def test_subscribers_of_all_topics_get_each_paper_once_and_the_rest_last():
    assert got() == [("Agents", [1, 4]), ("Vision", [2]), (None, [3, 5])]
    assert for_all_topics(WHOLE) == for_segment(WHOLE, (), frozenset())


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (("Agents",), [("Agents", [1, 4])]),
        (("Vision", "Agents"), [("Agents", [1, 4]), ("Vision", [2])]),
        (("Vision",), [("Vision", [1, 2])]),
        (("Speech",), []),
        (("Speech", "Vision"), [("Vision", [1, 2])]),
        (TOPICS, [("Agents", [1, 4]), ("Vision", [2])]),
    ],
)
def test_subscribers_with_topics_get_them_in_order_without_the_last_section(topics, expected):
    assert got(topics) == expected


def test_papers_that_were_already_received_are_left_out_and_ranks_stay():
    assert got((), 1, 5) == [("Vision", [2]), ("Agents", [4]), (None, [3])]


def test_sections_are_in_the_order_of_their_best_papers_with_the_rest_last():
    of = edition((), ("Speech",), ("Vision",), ("Agents",), ("Vision",))
    assert got(of=of) == [("Speech", [2]), ("Vision", [3, 5]), ("Agents", [4]), (None, [1])]
    assert got((), 2, of=of) == [("Vision", [3, 5]), ("Agents", [4]), (None, [1])]


def test_an_empty_section_is_omitted():
    assert got((), 2, 3, 5) == [("Agents", [1, 4])]
    assert got(("Vision",), 1, 2) == []


def test_papers_unknown_to_the_edition_do_not_matter():
    assert for_segment(WHOLE, (), frozenset({PaperId("arxiv:1")})) == for_all_topics(WHOLE)


def test_an_edition_of_an_empty_day_has_nothing_for_anybody():
    assert for_segment(edition(), (), frozenset()) == ()


def test_limits_apply_to_each_subscriber_and_papers_over_them_are_counted():
    of = edition(("Agents",), ("Vision",), ("Agents",), ("Vision",), limits=Limits(max_papers=3, max_per_topic=2))
    assert got(of=of) == [("Agents", [1, 3]), ("Vision", [2])]
    assert mores((), of=of) == {"Agents": 0, "Vision": 1}
    assert got(("Vision",), of=of) == [("Vision", [2, 4])]
    tight = edition(("Agents",), ("Agents",), (), (), limits=Limits(max_papers=3, max_per_topic=1))
    assert got(of=tight) == [("Agents", [1]), (None, [3])]
    assert mores((), of=tight) == {"Agents": 1, None: 1}


def test_papers_already_received_use_up_no_limit_and_are_not_counted():
    of = edition(*[("Agents",)] * 4, limits=Limits(max_papers=2))
    assert got((), 1, 2, of=of) == [("Agents", [3, 4])]
    assert mores((), 1, of=of) == {"Agents": 1}


def test_papers_not_kept_are_counted_under_the_best_chosen_topic():
    beyond = (
        Beyond(topics=(), papers=7),
        Beyond(topics=("Agents", "Vision"), papers=4),
        Beyond(topics=("Vision",), papers=2),
    )
    of = edition(("Agents",), ("Vision",), (), beyond=beyond)
    assert mores((), of=of) == {"Agents": 4, "Vision": 2, None: 7}
    assert mores(("Vision",), of=of) == {"Vision": 6}
    assert mores(("Vision", "Agents"), of=of) == {"Agents": 4, "Vision": 2}


def test_a_digest_without_topics_is_one_section_up_to_the_limit_over_all():
    of = Edition(**{
        **{name: getattr(edition(*[()] * 20), name) for name in ("digest", "slot", "title", "byline", "composed_at")},
        "entries": edition(*[()] * 20).entries,
        "limits": Limits(max_papers=15, max_per_topic=3),
    })  # fmt: skip
    assert [(one.topic, len(one.entries), one.more) for one in for_all_topics(of)] == [(None, 15, 5)]


def test_a_stored_segment_keeps_its_papers_and_numbers_whatever_would_be_decided_today():
    of = edition(("Agents", "Vision"), ("Vision",), ("Vision",), limits=Limits(max_papers=1))
    segment = Segment(
        id=1, edition_id=1, topics=("Vision",), paper_ids=(paper(1).id, paper(3).id), more=(("Vision", 8),)
    )
    (section,) = committed(of, segment)
    assert ([entry.rank for entry in section.entries], section.more) == ([1, 3], 8)
    assert section.entries[0].match.topic == "Vision"


def picks_of(of: Edition, *numbers: int) -> PersonalSection:
    entries = tuple(of.entries[number - 1] for number in numbers)
    reasons = (PickReason(kind=PickKind.EXPLORATION),) * len(numbers)
    return PersonalSection(topic=None, entries=entries, reasons=reasons, positions=numbers)


@pytest.mark.parametrize(
    ("picked", "most", "expected"),
    [
        ((3, 1), 5, [([3, 1], 0), ([2], 0), ([4, 5], 0)]),
        ((3, 1), 4, [([3, 1], 0), ([2], 0), ([4], 1)]),
        ((5,), 2, [([5], 0), ([1], 1)]),
        ((5, 4, 3), 3, [([5, 4, 3], 0)]),
        ((5, 4, 3), 1, [([5, 4, 3], 0)]),
    ],
)
def test_picks_come_first_and_displace_the_lowest_ranked_papers(picked, most, expected):
    of = edition(("Agents",), ("Agents",), ("Vision",), ("Vision",), ("Vision",))
    found = with_picks(for_all_topics(of), picks_of(of, *picked), most)
    assert [([entry.rank for entry in one.entries], one.more) for one in found] == expected


def test_without_picks_sections_stay_as_they_are():
    of = edition(("Agents",), ("Vision",))
    assert with_picks(for_all_topics(of), None, 1) == for_all_topics(of)


def test_papers_that_match_a_subscriber_are_known_regardless_of_limits():
    of = edition(("Agents",), ("Vision", "Agents"), (), limits=Limits(max_papers=1))
    assert matching(of, ("Agents",)) == ids(1, 2)
    assert matching(of, ()) == ids(1, 2, 3)
