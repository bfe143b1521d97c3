"""Environment variables that override the configuration file: which are ours, and how their texts are read."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

log = logging.getLogger("digestmail.config")
ENV_PREFIX = "DIGESTMAIL_"
ENV_DELIMITER = "__"
CONFIG_VARIABLE = "DIGESTMAIL_CONFIG"
_SERVICE_LINK = re.compile(
    r"([A-Z0-9]*_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes, and Docker before it, puts into every container for a Service whose name begins with ours."""


class Environment(EnvSettingsSource):
    """The variables that override the file; an empty one counts as not set."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """Read JSON, or a list of texts separated by commas; return anything else as it is.

        Validation then names its key, together with every other problem.
        """
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type] # None for a dict
        except (ValueError, RecursionError):
            kinds = get_args(field.annotation) if field is not None else ()
            texts = kinds[1:] == (Ellipsis,) and str in {kinds[0], *get_args(kinds[0])[:1]}
            if not texts or value.lstrip().startswith(("[", "{")):
                return value
            return [part.strip() for part in value.split(",") if part.strip()]


def unknown_overrides(environment: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """Yield a problem for each variable that looks like a misspelt override; `known` are the top-level keys.

    Variables that only share our prefix are ignored, with one warning for all of them.
    """
    foreign: list[str] = []
    for name, value in environment.items():
        if not name.upper().startswith(ENV_PREFIX) or name == CONFIG_VARIABLE or not value:
            continue
        rest = name[len(ENV_PREFIX) :]
        first = rest.split(ENV_DELIMITER)[0].lower()
        if first in known:
            continue
        near = difflib.get_close_matches(first, known, n=1)
        if _SERVICE_LINK.fullmatch(rest.upper()) or not (near or ENV_DELIMITER in rest):
            foreign.append(name)
            continue
        hint = f"; did you mean {ENV_PREFIX}{near[0].upper()}?" if near else ""
        yield f"environment: {name} names no key{hint}"
    if foreign:
        log.warning("ignored environment variables that name no key: %s", ", ".join(sorted(foreign)))


def variable_for(place: tuple[int | str, ...], environment: Mapping[str, str]) -> str | None:
    """Return the variable that set the value at `place`, a path of keys, or the list that the value is in."""
    lengths = [len(place), *(at for at, part in enumerate(place) if isinstance(part, int))]
    for length in lengths:
        wanted = ENV_PREFIX + ENV_DELIMITER.join(str(part) for part in place[:length])
        for name, value in environment.items():
            if value and name.upper() == wanted.upper():
                return name
    return None
