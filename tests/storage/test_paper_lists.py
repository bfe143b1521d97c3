"""Lists of papers: merged papers keep their topics, and no page reads a table from end to end."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import AGENTS, THURSDAY, VISION, FakeSource, digest, paper, reading, render, sighting
from sqlalchemy import event, insert, select

from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.model.digests import Limits
from digestmail.model.papers import PaperId
from digestmail.storage import paper_lists, papers, qualified_papers, related_papers, schema

ROWS = 3000


def listed(connection, **fields) -> list[str]:
    wanted = {"topic": None, "source": None, "below": None, "limit": 10} | fields
    return [one.paper.id for one in paper_lists.collected(connection, **wanted)]


@pytest.fixture
def published(database):
    """A digest that shows two papers of a topic, of five that qualified; a sixth did not."""
    seen = [sighting(number, title=f"An agent, number {number}", upvotes=number) for number in range(1, 6)]
    other = sighting(6, title="Nothing of interest", upvotes=99)
    collect(database, [FakeSource("hf", reading(*seen, other))], THURSDAY - timedelta(hours=1))
    limits = Limits(max_per_topic=2, max_papers=2)
    one = digest(topics=(AGENTS, VISION), limits=limits, also_trending=False)
    (report,) = publish(database, [one], render, THURSDAY).digests
    assert report.status == "published"
    return database


def test_publishing_stores_every_paper_that_qualified_by_rank(published):
    with published.connect() as connection:
        edition_id = connection.execute(select(schema.editions.c.id)).scalar_one()
        found = paper_lists.of_edition(connection, edition_id, topic=AGENTS.name, after=0, limit=10)
        assert [one.paper.title[-1] for one in found] == ["5", "4", "3", "2", "1"]
        assert [one.topics for one in found] == [(AGENTS.name,)] * 5
        assert qualified_papers.counts(connection, edition_id) == {AGENTS.name: 5}
        assert qualified_papers.total(connection, edition_id) == 5
        after = paper_lists.of_edition(connection, edition_id, topic=None, after=found[2].rank, limit=1)
        assert after == (found[3],)


def test_the_papers_of_a_list_of_sources_are_those_of_its_members(published):
    shown = {"blogs/one.example-1a2b3c": (21, 23), "blogs/two.example-4d5e6f": (22, 23), "blogs_x/no": (24,)}
    blogs = [
        FakeSource(name, reading(*(sighting(number, source=name) for number in numbers), source=name))
        for name, numbers in shown.items()
    ]
    collect(published, blogs, THURSDAY)
    with published.connect() as connection:
        everything = listed(connection)
        of_list = [one for one in everything if one[-2:] in {"21", "22", "23"}]
        assert len(of_list) == 3
        assert listed(connection, source="blogs") == of_list
        assert listed(connection, source="blogs", limit=2) == of_list[:2]
        assert len(listed(connection, source="blogs/one.example-1a2b3c")) == 2
        assert listed(connection, source="blog") == []
        assert {one.id for one in papers.list_papers(connection, 10, source="blogs")} == set(of_list)


def test_a_paper_keeps_its_topic_when_it_is_merged_into_another(published):
    with published.begin() as connection:
        older = PaperId("arxiv:2604.00001")
        later = listed(connection, topic=AGENTS.name)
        assert older in later
        both = replace(paper(5), aliases=(older,))
        papers.add_sightings(connection, [replace(sighting(5), paper=both)], THURSDAY)
        merged = listed(connection, topic=AGENTS.name)
        assert len(merged) == len(later) - 1
        assert len(listed(connection)) == len(later)
        edition_id = connection.execute(select(schema.editions.c.id)).scalar_one()
        found = paper_lists.of_edition(connection, edition_id, topic=None, after=0, limit=10)
        assert len(found) == 5
        assert {one.paper.id for one in found} == set(merged)


def test_topics_are_listed_once_each_the_empty_one_first(published):
    with published.begin() as connection:
        edition_id = connection.execute(select(schema.editions.c.id)).scalar_one()
        row = {"edition_id": edition_id, "paper_id": 1}
        connection.execute(
            insert(schema.qualified_papers),
            [row | {"topic": topic, "rank": rank} for rank, topic in enumerate(["", "Zoo", "", "Zoo"], start=90)],
        )
        assert qualified_papers.topics(connection) == ("", AGENTS.name, "Zoo")


@pytest.fixture
def many(database):
    """Thousands of papers of two sources, half of them of a topic."""
    found = [paper(number) for number in range(1, 3)]
    with database.begin() as connection:
        papers.add_sightings(connection, [replace(sighting(1), paper=one) for one in found], THURSDAY)
        row = dict(connection.execute(select(schema.papers).limit(1)).mappings().one())
        rows = range(10, ROWS + 10)
        connection.execute(insert(schema.papers), [row | {"id": one, "key": f"x:{one}"} for one in rows])
        aliases = [{"alias": f"x:{one}", "paper_id": one} for one in rows]
        connection.execute(insert(schema.paper_aliases), aliases)
        seen = dict(connection.execute(select(schema.sightings).limit(1)).mappings().one())
        shown = [seen | {"paper_id": one, "source": ("hf", "arxiv")[one % 2]} for one in rows]
        connection.execute(insert(schema.sightings), shown)
        edition = {
            "id": 1, "digest": "daily", "base": "daily", "slot": "x", "slot_at": THURSDAY, "composed_at": THURSDAY,
            "content": "{}", "papers": 1, "reason": "",
        }  # fmt: skip
        connection.execute(insert(schema.editions), [edition])
        qualified = [{"edition_id": 1, "topic": ("A", "B")[one % 2], "rank": one, "paper_id": one} for one in rows]
        connection.execute(insert(schema.qualified_papers), qualified)
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    return database


@pytest.mark.parametrize("fields", [{}, {"topic": "A"}, {"source": "hf"}, {"source": "hf", "topic": "A"}], ids=str)
def test_a_page_of_a_list_reads_the_index_backwards_and_sorts_nothing(many, fields):
    statements = []
    with many.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
        found = listed(connection, below=2000, limit=20, **fields)
        assert len(found) == 20
        # Neither the pragma of a new connection, nor what loads the papers of the page.
        statement, values = next(one for one in statements if "DISTINCT" in one[0])
        plan = plan_of(connection, statement, values)
    assert not re.search(r"Seq Scan|Sort|SCAN (?!papers\b)|TEMP B-TREE", plan), plan
    assert [int(one.removeprefix("x:")) for one in found] == sorted((int(one[2:]) for one in found), reverse=True)


def plan_of(connection, statement: str, values) -> str:
    explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", values))


def test_the_papers_before_a_day_are_found_by_its_index(many):
    with many.connect() as connection:
        assert paper_lists.row_after(connection, THURSDAY - timedelta(days=1)) is None
        assert paper_lists.row_after(connection, THURSDAY + timedelta(days=1)) == ROWS + 10


def test_only_the_newest_papers_are_searched_for_related_ones(many, monkeypatch):
    with many.begin() as connection:
        title = connection.execute(select(schema.papers.c.title).limit(1)).scalar_one()
        found = related_papers.newest_with(connection, title, besides=ROWS + 9, limit=5)
        assert list(found) == [ROWS + 8, ROWS + 7, ROWS + 6, ROWS + 5, ROWS + 4]
        monkeypatch.setattr(related_papers, "AMONG", 3)
        assert list(related_papers.newest_with(connection, title, besides=ROWS + 9, limit=5)) == [ROWS + 8, ROWS + 7]
        assert list(related_papers.newest_with(connection, "... ?", besides=1, limit=5)) == []
