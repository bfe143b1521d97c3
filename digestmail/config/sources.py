"""`[[sources]]`: one table for each kind of source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from digestmail.config.rules import RuledTable
from digestmail.config.values import Category, FeedAddress, Line, Name, Password, WebAddress

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
"""What a header may be called (RFC 9110 section 5.6.2)."""
_VALUE = re.compile(r"[!-~](?:[ -~\t]*[!-~])?")
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "if-modified-since",
        "if-none-match",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""What digestmail or the connection decides."""


def _check_header_name(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError("not the name of a header")
    if value.lower() in _OURS:
        raise ValueError(f"the header {value} is set by digestmail itself")
    return value


def check_header_value(value: SecretStr) -> SecretStr:
    """Return `value` if a header may have it. Raises ValueError, which does not show it."""
    if not _VALUE.fullmatch(value.get_secret_value()):
        raise ValueError("the value of a header is one line of ASCII characters, without blanks at its ends")
    return value


Venue = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,200}$")]
"""The ID of a venue on OpenReview, as it stands in its address."""
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(check_header_value)]


class FetchedTable(RuledTable):
    """What every source has: its name, what its server wants to see before it answers, and rules about its papers."""

    about: ClassVar[str]
    """What the source reads, in a few words."""
    name: Name
    username: str | None = None
    password: Password | None = None
    password_file: Path | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default={})
    header_files: dict[HeaderName, Path] = Field(default={})

    @field_validator("username")
    @classmethod
    def _check_username(cls, value: str | None) -> str | None:
        # RFC 7617 section 2.
        if value is not None and (":" in value or not value.isprintable()):
            raise ValueError("a user name has no colon and no control characters")
        return value

    @field_validator("header_files")
    @classmethod
    def _check_twice(cls, value: dict[str, Path], info: ValidationInfo) -> dict[str, Path]:
        known = {name.lower() for name in info.data.get("headers", {})}
        if twice := [name for name in value if name.lower() in known]:
            raise ValueError(f"{', '.join(twice)}: set in headers too")
        return value

    @property
    def address(self) -> str:
        """Where the source is."""
        raise NotImplementedError


class _ServiceTable(FetchedTable):
    """A source that is a service with several addresses."""

    base_url: WebAddress

    @property
    def address(self) -> str:
        """Where the service is."""
        return self.base_url


class HuggingFaceTable(_ServiceTable):
    """`[[sources]]` with `kind = "huggingface"`."""

    about: ClassVar[str] = "Hugging Face's daily papers, with upvotes, comments and stars"
    kind: Literal["huggingface"]
    base_url: WebAddress = "https://huggingface.co"


class ArxivFeedTable(_ServiceTable):
    """`[[sources]]` with `kind = "arxiv-feed"`."""

    about: ClassVar[str] = "what arXiv announced in some categories today"
    kind: Literal["arxiv-feed"]
    base_url: WebAddress = "https://rss.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    include_cross: bool = True
    include_replacements: bool = False


class ArxivApiTable(_ServiceTable):
    """`[[sources]]` with `kind = "arxiv-api"`."""

    about: ClassVar[str] = "what was submitted to some categories of arXiv, to fill gaps of days"
    kind: Literal["arxiv-api"]
    base_url: WebAddress = "https://export.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    query: str = ""


class FeedTable(FetchedTable):
    """`[[sources]]` with `kind = "feed"`."""

    about: ClassVar[str] = "any RSS, Atom, RDF or JSON feed"
    kind: Literal["feed"]
    url: FeedAddress

    @property
    def address(self) -> str:
        """Where the feed is."""
        return self.url


class BiorxivTable(_ServiceTable):
    """`[[sources]]` with `kind = "biorxiv"`."""

    about: ClassVar[str] = "bioRxiv and medRxiv, by day and category"
    kind: Literal["biorxiv"]
    base_url: WebAddress = "https://api.biorxiv.org"
    server: Literal["biorxiv", "medrxiv"] = "biorxiv"
    categories: tuple[Line, ...] = ()
    include_revisions: bool = False


class OaiTable(FetchedTable):
    """`[[sources]]` with `kind = "oai"`."""

    about: ClassVar[str] = "any repository that speaks OAI-PMH, arXiv too"
    kind: Literal["oai"]
    url: WebAddress
    set: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.!~*'():-]*$")] = ""

    @property
    def address(self) -> str:
        """Where the repository is."""
        return self.url


class OpenReviewTable(_ServiceTable):
    """`[[sources]]` with `kind = "openreview"`."""

    about: ClassVar[str] = "public submissions to venues on OpenReview"
    kind: Literal["openreview"]
    base_url: WebAddress = "https://api2.openreview.net"
    venues: Annotated[tuple[Venue, ...], Field(min_length=1)]


class PubMedTable(_ServiceTable):
    """`[[sources]]` with `kind = "pubmed"`."""

    about: ClassVar[str] = "what matches a query in PubMed"
    kind: Literal["pubmed"]
    base_url: WebAddress = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
    query: Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00-\x1f\x7f]+$")]


AnySource = (
    HuggingFaceTable
    | ArxivFeedTable
    | ArxivApiTable
    | FeedTable
    | BiorxivTable
    | OaiTable
    | OpenReviewTable
    | PubMedTable
)
KINDS: tuple[type[AnySource], ...] = get_args(AnySource)
CURATED_KINDS = frozenset({"huggingface", "feed"})
"""Sources that select papers which others announced."""
SourceTable = Annotated[AnySource, Field(discriminator="kind")]
