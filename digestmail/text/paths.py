"""The paths of public pages, which emails link to."""

from __future__ import annotations

from urllib.parse import quote


def paper_path(paper_id: str) -> str:
    """Return the path of a paper's page."""
    return f"/papers/{quote(paper_id, safe=':')}"
