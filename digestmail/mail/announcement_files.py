"""Reads announcements from files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from digestmail.errors import AnnouncementError
from digestmail.mail.announcements import read_announcement
from digestmail.model.editions import Announcement

_MOST_OCTETS: Final = 200_000
"""More than any announcement has. A larger file is something else, and is not read."""


def load_announcement(path: Path) -> Announcement:
    """Return the announcement in the UTF-8 file at `path`. Raises AnnouncementError, and OSError without a file."""
    with path.open("rb") as file:
        content = file.read(_MOST_OCTETS + 1)
    if len(content) > _MOST_OCTETS:
        raise AnnouncementError([f"{path.name} has more than {_MOST_OCTETS:,} bytes: is it a Markdown file?"])
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise AnnouncementError([f"{path.name}, line {line}: is not UTF-8: save the file as UTF-8"]) from error
    try:
        return read_announcement(text)
    except AnnouncementError as error:
        raise AnnouncementError([f"{path.name}, {problem}" for problem in error.problems]) from error
