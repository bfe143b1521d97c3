"""Authors as bibliographies need them: a person in name parts, or a group whose name is one unit. Pure.

Sources give a name as one string, usually "Given Family". Which part is the family name cannot be known for every
name; the rules here are those of BibTeX ("Tame the BeaST", section 11.2), with exceptions for names that BibTeX is
known to split wrongly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from digestmail.papers.citations.plain import one_line, to_ascii


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonName:
    """A person's name. `particle` are the lower-case words before the family name (van der), `suffix` is Jr. or III."""

    family: str
    given: str = ""
    particle: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class GroupName:
    """A name that is never split: an organisation, a team, or a name of one word."""

    name: str


AuthorName: TypeAlias = PersonName | GroupName


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GROUP_WORDS: Final = _words(
    """
    academy agency alliance association authors centre center collaboration collaborations college committee community
    company consortium consortia contributors corp corporation council department developers ecole equipe experiment
    federation foundation gmbh group groups groupe grupo gruppe hospital inc initiative institut institute institutes
    instituto intelligence lab laboratories laboratory labs limited llc ltd members ministry mission museum network
    observatory organisation organization partnership project projects research robotics school science sciences society
    survey systems taskforce team teams technologies technology telescope union universidad universita universitat
    universite universiteit university workshop
    """
)
_GROUP_ENDINGS: Final = frozenset({"AI", "AG", "AGI", "SA"})
_GROUP_SIGNS: Final = ("&", "@", "/", "+", "|", " - ")
_GROUP_PHRASES = re.compile(r"\b(?:task force|working group|hugging face)\b", re.IGNORECASE)
# Words that no person's name contains in lower case. "in" does: Bart in 't Veld.
_JOINING_WORD = re.compile(r"(?<!\S)(?:and|at|for|of|on|the|und|with|in(?! ['\u2018\u2019]t |\sde[rnm]?\s))(?!\S)")
_COMPANY = re.compile(r"(?:inc|ltd|llc|corp|gmbh|co|plc|s\.?a|ag)\.?", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:[Jj]r|[Ss]r|JR|SR)\.?|II|III|IV|2nd|3rd|4th")
_DEGREE = re.compile(r"(?:Ph\.?\s?D|PhD|M\.?D|Esq)\.?")
_PARTICLES: Final = _words(
    """
    af al av ben bin bint da dal dalla das de dei degli del dela della den der des di do dos du el ibn in la las le los
    ten ter te 't ’t ‘t van vande vander vom von zu zum zur
    """
)
# Before the last word these belong to the family name although they are capitalized: Luc Van Gool, Nicolas Le Roux.
_CAPITALIZED_PARTICLES: Final = _words(
    "Al Da De Del Della Den Der Des Di Dos Du El La Le St. St Ste. Ter Van Vander Von"
)
_CONNECTIVES: Final = frozenset({"y", "e", "i"})
"""Between two family names: Ortega y Gasset, Puig i Cadafalch, Castro e Silva."""
_VIETNAMESE: Final = _words(
    """
    bui cao chau dang dao dinh do doan duong ha ho hoang huynh kieu lam le luong ly ma mai ngo nguyen pham phan quach ta
    thai to tran trinh truong vo vu
    """
)
"""Family names (Nguyen, Tran) beside which "Van" and "Le" are names of their own."""
_CJK = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LEADING_AND = re.compile(r"\A(?:and|&)\s+(?=\S)")
_OTHERS = re.compile(r"(?:and )?(?:others|et al\.?)", re.IGNORECASE)
_TWO: Final = 2


def author_names(names: tuple[str, ...], organization: str = "") -> tuple[AuthorName, ...]:
    """Return the authors in order, without empty names and without "et al.".

    A name that equals `organization` is a group.
    """
    cleaned = (_clean(name) for name in names)
    return tuple(_split(name, one_line(organization)) for name in cleaned if name and not _OTHERS.fullmatch(name))


def has_others(names: tuple[str, ...]) -> bool:
    """Return whether the list says that it is not complete ("et al.", "and others")."""
    return any(_OTHERS.fullmatch(one_line(name)) for name in names)


