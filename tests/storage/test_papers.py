from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import THURSDAY, paper, sighting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from digestmail.errors import StorageError
from digestmail.model.papers import Origin, Paper, PaperId, Sighting, Signals
from digestmail.storage import papers, schema

DAY = timedelta(days=1)
ALWAYS = THURSDAY + 365 * DAY


def known_by_doi(doi: str, *aliases: str, **fields) -> Paper:
    return Paper(
        id=PaperId(f"doi:{doi}"),
        aliases=tuple(PaperId(alias) for alias in aliases),
        title=fields.pop("title", "By DOI"),
        origin=fields.pop("origin", Origin.FEED),
        link=f"https://doi.org/{doi}",
        **fields,
    )


def seen(found: Paper, source: str = "feed", **fields) -> Sighting:
    return Sighting(source=source, paper=found, day=THURSDAY.date(), **fields)


def test_a_thousand_new_papers_are_added_and_found(database):
    many = [sighting(n, upvotes=n) for n in range(1, 1001)]
    with database.begin() as connection:
        added = papers.add_sightings(connection, many, THURSDAY)
        assert (added.new, added.updated, added.merged, len(added.unseen)) == (1000, 0, 0, 1000)
        found = papers.mentioned(connection, ["hf"], THURSDAY - DAY, ALWAYS)
    assert {c.paper.id: c.signals.upvotes for c in found} == {s.paper.id: s.signals.upvotes for s in many}


def test_the_same_again_changes_nothing(database):
    many = [sighting(n) for n in range(5)]
    with database.begin() as connection:
        papers.add_sightings(connection, many, THURSDAY)
        before = {t.name: connection.execute(select(t)).all() for t in (schema.papers, schema.sightings)}
        again = papers.add_sightings(connection, many, THURSDAY + DAY)
        assert (again.new, again.updated, again.unseen) == (0, 0, frozenset())
        assert {t.name: connection.execute(select(t)).all() for t in (schema.papers, schema.sightings)} == before


def test_growth_is_what_came_since_the_day_before(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1, upvotes=3)], THURSDAY)
        papers.add_sightings(connection, [sighting(1, upvotes=5)], THURSDAY + timedelta(hours=2))
        papers.add_sightings(connection, [sighting(1, upvotes=9)], THURSDAY + DAY)
        (candidate,) = papers.mentioned(connection, ["hf"], THURSDAY - DAY, ALWAYS)
        rows = papers.sightings_of(connection, candidate.paper.id)
    assert (candidate.signals.upvotes, candidate.earlier.upvotes) == (9, 5)
    assert [row.signals.upvotes for row in rows] == [5, 9]
    assert [mention.first_seen_at for mention in candidate.mentions] == [THURSDAY]


def test_growth_is_right_when_a_second_source_shows_a_known_paper(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1, source="daily", upvotes=10)], THURSDAY)
        today = [sighting(1, source="daily", upvotes=30), sighting(1, source="trending", upvotes=30)]
        papers.add_sightings(connection, today, THURSDAY + DAY)
        (candidate,) = papers.mentioned(connection, ["daily", "trending"], THURSDAY - DAY, ALWAYS)
        assert (candidate.signals.upvotes, candidate.earlier.upvotes) == (30, 10)
        # The daily page is not read any more after some days, and counts of others are no news about upvotes.
        papers.add_sightings(connection, [sighting(1, source="trending", upvotes=80)], THURSDAY + 6 * DAY)
        papers.add_sightings(connection, [seen(paper(1), "blog", signals=Signals(comments=2))], THURSDAY + 7 * DAY)
        (candidate,) = papers.mentioned(connection, ["blog", "daily", "trending"], THURSDAY - DAY, ALWAYS)
    assert (candidate.signals, candidate.earlier) == (Signals(upvotes=80, comments=2), Signals(upvotes=30, comments=2))


def test_a_paper_that_two_sources_show_on_its_first_day_has_not_grown(database):
    with database.begin() as connection:
        both = [sighting(1, source="daily", upvotes=10), sighting(1, source="trending", upvotes=12)]
        papers.add_sightings(connection, both, THURSDAY)
        (candidate,) = papers.mentioned(connection, ["daily", "trending"], THURSDAY - DAY, ALWAYS)
    assert (candidate.signals.upvotes, candidate.earlier.upvotes) == (12, 12)


