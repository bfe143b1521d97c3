"""Validation errors as sentences: each begins with its key, shows what was given, and names the nearest known key."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from digestmail.config.alerts import AlertsTable
from digestmail.config.bounces import BouncesTable
from digestmail.config.digests import DarkTable, DigestTable, LogoTable, RankingTable, ThemeTable, TopicTable
from digestmail.config.embeddings import EmbeddingsTable
from digestmail.config.enrichment import EnrichmentTable
from digestmail.config.environment import ENV_DELIMITER, ENV_PREFIX, variable_for
from digestmail.config.fetched import ONE_OF
from digestmail.config.mail import DkimTable, DomainTable, MaildirTable, MailTable, SendmailTable, SmtpTable
from digestmail.config.network import NetworkTable
from digestmail.config.oauth import OAuthTable
from digestmail.config.outputs import OUTPUT_TABLES
from digestmail.config.profile import ProfileTable
from digestmail.config.rules import NO_CONDITIONS, ConditionsTable
from digestmail.config.settings import Config
from digestmail.config.sources import AnySource
from digestmail.config.summaries import SummariesTable
from digestmail.config.web import WebTable

_SHOWN_LENGTH = 60
_SECRET_KEYS = (
    "password",
    "token",
    "secret",
    "headers",
    "proxy",
    "api_key",
    "zotero_key",
    "semantic_scholar_key",
    "openalex_key",
)
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<=[?&])(?<!=)[^\s'\"#]+")
"""User name and password of a web address, and its query."""
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SOURCE_TABLES: dict[str, type[BaseModel]] = {
    get_args(table.model_fields["kind"].annotation)[0]: table for table in get_args(AnySource)
}
"""The tables of [[sources]] by their kind."""
_SPELLINGS = {
    "categories": 'a category is written like "cs.LG", and an archive like "cs" or "cs.*"',
    "prefixes": 'the prefix of a DOI is what stands before its slash, such as "10.26434"',
    "collection": "a collection is called by the 8 capital letters and digits behind collections/ in its address",
}
_KINDS: dict[str, dict[str, type[BaseModel]]] = {"sources": _SOURCE_TABLES, "outputs": {**OUTPUT_TABLES}}
"""The arrays of tables that have a kind."""
_TABLES: dict[str, type[BaseModel]] = {
    "mail": MailTable,
    "smtp": SmtpTable,
    "fallback": SmtpTable,
    "domains": DomainTable,
    "maildir": MaildirTable,
    "sendmail": SendmailTable,
    "oauth": OAuthTable,
    "dkim": DkimTable,
    "bounces": BouncesTable,
    "network": NetworkTable,
    "embeddings": EmbeddingsTable,
    "summaries": SummariesTable,
    "enrichment": EnrichmentTable,
    "profile": ProfileTable,
    "alerts": AlertsTable,
    "web": WebTable,
    "ranking": RankingTable,
    "topics": TopicTable,
    "digests": DigestTable,
    "theme": ThemeTable,
    "dark": DarkTable,
    "logo": LogoTable,
    "block": ConditionsTable,
    "keep": ConditionsTable,
    **_SOURCE_TABLES,
    **OUTPUT_TABLES,
}
_Place = tuple[int | str, ...]


class Names:
    """How entries of [[sources]], [[topics]] and [[digests]] are called in messages."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Take the names from `raw`, which may be unchecked data."""
        self._names = {table: [row.get("name") for row in rows_of(raw, table)] for table in raw}

    def entry(self, table: str, index: int) -> str:
        """Return `digests["daily"]`; `digests[0]` if it has no name of its own."""
        names = self._names.get(table, [])
        name = names[index] if index < len(names) else None
        own = isinstance(name, str) and name and names.count(name) == 1
        return f'{table}["{name}"]' if own else f"{table}[{index}]"

    def key(self, place: _Place) -> str:
        """Return the path of keys `place` as a message writes it."""
        text = ""
        for number, part in enumerate(place):
            if number == 1 and isinstance(part, int) and place[2:] != ("name",):
                text = self.entry(str(place[0]), part)
            else:
                text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{_key(part)}"
        return text or "configuration"


def _key(key: str) -> str:
    """Return a key as TOML writes it: in quotation marks unless it is a bare key (https://toml.io/en/v1.0.0#keys)."""
    return key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def rows_of(raw: Mapping[str, Any], table: str) -> list[dict[str, Any]]:
    """Return the tables of an array of tables, from unchecked data; what is not a table counts as an empty one."""
    rows = raw.get(table)
    return [row if isinstance(row, dict) else {} for row in rows] if isinstance(rows, (list, tuple)) else []


