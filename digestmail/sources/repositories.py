"""Addresses of code, in the many ways people write them down."""

from __future__ import annotations

import re

from digestmail.sources.parsed import web_address

# An owner has letters, digits and hyphens, a repository also dots and underscores.
_SHORT = re.compile(r"(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[\w.-]{1,100})", re.ASCII)
_GITHUB = re.compile(
    r"(?:https?://)?(?:www\.)?github\.com/" + _SHORT.pattern + r"(?:[/?#].*)?", re.ASCII | re.IGNORECASE
)


def repository_address(text: str | None) -> str | None:
    """Return where a repository can be looked at.

    For GitHub that is the repository itself, whether `text` is `owner/name` or an address with `.git` or a branch
    behind it; any other http or https address is kept as it is. None when it is no address.
    """
    # Line breaks get into addresses that were copied from a page; a repository has no white space.
    text = "".join((text or "").split())
    if _GITHUB.fullmatch(text) or _SHORT.fullmatch(text):
        name = repository_name(text)
        return f"https://github.com/{name}" if name else None
    return web_address(text)


def repository_name(text: str) -> str | None:
    """Return `owner/name` for a repository on GitHub that is named so, or by an address; None if it is none."""
    found = _GITHUB.fullmatch(text.strip()) or _SHORT.fullmatch(text.strip())
    name = found["name"].removesuffix(".git") if found else ""
    return f"{found['owner']}/{name}" if found and name.strip(".") else None
