"""Topics are learned from stored papers when that is due, and what was learned decides about editions."""

from __future__ import annotations

from datetime import date, timedelta

import corpus
import pytest
from corpus import FIELDS, LAW, OPTICS
from fakes import THURSDAY, FakeSource, digest, reading, sighting
from hypothesis import given
from hypothesis import strategies as st

from digestmail.collect.collector import collect
from digestmail.collect.embedding import embed_papers
from digestmail.editions import topic_learning
from digestmail.editions.explain import explain_paper
from digestmail.editions.learning_process import LearningError, learn_here
from digestmail.editions.topic_learning import is_due, models_of
from digestmail.errors import SourceUnavailableError
from digestmail.model.digests import Topic
from digestmail.model.reports import LearningReport, never
from digestmail.selection import learning
from digestmail.selection.topic_model import TopicModel
from digestmail.storage import topic_models
from digestmail.storage.topic_models import Learned

TODAY = THURSDAY.date()
NAMES = ("a", "b")
OF = digest(topics=(OPTICS, LAW), window_days=5)


@pytest.fixture(autouse=True)
def _few_papers_are_enough(monkeypatch):
    monkeypatch.setattr(topic_learning, "FEWEST_PAPERS", learning.FEWEST_PAPERS)


def refresh_models(*given, **named):
    return topic_learning.refresh_models(*given, **{"learn": learn_here} | named)


def store(database, papers, first: int = 1, days_ago: int = 20) -> None:
    seen = [
        sighting(number, title=title, abstract=abstract) for number, (title, abstract) in enumerate(papers, start=first)
    ]
    collect(database, [FakeSource("hf", reading(*seen))], THURSDAY - timedelta(days=days_ago))


def field(name: str) -> str:
    return " ".join(word for word in FIELDS[name].split() if word not in OPTICS.keywords)


def test_what_was_learned_decides_and_explains(database):
    store(database, corpus.papers(learning.FEWEST_PAPERS))
    mirrors = sighting(9001, title="Mirrors", abstract=field("optics"))
    fields = sighting(9002, title="Laser mapping of fields", abstract=field("soil"))
    collect(database, [FakeSource("hf", reading(mirrors, fields))], THURSDAY)
    said = {number: _explained(database, number) for number in (9001, 9002)}
    assert said[9001].reasons[0] == "selected, among the papers without a topic"
    assert said[9002].reasons[0] == "selected, under 'Light'"
    assert refresh_models(database, [OF], TODAY) == LearningReport(topics=2, papers=learning.FEWEST_PAPERS + 2)
    said = {number: _explained(database, number) for number in (9001, 9002)}
    assert said[9001].reasons[0] == "selected, under 'Light'"
    assert "probability" in said[9001].reasons[1]
    assert "because of" in said[9001].reasons[1]
    assert said[9002].reasons[0] == "selected, among the papers without a topic"


def _explained(database, number: int):
    _, (explanation,) = explain_paper(database, [OF], f"arxiv:2604.{number:05d}", THURSDAY)
    return explanation


def test_nothing_is_learned_from_few_papers(database):
    store(database, corpus.papers(60))
    assert refresh_models(database, [OF], TODAY) is None
    with database.connect() as connection:
        assert models_of(connection, OF) == {}


def test_topics_are_learned_once_and_again_when_changed_or_two_weeks_old(database):
    store(database, corpus.papers(learning.FEWEST_PAPERS))
    assert refresh_models(database, [OF], TODAY) is not None
    assert refresh_models(database, [OF], TODAY + timedelta(days=13)) is None
    assert refresh_models(database, [OF], TODAY + timedelta(days=14)) is not None
    changed = digest(topics=(OPTICS, Topic(name="Soil", keywords=("nitrogen",))))
    learned = refresh_models(database, [changed], TODAY + timedelta(days=15))
    assert learned is not None
    assert learned.topics == 2
    with database.connect() as connection:
        assert models_of(connection, changed).keys() == {"Light", "Soil"}
        assert models_of(connection, OF).keys() == {"Light"}


def test_a_topic_that_cannot_be_learned_is_not_tried_at_every_run(database):
    store(database, corpus.papers(learning.FEWEST_PAPERS))
    stars = digest(topics=(OPTICS, Topic(name="Stars", keywords=("galaxy",))))
    assert refresh_models(database, [stars], TODAY) == LearningReport(topics=1, papers=learning.FEWEST_PAPERS)
    assert refresh_models(database, [stars], TODAY) is None


def test_a_failure_keeps_what_was_learned_before(database):
    store(database, corpus.papers(learning.FEWEST_PAPERS))
    refresh_models(database, [OF], TODAY)
    with database.connect() as connection:
        before = models_of(connection, OF)

    def fail(*_):
        raise LearningError("no room")

    report = refresh_models(database, [OF], TODAY + timedelta(days=30), learn=fail)
    assert report == LearningReport(papers=learning.FEWEST_PAPERS, problem="no room")
    with database.connect() as connection:
        assert models_of(connection, OF) == before


def test_digests_with_the_same_topic_share_what_was_learned(database):
    store(database, corpus.papers(learning.FEWEST_PAPERS))
    weekly = digest(name="weekly", topics=(OPTICS,))
    assert refresh_models(database, [OF, weekly], TODAY) == LearningReport(topics=2, papers=learning.FEWEST_PAPERS)
    with database.connect() as connection:
        assert models_of(connection, weekly).keys() == {"Light"}


