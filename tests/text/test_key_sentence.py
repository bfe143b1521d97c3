"""The sentence of an abstract that states the result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.text.key_sentence import key_sentence
from digestmail.text.truncate import sentences

PROBLEM = "Small models forget the beginning of a long document."
METHOD = "We propose a reader that keeps a short note of every page it has seen."
CODE = "Code is available at https://example.org/reader and we show how to run it."


def abstract(*told: str) -> str:
    return " ".join((PROBLEM, METHOD, *told, CODE))


@pytest.mark.parametrize(
    "result",
    [
        "On eight tasks the reader improves accuracy by 12.5% over a model of the same size.",
        "Surprisingly, we find that a note of twenty words is enough for a page.",
        "Experiments on three collections demonstrate that the notes help most on long pages.",
        "Our results on three collections suggest that fewer notes are better.",
        "The reader outperforms models that are ten times its size.",
        "Reading this way reduces the memory that is needed to 3x less than before.",
        "Overall, notes halve the time to the first word and reach state-of-the-art accuracy.",
        "We prove that no reader with shorter notes can answer every question.",
    ],
)
def test_the_sentence_with_the_result_is_found(result: str):
    assert key_sentence(abstract(result)) == result


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        PROBLEM,
        METHOD,
        abstract(),
        abstract("This remains difficult, although existing work has reduced the error by 40%."),
        "We present a survey of how people take notes. It covers ninety years and four continents.",
        "In this paper we show notes.",
        "We show it.",
    ],
)
def test_without_a_clear_result_there_is_none(text: str):
    assert key_sentence(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Wir zeigen, dass kurze Notizen genügen. Die Experimente belegen eine um 12 % höhere Genauigkeit.",
        "Nous montrons que de courtes notes suffisent. Les résultats indiquent un gain de 12 % partout.",
        "אנו מראים שרשימות קצרות מספיקות. הניסויים מראים שיפור של 12% בכל האוספים שנבדקו במאמר הזה.",
        "我们提出了一种新的阅读方法。实验表明,该方法在八个任务上将准确率提高了12%,并且不需要额外的训练数据。",
    ],
)
def test_abstracts_in_other_languages_have_none(text: str):
    assert key_sentence(text) is None


def test_the_strongest_statement_is_taken_and_of_equal_ones_the_last():
    weak = "We find that notes of different readers are seldom alike in their length."
    strong = "Experiments show that notes outperform memory by 30% on documents of any length."
    other = "We observe that readers with notes are seldom surprised by the last page."
    assert key_sentence(abstract(weak, strong, other)) == strong
    assert key_sentence(abstract(weak, other)) == other


@pytest.mark.parametrize(
    "leaning",
    [
        "This improves the accuracy of small models by 12% on all collections.",
        "It improves the accuracy of small models by 12% on all collections.",
        "Driven by this note, the reader improves the accuracy of small models by 12%.",
    ],
)
def test_a_sentence_that_needs_the_one_before_it_is_not_taken(leaning: str):
    standing = "Taking notes improves the accuracy of small models by 12% on all collections."
    assert key_sentence(abstract(leaning)) is None
    assert key_sentence(abstract(standing)) == standing


@pytest.mark.parametrize(
    "result",
    [
        "We show, cf. Fig. 3 and Eq. 2, that notes by J. Example et al. suffice, e.g. for novels.",
        "The reader outperforms U.S. models of version 2.5 by 3.1% on average, i.e. on all tasks.",
    ],
)
def test_abbreviations_and_numbers_do_not_end_a_sentence(result: str):
    assert key_sentence(abstract(result)) == result


def test_sentences_that_are_too_short_or_too_long_are_passed_over():
    long = "We show that notes help, " + "and help, " * 40 + "to the end."
    usual = "We show that notes help readers of very long documents."
    assert len(long) > 320
    assert key_sentence(abstract("We show this.", long)) is None
    assert key_sentence(abstract(usual, long, "We show this.")) == usual


@given(st.text(alphabet="weshow results.!?%1x \"'()\n\u3002A", max_size=400))
def test_what_is_found_is_a_part_of_the_text(text: str):
    found = key_sentence(text)
    assert found is None or (found in text and 40 <= len(found) <= 320)


@pytest.mark.parametrize(
    "text",
    [
        *(
            unit * (300_000 // len(unit))
            for unit in (". ", "? ! ", '."""" ', "results a b c d e ", "A.B.C. ", "\u3002", "we ")
        ),
        "We show" + "." * 300_000 + "x",
        "We show." + " " * 300_000 + "x",
        "We show." + '"' * 300_000 + "x",
        "results " + "a" * 300_000 + " show",
    ],
    ids=range(11),
)
def test_no_text_takes_longer_than_its_length_requires(text: str):
    # At 300,000 characters, work that grows with the square would take this test from a second to an hour.
    assert key_sentence(text) is None
    assert sum(map(len, sentences(text))) <= len(text)
