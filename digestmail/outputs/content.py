"""The common content of an edition for outputs: what readers of all topics get, without anyone's picks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from digestmail.mail.placeholders import single_line
from digestmail.mail.view_rows import TITLE_LENGTH, web_link, why_matched
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Origin, Paper, PaperId, Signals
from digestmail.model.selection import Entry, Score, Section
from digestmail.papers.identity import find_arxiv_id
from digestmail.selection.segments import for_all_topics
from digestmail.text.truncate import at_word

_MOST_AUTHORS: Final = 100
_NAME_LENGTH: Final = 200
_ID_LENGTH: Final = 1_000
TEST_PAPER: Final = Paper(
    id=PaperId("url:https://example.org/test-of-digestmail"),
    title="An example paper, sent as a test by digestmail",
    origin=Origin.FEED,
    link="https://example.org/test-of-digestmail",
    authors=("Ada Example", "Boris Sample"),
    abstract="This paper does not exist. Someone runs digestmail and checks whether its messages arrive here.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperItem:
    """A paper: single-line texts of limited length; links are http or https."""

    id: str
    title: str
    authors: tuple[str, ...]
    more_authors: int
    published_on: date | None
    links: tuple[tuple[str, str], ...]
    """(kind, URL); the kind is `paper`, `pdf`, `discussion`, `code` or `project`."""
    reasons: tuple[tuple[str, tuple[str, ...]], ...]
    """Why it is under its topic: (kind, words); the kind is `keywords`, `categories`, `authors` or `similar`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionContent:
    """An edition. `url` is its page, None if the installation has no pages."""

    digest: str
    slot: str
    day: date
    title: str
    url: str | None
    published_at: datetime
    sections: tuple[tuple[str | None, tuple[PaperItem, ...]], ...]
    """(topic, papers); the topic is None for papers that match none."""
    more: int
    """How many more papers matched but were over a limit."""

    @property
    def papers(self) -> tuple[PaperItem, ...]:
        """All papers, in order."""
        return tuple(paper for _, papers in self.sections for paper in papers)


def content_of(edition: Edition, base_url: str | None) -> EditionContent:
    """Return the content of an edition, which is not a variant of a digest."""
    sections = for_all_topics(edition)
    return EditionContent(
        digest=edition.digest,
        slot=edition.slot.key,
        day=edition.slot.day,
        title=at_word(single_line(edition.title), TITLE_LENGTH),
        url=f"{base_url}/{edition.digest}/{edition.slot.key}" if base_url else None,
        published_at=edition.composed_at.astimezone(UTC),
        sections=tuple(map(_section, sections)),
        more=sum(section.more for section in sections),
    )


def _section(section: Section) -> tuple[str | None, tuple[PaperItem, ...]]:
    topic = None if section.topic is None else at_word(single_line(section.topic), TITLE_LENGTH)
    return topic, tuple(map(_item, section.entries))


def _item(entry: Entry) -> PaperItem:
    paper = entry.paper
    return PaperItem(
        id=paper.id[:_ID_LENGTH],
        title=at_word(single_line(paper.title), TITLE_LENGTH) or "Untitled",
        authors=tuple(at_word(single_line(name), _NAME_LENGTH) for name in paper.authors[:_MOST_AUTHORS]),
        more_authors=max(len(paper.authors) - _MOST_AUTHORS, 0),
        published_on=paper.published_at.date() if paper.published_at else None,
        links=tuple(_links(paper).items()),
        reasons=tuple(why_matched(entry).items()),
    )


def _links(paper: Paper) -> dict[str, str]:
    arxiv_id = find_arxiv_id(paper.id)
    named = {
        "paper": paper.link,
        "pdf": f"https://arxiv.org/pdf/{arxiv_id}" if arxiv_id else None,
        "discussion": paper.discussion_url,
        "code": paper.code_url,
        "project": paper.project_url,
    }
    links = {kind: web_link(url) for kind, url in named.items()}
    return {kind: url for kind, url in links.items() if url}


def test_edition(digest: str, now: datetime) -> Edition:
    """Return an edition with one invented paper, which says that it is a test."""
    entry = Entry(paper=TEST_PAPER, signals=Signals(), score=Score(total=1.0), rank=1)
    day = now.astimezone(UTC).date()
    return Edition(
        digest=digest,
        slot=Slot(at=now, key=day.isoformat(), day=day),
        title="Test of digestmail",
        byline="",
        composed_at=now,
        entries=(entry,),
    )