def test_withdrawn_and_merged_papers_and_those_without_abstract_are_not_learned_from(database):
    store(database, [("A title", "")], first=1)
    gone = sighting(2, title="Gone", abstract="Gone.", withdrawn=True)
    collect(database, [FakeSource("hf", reading(gone, sighting(3, title="Here", abstract="Here.")))], THURSDAY)
    with database.connect() as connection:
        assert topic_models.count_papers(connection, 10) == 1
        assert list(topic_models.newest_texts(connection, 9)) == [("Here", "Here.", ())]


def known(papers: int = 2000, age: int = 0) -> dict[str, Learned]:
    return {name: Learned(model=None, papers=papers, learned_on=TODAY - timedelta(days=age)) for name in NAMES}


def test_learning_is_due_for_new_topics_many_new_papers_and_after_two_weeks():
    assert not is_due((), {}, 9999, TODAY)
    assert is_due(NAMES, {}, 2000, TODAY)
    assert not is_due(NAMES, known(), 2999, TODAY)
    assert is_due(NAMES, known(), 3000, TODAY)
    assert not is_due(NAMES, known(age=13), 2000, TODAY)
    assert is_due(NAMES, known(age=14), 2000, TODAY)
    assert is_due((*NAMES, "c"), known(), 2000, TODAY)


@given(st.integers(1, 4000))
def test_a_clock_that_was_ahead_does_not_hold_learning_up(days):
    assert is_due(NAMES, known(age=-days), 2000, TODAY)


def test_a_date_is_stored_as_it_is(database):
    with database.begin() as connection:
        topic_models.replace_all(connection, {"f": Learned(model="{}", papers=7, learned_on=date(2026, 4, 2))})
    with database.connect() as connection:
        assert topic_models.by_fingerprint(connection, ["f", "g"]) == {
            "f": Learned(model="{}", papers=7, learned_on=date(2026, 4, 2))
        }


# -- with embeddings -------------------------------------------------------------------------------------------------


class FieldEmbedder:
    """Makes a vector of the number of words of each field."""

    model = "fields"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def embed(self, texts):
        if self.fails:
            raise SourceUnavailableError("the server is down")
        self.asked += texts
        words = [set(text.lower().split()) for text in texts]
        return [[1.0 + len(each & set(FIELDS[name].split())) for name in FIELDS] for each in words]


def embed(database, embedder: FieldEmbedder, most: int) -> None:
    embed_papers(database, embedder, most=most, batch_size=500, stop=never)
    embedder.asked.clear()


def stored_models(database) -> dict[str, TopicModel]:
    with database.connect() as connection:
        return models_of(connection, OF)


def test_embeddings_count_once_half_of_the_papers_have_one_and_no_longer_when_the_table_is_gone(database, monkeypatch):
    monkeypatch.setattr(topic_learning, "FEWEST_PAPERS", 2 * learning.FEWEST_PAPERS)
    papers = 2 * learning.FEWEST_PAPERS
    embedder = FieldEmbedder()
    store(database, corpus.papers(papers))
    embed(database, embedder, learning.FEWEST_PAPERS - 1)
    assert refresh_models(database, [OF], TODAY, embedder) == LearningReport(topics=2, papers=papers)
    by_words = stored_models(database)
    assert embedder.asked == []
    embed(database, embedder, 1)
    assert refresh_models(database, [OF], TODAY, embedder) == LearningReport(topics=2, papers=papers)
    assert sorted(embedder.asked) == ["Courts. plaintiff, class action", "Light. laser, lens, beam"]
    assert stored_models(database) != by_words
    assert refresh_models(database, [OF], TODAY, embedder) is None
    embed(database, embedder, papers)
    assert refresh_models(database, [OF], TODAY, embedder) is not None
    assert refresh_models(database, [OF], TODAY) == LearningReport(topics=2, papers=papers)
    assert stored_models(database) == by_words


def test_an_endpoint_that_is_down_while_learning_costs_only_the_embeddings_of_the_topics(database):
    embedder = FieldEmbedder()
    store(database, corpus.papers(learning.FEWEST_PAPERS))
    embed(database, embedder, 9999)
    embedder.fails = True
    assert refresh_models(database, [OF], TODAY, embedder) == LearningReport(
        topics=2, papers=learning.FEWEST_PAPERS, without_topics="the server is down"
    )


def test_learning_is_due_when_the_number_of_embeddings_changes_by_half():
    stored = {name: Learned(model=None, papers=2000, learned_on=TODAY, embedded=1000) for name in NAMES}
    due = {count: is_due(NAMES, stored, 2000, TODAY, count) for count in (0, 600, 667, 1000, 1500, 1501)}
    assert due == {0: True, 600: True, 667: False, 1000: False, 1500: False, 1501: True}


@pytest.mark.parametrize(
    ("papers", "age", "settled"),
    [
        (topic_learning.MOST_PAPERS, 0, True),
        (topic_learning.MOST_PAPERS, 13, True),
        (topic_learning.MOST_PAPERS, 14, False),
        (topic_learning.MOST_PAPERS, -1, False),
        (2 * topic_learning.MOST_PAPERS // 3, 0, False),
    ],
)
def test_papers_are_not_counted_if_no_number_of_them_makes_learning_due(papers, age, settled):
    assert topic_learning.is_settled(sorted(NAMES), known(papers, age), TODAY) is settled
    if settled:
        assert not topic_learning.is_due(sorted(NAMES), known(papers, age), topic_learning.MOST_PAPERS, TODAY)


def test_a_topic_that_was_never_learned_is_not_settled():
    assert not topic_learning.is_settled([*sorted(NAMES), "new"], known(topic_learning.MOST_PAPERS), TODAY)
