"""Secrets: what counts as one, how one is compared, and which are easy to guess. Pure, but for `new_secret`.

An empty secret is no secret: it opens nothing and hides nothing.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from digestmail.text.counts import counted

SHORTEST, LONGEST = 16, 200
"""Characters of a secret that you make up and that opens something."""
_GUARD: Final = re.compile(rf"[!-~]{{{SHORTEST},{LONGEST}}}")
_FEWEST_DIFFERENT: Final = 6
_SHORTEST_PASSWORD: Final = 8
_USER_INFO: Final = re.compile(r"^(\s*(?:[a-z][a-z0-9+.-]*:)?//)([^/?#]*:[^/]*|[^/?#]*)@", re.IGNORECASE)
_PLACEHOLDERS: Final = (
    "admin", "bearer", "change", "default", "digest", "digestmail", "example", "here", "hunter", "insert", "key",
    "letmein", "mail", "me", "my", "pass", "password", "please", "qwerty", "root", "sample", "secret", "some", "test",
    "the", "this", "token", "user", "webhook", "welcome", "your",
)  # fmt: skip
_NOTHING_ELSE: Final = re.compile(f"(?:{'|'.join(sorted(_PLACEHOLDERS, key=len, reverse=True))}|[^a-z])*")


def new_secret() -> str:
    """Return a secret that cannot be guessed, of letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(32)


def present(secret: str | None) -> str | None:
    """Return `secret`, or None if it is empty: an empty one is no secret."""
    return secret or None


def matches(given: str | None, secret: str | None) -> bool:
    """Return whether `given` is `secret`, in constant time; never when either of them is absent or empty."""
    if not given or not secret:
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode("utf-8", "surrogatepass"))


def guard_problem(secret: str) -> str | None:
    """Return a sentence saying why `secret` cannot guard anything, or None.

    It travels in an `Authorization` header, so it is made of visible ASCII (RFC 6750 section 2.1).
    """
    if _GUARD.fullmatch(secret):
        return None
    return f"a secret has {SHORTEST} to {LONGEST} characters of ASCII and no blanks; `openssl rand -hex 32` makes one"


def masked_address(url: str) -> str:
    """Return a web address for people: `***` instead of its password and the values of its query."""
    address, question, rest = _USER_INFO.sub(_without_password, url, count=1).partition("?")
    parts = re.split("[&;]", rest.partition("#")[0]) if question else []
    query = "&".join(f"{part.partition('=')[0]}=***" if "=" in part else "***" for part in parts)
    return address + question + query


def _without_password(found: re.Match[str]) -> str:
    user, colon, _ = found[2].partition(":")
    # A user name alone may be a token.
    return f"{found[1]}{user if colon else ''}:***@"


def weakness(secret: str) -> str | None:
    """Return why `secret` is easy to guess, in words that do not show it; None if nothing speaks against it."""
    if len(secret) < _SHORTEST_PASSWORD:
        return f"has only {counted(len(secret), 'character')}"
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return f"is made of only {counted(len(set(secret)), 'different character')}"
    if _NOTHING_ELSE.fullmatch(secret.lower()) and re.search("[a-z]", secret.lower()):
        return "is made of words that everybody tries first"
    if _is_sequence(secret):
        return "is a row of neighbouring characters"
    return None


def weaknesses(secrets: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return a sentence for each of `secrets`, by key path, that is weak or is used for another key too."""
    found: list[str] = []
    seen: dict[str, str] = {}
    for key, secret in secrets.items():
        if not secret:
            continue
        if (why := weakness(secret)) is not None:
            found.append(f"{key} {why}")
        if secret in seen:
            found.append(f"{key} is the same as {seen[secret]}: who knows one of them knows both")
        seen.setdefault(secret, key)
    return tuple(found)


def _is_sequence(secret: str) -> bool:
    steps = [ord(after) - ord(before) for before, after in pairwise(secret)]
    return sum(step in {-1, 0, 1} for step in steps) >= len(steps) * 3 / 4
