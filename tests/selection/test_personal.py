from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from corpus import FIELDS, abstract
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.model.personal import KnownPaper, Opinion, Pick, PickKind, PickReason, Profile, Taste
from digestmail.selection import personal
from digestmail.selection.personal import Picker, explored_places

NOW = datetime(2026, 4, 2, 6, tzinfo=UTC)
CAUTIOUS = Profile(exploration=0.0)


def paper(name: str, **fields: str) -> Paper:
    address = f"https://example.org/{name}"
    plain = Paper(id=PaperId(f"url:{address}"), link=address, origin=Origin.FEED, title=f"Paper {name}")
    return replace(plain, **fields)


def todays(count: int = 40, seed: int = 5) -> list[Paper]:
    """Return papers of the four fields in turn; the id ends with the field."""
    random = Random(seed)
    fields = list(FIELDS)
    return [
        paper(f"{number}-{field}", title=f"Paper {number}", abstract=abstract(field, random))
        for number in range(count)
        for field in (fields[number % len(fields)],)
    ]


def known(seed: int = 6) -> dict[int, KnownPaper]:
    """Return eight papers of each field: rows 1 to 8 are optics, 9 to 16 law, and so on."""
    random = Random(seed)
    texts = [(field, abstract(field, random)) for field in FIELDS for _ in range(8)]
    return {row: KnownPaper(title=f"{field} {row}", abstract=text) for row, (field, text) in enumerate(texts, start=1)}


def picker(papers: Sequence[Paper] | None = None, scores: Sequence[float] | None = None) -> Picker:
    papers = todays() if papers is None else papers
    return Picker(papers, [0.0] * len(papers) if scores is None else scores, known(), NOW)


def opinion(row_id: int, days_ago: int = 1, *, liked: bool = True) -> Opinion:
    return Opinion(row_id=row_id, liked=liked, given_at=NOW - timedelta(days=days_ago))


def fields_of(picks: Sequence[Pick]) -> list[str]:
    return [pick.paper_id.rpartition("-")[2] for pick in picks]


def only(taste: Taste, most: int = 5, papers: Sequence[Paper] | None = None) -> tuple[Pick, ...]:
    (picks,) = picker(papers).pick([taste], most)
    return picks


def test_one_liked_paper_is_enough() -> None:
    picks = only(Taste(opinions=(opinion(1),), profile=CAUTIOUS))
    assert fields_of(picks) == ["optics"] * 5
    assert {pick.reason for pick in picks} == {PickReason(kind=PickKind.LIKED, title="optics 1")}


def test_readers_share_the_reasons_that_say_nothing_about_them() -> None:
    """Publishing numbers them by identity, which takes a fifth of the time."""
    tastes = [Taste(opinions=(opinion(1),), seed=seed, profile=Profile(exploration=0.4)) for seed in ("ada", "ben")]
    picks = [pick for found in picker().pick(tastes, 5) for pick in found]
    assert {pick.reason.kind for pick in picks} == {PickKind.LIKED, PickKind.EXPLORATION}
    assert len({id(pick.reason) for pick in picks}) == 2


def test_nothing_is_picked_if_nothing_is_known_or_only_what_a_reader_dislikes() -> None:
    assert picker().pick([Taste(), Taste(profile=Profile()), Taste(opinions=(opinion(1, liked=False),))], 5) == [()] * 3


def test_disliked_papers_reduce_the_closeness_of_papers_like_them() -> None:
    both = (opinion(1), opinion(9))
    without_law = (*both, *(opinion(row, liked=False) for row in range(10, 17)))
    assert "law" in fields_of(only(Taste(opinions=both, profile=CAUTIOUS)))
    before = [one.closeness for one in picker().rank(Taste(opinions=both)) if one.paper_id.endswith("law")]
    after = [one.closeness for one in picker().rank(Taste(opinions=without_law)) if one.paper_id.endswith("law")]
    assert sum(after) < sum(before)


def test_dislikes_count_against_a_profile_as_well() -> None:
    profile = Profile(interests="laser beam and court verdict", exploration=0.0)
    dislikes = tuple(opinion(row, liked=False) for row in range(9, 17))
    before, after = (picker().rank(Taste(opinions=opinions, profile=profile)) for opinions in ((), dislikes))
    law = [
        {one.paper_id: one.closeness for one in ranked if one.paper_id.endswith("law")} for ranked in (before, after)
    ]
    assert all(law[1][paper_id] < law[0][paper_id] for paper_id in law[0])


def test_recent_opinions_count_more() -> None:
    changed = Taste(opinions=(opinion(1, 700), opinion(2, 700), opinion(9, 1)), profile=CAUTIOUS)
    assert fields_of(only(changed))[:3] == ["law"] * 3


