"""CSV as spreadsheets write it: comma, semicolon or tab, UTF-8, UTF-16 or Windows-1252. Nothing is held in memory."""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

from digestmail.subscribers.csv_format import COLUMNS

_DELIMITERS = (",", ";", "\t")
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=([^\w\s"]|[\t ])"?\s*', re.IGNORECASE)
"""What Excel writes or reads in front of the header. Since Python 3.13, quotation marks and line ends are refused."""
_ALIASES = {
    "email": "address",
    "e-mail": "address",
    "mail": "address",
    "email address": "address",
    "e-mail address": "address",
    "email-address": "address",
    "email_address": "address",
}
_MAX_LINES_IN_ROW = 20
_FALLBACK = "digestmail-windows-1252"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32 first: its mark begins with that of UTF-16."""


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Decode what is not UTF-8 as Windows-1252, byte by byte; what is neither becomes a surrogate, and is refused."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    octets = error.object[error.start : error.end]
    return "".join(_one_octet(octets[at : at + 1]) for at in range(len(octets))), error.end


def _one_octet(octet: bytes) -> str:
    try:
        return octet.decode("cp1252")
    except UnicodeDecodeError:
        return octet.decode("ascii", "surrogateescape")


codecs.register_error(_FALLBACK, _windows_1252)


def open_table(path: Path, encoding: str | None = None) -> TextIO:
    """Open a CSV file as text, in `encoding` or the one it seems to be written in. Raises OSError or LookupError.

    A byte order mark says which one; without it, a NUL at every other place means UTF-16, and everything else is UTF-8,
    with octets that are not UTF-8 read as Windows-1252, which Excel writes on Windows in Western countries. Octets that
    contradict a mark or `encoding` are refused with their line.
    """
    if encoding is None:
        with path.open("rb") as file:
            encoding = _encoding_of(file.read(64))
        errors = {"utf-8": _FALLBACK, "utf-8-sig": "surrogateescape"}.get(encoding, "replace")
    else:
        codecs.lookup(encoding)
        errors = "surrogateescape"
    return path.open(encoding=encoding, errors=errors, newline="")


def _encoding_of(head: bytes) -> str:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if len(head) > 1 and head[1] == 0 and head[0]:
        return "utf-16-le"
    return "utf-16-be" if len(head) > 1 and head[0] == 0 and head[1] else "utf-8"


def rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield (number of its first line, cells) for each row of a CSV; a sentence for what is none (RFC 4180).

    A quotation mark that is not closed makes one line invalid: the following lines are rows of their own.

    The header says whether cells end with commas, semicolons or tabs, unless a line "sep=;" stands before it.
    """
    iterator = iter(lines)
    first = next(iterator, "")
    skipped = 0
    delimiter = _delimiter_of(first)
    if named := _SEPARATOR_LINE.fullmatch(first):
        delimiter, skipped = named[1], 1
        first = next(iterator, "")
    source = _Lines(chain([first] if first else [], iterator), skipped)
    width = 0
    while True:
        line = source.start_row()
        try:
            cells: list[str] | str = next(csv.reader(source, strict=True, delimiter=delimiter))
            width = width or len(cells)
            if source.number > line and len(cells) != width:
                cells = "invalid CSV: a quotation mark is not closed in this line"
        except StopIteration:
            return
        except csv.Error as error:
            cells = f"invalid CSV: {error}"
        if isinstance(cells, str):
            source.return_to_second_line()
        yield line, cells


class _Lines:
    """The lines of a file, which can be read again from the second line of a row on."""

    def __init__(self, lines: Iterable[str], number: int) -> None:
        self._rest = iter(lines)
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self.number = number
        """The number of the last line that was read."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._row) == _MAX_LINES_IN_ROW:
            raise csv.Error(f"a quotation mark is not closed within {_MAX_LINES_IN_ROW} lines")
        line = self._again.popleft() if self._again else next(self._rest)
        self.number += 1
        self._row.append(line)
        return line

    def start_row(self) -> int:
        """Return the number of the next line, which starts a row."""
        self._row.clear()
        return self.number + 1

    def return_to_second_line(self) -> None:
        """Read the lines of this row again, except the first one."""
        rest = self._row[1:]
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)


def _delimiter_of(header: str) -> str:
    """Return the delimiter that makes most columns of a header; a comma if none makes any."""
    known = {*COLUMNS, *_ALIASES}

    def columns(delimiter: str) -> int:
        return sum(column_name(cell.strip('"')) in known for cell in header.split(delimiter))

    return max(_DELIMITERS, key=columns)


def column_name(cell: str) -> str:
    """Return the column that a cell of the header names, as the project calls it."""
    name = " ".join(cell.replace("\ufeff", "").split()).lower()
    return _ALIASES.get(name, name)
