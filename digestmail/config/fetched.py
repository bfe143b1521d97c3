"""What every `[[sources]]` table has in common, whatever its kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from digestmail.config.rules import RuledTable
from digestmail.config.values import Name, Password, WebAddress

ONE_OF: Final = "one_of"
"""The type of the error that a table has none or several of `one_of`."""
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


HeaderName = Annotated[str, AfterValidator(_check_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(check_header_value)]


class FetchedTable(RuledTable):
    """What every source has: its name, what its server wants to see before it answers, and rules about its papers."""

    about: ClassVar[str]
    """What the source reads, in a few words."""
    one_of: ClassVar[tuple[str, ...]] = ()
    """Keys of which exactly one must be set."""
    curated: ClassVar[bool] = False
    """Whether people pick the papers, so that a paper is new when it is picked, even if others announced it before."""
    name: Name
    username: str | None = None
    password: Password | None = None
    password_file: Path | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default={})
    header_files: dict[HeaderName, Path] = Field(default={})

    @property
    def title(self) -> str:
        """What the list calls it, if it is a feed of an OPML file; else empty."""
        return ""

    @property
    def known_as(self) -> str:
        """What a person knows the source by, if its name does not say it; empty if it does."""
        return ""

    @property
    def shown_name(self) -> str:
        """The name, with what a person knows the source by."""
        return f"{self.name} ({self.known_as})" if self.known_as else self.name

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

    @model_validator(mode="after")
    def _check_one_of(self) -> Self:
        given = [key for key in self.one_of if getattr(self, key)]
        if self.one_of and len(given) != 1:
            found = f"{' and '.join(given)} are set" if given else "none is set"
            raise PydanticCustomError(
                ONE_OF, "needs exactly one of {keys}, but {found}", {"keys": alternatives(self.one_of), "found": found}
            )
        return self

    @property
    def address(self) -> str:
        """Where the source is."""
        raise NotImplementedError

    def sent_headers(self) -> dict[str, str]:
        """Return the header fields that the server wants to see. They may contain passwords."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    def has_secrets(self) -> bool:
        """Return whether requests contain something that only the server may see."""
        harmless = {"user-agent", "accept", "accept-language"}
        sent = {name.lower() for name in (*self.headers, *self.header_files)}
        return bool(self.username or sent - harmless)


def alternatives(keys: tuple[str, ...]) -> str:
    """Return keys as people list alternatives: "a, b or c"."""
    *first, last = keys
    return f"{', '.join(first)} or {last}" if first else last


class ServiceTable(FetchedTable):
    """A source that is a service with several addresses."""

    base_url: WebAddress

    @property
    def address(self) -> str:
        """Where the service is."""
        return self.base_url
