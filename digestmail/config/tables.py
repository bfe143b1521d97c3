"""The configuration as tables: which keys there are, what they may hold, what they mean to the pipeline.

Only `app` and the doors read it; everything below gets values. `config.example.toml` documents each key;
`configfile.load` reads a file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from digestmail.bounces.score import Scoring
from digestmail.mail.header_fields import split_mailbox
from digestmail.model.deliveries import AmbiguousPolicy
from digestmail.model.digests import Digest, Limits, OnEmpty, Schedule, Topic, Weights
from digestmail.model.theme import COLOUR_PATTERN, DARK, LIGHT, Appearance, Layout, Logo, Palette, Theme
from digestmail.text.credentials import guard_problem

ENV_PREFIX = "DIGESTMAIL_"
RESERVED_NAMES = frozenset(
    {
        "address",
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
        "undo",
        "unsubscribe",
        "webhooks",
    }
)
"""What no digest may be called: its page would stand where another one does."""


def check_mailbox(value: str) -> str:
    """Return `value` if it is one mailbox, `name@domain` or `Name <name@domain>`; the name needs no quotes."""
    from email_validator import validate_email

    try:
        validate_email(split_mailbox(value)[1], check_deliverability=False, globally_deliverable=False)
    except ValueError as error:  # of either
        raise ValueError(f"not a mail address: {error}") from error
    return value


def _check_return_path(value: str) -> str:
    """Return `value` if a token fits into its local part: 23 octets of the 64 are left (RFC 5321 section 4.5.3.1.1)."""
    local, _, domain = value.rpartition("@")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,23}", local) or not re.fullmatch(r"[A-Za-z0-9.-]+", domain):
        raise ValueError("not a bare address in ASCII with at most 23 characters before the @ and no + in it")
    return check_mailbox(value)


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


def _check_ehlo_name(value: str) -> str:
    """Return `value` if EHLO may carry it: a domain name with a dot, or an address literal (RFC 5321 section 4.1.3)."""
    from ipaddress import IPv4Address, IPv6Address

    if value.startswith("[") and value.endswith("]"):
        inner = value[1:-1]
        try:
            IPv6Address(inner[5:]) if inner.lower().startswith("ipv6:") else IPv4Address(inner)
        except ValueError as error:
            raise ValueError("not an address literal, which is made like [192.0.2.1] or [IPv6:2001:db8::1]") from error
        return value
    labels = value.split(".")
    is_address = labels[-1].isdigit()
    if len(value) > _LONGEST_DOMAIN or "." not in value or is_address or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("not a full domain name like mail.example.org, nor an address literal like [192.0.2.1]")
    return value


def _check_server_name(value: str) -> str:
    if not all(map(_LABEL.fullmatch, value.split("."))):
        raise ValueError("not a host name: the one that stands in the server's certificate")
    return value


def _check_password(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("is made of blanks only; leave it out if there is none")
    return value


def _check_guard(value: SecretStr) -> SecretStr:
    if problem := guard_problem(value.get_secret_value()):
        raise ValueError(problem)
    return value


_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_DOMAIN = 253
Password = Annotated[SecretStr, AfterValidator(_check_password)]
"""Given to you by others: anything but blanks."""
Guard = Annotated[SecretStr, AfterValidator(_check_guard)]
"""Made up by you: it has to be hard to guess."""
EhloName = Annotated[str, AfterValidator(_check_ehlo_name)]
ServerName = Annotated[str, AfterValidator(_check_server_name)]
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


Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,200}[A-Za-z0-9])?$")]
ReturnPath = Annotated[str, AfterValidator(_check_return_path)]

_SCORING = Scoring()


def _without_empty(model: type[BaseModel], values: Any) -> Any:
    """Leave out what is an empty text where leaving it out is allowed: `""` means that there is none.

    So an empty password hides no `password_file`, and guards nothing.
    """
    if not isinstance(values, dict):
        return values
    optional = {name for name, field in model.model_fields.items() if not field.is_required() and field.default is None}
    return {key: value for key, value in values.items() if not (key in optional and value == "")}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        return _without_empty(cls, values)


class SmtpTable(_Table):
    """`[mail.smtp]`: the server that takes our mail; `[mail.fallback]`: the one that does when that is broken."""

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "none"
    protocol: Literal["smtp", "lmtp"] = "smtp"
    ehlo_name: EhloName | None = None
    ca_file: Path | None = None
    server_name: ServerName | None = None
    username: str | None = None
    password: Password | None = None
    password_file: Path | None = None
    oauth_token_file: Path | None = None
    allow_plaintext_password: bool = False
    timeout: float = Field(default=60.0, gt=0, le=60)
    connections: int = Field(default=16, ge=1, le=1000)
    messages_per_connection: int = Field(default=1000, ge=1)
    messages_per_second: float | None = Field(default=None, gt=0)


class DomainTable(_Table):
    """`[[mail.domains]]`: what recipients at one domain may be sent, over all workers."""

    name: str
    messages_per_second: float | None = Field(default=None, gt=0)
    connections: int | None = Field(default=None, ge=1)


class MaildirTable(_Table):
    """`[mail.maildir]`: a mailbox on this disk."""

    path: Path = Path("mail")


class DkimTable(_Table):
    """`[mail.dkim]`: the keys that sign; with both, every mail carries two signatures."""

    domain: Host | None = None
    rsa_selector: Host = "digest-rsa"
    rsa_key_file: Path | None = None
    ed25519_selector: Host = "digest-ed25519"
    ed25519_key_file: Path | None = None

    def keys(self) -> dict[str, tuple[str, Path]]:
        """Return (selector, file) of each key that is configured, by the name of its key in the table."""
        named = {
            "rsa_key_file": (self.rsa_selector, self.rsa_key_file),
            "ed25519_key_file": (self.ed25519_selector, self.ed25519_key_file),
        }
        return {key: (selector, file) for key, (selector, file) in named.items() if file is not None}


class MailTable(_Table):
    """`[mail]`: who it is from and how it goes out."""

    sender: Mailbox
    reply_to: Mailbox | None = None
    bounce_address: ReturnPath | None = None
    transport: Literal["smtp", "maildir"] = "smtp"
    give_up_hours: float = Field(default=96.0, gt=0, le=8760)
    max_lateness_hours: float = Field(default=48.0, gt=0, le=8760)
    ambiguous: AmbiguousPolicy = AmbiguousPolicy.RESEND
    smtp: SmtpTable = SmtpTable()
    fallback: SmtpTable | None = None
    domains: tuple[DomainTable, ...] = ()
    maildir: MaildirTable = MaildirTable()
    dkim: DkimTable = DkimTable()

    @property
    def sender_address(self) -> str:
        """The sender's address without the name."""
        return split_mailbox(self.sender)[1]

    def dkim_domain(self) -> str:
        """Return the domain that signs: as configured, else the sender's, as A-labels."""
        from digestmail.mail.message import wire_domain

        return wire_domain(self.dkim.domain or self.sender_address.rpartition("@")[2])