def test_three_mentions_become_one_paper_with_their_combined_data(database):
    from_feed = replace(paper(1, origin=Origin.FEED, title="feed title"), code_url="https://github.com/a/b")
    from_arxiv = replace(paper(1, origin=Origin.ARXIV, title="arXiv title"), authors=("Ada",), categories=("cs.LG",))
    with database.begin() as connection:
        papers.add_sightings(connection, [seen(from_feed, "blog")], THURSDAY)
        papers.add_sightings(connection, [sighting(1, upvotes=7, title="HF title")], THURSDAY)
        added = papers.add_sightings(connection, [seen(from_arxiv, "arxiv")], THURSDAY)
        assert (added.new, added.updated, len(added.unseen)) == (0, 1, 1)
        (candidate,) = papers.mentioned(connection, ["blog", "hf", "arxiv"], THURSDAY - DAY, ALWAYS)
    assert [mention.source for mention in candidate.mentions] == ["arxiv", "blog", "hf"]
    assert candidate.signals.upvotes == 7
    assert candidate.paper.title == "arXiv title"
    assert (candidate.paper.authors, candidate.paper.code_url) == (("Ada",), "https://github.com/a/b")


def test_two_papers_that_turn_out_to_be_one_are_merged_and_never_published_again(database):
    first, second = known_by_doi("10.1000/x"), paper(1)
    with database.begin() as connection:
        papers.add_sightings(connection, [seen(first)], THURSDAY)
        papers.add_sightings(connection, [seen(second, "hf", signals=Signals(upvotes=4))], THURSDAY)
        rows = papers.row_ids(connection, [first.id, second.id])
        assert rows[first.id] != rows[second.id]
        edition = schema.editions.insert().values(
            digest="daily",
            base="daily",
            slot="s",
            slot_at=THURSDAY,
            composed_at=THURSDAY,
            content="{}",
            papers=1,
            reason="",
        )
        edition_id = connection.execute(edition.returning(schema.editions.c.id)).scalar_one()
        connection.execute(
            schema.edition_papers.insert().values(
                edition_id=edition_id, paper_id=rows[second.id], digest="daily", position=1, score=1.0
            )
        )
        both = replace(second, aliases=(first.id,))
        added = papers.add_sightings(connection, [seen(both, "arxiv")], THURSDAY)
        assert (added.new, added.merged) == (0, 1)
        rows = papers.row_ids(connection, [first.id, second.id])
        assert rows[first.id] == rows[second.id]
        (candidate,) = papers.mentioned(connection, ["feed", "hf", "arxiv"], THURSDAY - DAY, ALWAYS)
        assert candidate.paper.id == second.id
        assert candidate.paper.aliases == (first.id,)
        assert candidate.signals.upvotes == 4
        assert papers.published(connection, "daily", [second.id, first.id]) == {second.id: "s", first.id: "s"}
        assert papers.published(connection, "weekly", [second.id]) == {}
        assert papers.editions_of(connection, first.id) == (("daily", "s"),)
        assert papers.list_papers(connection, 10) == (candidate.paper,)


def test_a_reading_may_contain_the_same_paper_three_times(database):
    a, b = known_by_doi("10.1000/x"), paper(1)
    both = replace(b, aliases=(a.id,))
    with database.begin() as connection:
        added = papers.add_sightings(connection, [seen(a), seen(b), seen(both)], THURSDAY)
        assert (added.new, added.merged) == (1, 0)
        assert len(papers.list_papers(connection, 10)) == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_the_order_of_mentions_each_id_has_one_paper(sqlite_only, data):
    names = ["10.1/a", "10.1/b", "10.1/c", "10.1/d", "10.1/e"]
    mentions = data.draw(st.lists(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True), max_size=8))
    batches = data.draw(st.integers(1, 3))
    with sqlite_only.begin_dry_run() as connection:
        for start in range(batches):
            part = mentions[start::batches]
            said = [seen(known_by_doi(m[0], *sorted(f"doi:{n}" for n in m[1:]))) for m in part]
            papers.add_sightings(connection, said, THURSDAY)
        rows = papers.row_ids(connection, [PaperId(f"doi:{name}") for name in names])
        for mention in mentions:
            assert len({rows[PaperId(f"doi:{name}")] for name in mention}) == 1
        staying = connection.execute(select(schema.papers.c.id).where(schema.papers.c.merged_into.is_(None))).scalars()
        assert set(staying) == set(rows.values())


