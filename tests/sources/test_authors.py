from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digestmail.sources.authors import clean_names, split_authors, split_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ann Lee, Bo Chen, Cy Doe", ["Ann Lee", "Bo Chen", "Cy Doe"]),
        ("Ann Lee, Bo Chen (MIT, Cambridge), Cy Doe", ["Ann Lee", "Bo Chen", "Cy Doe"]),
        ("A Lee (1), B Oh (2 and 3), C Do ((1) Univ A, (2) Univ B (Dept X, Y), (3) Z)", ["A Lee", "B Oh", "C Do"]),
        ("A Lee (Univ A) (Univ B), B Oh", ["A Lee", "B Oh"]),
        ("A Lee$^{1,2}$, B Oh^1, C Do*, D Su\u2020", ["A Lee", "B Oh", "C Do", "D Su"]),
        ("Ann Lee and Bo Chen", ["Ann Lee", "Bo Chen"]),
        ("Ann Lee, Bo Chen, and Cy Doe & Di Eco", ["Ann Lee", "Bo Chen", "Cy Doe", "Di Eco"]),
        ("and Ann Lee, Bo Chen AND Cy Doe", ["Ann Lee", "Bo Chen", "Cy Doe"]),
        ("Ann Lee, And Bo Chen And Cy Doe", ["Ann Lee", "Bo Chen", "Cy Doe"]),
        ("And Rosta, Metin And, Ann Lee", ["And Rosta", "Metin And", "Ann Lee"]),
        ("Sandy Andersen, Armand Band", ["Sandy Andersen", "Armand Band"]),
        ("John Smith, Jr., Ann Lee, III, Bo Chen", ["John Smith Jr.", "Ann Lee III", "Bo Chen"]),
        ("Smith, John; Lee, Ann", ["John Smith", "Ann Lee"]),
        ("Ann Lee; Bo Chen", ["Ann Lee", "Bo Chen"]),
        ("Ann Lee,,  Bo\n Chen , ", ["Ann Lee", "Bo Chen"]),
        (
            r"Andr\'e Weil, Bart{\l}omiej Nowak, Paul Erd\H{o}s, J.~Doe",
            ["André Weil", "Bartłomiej Nowak", "Paul Erdős", "J. Doe"],
        ),
        ("Ann Lee, Bo Chen, Ann Lee", ["Ann Lee", "Bo Chen", "Ann Lee"]),
        ('Xiao (Wes) Chen (MIT), Hai "Helen" Li', ["Xiao (Wes) Chen", 'Hai "Helen" Li']),
        ("A. Smith for the DUNE Collaboration", ["A. Smith", "DUNE Collaboration"]),
        ("A. Smith (on behalf of the DUNE Collaboration), B. Oh", ["A. Smith", "DUNE Collaboration", "B. Oh"]),
        ("ATLAS Collaboration: A. Lee, B. Oh", ["ATLAS Collaboration", "A. Lee", "B. Oh"]),
        ("the CMS and LHCb Collaborations", ["the CMS and LHCb Collaborations"]),
        ("Qwen Team, Ann Lee", ["Qwen Team", "Ann Lee"]),
        ("Ann Lee, et al.", ["Ann Lee"]),
        ("中村 太郎, 李雷, Ngũgĩ", ["中村 太郎", "李雷", "Ngũgĩ"]),
        ("", []),
        (" , (), :", []),
    ],
)
def test_it_splits_authors_right(text, names):
    assert list(split_authors(text)) == names


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (["Wei Zhang, Yu Wu"], ["Wei Zhang", "Yu Wu"]),
        (["Xin Li, Bo Xu, Yan Liu, Qi Wu"], ["Xin Li", "Bo Xu", "Yan Liu", "Qi Wu"]),
        (["Doe J., Roe R."], ["Doe J.", "Roe R."]),
        (["Ann Lee, PhD"], ["Ann Lee"]),
        (["Ann Lee, Ph.D., Bo Chen, M.Sc."], ["Ann Lee", "Bo Chen"]),
        (["Ann Lee, MIT"], ["Ann Lee", "MIT"]),
        (["Bo Chen, Jr."], ["Bo Chen Jr."]),
        (["Example Labs, Inc."], ["Example Labs Inc."]),
        (["Lee, Jonathan"], ["Jonathan Lee"]),
        (["Lee, Ann Mary"], ["Ann Mary Lee"]),
        (["van der Berg, Jan"], ["Jan van der Berg"]),
        (["García Márquez, Gabriel"], ["Gabriel García Márquez"]),
        (["Lee, Jonathan", "Chen, Bartholomew"], ["Jonathan Lee", "Bartholomew Chen"]),
        (["Lee, Jonathan", "Bo Chen"], ["Lee, Jonathan", "Bo Chen"]),
        (["Müller, Ch., Łukasz, K."], ["Ch. Müller", "K. Łukasz"]),
        (["Smith, JA, Jones, B"], ["JA Smith", "B Jones"]),
        (["Иванов, И. И."], ["И. И. Иванов"]),
        (["李 明, 王 伟"], ["李 明", "王 伟"]),
        (['"Lee, Ann" <ann@example.org>'], ["Ann Lee"]),
        (["ann@example.org"], []),
        (["Ann Lee", "Bo Chen", "Ann Lee", "Bo Chen"], ["Ann Lee", "Bo Chen"]),
    ],
)
def test_the_fields_of_a_feed_name_authors_in_many_ways(fields, names):
    assert list(split_names(fields)) == names


