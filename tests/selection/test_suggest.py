"""Suggested topics are groups of papers, named by the words that set them apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import paper
from invented import SUBJECTS, papers_about

from digestmail.selection.phrases import compile_phrase, occurs_in
from digestmail.selection.suggest import FEWEST_PAPERS, as_printed, complete_phrase, suggest_topics
from digestmail.selection.tokenize import read, spelled, stem, words_of

PAPERS = papers_about(240)


def test_each_group_of_papers_becomes_a_topic_with_its_own_words():
    found = suggest_topics(PAPERS, 4)
    assert [topic.papers for topic in found] == [60, 60, 60, 60]
    subjects = []
    for topic in found:
        (subject,) = {name for name, words in SUBJECTS.items() if set(topic.keywords) <= set(words)}
        subjects.append(subject)
        assert len(topic.keywords) == 5
        assert topic.name.lower() in topic.keywords
        numbers = {one.title: place for place, one in enumerate(PAPERS)}
        assert {numbers[title] % 4 for title in topic.examples} == {list(SUBJECTS).index(subject)}
        assert len(set(topic.examples)) == 3
    assert sorted(subjects) == sorted(SUBJECTS)


def test_a_name_is_a_phrase_if_there_is_one_among_the_first_keywords():
    for topic in suggest_topics(PAPERS, 4):
        if any(" " in keyword for keyword in topic.keywords[:3]):
            assert " " in topic.name


def test_the_same_papers_give_the_same_topics():
    assert suggest_topics(PAPERS, 5) == suggest_topics(PAPERS, 5)


def test_keywords_find_papers_and_do_not_repeat_each_other():
    texts = [read(one) for one in PAPERS]
    for topic in suggest_topics(PAPERS, 6):
        roots = [stem(word) for keyword in topic.keywords for word in words_of(spelled(keyword))]
        assert all(roots)
        assert len(set(roots)) == len(roots)
        for keyword in topic.keywords:
            assert sum(occurs_in(compile_phrase(keyword), text) for text in texts) >= 5


def test_names_differ_from_each_other_and_from_those_that_are_taken():
    first = suggest_topics(PAPERS, 4)
    again = suggest_topics(PAPERS, 4, taken=[topic.name.upper() for topic in first])
    names = [topic.name.lower() for topic in (*first, *again)]
    assert len(again) == 4
    assert len(set(names)) == len(names)


def test_groups_that_are_too_small_or_without_words_of_their_own_are_left_out():
    alike = [replace(PAPERS[0], id=f"{PAPERS[0].id}{n}") for n in range(30)]
    assert len(suggest_topics([*PAPERS, *alike], 40)) < 40


def test_too_few_papers_or_papers_without_words_that_tell_them_apart_are_errors():
    with pytest.raises(ValueError, match="at least 200 papers, not 199"):
        suggest_topics(PAPERS[: FEWEST_PAPERS - 1], 4)
    odd = [paper(n, title=f"w{n}x", abstract=f"y{n}z") for n in range(FEWEST_PAPERS)]
    same = [paper(n, title="Honey bees", abstract="Honey bees dance.") for n in range(FEWEST_PAPERS)]
    for papers in (odd, same):
        with pytest.raises(ValueError, match="too few words that tell groups of them apart"):
            suggest_topics(papers, 4)


def test_papers_that_repeat_each_other_leave_no_empty_topics():
    texts = ["Honey bees dance in the hive.", "A suspension bridge carries traffic."]
    found = suggest_topics([paper(n, title=f"{n}", abstract=texts[n % 2]) for n in range(FEWEST_PAPERS)], 8)
    assert [topic.papers for topic in found] == [100, 100]


@pytest.mark.parametrize(
    ("words", "abstract", "phrase"),
    [
        ("supervised fine", "We use supervised fine-tuning.", "supervised fine tuning"),
        ("rank adaptation", "Low-rank adaptation.", "low rank adaptation"),
        ("multimodal large", "It is a multimodal large language model.", "multimodal large language model"),
        ("honey bees", "The honey bees of the river", "honey bees"),
        ("generation rag", "Retrieval-augmented generation (RAG) helps.", None),
    ],
)
def test_pairs_are_completed_to_the_phrase_they_are_part_of(words, abstract, phrase):
    assert complete_phrase(words, [abstract] * 5) == phrase


def test_a_word_beside_a_pair_only_now_and_then_is_not_part_of_the_phrase():
    abstracts = ["Honey bees dance."] * 5 + ["Honey bees sleep."] * 5
    assert complete_phrase("honey bees", abstracts) == "honey bees"
    assert complete_phrase("honey bees", abstracts[:4]) is None


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (["RAG"] * 5 + ["rag"], "RAG"),
        (["Fine-Tuning"] * 3 + ["fine-tuning"], "fine-tuning"),
        (["fine-tuning", "fine-tuning", "fine tuning"], "fine-tuning"),
        (["English"] * 5, "English"),
    ],
)
def test_keywords_are_written_as_abstracts_print_them(printed, expected):
    words = expected.lower().replace("-", " ")
    assert as_printed(words, [f"We see {form} here." for form in printed]) == expected
