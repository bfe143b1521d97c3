r"""What macros of running text stand for: which are read through, which say nothing, and the characters of `\ding`."""

from __future__ import annotations

import re
from typing import Final

from digestmail.text.tex_math import FONTS

_SIZES = "tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge"
_THEOREMS = (
    "assumption", "claim", "conjecture", "corollary", "definition", "example", "lemma", "proof", "proposition",
    "remark", "theorem",
)  # fmt: skip

OPENINGS: Final = {
    # \b and \u are what is left of \textbf and \underline in some texts.
    **dict.fromkeys((*FONTS, "ac", "acp", "acs", "acf", "b", "href", "path", "title", "u", "url"), ("", "")),
    **dict.fromkeys(("Ac", "Acf", "acl", "Acl", "acrfull", "acrlong", "acrshort", "gls", "Gls", "GLS"), ("", "")),
    **dict.fromkeys(("glsentryshort", "glsentrytext", "glsxtrfull", "glsxtrlong", "glsxtrshort"), ("", "")),
    **dict.fromkeys(("glspl", "Glspl", "GLSpl"), ("", "s")),
    **dict.fromkeys(
        ("hl", "so", "sout", "st", "textls", "ul", "uline", "underbar", "uuline", "uwave", "xout"), ("", "")
    ),
    **dict.fromkeys(("MakeUppercase", "MakeLowercase", "uppercase", "lowercase", "MakeTextUppercase"), ("", "")),
    **dict.fromkeys(
        ("centerline", "fbox", "framebox", "makebox", "mathsmaller", "textsmaller", "textlarger"), ("", "")
    ),
    **dict.fromkeys(
        ("code", "lstinline", "nolinkurl", "num", "numprint", "si", "unit", "nicefont", "textlf"), ("", "")
    ),
    **dict.fromkeys(("SI", "qty"), ("", "")),
    "ang": ("", "°"),
    "footnote": (" (", ")"),
    "footnotetext": (" (", ")"),
    "thanks": (" (", ")"),
    "enquote": ("“", "”"),
    "keywords": ("Keywords: ", ""),
    "Keywords": ("Keywords: ", ""),
}
"""Macros that are read through: what stands for them, and for the brace that closes their argument."""

SKIPPED_ARGUMENTS: Final = {
    **dict.fromkeys(("textcolor", "color", "colorbox", "foreignlanguage", "hspace", "texorpdfstring", "vspace"), 1),
    **dict.fromkeys(("hypersetup", "pagestyle", "raisebox", "rotatebox", "scalebox", "selectlanguage", "setlength"), 1),
    **dict.fromkeys(("thispagestyle", "bibliographystyle", "bibliography", "phantomsection", "hyperref"), 1),
    **dict.fromkeys(("fcolorbox", "fontsize", "resizebox", "setcounter"), 2),
}
"""Macros whose first arguments say nothing to a reader, and how many those are; the next one is read."""

QUANTITIES: Final = frozenset(("SI", "qty"))
"""Macros with a number and a unit (siunitx)."""

ABBREVIATIONS: Final = {
    "eg": "e.g.", "ie": "i.e.", "etal": "et al.", "etc": "etc.", "vs": "vs.", "cf": "cf.", "wrt": "w.r.t.",
}  # fmt: skip

FORMULA_ENVIRONMENTS: Final = frozenset(
    f"{name}{star}"
    for name in ("align", "alignat", "aligned", "displaymath", "eqnarray", "equation", "flalign", "gather", "math",
                 "multline", "split")
    for star in ("", "*")
)  # fmt: skip
TEXT_ENVIRONMENTS: Final = frozenset(
    ("abstract", "center", "comment", "description", "document", "enumerate", "flushleft", "flushright", "itemize",
     "keywords", "list", "minipage", "quotation", "quote", "spacing", *_SIZES.split("|"), *_THEOREMS)
)  # fmt: skip
"""Environments that only change the look of a text."""

SWITCH: Final = re.compile(
    rf"\{{\s?\\(?:bf|em|it|rm|sc|sf|sl|tt|bfseries|itshape|scshape|ttfamily|cal|{_SIZES})(?![A-Za-z])\s?"
)

_STRAY_DINGBATS = {
    37: "☎", 42: "☛", 43: "☞", 72: "★", 108: "●", 110: "■", 115: "▲", 116: "▼", 117: "◆", 119: "◗", 168: "♣", 169: "♦",
    170: "♥", 171: "♠", 213: "→", 214: "↔", 215: "↕",
}  # fmt: skip
# Where runs of Zapf's characters begin in Unicode: https://www.unicode.org/Public/MAPPINGS/VENDORS/ADOBE/zdingbat.txt
_DINGBATS = ((33, 126, 0x2701), (161, 167, 0x2761), (172, 181, 0x2460), (182, 212, 0x2776), (216, 239, 0x2798),
             (241, 254, 0x27B1))  # fmt: skip


def dingbat(number: str) -> str | None:
    r"""Return the character that pifont's `\ding{number}` shows, None if there is none."""
    if not (number.isascii() and number.isdigit()):
        return None
    code = int(number[:4])
    for first, last, start in _DINGBATS:
        if code not in _STRAY_DINGBATS and first <= code <= last:
            return chr(start + code - first)
    return _STRAY_DINGBATS.get(code)
