"""A paper as a BibTeX entry. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from digestmail.mail.placeholders import single_line
from digestmail.model.papers import Paper

_ESCAPED: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_"},
    }
)
_SMALL_WORDS: Final = frozenset({"a", "an", "the", "on", "of", "in", "for", "to", "and", "how", "is", "are", "do"})


def bibtex(paper: Paper) -> str:
    """Return `paper` as a BibTeX entry, UTF-8, every text escaped so that it stays one field."""
    kind, _, number = paper.id.partition(":")
    fields = {
        # A second pair of braces keeps the capitals of names.
        "title": f"{{{_text(paper.title)}}}",
        "author": " and ".join(f"{{{_text(name)}}}" if " and " in name else _text(name) for name in paper.authors),
        "year": str(paper.published_at.year) if paper.published_at else "",
    }
    if kind == "arxiv":
        category = paper.categories[0] if paper.categories else ""
        fields |= {"eprint": _text(number), "archivePrefix": "arXiv", "primaryClass": _text(category)}
    if kind == "doi":
        fields["doi"] = _text(number)
    fields["url"] = _address(paper.link)
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{_key(paper)},\n{lines}}}\n"


def _text(text: str) -> str:
    return single_line(text).translate(_ESCAPED)


def _address(link: str) -> str:
    return re.sub(r"[{}\\\s]", "", link)


def _key(paper: Paper) -> str:
    """Return a key such as `example2026skipping`: letters and digits only."""
    last = paper.authors[0].split()[-1] if paper.authors and paper.authors[0].split() else "anonymous"
    words = [word for word in map(_ascii, paper.title.split()) if word and word not in _SMALL_WORDS]
    year = str(paper.published_at.year) if paper.published_at else ""
    return f"{_ascii(last) or 'anonymous'}{year}{words[0] if words else ''}"


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", plain.lower())
