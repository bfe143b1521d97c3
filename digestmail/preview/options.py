"""The options of the preview, parsed from the query string and written to links. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

NEXT = "next"
"""The edition that would be sent now."""
SAMPLE = "sample"
"""The edition of the bundled sample data."""
ANNOUNCEMENT = "announcement"
"""The file that `digestmail announce --preview` shows."""
ALL_TOPICS = ""
"""A subscriber of all topics who has not received any edition."""


class Tab(StrEnum):
    """The view of the email."""

    MAIL = "mail"
    TEXT = "text"
    HEADERS = "headers"
    SOURCE = "source"


class Frame(StrEnum):
    """The simulated screen."""

    DESKTOP = "desktop"
    TABLET = "tablet"
    PHONE = "phone"


class ColorScheme(StrEnum):
    """How a mail program shows the email: in light or dark mode, or in light mode with inverted colors."""

    LIGHT = "light"
    DARK = "dark"
    INVERTED = "inverted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewOptions:
    """What to preview. An empty `digest` is the first one. `edition` is `next`, `sample` or the key of a slot."""

    digest: str = ""
    edition: str = ""
    """Empty for the next one, or for the sample if there is nothing to send."""
    reader: str = ALL_TOPICS
    """A subscriber's address."""
    tab: Tab = Tab.MAIL
    frame: Frame = Frame.DESKTOP
    palette: ColorScheme = ColorScheme.LIGHT
    images: bool = True

    def query(self, **changes: Any) -> str:
        """Return the options, with `changes`, as a query string without defaults."""
        values = asdict(replace(self, **changes))
        defaults = asdict(PreviewOptions())
        changed = {name: value for name, value in values.items() if value != defaults[name]}
        return urlencode({name: "off" if value is False else value for name, value in changed.items()})


_Enum = TypeVar("_Enum", bound=StrEnum)


def parse_options(query: Mapping[str, str]) -> PreviewOptions:
    """Return the options in a query string. Missing and invalid values become defaults."""
    return PreviewOptions(
        digest=query.get("digest", ""),
        edition=query.get("edition", ""),
        reader=query.get("reader", ALL_TOPICS).strip(),
        tab=_one_of(Tab, query.get("tab"), Tab.MAIL),
        frame=_one_of(Frame, query.get("frame"), Frame.DESKTOP),
        palette=_one_of(ColorScheme, query.get("palette"), ColorScheme.LIGHT),
        images=query.get("images", "on") != "off",
    )


def _one_of(kind: type[_Enum], value: str | None, default: _Enum) -> _Enum:
    return kind(value) if value in set(kind) else default
