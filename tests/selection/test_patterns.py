from __future__ import annotations

import sys

import pytest
from fakes import paper

from digestmail.model.digests import Conditions, FilterRules
from digestmail.selection.patterns import compile_pattern, finds
from digestmail.selection.rules import compile_rules

CALL = "(?i)call for (papers|participation)"


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
        ("a)", "write \\) for a bracket"),
        ("[a", "write \\[ for a bracket"),
        ("C++", "write a backslash before"),
        ("*", "write a backslash before"),
        ("a\\", "write \\\\ for a backslash"),
        ("(?!a)b", "look-around"),
        ("(?<=a)b", "look-around"),
        ("(?P=name)", "look-around"),
        (r"(a)\1", "references to groups are not possible"),
        (r"a\Z", "write \\z"),
        (r"\u00e9", "write \\x{00e9}"),
        ("a{1001}", "at most 1000 times"),
        ("((a{100}){100}){100}", "at most 1000 times"),
        (r"(?i)(\pL{1,30} ){30}", "repeat smaller parts"),
        (r"(\pL?){100}z", "repeat smaller parts"),
        (r"\pX", "invalid character class range"),
        ("(" * 999, "write \\( for a bracket"),
    ],
)
def test_an_invalid_pattern_is_refused_with_what_to_write(pattern, said, capfd):
    with pytest.raises(ValueError, match=r"^not a pattern in RE2's syntax: ") as caught:
        compile_pattern(pattern)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 250
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("pattern", ["", "a*", "survey|", "(a|)", "^", "$", ".*", "(?i)"])
def test_a_pattern_that_matches_every_paper_by_accident_is_refused(pattern):
    with pytest.raises(ValueError, match="matches every paper"):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "(x+x+)+y", "(.*a){12}b", "(a?){100}a{100}c"])
def test_a_pattern_that_backtracks_for_ages_elsewhere_answers_at_once(pattern):
    # With Python's `re`, each of these takes longer than the universe is old.
    assert not finds(compile_pattern(pattern), paper(1, title="x" * 1000, abstract="a" * 19_999 + "!"))


def test_re2_is_imported_only_for_patterns(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)  # importing it fails
    compile_rules(FilterRules(block=Conditions(words=("survey",))))
    with pytest.raises(ImportError):
        compile_rules(FilterRules(block=Conditions(patterns=("survey",))))
