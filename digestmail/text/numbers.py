"""Which numbers a text contains, however its language writes them. Pure."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Final

_RAISED: Final = re.compile("[\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+")
_OTHER_SEPARATORS: Final = str.maketrans({"\u066b": ".", "\u066c": ",", "\u2019": "'"})
_NUMBER: Final = re.compile(r"(?<![\w.,])\.[0-9]+|[0-9]+(?:[.,'\u00a0\u202f\u2009 ][0-9]+)*")
_SEPARATOR: Final = re.compile(r"[.,'\u00a0\u202f\u2009 ]")
_GROUP: Final = 3
_WORDS: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "hundred": 100, "thousand": 1000,
}  # fmt: skip
"""Number words of English, in which most abstracts are written. A summary may write them in digits."""
_WORD: Final = re.compile(r"[a-z]+")


def foreign_numbers(text: str, source: str) -> tuple[str, ...]:
    """Return the numbers in `text` that do not occur in `source`, as they are written.

    Two numbers are the same if one reading of each has the same value: 1,114 is 1114 or 1.114, 97,3 is 97.3 only. Of
    versions and dates, and of numbers that only a space joins, each part has to occur.
    """
    known = {Decimal(_WORDS[word]) for word in _WORD.findall(source.lower()) if word in _WORDS}
    for number in _numbers(source):
        readings = _readings(number)
        known.update(readings)
        if not readings or " " in number:
            known.update(_parts(number))
    return tuple(number for number in _numbers(text) if not _is_known(number, known))


def _is_known(number: str, known: set[Decimal]) -> bool:
    readings = _readings(number)
    return bool(known & readings) or ((not readings or " " in number) and known.issuperset(_parts(number)))


def _numbers(text: str) -> list[str]:
    """Return the numbers of a text, in ASCII digits. Raised and lowered digits are numbers apart."""
    apart = _RAISED.sub(lambda found: f" x{unicodedata.normalize('NFKC', found[0])}x ", text)
    return _NUMBER.findall("".join(_ascii_digit(one) for one in apart.translate(_OTHER_SEPARATORS)))


def _ascii_digit(one: str) -> str:
    if one.isascii():
        return one
    digit = unicodedata.digit(one, None)
    if digit is not None:
        return str(digit)
    value = unicodedata.numeric(one, None)
    # One half in one character is a number; letters that are numerals stay letters.
    return one if value is None or one.isalpha() else f"x{value:g}x"


def _readings(number: str) -> set[Decimal]:
    """Return the values that a number may have: its separators group thousands, or the last one is the decimal one."""
    parts = _SEPARATOR.split(number)
    separators = _SEPARATOR.findall(number)
    if not separators:
        return {Decimal(number)}
    *groups, last = parts
    readings = set()
    if _are_groups(parts):
        readings.add(Decimal("".join(parts)))
    if separators[-1] in ".," and separators[-1] not in separators[:-1] and (len(groups) == 1 or _are_groups(groups)):
        readings.add(Decimal(f"{''.join(groups) or '0'}.{last}"))
    return readings


def _are_groups(parts: list[str]) -> bool:
    """Return whether these are the thousands of one number: three digits each, but the first."""
    first, *others = parts
    return 0 < len(first) <= _GROUP and first[0] != "0" and all(len(part) == _GROUP for part in others)


def _parts(number: str) -> set[Decimal]:
    return {Decimal(part) for part in _SEPARATOR.split(number) if part}