def test_an_opinion_from_a_clock_that_was_ahead_counts_like_one_of_now() -> None:
    ahead, now = (only(Taste(opinions=(opinion(1), opinion(9, days)), profile=CAUTIOUS)) for days in (-999, 0))
    assert ahead == now


def test_a_reading_list_is_a_part_of_its_own() -> None:
    profile = replace(CAUTIOUS, papers=tuple(known()[row] for row in range(17, 25)))
    picks = only(Taste(profile=profile))
    assert fields_of(picks) == ["soil"] * 5
    assert {pick.reason.kind for pick in picks} == {PickKind.READING_LIST}
    assert all(pick.reason.title.startswith("soil ") for pick in picks)


def test_one_liked_paper_counts_as_much_as_a_long_reading_list() -> None:
    profile = replace(CAUTIOUS, papers=tuple(known()[row] for row in range(17, 25)))
    assert set(fields_of(only(Taste(opinions=(opinion(1),), profile=profile), most=10))) == {"soil", "optics"}


def test_interests_say_which_words_they_share_as_the_paper_writes_them() -> None:
    papers = [
        *todays(20),
        paper("x-birds", title="Migration of geese", abstract="Geese migrate by satellites."),
    ]
    (pick,) = only(Taste(profile=Profile(interests="bird migrations and satellite tags", exploration=0.0)), 1, papers)
    assert pick.paper_id.endswith("birds")
    assert pick.reason == PickReason(kind=PickKind.INTERESTS, names=("migration", "satellites"))


def test_papers_by_followed_authors_come_first_however_many_there_are() -> None:
    papers = [
        replace(one, authors=("Zoe Étude", "B. Example") if number < 7 else ("Carl Other",))
        for number, one in enumerate(todays())
    ]
    profile = Profile(authors=("Etude, Z.", "Berta Example"), exploration=0.0)
    picks = only(Taste(profile=profile), 5, papers)
    assert {pick.paper_id for pick in picks} == {one.id for one in papers[:7]}
    assert {pick.reason for pick in picks} == {PickReason(kind=PickKind.AUTHOR, names=("Zoe Étude", "B. Example"))}
    with_likes = only(Taste(opinions=(opinion(1),), profile=replace(profile, authors=("Carl Nobody",))), 5, papers)
    assert {pick.reason.kind for pick in with_likes} == {PickKind.LIKED}


def test_blocked_words_and_known_papers_are_never_picked() -> None:
    plain = Taste(opinions=(opinion(1),), profile=CAUTIOUS)
    first = only(plain)[0].paper_id
    assert first not in {pick.paper_id for pick in only(replace(plain, without=frozenset({first})))}
    blocked = replace(plain, profile=replace(CAUTIOUS, blocked_words=("laser", "cavity")))
    texts = {one.id: one.abstract.split() for one in todays()}
    found = only(blocked, most=40)
    assert found
    assert all({"laser", "cavity", "cavities", "lasers"}.isdisjoint(texts[pick.paper_id]) for pick in found)


def test_a_followed_author_does_not_lift_a_block() -> None:
    papers = [replace(one, authors=("Zoe Étude",)) for one in todays()]
    profile = Profile(authors=("Zoe Étude",), blocked_words=("we",))
    assert only(Taste(profile=profile, without=frozenset(one.id for one in papers)), 5, papers) == ()


def test_near_copies_do_not_fill_the_section() -> None:
    liked = known()[1]
    copies = [paper(f"{number}-copy", title=f"Copy {number}", abstract=liked.abstract) for number in range(10)]
    picks = only(Taste(opinions=(opinion(1),), profile=CAUTIOUS), 5, [*todays(), *copies])
    assert fields_of(picks).count("copy") <= 2
    assert fields_of(picks)[0] == "copy"


def test_a_share_of_picks_comes_from_outside_the_known_interests() -> None:
    def explored(share: float, seed: str) -> list[str]:
        taste = Taste(opinions=(opinion(1),), profile=Profile(exploration=share), seed=seed)
        return [pick.paper_id for pick in only(taste) if pick.reason.kind is PickKind.EXPLORATION]

    assert [len(explored(0.4, f"day {day}")) for day in range(5)] == [2] * 5
    assert explored(0.4, "day 1") == explored(0.4, "day 1")
    assert len({tuple(explored(0.4, f"day {day}")) for day in range(5)}) > 1
    assert explored(0.0, "day 1") == []
    assert sum(len(explored(0.1, f"day {day}")) for day in range(40)) in range(10, 31)


