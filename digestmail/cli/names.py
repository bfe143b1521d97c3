"""Finds what a command names in the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Protocol, TypeVar

from digestmail.errors import DigestmailError


class Named(Protocol):
    """Has a name in the configuration."""

    @property
    def name(self) -> str:
        """The name."""
        ...


NamedValue = TypeVar("NamedValue", bound=Named)


def find_named(kind: str, name: str, known: Sequence[NamedValue]) -> NamedValue:
    """Return the one of `known` that is called `name`. Raises DigestmailError, which lists them; `kind`: "topic"."""
    for one in known:
        if one.name == name:
            return one
    names = [one.name for one in known]
    if not names:
        raise DigestmailError(f"there is no {kind} {name!r}: the configuration has none")
    by_lower = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), by_lower, n=1)
    hint = f"did you mean {by_lower[near[0]]!r}? " if near else ""
    raise DigestmailError(f"there is no {kind} {name!r}; {hint}configured are: {', '.join(names)}")
