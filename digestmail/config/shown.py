"""The configuration that is in effect, as TOML: each value with what set it, and without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr

from digestmail.config.environment import variable_for
from digestmail.config.field_errors import mask_addresses
from digestmail.config.settings import Config
from digestmail.config.source_tables import quoted

_Place = tuple[int | str, ...]
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def shown_lines(config: Config, raw: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of `config`. `raw` is what the file contains; `environment` may override it.

    Behind each value is what set it: "file", "default", or the name of an environment variable. Secrets are comments
    without their value, and so are keys without a value; addresses are shown without logins and queries.
    """
    yield from _Writer(raw, environment).table(config, ())


@dataclass(frozen=True, slots=True)
class _Writer:
    raw: Mapping[str, Any]
    environment: Mapping[str, str]

    def table(self, table: BaseModel, place: _Place) -> Iterator[str]:
        """Yield the values of a table, then the tables below it, as TOML wants them."""
        below: list[tuple[_Place, Any]] = []
        for name in type(table).model_fields:
            value, here = getattr(table, name), (*place, name)
            if isinstance(value, BaseModel) or _is_list_of_tables(value):
                below.append((here, value))
            else:
                yield self._line(name, value, here)
        for here, value in below:
            header = ".".join(_key(part) for part in here if isinstance(part, str))
            if isinstance(value, BaseModel):
                yield from ("", f"[{header}]")
                yield from self.table(value, here)
                continue
            for index, each in enumerate(value):
                yield from ("", f"[[{header}]]")
                yield from self.table(each, (*here, index))

    def _line(self, name: str, value: Any, place: _Place) -> str:
        setter = self._set_by(place)
        if value is None:
            return f"#{name} =  # not set"
        if _holds_secret(value):
            file = self._set_by((*place[:-1], f"{name}_file"))
            return f"#{name} = (not shown)  # {f'{name}_file' if setter == 'default' and file != 'default' else setter}"
        return f"{name} = {_toml(value)}  # {setter}"

    def _set_by(self, place: _Place) -> str:
        if variable := variable_for(place, self.environment):
            return variable
        found: Any = self.raw
        for part in place:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return "default"
        return "file"


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(each, BaseModel) for each in value)


def _holds_secret(value: Any) -> bool:
    return isinstance(value, SecretStr) or (
        isinstance(value, Mapping) and any(isinstance(each, SecretStr) for each in value.values())
    )


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else quoted(name)


def _toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case Enum():
            return _toml(value.value)
        case int() | float():
            return repr(value)
        case Mapping():
            pairs = (f"{_key(str(name))} = {_toml(each)}" for name, each in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case tuple() | list():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            text = str(value)
            return quoted(mask_addresses(text) if "://" in text else text)
