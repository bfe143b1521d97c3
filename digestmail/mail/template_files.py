"""Where templates and translations are.

Templates are in English. A translation is `locales/LANGUAGE.po` in a template directory. The operator's directory takes
precedence over the built-in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

SOURCE_LANGUAGE: Final = "en"


@cache
def templates_directory() -> Path:
    """Return the directory of the built-in templates: in the installed package, or next to it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def template_directories(own: Path | None) -> tuple[Path, ...]:
    """Return the directories to search for templates, the operator's first."""
    return (*([own] if own else []), templates_directory())


def languages(directories: Sequence[Path]) -> tuple[str, ...]:
    """Return the available languages, sorted: English, and those with a catalog in one of the directories."""
    found = {path.stem for directory in directories for path in (directory / "locales").glob("*.po")}
    return tuple(sorted(found | {SOURCE_LANGUAGE}))
