from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from statistics import fmean

import corpus
import pytest
from corpus import FIELDS, LAW, OPTICS

from digestmail.model.digests import Topic
from digestmail.selection.learning import FEWEST_PAPERS, learn
from digestmail.selection.terms import frequencies, terms_of
from digestmail.selection.tokenize import Text, read_text
from digestmail.selection.topic_model import Judge, Judgement, TopicModel, dump, fingerprint, learns, load

TEXTS = [read_text(*paper) for paper in corpus.papers(FEWEST_PAPERS)]


@pytest.fixture(scope="module")
def models() -> list[TopicModel | None]:
    return learn(TEXTS, [OPTICS, LAW])


def judge(model: TopicModel, text: Text) -> Judgement:
    return Judge({"topic": model}).judge(frequencies(terms_of(text)))["topic"]


def probability(model: TopicModel | None, text: Text) -> float:
    assert model is not None
    return judge(model, text).probability


def unseen(field: str, without: str, count: int = 20) -> list[Text]:
    random = Random(99)
    return [read_text("A study", corpus.abstract(field, random, without=without)) for _ in range(count)]


@pytest.mark.parametrize(("place", "field", "keyword"), [(0, "optics", "laser"), (1, "law", "plaintiff")])
def test_new_papers_of_the_field_are_found_without_the_keyword(models, place, field, keyword):
    own = [probability(models[place], text) for text in unseen(field, keyword)]
    others = [probability(models[place], text) for other in FIELDS.keys() - {field} for text in unseen(other, keyword)]
    assert min(own) > 100 * max(others)
    assert fmean(own) > 0.5


def test_the_keyword_in_a_paper_of_another_field_is_not_enough(models):
    strays = [read_text("A laser", corpus.abstract("soil", Random(seed))) for seed in range(20)]
    assert all(probability(models[0], text) < 0.5 for text in strays)


def test_the_words_that_decide_are_those_of_the_field(models):
    judgement = judge(models[0], unseen("optics", "laser")[0])
    assert len(judgement.terms) >= 3
    field = frequencies(terms_of(read_text("", FIELDS["optics"])))
    assert all(set(term.split()) <= field.keys() for term in judgement.terms)


def test_the_same_papers_give_the_same_models(models):
    assert [dump(model) for model in learn(TEXTS, [OPTICS, LAW])] == [dump(model) for model in models]


def test_topics_are_learned_each_for_itself(models):
    assert dump(learn(TEXTS, [LAW])[0]) == dump(models[1])


def test_a_topic_that_no_paper_is_certainly_about_is_not_learned():
    stars = Topic(
        name="Stars", keywords=("galaxy", "telescope"), description="galaxies and the telescopes that see them"
    )
    assert learn(TEXTS, [stars]) == [None]


def test_too_few_papers_are_an_error_that_says_how_many_are_needed():
    with pytest.raises(ValueError, match=f"at least {FEWEST_PAPERS} papers, not 3"):
        learn(TEXTS[:3], [OPTICS])


def test_papers_without_words_do_not_disturb(models):
    empty = [read_text("", ""), read_text("\u2026", "?!")]
    learned = learn([*TEXTS, *empty], [OPTICS])[0]
    assert probability(learned, empty[0]) < 0.5
    assert fmean(probability(learned, text) for text in unseen("optics", "laser")) > 0.5


def test_a_model_survives_being_stored(models):
    stored = dump(models[0])
    assert load(stored) == models[0]
    assert list(json.loads(stored)["weights"]) == sorted(models[0].weights)


def test_a_probability_stays_in_its_range_whatever_the_position():
    far = TopicModel(weights={"word": 1e300}, slope=1.0, offset=0.0)
    assert probability(far, read_text("", "word")) == 1.0
    assert probability(replace(far, weights={"word": -1e300}), read_text("", "word")) == 0.0


def test_a_fingerprint_depends_on_the_words_of_a_topic_and_nothing_else():
    same = replace(LAW, keywords=("class action", "plaintiff", "plaintiff"), min_strength=0.9, exclude=("x",))
    assert fingerprint(same) == fingerprint(LAW)
    for other in (replace(LAW, name="Law"), replace(LAW, keywords=("court",)), replace(LAW, description="courts")):
        assert fingerprint(other) != fingerprint(LAW)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (LAW, True),
        (replace(LAW, learn=False), False),
        (Topic(name="T", description="courts"), True),
        (Topic(name="T", description=" ", categories=("cs.LG",), authors=("Tri Dao",)), False),
    ],
)
def test_a_topic_is_learned_from_its_words_if_it_has_any_and_may(topic, expected):
    assert learns(topic) is expected