def field_problems(error: ValidationError, names: Names, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each thing that validation found."""
    found = error.errors(include_url=False)
    for problem in found:
        if problem["type"] == "too_short" and any(_is_inside(other["loc"], problem["loc"]) for other in found):
            continue  # the entries are there, but faulty: each has a sentence of its own
        place = _without_kind(problem["loc"])
        said = _sentence(dict(problem), place)
        variable = variable_for(place, environment)
        yield f"{names.key(place)}{said}" + (f", set by {variable}" if variable else "")


def _without_kind(place: _Place) -> _Place:
    """Return `place` without the kind that pydantic puts behind the index of an array of tables."""
    kinds = _KINDS.get(str(place[0]), {}) if place else {}
    return tuple(part for number, part in enumerate(place) if not (number == 2 and part in kinds))  # noqa: PLR2004 - sources, 0, kind


def _sentence(problem: dict[str, Any], place: _Place) -> str:
    """Return what stands behind the key in the message."""
    kind, given = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        known = _known_keys(problem["loc"][:-1])
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        return f": unknown key; did you mean {near[0]!r}?" if near else f": unknown key; known here: {_listed(known)}"
    if kind == "missing":
        return ": is missing"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        named = given.get("kind") if isinstance(given, dict) else None
        kinds = _KINDS[str(problem["loc"][0])]
        near = difflib.get_close_matches(str(named), kinds, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f".kind: is one of {', '.join(kinds)} (it is {named!r}){hint}"
    if kind == "too_short":
        return ": at least one is needed"
    if kind in {NO_CONDITIONS, ONE_OF}:
        return f": {problem['msg']}"
    return f": {_form(problem, place)} (it is {_shown(place, given)})"


def _form(problem: dict[str, Any], place: _Place) -> str:
    """Return which form the value must have."""
    kind = problem["type"]
    if kind == "string_pattern_mismatch" and (written := _spelling(place)):
        return written
    if kind == "tuple_type":
        return _list_form(place)
    if kind == "string_type" and place[-1:] == ("url",) and isinstance(problem["input"], list):
        return 'is one address: write several as urls = ["https://a.example/feed", "https://b.example/feed"]'
    if kind in {"model_type", "model_attributes_type"}:
        if place[-1] in {"block", "keep"}:
            return 'must be a table: write { words = ["survey"] }'
        name = ".".join(str(part) for part in place if isinstance(part, str))
        return f"must be a table: write [{name}] and its keys below it"
    return str(problem["msg"]).removeprefix("Value error, ")


def _spelling(place: _Place) -> str:
    """Return how a text is written, where a pattern says so; empty if no sentence is known."""
    if place[-1:] == ("name",):
        return "a name is made of lower-case letters, digits and hyphens"
    if place[-1:] == ("imprint",):
        return "write it in one line, its parts separated by commas"
    if "theme" in place:
        return "a colour is written #rrggbb"
    return next((written for key, written in _SPELLINGS.items() if key in place), "")


def _list_form(place: _Place) -> str:
    keys = [str(part) for part in place if isinstance(part, str)]
    variable = ENV_PREFIX + ENV_DELIMITER.join(keys).upper()
    if len(keys) == 1 or keys[-1] == "domains":
        return f"must be a list of tables: write [[{'.'.join(keys)}]] in the file, or JSON in {variable}"
    if any(isinstance(part, int) for part in place):
        return 'must be a list: write ["a", "b"]'
    return f'must be a list: write ["a", "b"], and in {variable} either a,b or JSON'


def _is_inside(place: _Place, outer: _Place) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _shown(place: _Place, value: Any) -> str:
    """Return a value as a message shows it: nothing that may be a secret, or may hold one."""
    if isinstance(value, dict) or any(word in str(part).lower() for part in place for word in _SECRET_KEYS):
        return "not shown"
    if place[:1] == ("outputs",) and "urls" in place:
        return "not shown"  # those of Apprise contain secrets, unlike those of sources
    # A pattern such as "(?i)survey" looks like an address with a query, but contains no secret.
    text = repr(value) if "patterns" in place else mask_addresses(repr(value))
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def mask_addresses(text: str) -> str:
    """Return `text` without the logins and queries of the web addresses in it, which may be secret."""
    return _IN_ADDRESS.sub("***", text)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _known_keys(place: _Place) -> set[str]:
    names = [part for part in place if isinstance(part, str)]
    return set((_TABLES[names[-1]] if names else Config).model_fields)
