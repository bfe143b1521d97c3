"""Is this bit of a text TeX at all? What stands between dollars may be prices, what stands between braces a set."""

from __future__ import annotations

import re

_PROTECTED = re.compile(r"\{[A-Z][A-Za-z0-9]{0,15}\}|\{[,.-]\}|\{[^\W\d_a-z]\}|\{[-+<>=~/*|]{1,2}\}")
# BibTeX also protects whole names, `{BibTeX}`; without a small letter or with blanks it may be a placeholder or a set.
_SMALL_LETTERS = re.compile(r"\{[a-z]{1,2}\}(?=[a-z])")
_PROTECTED_NAME = re.compile(r"\{(?=[A-Za-z0-9-]*[a-z])[A-Za-z0-9]+[A-Z][A-Za-z0-9-]*\}")
_BARE = re.compile(r"[-+<>=~/*|]{1,2}|\s*[0-9][0-9.,]*\s+|\s+[0-9][0-9.,]*\s*")
_ESCAPED_SIGN = re.compile(r"\\[%&$#_]")
_PROSE = re.compile(r"[A-Za-z]{2,}[,.]? [A-Za-z]{2,}")
_WORDS = re.compile(r"[A-Za-z]{2,}\s|\s[A-Za-z]{3,}")


def is_formula(tex: str, after: str) -> bool:
    """Say whether what stands between two dollars is a formula, and not the text between two prices."""
    if "\\" in _ESCAPED_SIGN.sub("", tex) or _BARE.fullmatch(tex.strip("{}")):
        return True
    if not tex.strip() or _PROSE.search(tex) or (tex[0].isdigit() and _WORDS.search(tex)):
        return False
    if after.isdigit() and "^" not in tex and "_" not in tex:
        return False
    spaced = tex[0] == " ", tex[-1] == " "
    return not any(spaced) or (all(spaced) and not tex[1].isdigit())


def protects_letters(text: str, opening: int, closing: int) -> bool:
    """Return whether two braces keep BibTeX from changing letters: `symmet{R}y`, `5{,}084`, `{BibTeX}`."""
    before = text[text.rfind(" ", 0, opening) + 1 : opening]
    if "/" in before or "\\" in before:
        return False
    if _PROTECTED_NAME.match(text, opening) or (not before and _SMALL_LETTERS.match(text, opening)):
        return True
    after = text[closing + 1 : closing + 2]
    return bool(_PROTECTED.match(text, opening)) and (before[-1:].isalnum() or after.isalpha())
