r"""One bit of TeX, such as a formula, as plain text: pylatexenc parses it, the tables here say what stands for what.

What neither pylatexenc nor this module knows stays as it was typed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from pylatexenc import latex2text, latexwalker
from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, SpecialsTextSpec
from pylatexenc.latexwalker import LatexWalker, LatexWalkerError
from pylatexenc.macrospec import LatexContextDb, MacroSpec, MacroStandardArgsParser, SpecialsSpec

from digestmail.text.scripts import ONE_THING, lowered, raised

LONGEST_BIT = 1_000
"""Characters; pylatexenc is recursive, so longer or deeper bits stay as they are."""
_DEEPEST_BIT = 12

_DOUBLE_STRUCK = str.maketrans("CHNPQRZ", "ℂℍℕℙℚℝℤ")

FONTS = (
    "bm", "boldsymbol", "colorbox", "emph", "ensuremath", "hbox", "mathbf", "mathbin", "mathcal", "mathds", "mathfrak",
    "mathit", "mathnormal", "mathop", "mathrel", "mathrm", "mathscr", "mathsf", "mathtt", "mbox", "overbrace",
    "pmb", "smash", "texorpdfstring", "text", "textbf", "textcolor", "textit", "textmd", "textnormal",
    "textrm", "textsc", "textsf", "textsl", "texttt", "textup", "underbrace", "underline",
)  # fmt: skip
"""Macros of which only the last argument is to be read."""
OPERATORS = (
    "Pr", "arccos", "arcsin", "arctan", "arg", "argmax", "argmin", "bmod", "cos", "cosh", "cot", "coth", "csc", "deg",
    "det", "dim", "exp", "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min", "mod",
    "sec", "sin", "sinh", "sup", "tan", "tanh",
)  # fmt: skip
SILENT = (
    "!", "-", "/", "@", "Big", "Bigg", "Biggl", "Biggr", "Bigl", "Bigr", "allowbreak", "bf", "bfseries", "big", "bigg",
    "bigskip", "biggl", "biggr", "bigl", "bigr", "boldmath", "cal", "centering", "clearpage", "color", "displaystyle",
    "em", "footnotemark", "footnotesize", "hfill", "hphantom", "hspace", "huge", "Huge", "ignorespaces", "indent", "it",
    "item", "itshape", "label", "large", "Large", "LARGE", "leavevmode", "left", "limits", "linebreak", "maketitle",
    "mdseries", "medskip", "middle", "newpage", "noindent", "nolimits", "nonumber", "normalfont", "normalsize", "notag",
    "pagebreak", "phantom", "protect", "raggedright", "relax", "right", "rm", "rmfamily", "sc", "scriptscriptstyle",
    "scriptsize", "scriptstyle", "scshape", "selectfont", "sf", "sffamily", "small", "smallskip", "tag", "textstyle",
    "tiny", "tt", "ttfamily", "unboldmath", "upshape", "vfill", "vphantom", "vspace", "xspace",
)  # fmt: skip
"""Macros, with their arguments, that say nothing to a reader."""
SYMBOLS: dict[str, str] = {
    spec.macroname: spec.simplify_repl
    for spec in latex2text.get_default_latex_context_db().iter_macro_specs()
    if isinstance(spec.simplify_repl, str) and not re.search("[%<\n]", spec.simplify_repl)
} | {
    "%": "%", "|": "‖", ">": " ", "\\": "; ", "S": "§", "P": "¶", "copyright": "©", "LaTeX": "LaTeX",
    "TeX": "TeX", "prime": "′", "epsilon": "ε", "phi": "φ", "neg": "¬", "land": "∧", "lor": "∨", "ne": "≠",
    "gets": "←", "iff": "⇔", "implies": "⇒", "bot": "⊥", "checkmark": "✓", "cmark": "✓", "xmark": "✗", "lt": "<",
    "gt": ">", "textless": "<", "textgreater": ">", "textasciicircum": "^", "colon": ":",
    "coloneqq": ":=", "models": "⊨", "lbrack": "[", "rbrack": "]", "textbar": "|", "slash": "/", "degree": "°",
    "quad": " ", "qquad": " ", "newline": " ", "par": " ", "textunderscore": "_", "and": "·",
}  # fmt: skip
_WIDE_MARKS = {"overline": "\u0305", "widehat": "\u0302", "widetilde": "\u0303"}
_WORD_ACCENTS = ("acute", "bar", "breve", "check", "ddot", "dot", "grave", "hat", "not", "tilde", "vec")
_ACCENTS = (*"'`\"^~=.bcdHkruv", *_WORD_ACCENTS)


def _arguments(node: Any, reader: Any) -> list[str]:
    given = node.nodeargd.argnlist if node.nodeargd and node.nodeargd.argnlist else ()
    return [reader.nodelist_to_text([argument]) for argument in given if argument is not None]


def _grouped(text: str) -> str:
    return text if ONE_THING.fullmatch(text) else f"({text})"


def _last_argument(node: Any, l2tobj: Any) -> str:
    return "".join(_arguments(node, l2tobj)[-1:])


def _marked(node: Any, l2tobj: Any) -> str:
    """Put the mark on a single letter; over more of them it would not read."""
    text = _last_argument(node, l2tobj)
    return unicodedata.normalize("NFC", text + _WIDE_MARKS[node.macroname]) if len(text) == 1 else text


def _double_struck(node: Any, l2tobj: Any) -> str:
    return _last_argument(node, l2tobj).translate(_DOUBLE_STRUCK)


def _unknown(node: Any, l2tobj: Any) -> str:
    return "".join((node.macroname, *_arguments(node, l2tobj)))


def _operator(node: Any, l2tobj: Any) -> str:
    r"""Keep names such as log apart from the letters around them: `n\log n` is "n log n"."""
    name = _last_argument(node, l2tobj) or node.macroname
    source, end = node.parsing_state.s, node.pos + node.len
    before, after = source[: node.pos][-1:], source[end : end + 2].lstrip("\\{")
    return (" " if before.isalnum() or before == ")" else "") + name + (" " if after[:1].isalnum() else "")


def _fraction(node: Any, l2tobj: Any) -> str:
    return "/".join(map(_grouped, _arguments(node, l2tobj)))


def _root(node: Any, l2tobj: Any) -> str:
    *index, radicand = _arguments(node, l2tobj) or [""]
    return raised("".join(index)).removeprefix("^") + "√" + _grouped(radicand)


def _binomial(node: Any, l2tobj: Any) -> str:
    return f"binom({', '.join(_arguments(node, l2tobj))})"


def _modulus(node: Any, l2tobj: Any) -> str:
    return f" (mod {_last_argument(node, l2tobj)})"


def _link(node: Any, l2tobj: Any) -> str:
    address, shown = _arguments(node, l2tobj) or ("", "")
    return shown if address in shown else f"{shown} ({address})"


def _stacked(node: Any, l2tobj: Any) -> str:
    above, base = _arguments(node, l2tobj) or ("", "")
    return f"{base}({above})"


def _arrow(node: Any, l2tobj: Any) -> str:
    above = _last_argument(node, l2tobj)
    return f"→({above})" if above.strip() else "→"


def _superscript(node: Any, l2tobj: Any) -> str:
    return raised(_last_argument(node, l2tobj))


def _subscript(node: Any, l2tobj: Any) -> str:
    return lowered(_last_argument(node, l2tobj))


_CONVERTED = {
    **dict.fromkeys(FONTS, _last_argument),
    **dict.fromkeys((*OPERATORS, "operatorname"), _operator),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"), _fraction),
    **dict.fromkeys(("binom", "dbinom", "tbinom"), _binomial),
    **dict.fromkeys(("xrightarrow", "xlongrightarrow"), _arrow),
    **dict.fromkeys(("mathbb", "mathbbm"), _double_struck),
    **dict.fromkeys(("overset", "stackrel", "underset"), _stacked),
    **dict.fromkeys(_WIDE_MARKS, _marked),
    "href": _link,
    "sqrt": _root,
    "pmod": _modulus,
    "textsuperscript": _superscript,
    "textsubscript": _subscript,
}
TAKING_ARGUMENTS = frozenset((*_CONVERTED, *_WORD_ACCENTS)).difference(OPERATORS)
"""Macros that are read together with their arguments."""
# What these take is not in pylatexenc's own list.
_SIGNATURES = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac", "sfrac", "binom", "dbinom", "tbinom"), "{{"),
    **dict.fromkeys(("bm", "boldsymbol", "hbox", "hspace", "mathbbm", "mathbin", "mathds", "mathnormal"), "{"),
    **dict.fromkeys(("mathop", "mathrel", "operatorname", "phantom", "pmb", "pmod", "smash", "tag", "textnormal"), "{"),
    **dict.fromkeys(("textsubscript", "textsuperscript", "vspace"), "{"),
    **dict.fromkeys(("href", "overset", "stackrel", "underset"), "{{"),
    "xlongrightarrow": "[{",
}  # fmt: skip


def _walker_context() -> LatexContextDb:
    context = latexwalker.get_default_latex_context_db().filter_context(
        keep_categories=["latex-base"], keep_which=["macros", "environments"]
    )
    context.add_context_category(
        "readable",
        macros=[MacroSpec(name, signature) for name, signature in _SIGNATURES.items()],
        specials=[
            SpecialsSpec("^", args_parser=MacroStandardArgsParser("{")),
            SpecialsSpec("_", args_parser=MacroStandardArgsParser("{")),
            SpecialsSpec("~"),
            SpecialsSpec("&"),
        ],
        prepend=True,
    )
    return context


def _text_context() -> LatexContextDb:
    defaults = latex2text.get_default_latex_context_db()
    context = LatexContextDb()
    context.add_context_category(
        "readable",
        macros=[
            *(MacroTextSpec(name, simplify_repl=text) for name, text in SYMBOLS.items()),
            *(defaults.get_macro_spec(name) for name in _ACCENTS),
            *(MacroTextSpec(name, discard=True) for name in SILENT),
            *(MacroTextSpec(name, simplify_repl=convert) for name, convert in _CONVERTED.items()),
        ],
        specials=[
            SpecialsTextSpec("^", simplify_repl=_superscript),
            SpecialsTextSpec("_", simplify_repl=_subscript),
            SpecialsTextSpec("~", simplify_repl=" "),
            SpecialsTextSpec("&", simplify_repl=" "),
        ],
    )
    context.set_unknown_macro_spec(MacroTextSpec("", simplify_repl=_unknown))
    return context


_WALKER_CONTEXT = _walker_context()
_TO_TEXT = LatexNodes2Text(latex_context=_text_context(), math_mode="text", strict_latex_spaces=True)

_KNOWN = frozenset((*SYMBOLS, *_CONVERTED, *SILENT, *_ACCENTS, "begin", "end"))
_BARE_PERCENT = re.compile(r"(?<!\\)%")
# pylatexenc would take the Greek letter in `\kerφ` for a part of the name.
_GLUED_NAME = re.compile(r"(\\[A-Za-z]+)(?=[^\x00-\x7f])")
_INVISIBLE_BRACKET = re.compile(r"\\(?:left|right)\s*\.")
# `x_\mathrm{max}`: TeX takes the macro with its argument, pylatexenc the macro alone.
_SCRIPT_MACRO = re.compile(r"([_^])\s*(\\[A-Za-z]+(?:\{[^{}]*+\})+)")
# Authors' own macros: of `\GF{13}` its braces have to be seen.
_OWN_MACRO = re.compile(r"\\([A-Za-z]+)\{([^{}]*+)\}")
_PRIMES = re.compile(r"(?<=[\w)\]}])'+(?![A-Za-z])")
_RELATIONS = "≤≥≠≈≡∼≃≅≪≫<>=∈∉⊂⊆⊃⊇→←↔⇒⇔↦×·±∓∝∩∪∧∨∘⊕⊗∗≲≳"
_UNEVEN_AFTER = re.compile(rf"(?<=[^\s(])([{_RELATIONS}]) (?=\S)")
_UNEVEN_BEFORE = re.compile(rf" ([{_RELATIONS}])(?=[^\s{_RELATIONS}])")
_INSIDE_BRACKETS = re.compile(r"(?<=[(\[⌊⌈⟨]) | (?=[)\],;⌋⌉⟩])")
BRACE = re.compile(r"\\.|[{}]")
_NESTING = re.compile(r"\\(?:begin|[(\[]|(?:[A-Za-z]+|\\)\s*\*?\s*\[)")


def read_formula(tex: str) -> str | None:
    """Return one bit of TeX (without dollars) as text, None if it is not TeX after all."""
    return None if len(tex) > LONGEST_BIT else _read_formula(tex)


@lru_cache(maxsize=1 << 13)
def _read_formula(tex: str) -> str | None:
    if _depth(tex) > _DEEPEST_BIT:
        return None
    tex = _GLUED_NAME.sub(r"\1 ", _BARE_PERCENT.sub(r"\\%", _INVISIBLE_BRACKET.sub(" ", tex)))
    tex = _PRIMES.sub(lambda primes: "′" * len(primes[0]), _SCRIPT_MACRO.sub(r"\1{\2}", tex))
    tex = _OWN_MACRO.sub(lambda macro: macro[0] if macro[1] in _KNOWN else f"{macro[1]}({macro[2]})", tex)
    try:
        nodes = LatexWalker(tex, latex_context=_WALKER_CONTEXT, tolerant_parsing=False).get_latex_nodes()[0]
    except LatexWalkerError:
        return None
    text = " ".join(_TO_TEXT.nodelist_to_text(nodes).split())
    text = _UNEVEN_BEFORE.sub(r" \1 ", _UNEVEN_AFTER.sub(r"\1", text))
    return _INSIDE_BRACKETS.sub("", text)


def _depth(tex: str) -> int:
    """Return how deep the TeX may nest at most: braces, optional arguments, environments, formulas."""
    depth = deepest = 0
    for brace in BRACE.finditer(tex):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        deepest = max(deepest, depth)
    return deepest + len(_NESTING.findall(tex))