def test_a_bracket_that_is_never_closed_costs_no_other_author():
    assert split_authors("Ann Lee (MIT, Bo Chen, Cy Doe") == ("Ann Lee", "Bo Chen", "Cy Doe")
    assert split_authors("Ann Lee), Bo Chen (MIT)") == ("Ann Lee", "Bo Chen")


def test_a_list_of_names_is_cleaned_the_same_way():
    assert clean_names(["Ann  Lee", ":", "Bo\n Chen", r"Andr\'e", ""]) == ("Ann Lee", "Bo Chen", "André")


@pytest.mark.parametrize("before", ["and ", "AND ", "& ", "And ", r"\and "])
def test_what_stood_between_two_names_is_no_part_of_the_second(before):
    assert clean_names(["Ann Lee", f"{before}Bo Chen"]) == ("Ann Lee", "Bo Chen")
    assert clean_names(["Andy Lee", "And Rosta", "and others"]) == ("Andy Lee", "And Rosta")


def test_two_people_of_one_name_are_two_authors():
    assert split_authors("Ann Lee, Bo Chen, Ann Lee (MIT)") == ("Ann Lee", "Bo Chen", "Ann Lee")
    assert clean_names(["Ann Lee", "Ann  Lee"]) == ("Ann Lee", "Ann Lee")


def test_a_collaboration_several_authors_speak_for_is_one_author():
    text = "Ann Lee (on behalf of the XYZ Collaboration), Bo Chen (for the XYZ Collaboration)"
    assert split_authors(text) == ("Ann Lee", "XYZ Collaboration", "Bo Chen")


NAMES = st.lists(
    st.builds(
        "{} {}".format, st.sampled_from(["Ann", "Bo", "Çi", "J.-P."]), st.sampled_from(["Lee", "O'Oh", "de la Cruz"])
    ),
    min_size=1,
    unique=True,
)
AFFILIATION = st.sampled_from(
    ["", " (MIT)", " (MIT, Cambridge, USA)", " (1 and 2)", " (Univ (Dept, X), Y)", " (CNRS & ENS; Paris)"]
)


@given(NAMES, st.data())
def test_affiliations_never_change_who_the_authors_are(names, data):
    text = ", ".join(f"{name}{data.draw(AFFILIATION)}" for name in names)
    assert split_authors(text) == tuple(names)


@example("1))a")
@example("a\\\\\\\\")
@given(st.text(alphabet="(),;: ab.and&$^{}1\\", max_size=80) | st.text(max_size=80))
def test_any_text_gives_clean_distinct_names(text):
    names = split_authors(text)
    assert len(set(names)) == len(names)
    assert all(any(map(str.isalpha, name)) and name == " ".join(name.split()) for name in names)
    assert clean_names(names) == names


@pytest.mark.parametrize(
    "piece",
    [
        *("(", ")", "(a, ", "for the ", " and ", "$^{", "a, ", "team: ", "; "),
        *("A.-", "a@b (", "<a@", " ", "a", "( "),
    ],
)
def test_hostile_authors_cost_linear_time(piece):
    seconds = {}
    for length in (4_000, 32_000):
        text = piece * (length // len(piece)) + "@"
        started = time.process_time()
        split_names([text])
        seconds[length] = time.process_time() - started
    # Eight times the length; quadratic work would take 64 times as long.
    assert seconds[32_000] < 30 * max(seconds[4_000], 0.002)