@pytest.fixture
def sqlite_only(tmp_path, sqlite_template):
    from digestmail.storage.database import Database

    database = Database.open(f"sqlite:///{sqlite_template}", base=tmp_path)
    yield database
    database.close()


def test_mentioned_are_the_papers_that_one_of_the_digest_s_sources_first_showed_in_the_window(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1), sighting(2, source="other")], THURSDAY - 5 * DAY)
        papers.add_sightings(connection, [sighting(1, upvotes=9), sighting(2), sighting(3)], THURSDAY)
        found = papers.mentioned(connection, ["hf"], THURSDAY - DAY, ALWAYS)
        by_both = papers.mentioned(connection, ["hf", "other"], THURSDAY - DAY, ALWAYS)
    assert [one.paper.title for one in found] == ["Paper 2", "Paper 3"]
    assert [mention.source for mention in found[0].mentions] == ["hf"]
    # Whether what another source showed long before is news is not asked here.
    assert [[mention.source for mention in one.mentions] for one in by_both] == [["hf", "other"], ["hf"]]


def test_sightings_after_the_requested_time_are_ignored(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1, upvotes=2)], THURSDAY)
        papers.add_sightings(connection, [sighting(1, upvotes=8), sighting(2)], THURSDAY + DAY)
        (known,) = papers.mentioned(connection, ["hf"], THURSDAY - DAY, THURSDAY + timedelta(hours=1))
        assert len(papers.mentioned(connection, ["hf"], THURSDAY - DAY, THURSDAY + DAY)) == 2
    assert (known.paper.title, known.signals.upvotes) == ("Paper 1", 2)


@pytest.mark.parametrize(
    "ref", ["2604.00001", "arxiv:2604.00001", "https://arxiv.org/abs/2604.00001v3", "https://huggingface.co/papers/2604.00001"]
)  # fmt: skip
def test_a_paper_is_found_by_whatever_names_it(database, ref):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        assert papers.find(connection, ref).title == "Paper 1"
        assert papers.find(connection, "2604.99999") is None


def test_papers_are_found_by_former_ids_as_they_are_known_today(database):
    link, doi = PaperId("url:https://example.org/1"), PaperId("doi:10.1000/1")
    with database.begin() as connection:
        papers.add_sightings(connection, [seen(replace(paper(7), id=link, aliases=()))], THURSDAY)
        papers.add_sightings(connection, [seen(known_by_doi("10.1000/1", link))], THURSDAY)
    with database.connect() as connection:
        found = papers.by_ids(connection, [link, doi, PaperId("arxiv:9999.00001")])
    assert set(found) == {link, doi}
    assert found[link].id == found[doi].id == doi


def test_a_title_is_found_in_any_case_and_of_several_none_is_guessed(database):
    with database.begin() as connection:
        titles = ["Deep Nets: 100% better", "Deep nets", "Shallow nets"]
        papers.add_sightings(
            connection, [sighting(number, title=title) for number, title in enumerate(titles, 1)], THURSDAY
        )
    with database.connect() as connection:
        assert papers.resolve(connection, "  deep   NETS ").title == "Deep nets", "the complete title is preferred"
        assert papers.resolve(connection, "100% BETTER").title == "Deep Nets: 100% better"
        with pytest.raises(StorageError, match="several papers have 'nets' in their title"):
            papers.resolve(connection, "nets")
        for unknown in ("%", "a_", "", "10_%"):
            with pytest.raises(StorageError, match="there is no paper"):
                papers.resolve(connection, unknown)
