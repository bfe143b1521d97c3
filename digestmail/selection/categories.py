"""Matches papers by category: "cs.LG", or an entire archive as "cs" or "cs.*". Case does not matter."""

from __future__ import annotations

from collections.abc import Collection

from digestmail.model.papers import Paper


def compile_category(category: str) -> str:
    """Return a category or archive in the form that `places` takes."""
    return category.strip().casefold().removesuffix(".*")


def places(wanted: Collection[str], paper: Paper) -> list[int]:
    """Return the positions of the paper's categories that are one of `wanted`, or in one of these archives."""
    if not wanted:
        return []
    return [place for place, name in enumerate(paper.categories) if _is_in(name.casefold(), wanted)]


def _is_in(category: str, wanted: Collection[str]) -> bool:
    return any(category == name or category.startswith(f"{name}.") for name in wanted)