class BouncesTable(_Table):
    """`[bounces]`: where bounces and complaints arrive, and what they weigh."""

    kind: Literal["maildir", "mbox", "imap", "listen"] = "maildir"
    path: Path = Path("bounces")
    host: str = "localhost"
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "tls"
    ca_file: Path | None = None
    username: str | None = None
    password: Password | None = None
    password_file: Path | None = None
    allow_plaintext_password: bool = False
    folder: Line = "INBOX"
    timeout: float = Field(default=60.0, gt=0, le=3600)
    protocol: Literal["lmtp", "smtp"] = "lmtp"
    max_bytes: int = Field(default=10_000_000, ge=10_000)
    threshold: float = Field(default=_SCORING.threshold, gt=0)
    half_life_days: float = Field(default=_SCORING.half_life_days, gt=0, le=10_000)
    soft: float = Field(default=_SCORING.soft, ge=0)

    def scoring(self) -> Scoring:
        """Return when bounces suppress an address."""
        return Scoring(threshold=self.threshold, half_life_days=self.half_life_days, soft=self.soft)


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
    access_log: bool = False
    searches_per_minute: int = Field(default=60, ge=1, le=1_000_000)
    admin_token: Guard | None = None
    admin_token_file: Path | None = None
    webhook_secret: Guard | None = None
    webhook_secret_file: Path | None = None


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


class _Environment(EnvSettingsSource):
    """The variables that override the file; an empty one counts as not set."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """Read JSON, or a list of texts as the environment usually has it: separated by commas."""
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type] # None for a dict
        except ValueError:
            kinds = get_args(field.annotation) if field is not None else ()
            texts = kinds[1:] == (Ellipsis,) and str in {kinds[0], *get_args(kinds[0])[:1]}
            if not texts or value.lstrip().startswith(("[", "{")):
                raise
            return [part.strip() for part in value.split(",") if part.strip()]


class Config(BaseSettings):
    """The whole configuration. Load it with `configfile.load`."""

    overridden: ClassVar[bool] = True
    """Whether the environment counts."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter="__", validate_default=False
    )

    base_url: WebAddress | None = None
    database: Annotated[str, AfterValidator(_check_database)] = "sqlite:///digestmail.db"
    epoch_file: Path = Path("digestmail.epoch")
    templates_dir: Path | None = None
    mail: MailTable
    bounces: BouncesTable = BouncesTable()
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
        del env_settings, dotenv_settings, file_secret_settings
        environment = _Environment(settings_cls, env_ignore_empty=True)
        return (environment, init_settings) if cls.overridden else (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        return _without_empty(cls, values)

    def digest_values(self) -> tuple[Digest, ...]:
        """Return the digests as the values the pipeline works on."""
        topics = {table.name: Topic(**table.model_dump()) for table in self.topics}
        weights = Weights(**self.ranking.model_dump())
        curated = {table.name for table in self.sources if isinstance(table, HuggingFaceTable | FeedTable)}
        return tuple(
            Digest(
                name=table.name,
                title=table.title,
                byline=table.byline,
                schedule=Schedule(cron=table.schedule, timezone=table.timezone),
                sources=table.sources,
                curated=tuple(name for name in table.sources if name in curated),
                topics=tuple(topics[name] for name in table.topics),
                limits=Limits(
                    max_papers=table.max_papers, max_per_topic=table.max_per_topic, min_score=table.min_score
                ),
                weights=weights,
                window_days=table.window_days,
                also_trending=table.also_trending,
                on_empty=table.on_empty,
                allow_repeats_of=table.allow_repeats_of,
                look=Appearance(
                    layout=table.layout,
                    thumbnails=table.thumbnails,
                    language=table.language,
                    theme=table.theme.value(),
                ),
            )
            for table in self.digests
        )
