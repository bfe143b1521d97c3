"""Authors' names out of the ways sources write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from digestmail.text.tex import readable

_GROUP = r"(?:collaborations?|consortium|project|team|working group)"
_GROUP_WORD = re.compile(rf"\b{_GROUP}\b", re.IGNORECASE)
_GROUP_COLON = re.compile(rf"(\b{_GROUP}\b):", re.IGNORECASE)
_ON_BEHALF = re.compile(rf"\(?\b(?:for|on behalf of) (?:the )?([^(),;:]{{1,80}}? {_GROUP})(?![^\W_])\)?", re.IGNORECASE)
# What points to an affiliation: $^{1,2}$, ^{1,2}, ^1, and stars and daggers behind the name.
_MARK = re.compile(r"\$\s?\^\s?(?:\{[^{}$]{0,40}\}|[^{}$])\s?\$|\^(?:\{[0-9,* ]{1,40}\}|[0-9*])")
_AROUND_NAMES = " ,;:*\\†‡§¶⁰¹²³⁴⁵⁶⁷⁸⁹"
# "And Rosta" is a name, "And Ann Lee" is one with what stood between it and the name before.
_LEADING_AND = r"(?:and|AND|&|\\and)(?= )|And(?= \S+ \S)"
_AND = re.compile(rf"^(?:{_LEADING_AND})| (?:and|And|AND|&|\\and)(?= )")
_BEGINS_WITH_AND = re.compile(rf"^(?:(?:{_LEADING_AND}) )+")
_SUFFIX = re.compile(r"(?:jr|sr|inc|ltd|llc|gmbh|corp)\.?|ii|iii|iv", re.IGNORECASE)
_NO_NAME = re.compile(
    r"(?:and )?(?:et al\.?|others)|ph\.? ?d\.?|d\.? ?phil\.?|[bm]\.? ?sc\.?|dr\.?|prof\.?", re.IGNORECASE
)
"""Nor is a degree behind the comma after a name."""
_ATOM = r"""[^\s<>()\[\]&;,:"@]"""
_ADDRESS = rf"(?<!{_ATOM})(?:mailto:)?{_ATOM}{{1,64}}@{_ATOM}{{1,255}}"
_ADDRESS_AND_NAME = re.compile(rf"{_ADDRESS}\s*+\(([^()]*+)\)")
_ANY_ADDRESS = re.compile(rf"(?:<|&lt;|\(|\[)\s*+{_ADDRESS}\s*+(?:>|&gt;|\)|\])|{_ADDRESS}")
# "J.-P.", "Ch. M." and "JP", but no word.
_INITIALS = r"(?:(?:[^\W\d_a-zß-öø-ÿ]\.?|[^\W\d_a-zß-öø-ÿ][^\W\d_]\.)[ -]?){1,4}"
_ONLY_INITIALS = re.compile(_INITIALS)
_GIVEN = re.compile(rf"[^\W\d_][\w'\u2019.-]*(?: {_INITIALS})?|{_INITIALS}")
_FAMILY = re.compile(r"(?:(?:[a-z]{1,3}|dell[ao]|v[ao]n) )*[^\W\d_][\w'\u2019.-]*")
_ACRONYM = re.compile(r"[^\W\d_a-zß-öø-ÿ]{3,}")
_MOST_READINGS = 8
_BRACKET = re.compile(r"[()]")
# What `readable` would not change in any of its parts.
_PLAIN = re.compile(r"(?:[\w ,;:.()']|-(?!-))*")
# "Xiaodong (Wesley) Chen": a word in brackets inside a name belongs to it.
_NICKNAME = re.compile(r"\([^\W\d_]{2,20}\)(?= (?!(?:and|for|on) )[^\W\d_])")


def split_authors(text: str) -> tuple[str, ...]:
    """Return the names in one string, as arXiv's `dc:creator` has them: `Name, Name (Affil, Affil), Name`.

    Affiliations in brackets, nested or numbered, go; commas inside them separate nothing. "and" separates like a
    comma, `Jr.` and `III` belong to the name before them, a collaboration is an author of its own. With semicolons
    names are `Family, Given`. Of a bracket that is never closed only what stands before the next comma is lost.
    Takes time linear in the length.
    """
    text = _MARK.sub("", " ".join(text.split()))
    text = _GROUP_COLON.sub(r"\1,", _ON_BEHALF.sub(r", \1, ", text))
    names = _with_suffixes(_parts(_without_brackets(text)))
    return _kept(names) if _PLAIN.fullmatch(text) else clean_names(names)


def split_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the authors in the fields that name them, which often is one field for all of them.

    Email addresses are left out. A list that stands there twice is one list: RSS names the authors in `author` and in
    `dc:creator`.
    """
    found = [name for field in names if (name := without_addresses(field).strip(' "'))]
    half = len(found) // 2
    if half and found[:half] == found[half:]:
        found = found[:half]
    if len(found) == 1:
        parts = [part.strip() for part in found[0].split(",") if part.strip()]
        pairs = list(zip(parts[::2], parts[1::2], strict=False))
        if len(parts) % 2 == 0 and all(_has_initials(family, given) for family, given in pairs):
            return clean_names(f"{initials} {family}" for family, initials in pairs)
        return split_authors(f"{found[0]};" if _is_inverted(found[0]) else found[0])
    return split_authors(";".join(found)) if all(map(_is_inverted, found)) else clean_names(found)


def without_addresses(names: str) -> str:
    """Return `names` without email addresses, which readers need not see: RSS wants `mail@example.org (Name)`."""
    return _ANY_ADDRESS.sub("", _ADDRESS_AND_NAME.sub(r"\1", names)) if "@" in names else names


def _is_inverted(text: str) -> bool:
    """Return whether a text is one name, `Family, Given`, and not two names, nor a name and what belongs to it."""
    family, _, given = (part.strip() for part in text.partition(","))
    if not _can_be_given(given) or "," in given or ";" in text:
        return False
    if _FAMILY.fullmatch(family):
        return True
    if _ONLY_INITIALS.fullmatch(family.rpartition(" ")[2]):
        return False  # "Doe J., Roe R."
    return _GIVEN.fullmatch(given) is not None and not _ACRONYM.fullmatch(given)


def _has_initials(family: str, given: str) -> bool:
    """Return whether the name before a comma is followed by initials, "Doe, J.-P.", and not by "MIT"."""
    if not _can_be_given(given) or not _ONLY_INITIALS.fullmatch(given):
        return False
    return _FAMILY.fullmatch(family) is not None or not _ACRONYM.fullmatch(given)


def _can_be_given(text: str) -> bool:
    """Return whether a text may be a given name: scripts without capitals have no comma in a name."""
    return _is_name(text) and not _SUFFIX.fullmatch(text) and text.lower() != text.upper()


def clean_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` readable and in order, without what is no name.

    Two people of one name are two authors; a collaboration named by several of them is one.
    """
    return _kept(_settled(_BEGINS_WITH_AND.sub("", " ".join(name.split()))) for name in names)


def _settled(name: str) -> str:
    """Return `name` readable for good: what one reading uncovers, such as a doubled backslash, is read again."""
    for _ in range(_MOST_READINGS):
        again = readable(name)
        if again == name:
            break
        name = again
    return name


def _kept(names: Iterable[str]) -> tuple[str, ...]:
    # Nearly every name begins and ends with a letter, and stripping many signs is slow.
    stripped = (name if name[:1].isalpha() and name[-1:].isalpha() else name.strip(_AROUND_NAMES) for name in names)
    stripped = (
        _without_and(name) if name[:3] in {"and", "And", "AND"} or name[:1] == "&" else name for name in stripped
    )
    kept: list[str] = []
    groups: set[str] = set()
    for name in filter(_is_name, stripped):
        if _GROUP_WORD.search(name):
            if name in groups:
                continue
            groups.add(name)
        kept.append(name)
    return tuple(kept)


def _without_and(name: str) -> str:
    """Return a name without the "and" that stood between it and the one before."""
    while (bare := _BEGINS_WITH_AND.sub("", name).strip(_AROUND_NAMES)) != name:
        name = bare
    return name


def _is_name(text: str) -> bool:
    return any(map(str.isalpha, text)) and not _NO_NAME.fullmatch(text)


def _without_brackets(text: str) -> str:
    """Return `text` without its brackets and what stands in them, nicknames excepted."""
    closings = _closings(text)
    kept: list[str] = []
    at = 0
    while bracket := _BRACKET.search(text, at):
        start = bracket.start()
        nickname = _NICKNAME.match(text, start)
        kept += (text[at:start], nickname[0] if nickname else " ")
        if nickname:
            at = nickname.end()
        elif bracket[0] == ")":
            at = start + 1
        else:
            comma = text.find(",", start)
            at = closings.get(start, (comma if comma >= 0 else len(text)) - 1) + 1
    return " ".join("".join((*kept, text[at:])).split())


def _closings(text: str) -> dict[int, int]:
    """Return where each bracket that is closed is closed."""
    closings = {}
    opened: list[int] = []
    for bracket in _BRACKET.finditer(text):
        if bracket[0] == "(":
            opened.append(bracket.start())
        elif opened:
            closings[opened.pop()] = bracket.start()
    return closings


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between separators."""
    if ";" not in text:
        yield from text.split(",")
        return
    for part in text.split(";"):
        family, comma, given = part.partition(",")
        if not comma or "," in given or _SUFFIX.fullmatch(given.strip()):
            yield from part.split(",")
        else:
            yield f"{given.strip()} {family.strip()}"


def _with_suffixes(parts: Iterable[str]) -> list[str]:
    """Return the names in `parts`, those joined by "and" apart, each with the suffix that a comma cut off."""
    names: list[str] = []
    for part in parts:
        # "the CMS and LHCb Collaborations" is one author.
        for piece in [part] if _GROUP_WORD.search(part) else _AND.split(part.strip()):
            name = piece.strip()
            if names and _SUFFIX.fullmatch(name):
                names[-1] += f" {name}"
            elif name:
                names.append(name)
    return names
