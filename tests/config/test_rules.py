from __future__ import annotations

from pathlib import Path

import pytest

from digestmail.config import load
from digestmail.errors import ConfigError
from digestmail.model.digests import Conditions, FilterRules

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"

MINIMAL = """
[mail]
sender = "digest@example.org"

[[sources]]
name = "hf"
kind = "huggingface"

[[sources]]
name = "blog"
kind = "feed"
url = "https://blog.example.org/feed.xml"
{source}

[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["blog", "hf"]
{digest}
"""


@pytest.fixture
def write(tmp_path):
    def write(*, source: str = "", digest: str = "") -> Path:
        path = tmp_path / "config.toml"
        path.write_text(MINIMAL.format(source=source, digest=digest), "utf-8")
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load.load(path)
    return list(caught.value.problems)


def test_rules_are_read_for_sources_and_digests(write):
    path = write(
        source='block = { words = ["survey"], authors = ["Press Office"] }\nkeep = { categories = ["cs.*"] }',
        digest='[digests.block]\npatterns = ["(?i)call for papers"]',
    )
    (digest,) = load.load(path).digest_values()
    assert digest.source_rules == (
        (
            "blog",
            FilterRules(
                block=Conditions(words=("survey",), authors=("Press Office",)), keep=Conditions(categories=("cs.*",))
            ),
        ),
    )
    assert digest.rules == FilterRules(block=Conditions(patterns=("(?i)call for papers",)))


def test_without_rules_there_are_none(write):
    (digest,) = load.load(write()).digest_values()
    assert (digest.source_rules, digest.rules) == ((), FilterRules())


def test_all_problems_of_rules_are_reported_at_once_with_the_fix(write):
    path = write(
        source='block = { words = ["--"], authors = ["..."], pattern = ["x"], patterns = ["(?=a)", "a|"] }\nkeep = {}',
        digest='block = { words = "survey" }\nkeep = ["agent"]',
    )
    found = problems(path)
    assert found == [
        (
            'sources["blog"].block.words[0]: contains only hyphens and spaces, so no paper contains it: '
            "write a word or a phrase (it is '--')"
        ),
        'sources["blog"].block.authors[0]: not a name: write it as "Ada Example" or "Example, Ada" (it is \'...\')',
        (
            'sources["blog"].block.patterns[0]: not a regular expression: look-around, including look-ahead and '
            "look-behind, is not supported; write a second pattern instead, or combine block and keep (it is '(?=a)')"
        ),
        (
            'sources["blog"].block.patterns[1]: it matches every paper, because it matches nothing at all: '
            "look for a stray | or * (it is 'a|')"
        ),
        "sources[\"blog\"].block.pattern: unknown key; did you mean 'patterns'?",
        'sources["blog"].keep: has no conditions: write { words = ["survey"] }, or leave it out',
        'digests["daily"].block.words: must be a list: write ["a", "b"] (it is \'survey\')',
        'digests["daily"].keep: must be a table: write { words = ["survey"] } (it is [\'agent\'])',
    ]


@pytest.mark.parametrize("empty", ["{}", "{ words = [] }", "{ words = [], patterns = [] }"])
def test_rules_without_conditions_are_refused_since_keep_would_leave_out_everything(write, empty):
    assert problems(write(digest=f"keep = {empty}")) == [
        'digests["daily"].keep: has no conditions: write { words = ["survey"] }, or leave it out'
    ]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (f'"{"a" * 1001}"', "longer than 1000 characters: split it into several patterns"),
        ('"""call\nfor"""', "contains a line break or another control character"),
        ('"\\u0000"', "contains a line break or another control character"),
        ('""', "it matches every paper"),
        ("7", "Input should be a valid string"),
    ],
)
def test_texts_that_cannot_be_patterns_are_refused(write, pattern, said):
    (problem,) = problems(write(source=f"block = {{ patterns = [{pattern}] }}"))
    assert problem.startswith(f'sources["blog"].block.patterns[0]: {said}')


def test_a_pattern_from_the_environment_is_checked_the_same(write, monkeypatch):
    source = '[{"name": "hf", "kind": "huggingface", "keep": {"patterns": ["\\ud800", "(?i)agent|("]}}]'
    monkeypatch.setenv("DIGESTMAIL_SOURCES", source)
    first, second, *_ = problems(write())
    assert "control character" in first
    assert "(it is '(?i)agent|(')" in second


def test_a_category_of_another_form_is_refused_with_the_form(write):
    assert problems(write(digest='keep = { categories = ["machine learning"] }')) == [
        (
            'digests["daily"].keep.categories[0]: a category is written like "cs.LG", '
            'and an archive like "cs" or "cs.*" (it is \'machine learning\')'
        )
    ]


def test_the_example_shows_rules_of_a_source():
    (name, rules), *others = load.load(EXAMPLE).digest_values()[0].source_rules
    assert (name, others) == ("blog", [])
    assert rules.block is not None
    assert rules.block.patterns
    assert rules.keep is None
