from __future__ import annotations

import pytest
from fakes import paper
from hypothesis import given
from hypothesis import strategies as st

from digestmail.selection.patterns import compile_pattern, finds

CALL = "(?i)call for (papers|participation)"


def refused(pattern: str) -> str:
    """Return why a pattern is refused, or an empty string if it is not."""
    try:
        compile_pattern(pattern)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("pattern", "title", "abstract", "found"),
    [
        (CALL, "Call for Papers: a workshop", "", True),
        (CALL, "A workshop", "This is a CALL FOR PARTICIPATION.", True),
        (CALL, "A call", "for papers", False),
        ("survey", "A Survey", "", False),
        ("(?i)^étude", "E\u0301tude of things", "", True),
        ("e\u0301tude$", "Une étude", "", True),
        (r"\pL+ität", "Kapazität", "", True),
        (r"\bétudes?\b", "Une étude simple", "", True),
        ("^$", "A title", "", True),
        ("^$", "A title", "An abstract", False),
        ("C[+][+]", "Fast C++", "", True),
        ("[\U0001f600-\U0001f64f]", "Nice \U0001f603", "", True),
    ],
)
def test_a_pattern_is_searched_in_the_title_and_in_the_abstract(pattern, title, abstract, found):
    assert finds(compile_pattern(pattern), paper(1, title=title, abstract=abstract)) is found


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "write \\( for a bracket"),
        ("(" * 999, "write \\( for a bracket"),
        ("a)", "write \\) for a bracket"),
        ("[a", "write \\[ for a bracket"),
        ("a\\", "write \\\\ for a backslash"),
        ("C++", "write a backslash before"),
        ("(C++|Rust)", "write a backslash before"),
        ("a{2}*", "write a backslash before"),
        ("*", "write a backslash before"),
        ("a{", "write a backslash before"),
        ("(?!a)b", "look-around"),
        ("(?<=a)b", "look-around"),
        (r"(a)\1", "backreferences are not supported; write the text again"),
        ("(?P=name)", "comments and conditions are not possible"),
        ("(?#comment)a", "comments and conditions are not possible"),
        (r"a\Z", "write \\z"),
        (r"\N{DASH}", "\\x{00e9}"),
        (r"\pX", "Unicode property not found; docs/sources.md has examples"),
        ("((a{100}){100}){100}", "repeat smaller parts"),
    ],
)
def test_an_invalid_pattern_is_refused_with_what_to_write(pattern, said):
    with pytest.raises(ValueError, match=r"^not a regular expression: ") as caught:
        compile_pattern(pattern)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1001}",
        "(((a?){100}){100}){5}z",
        "(ab{1,100}){11}",
        "((a{9}|b){9}){13}",
        "(?i)(abc){2}x{996}",
        "[a-z)(]{1001}",
    ],
)
def test_a_pattern_that_repeats_too_much_is_refused(pattern):
    with pytest.raises(ValueError, match="longer than 1000 characters with its repetitions written out"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\d{4}.{1,300}\d{4}.{1,300}x", "2025 and 2026 x"),
        (r"\x{1000}", "\u1000"),
        (r"\{1001}", "{1001}"),
        ("[{]1001[}]", "{1001}"),
        ("[]{1001}]", "{"),
        ("a+?b", "aab"),
        ("(?:a*)?b", "ab"),
        ("(?i)(?:a)+", "AA"),
        (r"C\+\+", "C++"),
        ("[C+]+", "C+"),
        ("a{500}b{500}", "a" * 500 + "b" * 500),
    ],
)
def test_a_pattern_that_only_looks_large_or_wrong_is_taken(pattern, text):
    assert compile_pattern(pattern).search(text)


@pytest.mark.parametrize("pattern", ["", "a*", "survey|", "(a|)", "^", "$", ".*", "(?i)"])
def test_a_pattern_that_matches_every_paper_by_accident_is_refused(pattern):
    with pytest.raises(ValueError, match="matches every paper"):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "(x+x+)+y", "(.*a){12}b", "(a?){100}a{100}c"])
def test_a_pattern_that_backtracks_for_ages_elsewhere_answers_at_once(pattern):
    # With Python's `re`, the first of these would not end in the lifetime of a machine.
    assert not finds(compile_pattern(pattern), paper(1, title="x" * 1000, abstract="a" * 19_999 + "!"))


@given(st.text(st.sampled_from("ab(){}[]|*+?\\^$.,1290-:&~#xé \ud800\U0001f600"), max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern_or_refused_in_one_line(pattern, text):
    if why := refused(pattern):
        assert len(why.splitlines()) == 1
    else:
        assert compile_pattern(pattern).search(text) in {True, False}
