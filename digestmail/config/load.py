"""The configuration as a file: found, read, overridden from the environment, and every problem reported at once."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from digestmail.config.digests import RESERVED_NAMES
from digestmail.config.environment import CONFIG_VARIABLE, overrides, unknown_overrides
from digestmail.config.fetching import fetching_problems, with_fetching_secrets
from digestmail.config.field_errors import Names, field_problems, rows_of
from digestmail.config.files import file_fault
from digestmail.config.output_problems import (
    alert_problems,
    cross_output_problems,
    output_problems,
    with_output_secrets,
)
from digestmail.config.places import DEFAULT_PATH, config_places, with_data_dir
from digestmail.config.servers import secret_problems, server_problems, with_secrets
from digestmail.config.settings import Config
from digestmail.config.source_members import list_problems, with_members
from digestmail.errors import ConfigError
from digestmail.model.theme import DARK, LIGHT, Palette, contrast_problems, is_colour
from digestmail.schedule.cron import check_cron
from digestmail.schedule.timezones import check_timezone

_INTEGER_BITS = 63
"""Without the sign (https://toml.io/en/v1.0.0#integer)."""
_COLOURS = {each.name for each in fields(Palette)}


def load(path: Path, environment: Mapping[str, str] | None = os.environ) -> Config:
    """Read, override from the environment and check the configuration at `path`; None: no overrides.

    Raises ConfigError with every problem at once, each a sentence that begins with its key path.
    """
    raw = read_table(path)
    variables = environment or {}
    problems = list(unknown_overrides(variables, Config.model_fields))
    try:
        config = _overridden(raw) if overrides(variables) else Config(**raw)
    except ValidationError as error:
        given = raw | _overriding_lists() if overrides(variables) else raw
        found = field_problems(error, Names(given), variables)
        raise ConfigError([*found, *problems, *_cross_problems(given)]) from error
    problems += _cross_problems(config.model_dump())
    problems += _path_problems(config, path.parent)
    problems += _dkim_problems(config, path.parent)
    problems += secret_problems(config, path.parent)
    problems += server_problems(config, path.parent)
    problems += fetching_problems(config, path.parent)
    problems += [*list_problems(config, path.parent), *output_problems(config, path.parent)]
    if problems:
        raise ConfigError(problems)
    for complete in (with_secrets, with_fetching_secrets, with_output_secrets, with_members, with_data_dir):
        config = complete(config, path.parent)
    return config


def _overridden(raw: dict[str, Any]) -> Config:
    """Return the configuration of a file with the overrides of the process's environment."""
    from digestmail.config.overrides import OverriddenConfig

    return OverriddenConfig(**raw)


def _overriding_lists() -> dict[str, Any]:
    from digestmail.config.overrides import overriding_lists

    return overriding_lists()


def read_table(path: Path) -> dict[str, Any]:
    """Return what the file at `path` contains, unchecked. Raises ConfigError if it cannot be read or is not TOML."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        too_large = any(_is_too_large(value) for value in found.values())
    except FileNotFoundError as error:
        raise ConfigError([_absent(path)]) from error
    except IsADirectoryError as error:
        raise ConfigError([f"{path} is a directory: name the file, for example {path / DEFAULT_PATH}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([file_fault(error, path, Path())]) from error
    except RecursionError as error:
        raise ConfigError([f"{path}: is not read: its lists or tables are nested too deeply"]) from error
    except ValueError as error:  # TOMLDecodeError, or a number with thousands of digits
        raise ConfigError([f"{path}: is not TOML: {error}"]) from error
    if too_large:
        raise ConfigError([f"{path}: is not TOML: a whole number has more than 64 bits"])
    return found


def _is_too_large(value: Any) -> bool:
    """Return whether `value` is or contains an integer that TOML does not allow and Python may refuse to print."""
    if isinstance(value, dict | list):
        return any(map(_is_too_large, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and value.bit_length() > _INTEGER_BITS


def _absent(path: Path) -> str:
    others = [str(place.path) for place in config_places(None) if place.path != DEFAULT_PATH and not place.is_named]
    nor = f", nor {' or '.join(others)}" if path == DEFAULT_PATH and others else ""
    return (
        f"there is no configuration file {path.absolute()}{nor}: write one with `digestmail init --sender "
        f"digest@example.org`, or name yours with --config or {CONFIG_VARIABLE}"
    )


def _path_problems(config: Config, base: Path) -> Iterator[str]:
    own = None if config.templates_dir is None else base / config.templates_dir
    try:
        if own is not None and not own.is_dir():
            yield f"templates_dir: there is no directory {own}"
    except OSError as error:
        yield f"templates_dir: {file_fault(error, own or base, base)}"
        own = None
    from digestmail.mail.template_files import languages, template_directories

    known = languages(template_directories(own))
    for digest in config.digests:
        if not {digest.language, digest.language.partition("-")[0]} & set(known):
            wrong = f"there is no catalogue for {digest.language!r}; known: {', '.join(known)}"
            yield f'digests["{digest.name}"].language: {wrong}'


def _dkim_problems(config: Config, base: Path) -> Iterator[str]:
    if not config.mail.dkim.keys():
        return
    from digestmail.mail.dkim import Signer

    for key, (selector, file) in config.mail.dkim.keys().items():
        try:
            signer = Signer(domain=config.mail.dkim_domain(), selector=selector, pem=(base / file).read_bytes())
        except (OSError, ValueError) as error:
            yield f"mail.dkim.{key}: {file_fault(error, file, base)}"
            continue
        if not key.startswith(signer.algorithm):
            yield f"mail.dkim.{key}: {file} holds a key for {signer.algorithm}"
    if len({selector for selector, _ in config.mail.dkim.keys().values()}) < len(config.mail.dkim.keys()):
        yield "mail.dkim.ed25519_selector: two keys cannot share a selector"


def _cross_problems(raw: dict[str, Any]) -> Iterator[str]:
    """Find what no single key shows: names used twice or never defined. Works on unchecked data, as far as it goes."""
    tables = ("sources", "topics", "digests", "outputs")
    known = {table: [row.get("name") for row in rows_of(raw, table)] for table in tables}
    for table, names in known.items():
        twice = ((at, name) for at, name in enumerate(names) if name is not None and name in names[:at])
        yield from (f"{table}[{at}].name: {name!r} is used twice" for at, name in twice)
    entries = Names(raw)
    for index, digest in enumerate(rows_of(raw, "digests")):
        name = digest.get("name")
        if isinstance(name, str) and name in RESERVED_NAMES:
            yield f"digests[{index}].name: {name!r} is the name of a page"
        yield from _digest_problems(entries.entry("digests", index), digest, known)
    yield from cross_output_problems(raw)
    yield from alert_problems(raw)


def _digest_problems(key: str, digest: dict[str, Any], known: Mapping[str, list[Any]]) -> Iterator[str]:
    """Find what is wrong with one digest; `known` are the names in each array of tables."""
    for column, table in (("sources", "sources"), ("topics", "topics"), ("allow_repeats_of", "digests")):
        listed = digest.get(column, [])
        names = listed if isinstance(listed, (list, tuple)) else []
        for name in {str(name): name for place, name in enumerate(names) if name in names[:place]}.values():
            yield f"{key}.{column}: {name!r} is listed twice"
        for name in names:
            if name not in known[table]:
                near = difflib.get_close_matches(str(name), [str(one) for one in known[table]], n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                yield f"{key}.{column}: there is no {name!r} in [[{table}]]{hint}"
    yield from _wait_problems(key, digest)
    cron, timezone = digest.get("schedule"), digest.get("timezone", "UTC")
    if isinstance(timezone, str) and (wrong := check_timezone(timezone)):
        yield f"{key}.timezone: {wrong}"
    if isinstance(cron, str) and (wrong := check_cron(cron)):
        yield f"{key}.schedule: {wrong}"
    yield from _theme_problems(f"{key}.theme", digest.get("theme"))


def _wait_problems(key: str, digest: dict[str, Any]) -> Iterator[str]:
    """Find sources that a digest waits for but does not have."""
    waited, sources = digest.get("wait_for", []), digest.get("sources", [])
    if isinstance(waited, (list, tuple)) and isinstance(sources, (list, tuple)):
        for name in dict.fromkeys(str(name) for name in waited if name not in sources):
            yield f"{key}.wait_for: {name!r} is not one of the digest's sources; add it to {key}.sources"


def _theme_problems(key: str, theme: Any) -> Iterator[str]:
    """Find colours that cannot be read on their ground, in either palette; what is no colour is reported elsewhere."""
    if not isinstance(theme, dict):
        return
    dark = theme.get("dark", {})
    for place, given, defaults in ((key, theme, LIGHT), (f"{key}.dark", dark if isinstance(dark, dict) else {}, DARK)):
        colours = {name: value.lower() for name, value in given.items() if name in _COLOURS and is_colour(value)}
        palette = replace(defaults, **colours)
        yield from (f"{place}.{name}: {wrong}" for name, wrong in contrast_problems(palette))