@pytest.mark.parametrize(
    ("most", "share", "places"),
    [
        (1, 0.2, {0}),
        (1, 0.4, {0}),
        (2, 0.2, {0, 1}),
        (2, 0.4, {0, 1}),
        (3, 0.9, {2}),
        (5, 0.2, {1}),
        (7, 0.2, {1, 2}),
        (5, 0.0, {0}),
        (1, 1.0, {1}),
        (5, 1.0, {5}),
        (50, 0.2, {10}),
    ],
)
def test_a_reader_never_gets_only_something_different_unless_they_want_nothing_else(most, share, places):
    drawn = [explored_places(most, share, number / 1000) for number in range(1000)]
    assert set(drawn) == places
    if max(places) < most - 1:
        assert sum(drawn) / 1000 == pytest.approx(most * share, abs=0.01)


def test_the_only_pick_is_always_close_to_the_reader() -> None:
    tastes = [Taste(opinions=(opinion(1),), seed=f"day {day}") for day in range(40)]
    assert {pick.reason.kind for (pick,) in picker().pick(tastes, 1)} == {PickKind.LIKED}


def test_exploration_shows_the_best_papers_that_no_known_interest_explains() -> None:
    papers = todays(400)
    liked = Taste(opinions=(opinion(1), *(opinion(row, liked=False) for row in range(9, 17))))
    scores = [float(number % 40 < 20) for number in range(400)]
    closeness = {one.paper_id: one for one in picker(papers).rank(liked)}
    for day in range(20):
        (picks,) = picker(papers, scores).pick([replace(liked, seed=str(day))], 10)
        found = [pick.paper_id for pick in picks if pick.reason.kind is PickKind.EXPLORATION]
        assert found
        assert all(closeness[one].reason is None for one in found)
        assert not {"optics", "law"} & {one.rpartition("-")[2] for one in found}, "neither liked nor disliked"
        assert all(int(one.rpartition("/")[2].partition("-")[0]) % 40 < 20 for one in found)


def test_without_papers_from_outside_the_section_is_filled_with_close_ones() -> None:
    papers = [one for one in todays(80) if one.id.endswith("optics")]
    outside = frozenset(one.id for one in todays(80) if not one.id.endswith("optics"))
    taste = Taste(opinions=(opinion(1),), without=outside, profile=Profile(exploration=1.0))
    assert len(papers) == 20
    assert len(only(taste, 10, todays(80))) == 10
    (pick,) = only(
        replace(taste, profile=Profile(authors=("Zoe Étude",))), 1, [replace(papers[0], authors=("Z. Étude",))]
    )
    assert pick.reason.names == ("Z. Étude",)


def test_a_paper_of_a_reading_list_is_never_picked_however_its_title_is_written() -> None:
    own = [
        KnownPaper(title="A  {BERT}—paper: CO₂ & the “Étude”"),
        KnownPaper(title="...", abstract="laser photon"),
        KnownPaper(title="Optics again", abstract=known()[2].abstract),
    ]
    mine = paper("x-mine", title="A BERT-Paper; CO2 and the Étude".replace(" and", " &"), abstract=known()[1].abstract)
    untitled = paper("x-untitled", title="???", abstract=known()[3].abstract)
    new = paper("x-new", title="A BERT-Paper", abstract=known()[1].abstract)
    by = tuple(replace(one, authors=("Ada Example",)) for one in (mine, untitled))
    taste = Taste(profile=Profile(papers=tuple(own), authors=("Ada Example",), interests="laser", exploration=0.0))
    found = {pick.paper_id for pick in only(taste, 40, [*todays(), *by, new])}
    assert mine.id not in found, "its author is followed, but the reader knows the paper"
    assert {untitled.id, new.id} <= found


def test_an_author_who_is_followed_under_two_spellings_is_named_once() -> None:
    papers = [replace(one, authors=("Ada Example", "Zoe Étude")) for one in todays(4)]
    profile = Profile(authors=("Ada Example", "A. Example", "Example, Ada", "Étude, Z"), exploration=0.0)
    picks = only(Taste(profile=profile), 5, papers)
    assert {pick.reason.names for pick in picks} == {("Ada Example", "Zoe Étude")}


def test_of_many_followed_authors_of_a_paper_three_are_named() -> None:
    everyone = tuple(f"Ada Example{number}" for number in range(60))
    (pick,) = only(Taste(profile=Profile(authors=everyone)), 5, [replace(todays(1)[0], authors=everyone)])
    assert pick.reason.names == everyone[:3]


def test_exploration_is_last_and_never_repeats_a_pick() -> None:
    picks = only(Taste(opinions=(opinion(1),), profile=Profile(exploration=0.5), seed="x"), most=10)
    kinds = [pick.reason.kind for pick in picks]
    assert kinds == sorted(kinds, key=lambda kind: kind is PickKind.EXPLORATION)
    assert len({pick.paper_id for pick in picks}) == len(picks) == 10


