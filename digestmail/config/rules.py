"""`block` and `keep`, which [[sources]] and [[digests]] may have: which papers they leave out."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from digestmail.config.values import Category, Line, Table
from digestmail.model.digests import Conditions, FilterRules

NO_CONDITIONS = "no_conditions"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


def _check_word(value: str) -> str:
    from digestmail.selection.phrases import compile_phrase, is_empty

    if is_empty(compile_phrase(value)):
        raise ValueError("contains only hyphens and spaces, so no paper contains it: write a word or a phrase")
    return value


def _check_author(value: str) -> str:
    from digestmail.selection.authors import compile_name

    if not any(map(str.isalnum, compile_name(value).last)):
        raise ValueError('not a name: write it as "Ada Example" or "Example, Ada"')
    return value


def _check_pattern(value: str) -> str:
    from digestmail.selection.patterns import compile_pattern

    if _CONTROL.search(value):
        raise ValueError("contains a line break or another control character, which no title or abstract contains")
    compile_pattern(value)
    return value


Word = Annotated[Line, AfterValidator(_check_word)]
Author = Annotated[Line, AfterValidator(_check_author)]
PatternText = Annotated[str, AfterValidator(_check_pattern)]


class ConditionsTable(Table):
    """`block` or `keep`: a paper matches if one of these does."""

    words: tuple[Word, ...] = ()
    authors: tuple[Author, ...] = ()
    categories: tuple[Category, ...] = ()
    patterns: tuple[PatternText, ...] = ()

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if not (self.words or self.authors or self.categories or self.patterns):
            raise PydanticCustomError(NO_CONDITIONS, 'has no conditions: write { words = ["survey"] }, or leave it out')
        return self

    def value(self) -> Conditions:
        """Return the conditions as the value that selection works on."""
        return Conditions(**self.model_dump())


class RuledTable(Table):
    """A table with rules about papers."""

    block: ConditionsTable | None = None
    keep: ConditionsTable | None = None

    def rules(self) -> FilterRules:
        """Return the rules as the value that selection works on."""
        return FilterRules(
            block=None if self.block is None else self.block.value(),
            keep=None if self.keep is None else self.keep.value(),
        )
