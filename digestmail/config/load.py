"""The configuration as a file: found, read, overridden from the environment, and every problem told at once."""

from __future__ import annotations

import difflib
import logging
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from digestmail.config.bounces import BouncesTable
from digestmail.config.digests import (
    RESERVED_NAMES,
    DarkTable,
    DigestTable,
    LogoTable,
    RankingTable,
    ThemeTable,
    TopicTable,
)
from digestmail.config.fetching import fetching_problems, with_fetching_secrets
from digestmail.config.mail import DkimTable, DomainTable, MaildirTable, MailTable, SmtpTable
from digestmail.config.network import NetworkTable
from digestmail.config.servers import secret_problems, server_problems, with_secrets
from digestmail.config.settings import ENV_PREFIX, Config
from digestmail.config.sources import AnySource
from digestmail.config.web import WebTable
from digestmail.errors import ConfigError
from digestmail.mail.i18n import languages, template_directories
from digestmail.model.theme import DARK, LIGHT, Palette, contrast_problems, is_colour
from digestmail.schedule.cron import check_cron, check_timezone

log = logging.getLogger("digestmail.config")
CONFIG_VARIABLE = "DIGESTMAIL_CONFIG"
DEFAULT_PATH = Path("config.toml")
_SHOWN_LENGTH = 60
_SERVICE_LINK = re.compile(
    r"([A-Z0-9]+_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes, and Docker before it, puts into every container for a Service whose name begins with ours."""
_COLOURS = {each.name for each in fields(Palette)}


def find_path(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the configuration is: as given, else `DIGESTMAIL_CONFIG`, else ./config.toml."""
    if given is not None:
        return given
    return Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else DEFAULT_PATH


def load(path: Path, environment: Mapping[str, str] | None = os.environ) -> Config:
    """Read, override from the environment and check the configuration at `path`; None: no overrides.

    Raises ConfigError with every problem at once, each a sentence that begins with its key path.
    """
    raw = _read(path)
    problems = list(_unknown_overrides(environment or {}))
    try:
        config = _FileAlone(**raw) if environment is None else Config(**raw)
    except SettingsError as error:
        raise ConfigError([f"environment: {error}", *problems, *_cross_problems(raw)]) from error
    except ValidationError as error:
        raise ConfigError([*_field_problems(error), *problems, *_cross_problems(raw)]) from error
    problems += _cross_problems(config.model_dump())
    problems += _path_problems(config, path.parent)
    problems += _dkim_problems(config, path.parent)
    problems += secret_problems(config, path.parent)
    problems += server_problems(config, path.parent)
    problems += fetching_problems(config, path.parent)
    if problems:
        raise ConfigError(problems)
    return with_fetching_secrets(with_secrets(config, path.parent), path.parent)


class _FileAlone(Config):
    """The configuration without overrides, for the demo: it must not meet what the environment points at."""

    overridden: ClassVar[bool] = False


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError([f"{path}: there is no such file"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error


def _unknown_overrides(environment: Mapping[str, str]) -> Iterator[str]:
    """Find variables that look like overrides but name no key: pydantic-settings passes over them."""
    foreign: list[str] = []
    for name, value in environment.items():
        if not name.upper().startswith(ENV_PREFIX) or name == CONFIG_VARIABLE or not value:
            continue
        rest = name[len(ENV_PREFIX) :]
        first = rest.split("__")[0].lower()
        if first in Config.model_fields:
            continue
        near = difflib.get_close_matches(first, Config.model_fields, n=1)
        if _SERVICE_LINK.fullmatch(rest.upper()) or not (near or "__" in rest):
            foreign.append(name)
            continue
        hint = f"; did you mean {ENV_PREFIX}{near[0].upper()}?" if near else ""
        yield f"environment: {name} names no key{hint}"
    if foreign:
        log.warning("ignored, for they name no key: %s", ", ".join(sorted(foreign)))


def _path_problems(config: Config, base: Path) -> Iterator[str]:
    own = None if config.templates_dir is None else base / config.templates_dir
    if own is not None and not own.is_dir():
        yield f"templates_dir: there is no directory {own}"
    known = languages(template_directories(own))
    for index, digest in enumerate(config.digests):
        if not {digest.language, digest.language.partition("-")[0]} & set(known):
            yield f"digests[{index}].language: there is no catalogue for {digest.language!r}; known: {', '.join(known)}"


def _dkim_problems(config: Config, base: Path) -> Iterator[str]:
    from digestmail.mail.dkim import Signer

    for key, (selector, file) in config.mail.dkim.keys().items():
        try:
            signer = Signer(domain=config.mail.dkim_domain(), selector=selector, pem=(base / file).read_bytes())
        except (OSError, ValueError) as error:
            yield f"mail.dkim.{key}: {error}"
            continue
        if not key.startswith(signer.algorithm):
            yield f"mail.dkim.{key}: {file} holds a key for {signer.algorithm}"
    if len({selector for selector, _ in config.mail.dkim.keys().values()}) < len(config.mail.dkim.keys()):
        yield "mail.dkim.ed25519_selector: two keys cannot share a selector"


def _field_problems(error: ValidationError) -> Iterator[str]:
    found = error.errors(include_url=False)
    for problem in found:
        if problem["type"] == "too_short" and any(_is_inside(other["loc"], problem["loc"]) for other in found):
            continue  # the entries are there, but faulty: each is told on its own
        place = tuple(part for part in problem["loc"] if part not in _SOURCE_TABLES)
        key = _key_path(place)
        if problem["type"] == "extra_forbidden":
            known = _known_keys(problem["loc"][:-1])
            near = difflib.get_close_matches(str(place[-1]), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(sorted(known))}"
            yield f"{key}: unknown key{hint}"
        elif problem["type"] == "missing":
            yield f"{key}: is missing"
        elif problem["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            given = problem["input"].get("kind") if isinstance(problem["input"], dict) else None
            near = difflib.get_close_matches(str(given), _SOURCE_TABLES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            yield f"{key}.kind: is one of {', '.join(_SOURCE_TABLES)} (it is {given!r}){hint}"
        elif problem["type"] == "string_pattern_mismatch" and place[-1:] == ("name",):
            shown = _shown(place, problem["input"])
            yield f"{key}: a name is made of lower-case letters, digits and hyphens (it is {shown})"
        elif problem["type"] == "too_short":
            yield f"{key}: at least one is needed"
        elif problem["type"] == "string_pattern_mismatch" and "theme" in place:
            yield f"{key}: a colour is written #rrggbb (it is {_shown(place, problem['input'])})"
        else:
            yield f"{key}: {problem['msg'].removeprefix('Value error, ')} (it is {_shown(place, problem['input'])})"


def _is_inside(place: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


_SECRET_KEYS = ("password", "token", "secret", "headers", "proxy")
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<=[?&])(?<!=)[^\s'\"#]+")
"""User name and password of a web address, and its query."""


def _shown(place: tuple[int | str, ...], value: Any) -> str:
    """Return a value as a message shows it: nothing that may be a secret, or may hold one."""
    if isinstance(value, dict) or any(word in str(part).lower() for part in place for word in _SECRET_KEYS):
        return "not shown"
    text = _IN_ADDRESS.sub("***", repr(value))
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def _key_path(place: tuple[int | str, ...]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "configuration"


_SOURCE_TABLES: dict[str, type[BaseModel]] = {
    get_args(table.model_fields["kind"].annotation)[0]: table for table in get_args(AnySource)
}
"""The tables of [[sources]] by their kind."""
_TABLES: dict[str, type[BaseModel]] = {
    "mail": MailTable,
    "smtp": SmtpTable,
    "fallback": SmtpTable,
    "domains": DomainTable,
    "maildir": MaildirTable,
    "dkim": DkimTable,
    "bounces": BouncesTable,
    "network": NetworkTable,
    "web": WebTable,
    "ranking": RankingTable,
    "topics": TopicTable,
    "digests": DigestTable,
    "theme": ThemeTable,
    "dark": DarkTable,
    "logo": LogoTable,
    **_SOURCE_TABLES,
}


def _known_keys(place: tuple[int | str, ...]) -> set[str]:
    names = [part for part in place if isinstance(part, str)]
    return set((_TABLES[names[-1]] if names else Config).model_fields)


def _cross_problems(raw: dict[str, Any]) -> Iterator[str]:
    """Find what no single key shows: names used twice or never defined. Works on unchecked data, as far as it goes."""
    sources = list(_names(raw, "sources"))
    topics = list(_names(raw, "topics"))
    digests = list(_names(raw, "digests"))
    for table, names in (("sources", sources), ("topics", topics), ("digests", digests)):
        yield from (f"{table}[{i}].name: {name!r} stands twice" for i, name in enumerate(names) if name in names[:i])
    for index, name in enumerate(digests):
        if isinstance(name, str) and name in RESERVED_NAMES:
            yield f"digests[{index}].name: {name!r} is the name of a page"
    for index, digest in enumerate(_rows(raw, "digests")):
        for key, known in (("sources", sources), ("topics", topics), ("allow_repeats_of", digests)):
            listed = digest.get(key, [])
            for name in listed if isinstance(listed, (list, tuple)) else []:
                if name not in known:
                    near = difflib.get_close_matches(str(name), [str(n) for n in known], n=1)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    table = "digests" if key == "allow_repeats_of" else key
                    yield f"digests[{index}].{key}: there is no {name!r} in [[{table}]]{hint}"
        cron, timezone = digest.get("schedule"), digest.get("timezone", "UTC")
        if isinstance(timezone, str) and (wrong := check_timezone(timezone)):
            yield f"digests[{index}].timezone: {wrong}"
        if isinstance(cron, str) and (wrong := check_cron(cron)):
            yield f"digests[{index}].schedule: {wrong}"
        yield from _theme_problems(f"digests[{index}].theme", digest.get("theme"))


def _theme_problems(key: str, theme: Any) -> Iterator[str]:
    """Find colours that cannot be read on their ground, in either palette; what is no colour is told elsewhere."""
    if not isinstance(theme, dict):
        return
    dark = theme.get("dark", {})
    for place, given, defaults in ((key, theme, LIGHT), (f"{key}.dark", dark if isinstance(dark, dict) else {}, DARK)):
        colours = {name: value.lower() for name, value in given.items() if name in _COLOURS and is_colour(value)}
        palette = replace(defaults, **colours)
        yield from (f"{place}.{name}: {wrong}" for name, wrong in contrast_problems(palette))


def _rows(raw: dict[str, Any], table: str) -> list[dict[str, Any]]:
    rows = raw.get(table)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, (list, tuple)) else []


def _names(raw: dict[str, Any], table: str) -> Iterator[Any]:
    return (row.get("name") for row in _rows(raw, table))