@pytest.mark.parametrize("authors", [(), ("Ada Example",)])
def test_many_papers_are_picked_among_like_few_but_compared_only_as_needed(
    monkeypatch: pytest.MonkeyPatch, authors: tuple[str, ...]
) -> None:
    papers = [replace(one, authors=("Ada Example",) if number < 3 else ()) for number, one in enumerate(todays(200))]
    taste = Taste(opinions=(opinion(1), opinion(9)), profile=Profile(authors=authors), seed="x")
    expected = only(taste, 10, papers)
    monkeypatch.setattr(personal, "_ALL_AT_ONCE", 0)
    assert only(taste, 10, papers) == expected


def test_of_ten_thousand_opinions_the_latest_count() -> None:
    random = Random(2)
    texts = {
        row: KnownPaper(title=f"{row}", abstract=abstract("optics" if row <= 9_000 else "law", random))
        for row in range(1, 10_001)
    }
    reader = Taste(opinions=tuple(opinion(row, 10_001 - row) for row in texts), profile=CAUTIOUS)
    found = Picker(todays(), [0.0] * 40, texts, NOW)
    (picks,) = found.pick([reader], 5)
    assert fields_of(picks) == ["law"] * 5
    shuffled = replace(reader, opinions=tuple(random.sample(reader.opinions, 10_000)))
    assert found.pick([shuffled], 5) == [picks]


def test_of_equally_close_papers_the_one_with_the_higher_score_comes_first() -> None:
    twins = [paper(f"{number}-twin", abstract=known()[1].abstract) for number in range(3)]
    papers = [*todays(), *twins]
    found = picker(papers, [1.0] * 40 + [3.0, 9.0, 5.0]).rank(Taste(opinions=(opinion(1),)))
    assert [one.paper_id for one in found[:3]] == [twins[place].id for place in (1, 2, 0)]


def test_a_day_without_papers_or_with_one_is_no_error() -> None:
    taste = Taste(opinions=(opinion(1),), profile=Profile(interests="laser", papers=(known()[2],)))
    assert picker([]).pick([taste], 5) == [()]
    assert picker(todays(1)).pick([replace(taste, profile=CAUTIOUS)], 5) == [()]
    assert picker([]).rank(taste) == []


def test_ranking_says_why_only_for_papers_that_are_closer_than_average() -> None:
    ranked = picker().rank(Taste(opinions=(opinion(1),)))
    assert [one.closeness for one in ranked] == sorted((one.closeness for one in ranked), reverse=True)
    assert all((one.reason is not None) == (one.closeness > 0) for one in ranked if abs(one.closeness) > 0.001)


ROWS = st.integers(1, 32)
OPINIONS = st.lists(st.tuples(ROWS, st.booleans(), st.integers(0, 400)), max_size=12, unique_by=lambda one: one[0])
PAPERS = todays()
PICKER = picker(PAPERS)


@settings(max_examples=60, deadline=None)
@given(OPINIONS, st.randoms(use_true_random=False), st.sets(st.sampled_from([one.id for one in PAPERS])), st.booleans())
def test_picks_do_not_depend_on_the_order_of_opinions_or_on_other_readers(
    given_opinions: list[tuple[int, bool, int]], random: Random, without: set[PaperId], explore: bool
) -> None:
    opinions = [opinion(row, days, liked=liked) for row, liked, days in given_opinions]
    taste = Taste(
        opinions=tuple(opinions),
        profile=Profile(exploration=0.4 if explore else 0.0),
        without=frozenset(without),
        seed="one",
    )
    random.shuffle(opinions)
    other = Taste(opinions=(opinion(3), opinion(30, liked=False)), profile=Profile(interests="court"))
    alone, together = PICKER.pick([taste], 5)[0], PICKER.pick([other, replace(taste, opinions=tuple(opinions))], 5)[1]
    assert alone == together
    assert picker(PAPERS).pick([taste], 5)[0] == alone
    assert len({pick.paper_id for pick in alone}) == len(alone) <= 5
    assert without.isdisjoint(pick.paper_id for pick in alone)
    if not any(liked for _, liked, _ in given_opinions):
        assert alone == ()


@settings(max_examples=30, deadline=None)
@given(OPINIONS.filter(bool))
def test_an_erased_opinion_is_as_if_it_had_never_been_given(given_opinions: list[tuple[int, bool, int]]) -> None:
    opinions = tuple(opinion(row, days, liked=liked) for row, liked, days in given_opinions)
    erased = Taste(opinions=opinions[1:])
    everything = known()
    del everything[opinions[0].row_id]
    never_known = Picker(PAPERS, [0.0] * len(PAPERS), everything, NOW)
    assert PICKER.pick([erased], 5) == never_known.pick([erased], 5)
