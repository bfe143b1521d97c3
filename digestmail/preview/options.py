"""What is asked of the preview: read from a query, written back into links. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

NEXT = "next"
"""The edition that would go out now."""
SAMPLE = "sample"
"""The edition made of the bundled sample."""
EVERYBODY = ""
"""The reader who takes every topic and got nothing yet."""


class Tab(StrEnum):
    """What of the mail is shown."""

    MAIL = "mail"
    TEXT = "text"
    HEADERS = "headers"
    SOURCE = "source"


class Frame(StrEnum):
    """The screen the mail is shown on."""

    DESKTOP = "desktop"
    TABLET = "tablet"
    PHONE = "phone"


class Rendition(StrEnum):
    """How a mail program paints: by the light palette, by the dark one, or the light one turned over by force."""

    LIGHT = "light"
    DARK = "dark"
    INVERTED = "inverted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewOptions:
    """One look at a mail. An empty `digest` is the first one; `edition` is `next`, `sample` or a slot's key."""

    digest: str = ""
    edition: str = ""
    """Empty: the next one, or the sample while there is nothing to send."""
    reader: str = EVERYBODY
    """A subscriber's address."""
    tab: Tab = Tab.MAIL
    frame: Frame = Frame.DESKTOP
    palette: Rendition = Rendition.LIGHT
    images: bool = True

    def query(self, **changes: Any) -> str:
        """Return this look, or one that differs in `changes`, as a query; what is by default is left out."""
        values = asdict(replace(self, **changes))
        usual = asdict(PreviewOptions())
        told = {name: value for name, value in values.items() if value != usual[name]}
        return urlencode({name: "off" if value is False else value for name, value in told.items()})


_Choice = TypeVar("_Choice", bound=StrEnum)


def read_asked(query: Mapping[str, str]) -> PreviewOptions:
    """Return what a query asks for; what it does not say, or says wrongly, is as by default."""
    return PreviewOptions(
        digest=query.get("digest", ""),
        edition=query.get("edition", ""),
        reader=query.get("reader", EVERYBODY).strip(),
        tab=_one_of(Tab, query.get("tab"), Tab.MAIL),
        frame=_one_of(Frame, query.get("frame"), Frame.DESKTOP),
        palette=_one_of(Rendition, query.get("palette"), Rendition.LIGHT),
        images=query.get("images", "on") != "off",
    )


def _one_of(kind: type[_Choice], value: str | None, default: _Choice) -> _Choice:
    return kind(value) if value in set(kind) else default
