"""Environment variables that override the configuration file: which are ours, and how their texts are read."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Collection, Iterator, Mapping

log = logging.getLogger("digestmail.config")
ENV_PREFIX = "DIGESTMAIL_"
ENV_DELIMITER = "__"
CONFIG_VARIABLE = "DIGESTMAIL_CONFIG"
_SERVICE_LINK = re.compile(
    r"([A-Z0-9]*_)*(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes, and Docker before it, puts into every container for a Service whose name begins with ours."""


def overrides(environment: Mapping[str, str]) -> bool:
    """Return whether a variable that is not empty may override a key."""
    ours = (name for name, value in environment.items() if value and name.upper().startswith(ENV_PREFIX))
    return any(name != CONFIG_VARIABLE for name in ours)


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
