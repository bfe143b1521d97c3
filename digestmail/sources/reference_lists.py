"""Reading lists that are files of the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from digestmail.errors import SourceUnavailableError
from digestmail.model.papers import Skipped
from digestmail.sources.reading_list import ListedPaper, ListReading, list_reading
from digestmail.sources.reference_file import read_references

_MOST_BYTES: Final = 20_000_000
"""The size of a file that the operator named."""


class ReferenceLists:
    """BibTeX and RIS files."""

    def __init__(self, base: Path) -> None:
        """Read files whose paths begin at `base`."""
        self._base = base

    def read(self, reference: str, validator: str = "") -> ListReading:
        """Read the file `reference`. `validator` is its size and time of change at the last reading.

        Raises SourceUnavailableError or SourceUnreadableError.
        """
        path = self._base / reference
        try:
            state = path.stat()
            current = f"{state.st_size} {state.st_mtime_ns}"
            if current == validator:
                return ListReading(unchanged=True, validator=validator)
            content = path.read_bytes() if state.st_size <= _MOST_BYTES else None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SourceUnavailableError(f"{path}: {why}") from error
        if content is None:
            raise SourceUnavailableError(f"{path}: larger than {_MOST_BYTES:,} bytes; export a part of the library")
        found = read_references(content, most_bytes=_MOST_BYTES)
        papers = [ListedPaper(title=paper.title, abstract=paper.abstract) for paper in found.papers]
        skipped = [Skipped(entry=reference, reason="broken, or without a title")] * found.broken
        return list_reading([*papers, *skipped], current)
