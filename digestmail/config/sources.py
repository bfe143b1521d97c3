"""`[[sources]]`: one table for each kind of source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from digestmail.config.fetched import ONE_OF, FetchedTable, HeaderValue, ServiceTable
from digestmail.config.values import Category, FeedAddress, Line, WebAddress
from digestmail.errors import SubscriptionError
from digestmail.papers.library_ids import zotero_library
from digestmail.sources.repositories import repository_name
from digestmail.text.credentials import masked_address
from digestmail.text.truncate import at_word


def _check_issn(value: str) -> str:
    """Return an ISSN with its hyphen. The last character is a checksum (ISO 3297)."""
    digits = value.replace("-", "").upper()
    if not re.fullmatch(r"[0-9]{7}[0-9X]", digits):
        raise ValueError("not an ISSN, which is made like 1234-5679")
    total = sum(int(digit) * (8 - place) for place, digit in enumerate(digits[:7]))
    if digits[7] != "0123456789X"[-total % 11]:
        raise ValueError("not an ISSN: its last character does not fit the others, so one of them is mistyped")
    return f"{digits[:4]}-{digits[4:]}"


def _check_library(value: str) -> str:
    try:
        return zotero_library(value)
    except SubscriptionError as error:
        raise ValueError(str(error)) from error


def _check_repository(value: str) -> str:
    found = repository_name(value)
    if found is None:
        raise ValueError("not a repository on GitHub: write OWNER/NAME")
    return found


DoiPrefix = Annotated[str, Field(pattern=r"^10\.[0-9]{4,9}(\.[0-9]{1,9}){0,3}$")]
Issn = Annotated[str, AfterValidator(_check_issn)]
Repository = Annotated[str, AfterValidator(_check_repository)]
"""`OWNER/NAME`, or the address of the repository."""
Venue = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,200}$")]
"""The ID of a venue on OpenReview, as it stands in its address."""
_LONGEST_TITLE = 60
"""Characters of the title of a feed, as it is shown."""


class HuggingFaceTable(ServiceTable):
    """`[[sources]]` with `kind = "huggingface"`."""

    about: ClassVar[str] = "Hugging Face's daily or trending papers, or a search, with upvotes, comments and stars"
    curated: ClassVar[bool] = True
    kind: Literal["huggingface"]
    base_url: WebAddress = "https://huggingface.co"
    list: Literal["daily", "trending"] = "daily"
    query: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""

    @model_validator(mode="after")
    def _check_query(self) -> Self:
        if self.query and self.list != "daily":
            raise PydanticCustomError(
                ONE_OF, "a search has no list: leave out either query or list, or write two [[sources]]"
            )
        return self


class ArxivFeedTable(ServiceTable):
    """`[[sources]]` with `kind = "arxiv-feed"`."""

    about: ClassVar[str] = "what arXiv announced in some categories today"
    kind: Literal["arxiv-feed"]
    base_url: WebAddress = "https://rss.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    include_cross: bool = True
    include_replacements: bool = False


class ArxivApiTable(ServiceTable):
    """`[[sources]]` with `kind = "arxiv-api"`."""

    about: ClassVar[str] = "what was submitted to some categories of arXiv, to fill gaps of days"
    kind: Literal["arxiv-api"]
    base_url: WebAddress = "https://export.arxiv.org"
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    query: str = ""


class FeedTable(FetchedTable):
    """`[[sources]]` with `kind = "feed"`: one feed, or several, each of which becomes a separate source."""

    about: ClassVar[str] = "any RSS, Atom, RDF or JSON feed, or a list of them"
    one_of: ClassVar[tuple[str, ...]] = ("url", "urls", "opml")
    curated: ClassVar[bool] = True
    kind: Literal["feed"]
    url: FeedAddress | None = None
    urls: tuple[FeedAddress, ...] = ()
    opml: Path | None = None
    _title: str = PrivateAttr("")

    def member(self, name: str, url: str, title: str) -> FeedTable:
        """Return the table of one feed of the list; `title` is what the list calls it.

        The address is not checked: one that is none was in a list that another program wrote, and reading it says why.
        """
        found = self.model_copy(update={"name": name, "url": url, "urls": (), "opml": None})
        found._title = title  # noqa: SLF001 - of this class
        return found

    @property
    def title(self) -> str:
        """What the list calls the feed; empty if it is in no OPML file."""
        return at_word(" ".join(self._title.split()), _LONGEST_TITLE)

    @property
    def known_as(self) -> str:
        """The title of a feed of a list, or else its address without secrets: its name only ends with a hash."""
        return (self.title or masked_address(self.address)) if "/" in self.name else ""

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        # A login is for one server. Here it would be sent to every one in the list.
        if self.url is None and (self.password or self.password_file or self.has_secrets()):
            raise PydanticCustomError(
                ONE_OF, "a login is for one feed: give the feed that wants it a [[sources]] table with `url`"
            )
        return self

    @property
    def address(self) -> str:
        """Where the feed is; empty for a list of feeds."""
        return self.url or ""


class GithubTable(ServiceTable):
    """`[[sources]]` with `kind = "github"`: each repository becomes a separate source."""

    about: ClassVar[str] = "releases of code on GitHub"
    kind: Literal["github"]
    base_url: WebAddress = "https://github.com"
    repositories: Annotated[tuple[Repository, ...], Field(min_length=1)]

    @property
    def address(self) -> str:
        """Where the releases of the first repository are."""
        return f"{self.base_url}/{self.repositories[0]}/releases.atom"


class CrossrefTable(ServiceTable):
    """`[[sources]]` with `kind = "crossref"`."""

    about: ClassVar[str] = "new DOIs at Crossref: ChemRxiv, SSRN, PsyArXiv and others by prefix, journals by ISSN"
    one_of: ClassVar[tuple[str, ...]] = ("prefixes", "issns")
    kind: Literal["crossref"]
    base_url: WebAddress = "https://api.crossref.org"
    prefixes: Annotated[tuple[DoiPrefix, ...], Field(max_length=50)] = ()
    issns: Annotated[tuple[Issn, ...], Field(max_length=50)] = ()
    include_revisions: bool = False


class ZoteroTable(ServiceTable):
    """`[[sources]]` with `kind = "zotero"`."""

    about: ClassVar[str] = "what was added to a Zotero library, such as that of a group"
    curated: ClassVar[bool] = True
    kind: Literal["zotero"]
    base_url: WebAddress = "https://api.zotero.org"
    library: Annotated[str, AfterValidator(_check_library)]
    collection: Annotated[str, Field(pattern=r"^([A-Z0-9]{8})?$")] = ""
    api_key: HeaderValue | None = None
    api_key_file: Path | None = None

    def sent_headers(self) -> dict[str, str]:
        """Return the header fields that the server wants to see, with the key."""
        key = {"Zotero-API-Key": self.api_key.get_secret_value()} if self.api_key else {}
        return super().sent_headers() | key

    def has_secrets(self) -> bool:
        """Return whether requests contain something that only the server may see."""
        return bool(self.api_key or self.api_key_file) or super().has_secrets()


class BiorxivTable(ServiceTable):
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


class OpenReviewTable(ServiceTable):
    """`[[sources]]` with `kind = "openreview"`."""

    about: ClassVar[str] = "public submissions to venues on OpenReview"
    kind: Literal["openreview"]
    base_url: WebAddress = "https://api2.openreview.net"
    venues: Annotated[tuple[Venue, ...], Field(min_length=1)]


class PubMedTable(ServiceTable):
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
    | GithubTable
    | CrossrefTable
    | ZoteroTable
    | BiorxivTable
    | OaiTable
    | OpenReviewTable
    | PubMedTable
)
KINDS: tuple[type[AnySource], ...] = get_args(AnySource)
SourceTable = Annotated[AnySource, Field(discriminator="kind")]
