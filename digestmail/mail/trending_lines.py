"""Converts the trending papers of an edition to template variables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from digestmail.mail.placeholders import single_line
from digestmail.mail.view_rows import TITLE_LENGTH, web_link
from digestmail.model.editions import Edition
from digestmail.text.truncate import at_word


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendingLine:
    """A paper of an earlier edition that trends, in templates."""

    title: str
    link: str | None
    published_on: date
    count: str
    """`upvotes`, `stars` or `comments`."""
    growth: int


def build_trending(edition: Edition) -> tuple[TrendingLine, ...]:
    """Return the lines about trending papers, with single-line titles of limited length."""
    return tuple(
        TrendingLine(
            title=at_word(single_line(one.paper.title), TITLE_LENGTH),
            link=web_link(one.paper.link),
            published_on=one.published_on,
            count=one.count.value,
            growth=one.growth,
        )
        for one in edition.trending
    )
