"""The configuration as tables: which keys there are, what they may hold, what they mean to the pipeline.

Only `app` and the doors read it; everything below gets values. `config.example.toml` documents each key;
`configfile.load` reads a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from digestmail.look import COLOUR_PATTERN, DARK, LIGHT, Layout, Logo, Look, Palette, Theme
from digestmail.model import Digest, Limits, OnEmpty, Schedule, Topic, Weights

ENV_PREFIX = "DIGESTMAIL_"
RESERVED_NAMES = frozenset(
    {
        "api",
        "bibtex",
        "confirm",
        "erase",
        "export",
        "feeds",
        "healthz",
        "hooks",
        "papers",
        "preferences",
        "readyz",
        "robots",
        "search",
        "sitemap",
        "static",
        "subscribe",
        "unsubscribe",
        "webhooks",
    }
)
"""What no digest may be called: its page would stand where another one does."""


def check_mailbox(value: str) -> str:
    """Return `value` if it is one mailbox, `name@domain` or `Name <name@domain>` (RFC 5322 section 3.4)."""
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(value, check_deliverability=False, globally_deliverable=False, allow_display_name=True)
    except EmailNotValidError as error:
        raise ValueError(f"not a mail address: {error}") from error
    return value


def _check_web_address(value: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not a web address: it begins with https:// or http:// and names a host")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("a base address has no query, fragment or user name")
    return value.rstrip("/")


def _check_feed_address(value: str) -> str:
    _check_web_address(value.split("?", 1)[0])
    return value


def _check_picture(value: str) -> str:
    if not value.startswith("https://"):
        raise ValueError("a picture in a mail has an https:// address")
    return _check_feed_address(value)


def _check_database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("not a database address: it begins with sqlite:/// or postgresql://")
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Category = Annotated[str, StringConstraints(pattern=r"^[A-Za-z-]+(\.[A-Za-z*-]+)?$")]
Mailbox = Annotated[str, AfterValidator(check_mailbox)]
WebAddress = Annotated[str, AfterValidator(_check_web_address)]
PictureAddress = Annotated[str, AfterValidator(_check_picture)]
Colour = Annotated[str, StringConstraints(pattern=COLOUR_PATTERN, to_lower=True)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
FeedAddress = Annotated[str, AfterValidator(_check_feed_address)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SmtpTable(_Table):
    """`[mail.smtp]`: the server that takes our mail."""

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "none"
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    timeout: float = Field(default=60.0, gt=0, le=3600)


class MaildirTable(_Table):
    """`[mail.maildir]`: a mailbox on this disk."""

    path: Path = Path("mail")


class MailTable(_Table):
    """`[mail]`: who it is from and how it goes out."""

    sender: Mailbox
    reply_to: Mailbox | None = None
    transport: Literal["smtp", "maildir"] = "smtp"
    give_up_hours: float = Field(default=96.0, gt=0, le=8760)
    smtp: SmtpTable = SmtpTable()
    maildir: MaildirTable = MaildirTable()


class NetworkTable(_Table):
    """`[network]`: how feeds are fetched."""

    user_agent_contact: str = ""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    max_body_bytes: int = Field(default=20_000_000, ge=1000)
    allow_private_hosts: tuple[str, ...] = ()


def _check_prefix(value: str) -> str:
    from re import fullmatch

    if not fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", value):
        raise ValueError('not a path: it is made like "/papers"')
    return value.rstrip("/")


def _check_proxy(value: str) -> str:
    from ipaddress import ip_network

    ip_network(value, strict=False)
    return value


class WebTable(_Table):
    """`[web]`: the pages and the API."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    prefix: Annotated[str, AfterValidator(_check_prefix)] | None = None
    trusted_proxies: tuple[Annotated[str, AfterValidator(_check_proxy)], ...] = ("127.0.0.1", "::1")
    thumbnails: bool = False
    admin_token: SecretStr | None = None
    admin_token_file: Path | None = None


class HuggingFaceTable(_Table):
    """`[[sources]]` with `kind = "huggingface"`."""

    name: Name
    kind: Literal["huggingface"]
    base_url: WebAddress = "https://huggingface.co"


class ArxivFeedTable(_Table):
    """`[[sources]]` with `kind = "arxiv-feed"`."""

    name: Name
    kind: Literal["arxiv-feed"]
    base_url: WebAddress = "https://rss.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    include_cross: bool = True
    include_replacements: bool = False