def _clean(name: str) -> str:
    """Return a name on one line, without the "and" that a list left before it."""
    name = one_line(name).strip(" ,;")
    return name if _OTHERS.fullmatch(name) else _LEADING_AND.sub("", name, count=1)


def _split(name: str, organization: str) -> AuthorName:
    if name.casefold() == organization.casefold() or _is_group(name):
        return GroupName(name)
    parts = [part for part in (part.strip() for part in name.split(",")) if part]
    return _natural(parts[0].split()) if len(parts) == 1 else _by_commas(parts) or GroupName(name)


def _by_commas(parts: list[str]) -> AuthorName | None:
    """Split a name with commas; None if it is in no order that is known."""
    match parts:
        case [whole, after] if _SUFFIX.fullmatch(after) or _DEGREE.fullmatch(after):
            return _natural([*whole.split(), after])
        case [family, given] if not _COMPANY.fullmatch(given):
            return _inverted(family, given)
        case [family, suffix, given] if _SUFFIX.fullmatch(suffix):
            return _inverted(family, given, suffix)
        case [family, given, suffix] if _SUFFIX.fullmatch(suffix):
            return _inverted(family, given, suffix)
    return None


def _is_group(name: str) -> bool:
    words = name.split()
    bare = [word.strip(".,;:()[]'\"“”") for word in words]
    if any(part in _GROUP_WORDS for word in bare for part in to_ascii(word).split("-")) or _GROUP_PHRASES.search(name):
        return True
    if _JOINING_WORD.search(name) or any(sign in name for sign in _GROUP_SIGNS):
        return True
    if any(char.isdigit() for word in bare if not _SUFFIX.fullmatch(word) for char in word):
        return True
    # Meta AI and Example AG, but not Ai Weiwei, and not QINGYAO AI in a list that is all capitals.
    return len(bare) > 1 and bare[-1] in _GROUP_ENDINGS and not all(word.isupper() for word in bare)


def _natural(words: list[str]) -> AuthorName:
    """Split a name in reading order: given names, particle, family name, suffix. A degree is not part of a name."""
    suffix = ""
    if len(words) >= _TWO and _DEGREE.fullmatch(words[-1]):
        words = words[:-1]
    if len(words) > _TWO and _SUFFIX.fullmatch(words[-1]):
        *words, suffix = words
    if len(words) == 1 or _SUFFIX.fullmatch(words[-1]) or _CJK.search("".join(words)):
        return GroupName(" ".join([*words, suffix] if suffix else words))
    start = _family_start(words)
    particle, family = _without_particle(words[start:])
    return PersonName(family=family, given=" ".join(words[:start]), particle=particle, suffix=suffix)


def _inverted(family: str, given: str, suffix: str = "") -> PersonName:
    particle, rest = _without_particle(family.split())
    return PersonName(family=rest, given=given, particle=particle, suffix=suffix)


def _family_start(words: list[str]) -> int:
    """Return the position of the first word of the family name, particle included."""
    last = len(words) - 1
    if all(word in _PARTICLES for word in words[:last]):
        return 0
    for at in range(1, last):
        if words[at] in _PARTICLES:
            return _capitalized_before(words, at)
    for at in range(2, last):
        if words[at] in _CONNECTIVES:
            return at - 1
    return _capitalized_before(words, last)


def _capitalized_before(words: list[str], at: int) -> int:
    """Return where capitalized particles directly before the position `at` begin."""
    if _VIETNAMESE & {to_ascii(words[0]), to_ascii(words[-1])}:
        return at
    all_capitals = " ".join(words).isupper()
    while at > 1 and (words[at - 1].title() if all_capitals else words[at - 1]) in _CAPITALIZED_PARTICLES:
        at -= 1
    return at


def _without_particle(words: list[str]) -> tuple[str, str]:
    """Return the lower-case particle that a family name begins with, and the rest of it."""
    at = 0
    while at < len(words) - 1 and words[at] in _PARTICLES:
        at += 1
    return " ".join(words[:at]), " ".join(words[at:])
