"""Entries of BibTeX and BibLaTeX files, split by bibtexparser. Pure.

Files come from strangers, so only the splitter is used, on a bounded number of blocks. Its middlewares would copy the
value of an `@string` into every field that names it, and undo the enclosing of fields that we do not need.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from digestmail.sources.reference_entry import LONGEST_FIELD, MOST_ENTRIES, ReferenceEntry

if TYPE_CHECKING:
    from bibtexparser.model import Block, Entry

BLOCK_START = re.compile(r"@[ \t]*[A-Za-z]\w{0,40}\s{0,20}[{(]")
_SPLITTER_START = re.compile(r"@\w*[ \t]*(?=[{(])")
"""What the splitter takes for the start of a block. It needs time and memory for each one, also inside values."""
_SIGN = re.compile(r"(?<!\\)[{}\"]")
# A sign of a DOI or an address, as programs write it in TeX; some do so again whenever they write.
_ESCAPED = re.compile(r"\{?(?<!\\)\\+(?:([_%&#~])|textunderscore(?:\{\}| )?)\}?")
_WORD = re.compile(r"[^\s#{}\"]+")
_NAMING = ("eprint", "doi", "url", "journal")
"""Fields with an arXiv id or a DOI. Google Scholar writes "arXiv preprint arXiv:2604.00001" into `journal`."""
_YEAR = re.compile(r"(?<![0-9])(?:1[5-9]|20)[0-9]{2}(?![0-9])")

# It logs every syntax error, with text of the file.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL + 1)


def read_bibtex(text: str) -> Iterator[ReferenceEntry | None]:
    """Yield the entries of a file; None for each that is broken or has no title. Entries over the limit are left out.

    An entry whose key or field name occurs twice is not broken: of two fields the first counts.
    """
    from bibtexparser.model import ExplicitComment, ImplicitComment, Preamble, String
    from bibtexparser.splitter import Splitter

    library = Splitter(_bounded(text)).split()
    strings = {block.key.lower(): _value(str(block.value), {}) for block in library.blocks if isinstance(block, String)}
    for block in library.blocks:
        if isinstance(block, ExplicitComment | ImplicitComment | Preamble | String):
            continue
        entry = _entry_of(block)
        yield None if entry is None else _read(entry, strings)


def _bounded(text: str) -> str:
    """Return the beginning of `text` with at most as many blocks as are read."""
    over = next(islice(_SPLITTER_START.finditer(text), MOST_ENTRIES, None), None)
    return text if over is None else text[: over.start()]


def _entry_of(block: Block) -> Entry | None:
    """Return the entry of a block, also of one that the splitter refuses because a name occurs twice in it."""
    from bibtexparser.model import DuplicateBlockKeyBlock, DuplicateFieldKeyBlock, Entry

    if isinstance(block, DuplicateBlockKeyBlock | DuplicateFieldKeyBlock):
        inner = block.ignore_error_block
        return _entry_of(inner) if inner is not None else None
    return block if isinstance(block, Entry) else None


def _read(entry: Entry, strings: Mapping[str, str]) -> ReferenceEntry | None:
    fields: dict[str, str] = {}
    for field in entry.fields:
        fields.setdefault(field.key.lower(), str(field.value))

    def value(name: str) -> str:
        return _value(fields.get(name, ""), strings)

    title = ": ".join(filter(None, (value("title").strip(), value("subtitle").strip())))
    if not title:
        return None
    year = _YEAR.search(value("year") or value("date"))
    return ReferenceEntry(
        title=title,
        abstract=value("abstract"),
        year=int(year[0]) if year else 0,
        named=tuple(_ESCAPED.sub(_sign_of, value(name)).strip() for name in _NAMING),
        tex=True,
    )


def _value(raw: str, strings: Mapping[str, str]) -> str:
    """Return the text of a field: pieces in braces or quotation marks, and names of `strings`, joined by `#`."""
    pieces: list[str] = []
    at = length = 0
    while at < len(raw) and length < LONGEST_FIELD:
        if raw[at] in '{"':
            end = _end_of_piece(raw, at)
            piece, at = raw[at + 1 : end], end + 1
        elif raw[at] == "=":
            return ""  # that of the next field: there is no comma before it
        elif word := _WORD.match(raw, at):
            piece, at = strings.get(word[0].lower(), word[0]), word.end()
        else:
            at += 1
            continue
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces)[:LONGEST_FIELD]


def _sign_of(escaped: re.Match[str]) -> str:
    return escaped[1] or "_"


def _end_of_piece(raw: str, start: int) -> int:
    """Return where the piece that begins at `start` with a brace or a quotation mark ends."""
    depth = 0
    for sign in _SIGN.finditer(raw, start + 1):
        if sign[0] == "{":
            depth += 1
        elif depth == 0 and (sign[0] == '"') == (raw[start] == '"'):
            return sign.start()
        elif sign[0] == "}":
            depth -= 1
    return len(raw)