class ArxivApiTable(_Table):
    """`[[sources]]` with `kind = "arxiv-api"`."""

    name: Name
    kind: Literal["arxiv-api"]
    base_url: WebAddress = "https://export.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    query: str = ""


class FeedTable(_Table):
    """`[[sources]]` with `kind = "feed"`."""

    name: Name
    kind: Literal["feed"]
    url: FeedAddress


AnySource = HuggingFaceTable | ArxivFeedTable | ArxivApiTable | FeedTable
SourceTable = Annotated[AnySource, Field(discriminator="kind")]

_TOPIC = Topic(name="")


class TopicTable(_Table):
    """`[[topics]]`: a rule papers match and subscribers choose."""

    name: Line
    keywords: tuple[Line, ...] = ()
    exclude: tuple[Line, ...] = ()
    categories: tuple[Category, ...] = ()
    authors: tuple[Line, ...] = ()
    description: str = ""
    min_similarity: float = Field(default=_TOPIC.min_similarity, ge=0, le=1)


_LIMITS = Limits()
_WEIGHTS = Weights()
_DIGEST = Digest(name="", title="", schedule=Schedule(cron="", timezone=""), sources=())


class RankingTable(_Table):
    """`[ranking]`: how much each part counts in a paper's score."""

    upvotes: float = Field(default=_WEIGHTS.upvotes, ge=0)
    comments: float = Field(default=_WEIGHTS.comments, ge=0)
    stars: float = Field(default=_WEIGHTS.stars, ge=0)
    growth: float = Field(default=_WEIGHTS.growth, ge=0)
    topic: float = Field(default=_WEIGHTS.topic, ge=0)
    half_life_days: float = Field(default=_WEIGHTS.half_life_days, gt=0)


class LogoTable(_Table):
    """`[digests.theme.logo]`: a picture over the title; its size in CSS pixels."""

    url: PictureAddress
    alt: Line
    width: int = Field(default=120, ge=1, le=544)
    height: int = Field(default=40, ge=1, le=400)


class DarkTable(_Table):
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


class ThemeTable(_Table):
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


class DigestTable(_Table):
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
    allow_repeats_of: tuple[Name, ...] = ()
    layout: Layout = _DIGEST.look.layout
    thumbnails: bool = _DIGEST.look.thumbnails
    language: Language = _DIGEST.look.language
    theme: ThemeTable = ThemeTable()


class Config(BaseSettings):
    """The whole configuration. Load it with `configfile.load`."""

    overridden: ClassVar[bool] = True
    """Whether the environment counts."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__", validate_default=False
    )

    base_url: WebAddress | None = None
    database: Annotated[str, AfterValidator(_check_database)] = "sqlite:///digestmail.db"
    templates_dir: Path | None = None
    mail: MailTable
    network: NetworkTable = NetworkTable()
    web: WebTable = WebTable()
    ranking: RankingTable = RankingTable()
    sources: Annotated[tuple[SourceTable, ...], Field(min_length=1)]
    topics: tuple[TopicTable, ...] = ()
    digests: Annotated[tuple[DigestTable, ...], Field(min_length=1)]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings) if cls.overridden else (init_settings,)

    def digest_values(self) -> tuple[Digest, ...]:
        """Return the digests as the values the pipeline works on."""
        topics = {table.name: Topic(**table.model_dump()) for table in self.topics}
        weights = Weights(**self.ranking.model_dump())
        return tuple(
            Digest(
                name=table.name,
                title=table.title,
                byline=table.byline,
                schedule=Schedule(cron=table.schedule, timezone=table.timezone),
                sources=table.sources,
                topics=tuple(topics[name] for name in table.topics),
                limits=Limits(
                    max_papers=table.max_papers, max_per_topic=table.max_per_topic, min_score=table.min_score
                ),
                weights=weights,
                window_days=table.window_days,
                also_trending=table.also_trending,
                on_empty=table.on_empty,
                allow_repeats_of=table.allow_repeats_of,
                look=Look(
                    layout=table.layout,
                    thumbnails=table.thumbnails,
                    language=table.language,
                    theme=table.theme.value(),
                ),
            )
            for table in self.digests
        )
