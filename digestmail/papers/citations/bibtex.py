"""BibTeX entries, in UTF-8, for BibTeX, biber, pandoc, Zotero and JabRef. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from digestmail.papers.citations.authors import AuthorName, GroupName
from digestmail.papers.citations.reference import Reference

_ESCAPED: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}
_LONE_BRACE: Final = {"{": r"\textbraceleft{}", "}": r"\textbraceright{}"}
_WORD = re.compile(r"[^\W_](?:.*[^\W_])?", re.DOTALL)
_AND = re.compile(r"(?<!\S)(and)(?!\S)", re.IGNORECASE)


def bibtex_entry(reference: Reference) -> str:
    """Return `reference` as one entry that ends with a line end.

    The type is @misc with `eprint`, `archivePrefix` and `primaryClass`, as arXiv recommends: no journal is known.
    """
    authors = [_author(author) for author in reference.authors]
    if authors and reference.more_authors:
        authors.append("others")
    fields = {
        "title": _title(reference.title),
        "author": " and ".join(authors),
        "year": f"{reference.published_on.year:04d}" if reference.published_on else "",
        "eprint": _verbatim(reference.arxiv_id),
        "archivePrefix": "arXiv" if reference.arxiv_id else "",
        "primaryClass": _escaped(reference.primary_category),
        "doi": _verbatim(reference.doi),
        "url": _verbatim(reference.url),
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{reference.key},\n{lines}}}\n"


def _title(title: str) -> str:
    """Return a title in which each word with a capital is in braces, which keep styles from changing it.

    The first word needs them only for other capitals than its first letter. Braces around the whole title would not
    do: Better BibTeX ignores them.
    """
    pieces = _escaped_pieces(title)
    words: list[str] = []
    for number, word in enumerate(_words(title)):
        shown = "".join(pieces[at] for at in range(*word))
        found = _WORD.search(title[slice(*word)])
        capitals = found[0][1:] if found and not number else found[0] if found else ""
        if found and any(map(str.isupper, capitals)):
            before, after = word[0] + found.start(), word[0] + found.end()
            inner = "".join(pieces[before:after])
            shown = "".join(pieces[word[0] : before]) + f"{{{inner}}}" + "".join(pieces[after : word[1]])
        words.append(shown)
    return " ".join(words)


def _words(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each word begins and ends."""
    for found in re.finditer(r"\S+", text):
        yield found.span()


def _author(author: AuthorName) -> str:
    """Return `particle Family, Suffix, Given`, or the name of a group in braces."""
    if isinstance(author, GroupName):
        return f"{{{_escaped(author.name)}}}"
    family = _family(author.family)
    last = f"{author.particle} {family}" if author.particle else family
    parts = (last, *map(_escaped, filter(None, (author.suffix, author.given))))
    return ", ".join(_AND.sub(r"{\1}", part) for part in parts)


def _family(family: str) -> str:
    """Return a family name; in braces if BibTeX would take lower-case words inside it for a particle."""
    escaped = _escaped(family)
    words = family.split()
    return f"{{{escaped}}}" if len(words) > 1 and any(word[0].islower() for word in words[:-1]) else escaped


def _escaped(text: str) -> str:
    """Return `text` as TeX."""
    return "".join(_escaped_pieces(text))


def _escaped_pieces(text: str) -> list[str]:
    r"""Return each character of `text` as TeX.

    BibTeX counts braces whether a backslash precedes them or not, so only pairs become `\{` and `\}`.
    """
    pieces = [_ESCAPED.get(char) or _LONE_BRACE.get(char) or char for char in text]
    opened: list[int] = []
    for at, char in enumerate(text):
        if char == "{":
            opened.append(at)
        elif char == "}" and opened:
            pieces[opened.pop()] = r"\{"
            pieces[at] = r"\}"
    return pieces


def _verbatim(text: str) -> str:
    """Return an identifier or an address, which biber and hyperref read without TeX's rules."""
    return "".join(f"%{ord(char):02X}" if char in "{}\\" else char for char in text)
