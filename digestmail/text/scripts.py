"""Exponents and indices in plain text: x², CO₂, x^(p+q). Pure."""

from __future__ import annotations

import re

_RAISED = dict(
    zip("0123456789+-−=()abcdefghijklmnoprstuvwxyzT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ", strict=True)
)
# Unicode has some letters too, but few fonts have them.
_LOWERED = dict(zip("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎", strict=True))
_LONGEST_SCRIPT = 6
_MARKS = frozenset((*_RAISED.values(), *_LOWERED.values(), "_"))
_STANDS_RAISED = re.compile(r"[′°*†‡]+")
_SYMBOLS_RAISED = str.maketrans("∘∗⋆⊤", "°**T")
_A_WORD = re.compile(r"[^\W\d_]{3}")
ONE_THING = re.compile(r"[\w.′°*∞⁺⁻⁽⁾₊₋\u0300-\u036f]+|\([^()]*\)")
"""What needs no brackets around it."""
_ORDINALS = frozenset({"st", "nd", "rd", "th", "tm", "sm"})
_SHORT = re.compile(r"[\w.,′°*†‡∞∘⋆⊤∗+=()\-−]{1,12}")


def raised(text: str) -> str:
    """Return `text` as an exponent: of raised signs where Unicode has them all, else after a ^."""
    text = text.strip().translate(_SYMBOLS_RAISED)
    if text == "circ":  # what Hugging Face leaves of \circ
        return "°"
    if _STANDS_RAISED.fullmatch(text):
        return text
    return _script("^", text, _RAISED)


def lowered(text: str) -> str:
    """Return `text` as an index: of lowered signs where Unicode has them all, else after a _."""
    return _script("_", text.strip(), _LOWERED)


def _script(sign: str, text: str, marks: dict[str, str]) -> str:
    if len(text) <= _LONGEST_SCRIPT and not _A_WORD.search(text) and all(character in marks for character in text):
        return "".join(marks[character] for character in text)
    # Without brackets x_(pᵉ) would read as (x_p)ᵉ.
    plain = ONE_THING.fullmatch(text) and (text[0] == "(" or _MARKS.isdisjoint(text))
    return sign + (text if plain else f"({text})")


def script_of_markup(name: str, text: str) -> str:
    """Return the text of an HTML or XML element `sup` or `sub`. Words, ordinals and notes are left as they are."""
    bare = text.strip()
    if not _SHORT.fullmatch(bare) or _A_WORD.search(bare) or bare.lower() in _ORDINALS:
        return text
    return raised(bare) if name.lower() == "sup" else lowered(bare)
