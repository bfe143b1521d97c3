"""What the pipeline asks of a source, and what a source asks of the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from digestmail.model.papers import Reading, Validators

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finished HTTP exchange whose status was 200 or 304. `body` is decompressed; None for 304."""

    url: str
    """The address asked for, before redirects: validators are stored under it."""
    body: bytes | None
    validators: Validators = Validators()
    content_type: str = ""
    redirected_to: str | None = None
    """The address that answered, if it is another one."""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The header fields of the answer, by lower-case name."""

    @property
    def found_at(self) -> str:
        """The address that answered: relative links are relative to it (RFC 3986 section 5.1.3)."""
        return self.redirected_to or self.url


class Fetcher(Protocol):
    """The one polite way to the network (`sources/http/client.py`)."""

    def fetch(
        self,
        url: str,
        *,
        accept: str,
        min_interval: float = 1.0,
        conditional: bool = True,
        retry_empty: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        """Fetch `url` as soon as the limit of its host allows.

        `min_interval` is the least number of seconds between two requests to this host, over every process of the
        database. With `conditional` the validators stored for `url` are sent along. With `retry_empty` an empty body
        is asked for once more. `headers` are sent in ASCII, and only to the origin of `url`; a condition among them
        (`If-...`) allows the answer 304.

        Raises SourceThrottledError, SourceUnavailableError, SourceRefusedError or SourceUnreadableError.
        """
        ...


class Source(Protocol):
    """A configured place papers come from."""

    name: str

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read the source once. `since` is when it was last read completely, None if never.

        Raises a SourceError when nothing at all could be read; what could be read in part comes as a Reading with
        `partial` set.
        """
        ...
