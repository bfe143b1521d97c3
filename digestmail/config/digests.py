"""`[[digests]]`, `[[topics]]` and `[ranking]`: what each newsletter chooses, when, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from digestmail.config.rules import Author, RuledTable, Word
from digestmail.config.values import Category, Colour, Language, Line, Name, PictureAddress, Table
from digestmail.model.digests import Arrival, Digest, Limits, OnEmpty, OnMissed, Schedule, Topic, Wait, Weights
from digestmail.model.theme import DARK, LIGHT, Layout, Logo, Palette, Theme

RESERVED_NAMES = frozenset(
    {
        "address",
        "api",
        "bibtex",
        "confirm",
        "csl-json",
        "erase",
        "export",
        "feedback",
        "feeds",
        "for-you",
        "healthz",
        "hooks",
        "notice",
        "metrics",
        "operator",
        "papers",
        "preferences",
        "readyz",
        "ris",
        "robots",
        "search",
        "sitemap",
        "static",
        "subscribe",
        "undo",
        "unsubscribe",
        "webhooks",
    }
)
"""What no digest may be called: its page would have the address of another, or its deliveries look like notices."""
_ARRIVALS = {"arxiv-feed": Arrival.ARXIV, "arxiv-api": Arrival.ARXIV, "huggingface": Arrival.GRADUAL}
"""How papers come, by kind of source; all others show them at once."""
_TOPIC = Topic(name="")


class TopicTable(Table):
    """`[[topics]]`: a rule papers match and subscribers choose."""

    name: Line
    keywords: tuple[Word, ...] = ()
    exclude: tuple[Word, ...] = ()
    categories: tuple[Category, ...] = ()
    authors: tuple[Author, ...] = ()
    description: str = ""
    min_strength: float = Field(default=_TOPIC.min_strength, ge=0, le=1)
    learn: bool = _TOPIC.learn


_LIMITS = Limits()
_WEIGHTS = Weights()
_DIGEST = Digest(name="", title="", schedule=Schedule(cron="", timezone=""), sources=())


class RankingTable(Table):
    """`[ranking]`: how much each part counts in a paper's score."""

    upvotes: float = Field(default=_WEIGHTS.upvotes, ge=0)
    comments: float = Field(default=_WEIGHTS.comments, ge=0)
    stars: float = Field(default=_WEIGHTS.stars, ge=0)
    growth: float = Field(default=_WEIGHTS.growth, ge=0)
    topic: float = Field(default=_WEIGHTS.topic, ge=0)
    half_life_days: float = Field(default=_WEIGHTS.half_life_days, gt=0)


class LogoTable(Table):
    """`[digests.theme.logo]`: a picture over the title; its size in CSS pixels."""

    url: PictureAddress
    alt: Line
    width: int = Field(default=120, ge=1, le=544)
    height: int = Field(default=40, ge=1, le=400)


class DarkTable(Table):
    """`[digests.theme.dark]`: the colours where the reader's mail program is dark."""

    paper: Colour = DARK.paper
    card: Colour = DARK.card
    ink: Colour = DARK.ink
    text: Colour = DARK.text
    quiet: Colour = DARK.quiet
    link: Colour = DARK.link
    accent: Colour = DARK.accent
    bar: Colour = DARK.bar
    rule: Colour = DARK.rule


class ThemeTable(Table):
    """`[digests.theme]`: the colours of a digest's mails."""

    paper: Colour = LIGHT.paper
    card: Colour = LIGHT.card
    ink: Colour = LIGHT.ink
    text: Colour = LIGHT.text
    quiet: Colour = LIGHT.quiet
    link: Colour = LIGHT.link
    accent: Colour = LIGHT.accent
    bar: Colour = LIGHT.bar
    rule: Colour = LIGHT.rule
    dark: DarkTable = DarkTable()
    logo: LogoTable | None = None

    def value(self) -> Theme:
        """Return the theme as the value the renderer works on."""
        return Theme(
            light=Palette(**self.model_dump(exclude={"dark", "logo"})),
            dark=Palette(**self.dark.model_dump()),
            logo=Logo(**self.logo.model_dump()) if self.logo else None,
        )


class DigestTable(RuledTable):
    """`[[digests]]`: a newsletter."""

    name: Name
    title: Line
    byline: str = _DIGEST.byline
    schedule: str
    timezone: str = "UTC"
    sources: Annotated[tuple[Name, ...], Field(min_length=1)]
    topics: tuple[Line, ...] = ()
    max_papers: int = Field(default=_LIMITS.max_papers, ge=1, le=1000)
    max_per_topic: int = Field(default=_LIMITS.max_per_topic, ge=1, le=1000)
    min_score: float = _LIMITS.min_score
    window_days: int = Field(default=_DIGEST.window_days, ge=1, le=60)
    also_trending: bool = _DIGEST.also_trending
    on_empty: OnEmpty = _DIGEST.on_empty
    on_missed: OnMissed = _DIGEST.on_missed
    wait_for: tuple[Name, ...] = ()
    wait_hours: float = Field(default=_DIGEST.wait.hours, gt=0, le=24)
    welcome_edition: bool = _DIGEST.welcome_edition
    allow_repeats_of: tuple[Name, ...] = ()
    for_you: int = Field(default=_DIGEST.for_you, ge=0, le=50)
    selection: Literal["topics", "personal"] = "topics"
    layout: Layout = _DIGEST.look.layout
    thumbnails: bool = _DIGEST.look.thumbnails
    language: Language = _DIGEST.look.language
    theme: ThemeTable = ThemeTable()

    def limits(self) -> Limits:
        """Return the limits of an email."""
        return Limits(max_papers=self.max_papers, max_per_topic=self.max_per_topic, min_score=self.min_score)

    def wait(self, kinds: Mapping[str, str]) -> Wait:
        """Return what editions wait for; `kinds` are the kinds of all sources by name."""
        sources = tuple((name, _ARRIVALS.get(kinds.get(name, ""), Arrival.AT_ONCE)) for name in self.wait_for)
        return Wait(sources=sources, hours=self.wait_hours)
