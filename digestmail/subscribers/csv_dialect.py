"""CSV as spreadsheets write it: comma, semicolon or tab, UTF-8, UTF-16 or Windows-1252. Nothing is held in memory."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

from digestmail.subscribers.csv_format import COLUMNS

_DELIMITERS = (",", ";", "\t")
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?\s*', re.IGNORECASE)
"""What Excel writes or reads in front of the header."""
_ALIASES = {
    "email": "address",
    "e-mail": "address",
    "mail": "address",
    "email address": "address",
    "e-mail address": "address",
    "email-address": "address",
    "email_address": "address",
}
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

    The header says whether cells end with commas, semicolons or tabs, unless a line "sep=;" stands before it.
    """
    iterator = iter(lines)
    first = next(iterator, "")
    skipped = 0
    delimiter = _delimiter_of(first)
    if named := _SEPARATOR_LINE.fullmatch(first):
        delimiter, skipped = named[1], 1
        first = next(iterator, "")
    reader = csv.reader(chain([first] if first else [], iterator), strict=True, delimiter=delimiter)
    while True:
        line = reader.line_num + 1 + skipped
        try:
            cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = f"invalid CSV: {error}"
        yield line, cells


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
