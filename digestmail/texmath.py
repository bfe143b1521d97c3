r"""TeX in titles and abstracts, made readable as plain text.

arXiv keeps the TeX its authors typed, Hugging Face what is left of it after others cleaned it, blogs have none. So a
text as a whole is never TeX: `%`, `&`, `#`, `~` and prices in dollars are what they look like. Only the bits that
must be TeX are read as TeX, by pylatexenc; what neither it nor this module knows stays as it was typed.
"""

# ruff: noqa: RUF001 - mathematical signs that look like letters are what this module writes

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from pylatexenc import latex2text, latexwalker
from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, SpecialsTextSpec
from pylatexenc.latexwalker import LatexWalker, LatexWalkerError
from pylatexenc.macrospec import LatexContextDb, MacroSpec, MacroStandardArgsParser, SpecialsSpec

_PASSES = 4
r"""How often a text is read for TeX that comes out of TeX (`\emph{\$x\$}`); one is enough for real ones."""
_TEXISH = ("\\", "$", "`", "^", "{", "~", "--")
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff]"
)


def readable(text: str) -> str:
    r"""Return `text` as one line of plain text: white space folded, TeX made readable.

    Formulas become Unicode as far as it goes (`$x^{2}$` is x², `\frac{a}{b}` is a/b), fonts and citations go, quotes
    and dashes become typographic, `\href` keeps its address in brackets. Control characters, lone surrogates and
    characters that turn the direction of writing are dropped. Never raises; takes time linear in the length.
    """
    text = _folded(text)
    for _ in range(_PASSES):
        if not any(sign in text for sign in _TEXISH):
            break
        read = _folded(_typeset(_Reader(_prepared(text)).read()))
        if read == text:
            break
        text = read
    return text


def _folded(text: str) -> str:
    folded = " ".join(text.split())
    # Nearly all texts end here; what `isprintable` dislikes is more than what has to go.
    return folded if folded.isprintable() else " ".join(_UNPRINTABLE.sub("", folded).split())


# -- formulas: one bit of TeX as pylatexenc reads it -----------------------------------------------------------------

_LONGEST_BIT = 1_000
"""Characters; pylatexenc is recursive, so longer or deeper bits stay as they are."""
_DEEPEST_BIT = 12

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
_ONE_THING = re.compile(r"[\w.′°*∞⁺⁻⁽⁾₊₋\u0300-\u036f]+|\([^()]*\)")
_DOUBLE_STRUCK = str.maketrans("CHNPQRZ", "ℂℍℕℙℚℝℤ")

_FONTS = (
    "bm", "boldsymbol", "colorbox", "emph", "ensuremath", "hbox", "mathbf", "mathbin", "mathcal", "mathds", "mathfrak",
    "mathit", "mathnormal", "mathop", "mathrel", "mathrm", "mathscr", "mathsf", "mathtt", "mbox", "overbrace",
    "pmb", "smash", "texorpdfstring", "text", "textbf", "textcolor", "textit", "textmd", "textnormal",
    "textrm", "textsc", "textsf", "textsl", "texttt", "textup", "underbrace", "underline",
)  # fmt: skip
"""Macros of which only the last argument is to be read."""
_OPERATORS = (
    "Pr", "arccos", "arcsin", "arctan", "arg", "argmax", "argmin", "bmod", "cos", "cosh", "cot", "coth", "csc", "deg",
    "det", "dim", "exp", "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min", "mod",
    "sec", "sin", "sinh", "sup", "tan", "tanh",
)  # fmt: skip
_SILENT = (
    "!", "-", "/", "@", "Big", "Bigg", "Biggl", "Biggr", "Bigl", "Bigr", "allowbreak", "bf", "bfseries", "big", "bigg",
    "biggl", "biggr", "bigl", "bigr", "boldmath", "cal", "color", "displaystyle", "em", "hphantom", "hspace", "it",
    "itshape", "label", "left", "limits", "middle", "nolimits", "nonumber", "notag", "phantom", "right", "rm", "sc",
    "scriptstyle", "scshape", "sf", "small", "tag", "textstyle", "tt", "ttfamily", "unboldmath", "vphantom", "vspace",
    "xspace",
)  # fmt: skip
"""Macros, with their arguments, that say nothing to a reader."""
_SYMBOLS: dict[str, str] = {
    spec.macroname: spec.simplify_repl
    for spec in latex2text.get_default_latex_context_db().iter_macro_specs()
    if isinstance(spec.simplify_repl, str) and not re.search("[%<\n]", spec.simplify_repl)
} | {
    " ": " ", "%": "%", "|": "‖", ">": " ", "\\": "; ", "S": "§", "P": "¶", "copyright": "©", "LaTeX": "LaTeX",
    "TeX": "TeX", "prime": "′", "epsilon": "ε", "phi": "φ", "neg": "¬", "lnot": "¬", "land": "∧", "lor": "∨", "ne": "≠",
    "gets": "←", "iff": "⇔", "implies": "⇒", "bot": "⊥", "checkmark": "✓", "cmark": "✓", "xmark": "✗", "lt": "<",
    "gt": ">", "textless": "<", "textgreater": ">", "textasciitilde": "~", "textasciicircum": "^", "colon": ":",
    "coloneqq": ":=", "models": "⊨", "lbrack": "[", "rbrack": "]", "textbar": "|", "slash": "/", "degree": "°",
    "quad": " ", "qquad": " ", "lVert": "‖", "rVert": "‖", "newline": " ", "par": " ", "textunderscore": "_",
    "and": "·",
}  # fmt: skip
_WIDE_MARKS = {"overline": "\u0305", "widehat": "\u0302", "widetilde": "\u0303"}
_WORD_ACCENTS = ("acute", "bar", "breve", "check", "ddot", "dot", "grave", "hat", "not", "tilde", "vec")
_ACCENTS = (*"'`\"^~=.bcdHkruv", *_WORD_ACCENTS)


def _arguments(node: Any, reader: Any) -> list[str]:
    given = node.nodeargd.argnlist if node.nodeargd and node.nodeargd.argnlist else ()
    return [reader.nodelist_to_text([argument]) for argument in given if argument is not None]


def _grouped(text: str) -> str:
    return text if _ONE_THING.fullmatch(text) else f"({text})"


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
    return _raise("".join(index)).removeprefix("^") + "√" + _grouped(radicand)


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
    return f"→({_last_argument(node, l2tobj)})"


def _raise(text: str) -> str:
    text = text.strip().translate(_SYMBOLS_RAISED)
    if text == "circ":  # what Hugging Face leaves of \circ
        return "°"
    if _STANDS_RAISED.fullmatch(text):
        return text
    return _script("^", text, _RAISED)


def _lower(text: str) -> str:
    return _script("_", text.strip(), _LOWERED)


def _script(sign: str, text: str, marks: dict[str, str]) -> str:
    if len(text) <= _LONGEST_SCRIPT and not _A_WORD.search(text) and all(character in marks for character in text):
        return "".join(marks[character] for character in text)
    # Without brackets x_(pᵉ) would read as (x_p)ᵉ.
    plain = _ONE_THING.fullmatch(text) and (text[0] == "(" or _MARKS.isdisjoint(text))
    return sign + (text if plain else f"({text})")


def _superscript(node: Any, l2tobj: Any) -> str:
    return _raise(_last_argument(node, l2tobj))


def _subscript(node: Any, l2tobj: Any) -> str:
    return _lower(_last_argument(node, l2tobj))


_CONVERTED = {
    **dict.fromkeys(_FONTS, _last_argument),
    **dict.fromkeys((*_OPERATORS, "operatorname"), _operator),
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
            *(MacroTextSpec(name, simplify_repl=text) for name, text in _SYMBOLS.items() if name != "%"),
            *(defaults.get_macro_spec(name) for name in _ACCENTS),
            *(MacroTextSpec(name, discard=True) for name in _SILENT),
            *(MacroTextSpec(name, simplify_repl=convert) for name, convert in _CONVERTED.items()),
            MacroTextSpec("%", simplify_repl=lambda _: "%"),
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

_KNOWN = frozenset((*_SYMBOLS, *_CONVERTED, *_SILENT, *_ACCENTS, "begin", "end"))

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


_BRACE = re.compile(r"\\.|[{}]")
_NESTING = re.compile(r"\\(?:begin|[(\[]|(?:[A-Za-z]+|\\)\s*\*?\s*\[)")


@lru_cache(maxsize=1 << 13)
def _formula(tex: str) -> str | None:
    """Return one bit of TeX (without dollars) as text, None if it is not TeX after all."""
    if len(tex) > _LONGEST_BIT or _depth(tex) > _DEEPEST_BIT:
        return None
    tex = _GLUED_NAME.sub(r"\1 ", _BARE_PERCENT.sub(r"\\%", _INVISIBLE_BRACKET.sub(" ", tex)))
    tex = _PRIMES.sub(lambda primes: "′" * len(primes[0]), _SCRIPT_MACRO.sub(r"\1{\2}", tex))
    tex = _OWN_MACRO.sub(lambda macro: macro[0] if macro[1] in _KNOWN else f"{macro[1]}({macro[2]})", tex)
    try:
        nodes = LatexWalker(tex, latex_context=_WALKER_CONTEXT, tolerant_parsing=False).get_latex_nodes()[0]
    except LatexWalkerError:
        return None
    text = _folded(_TO_TEXT.nodelist_to_text(nodes))
    text = _UNEVEN_BEFORE.sub(r" \1 ", _UNEVEN_AFTER.sub(r"\1", text))
    return _INSIDE_BRACKETS.sub("", text)


def _depth(tex: str) -> int:
    """Return how deep the TeX may nest at most: braces, optional arguments, environments, formulas."""
    depth = deepest = 0
    for brace in _BRACE.finditer(tex):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        deepest = max(deepest, depth)
    return deepest + len(_NESTING.findall(tex))


# -- running text: which bits are TeX --------------------------------------------------------------------------------

_CITING = re.compile(r"\\(?:cite|[cC]?ref|autoref|eqref|label)")
_CITE = r"\\(?:cite[a-zA-Z]*|[cC]?ref|autoref|eqref|label)\*?(?:\[[^\[\]{}]*+\]){0,2}\{[^{}]*+\}"
_CITATION = re.compile(rf"(?<![\s~])[\s~]*+(?:{_CITE}|\({_CITE}\))")
# Texts out of JSON or Python escape their quotes; in TeX only vowels take \".
_ESCAPED_QUOTES = re.compile(r"\\\"(?![AEIOUYaeiouy{\\])")
_ESCAPED_APOSTROPHE = re.compile(r"\\'(?<=\w\\')(?=(?:s|t|d|m|re|ve|ll)(?!\w))")
# Every pattern that runs over whole texts begins with a plain character, and looks back from there: much faster.
_TOKEN = re.compile(
    r"""[$\\^_{}](?:
        (?<=\$)(?P<dollar>\$?)
      | (?<=\\)(?:
            (?<=(?<![\w\\])[A-Z]:\\)(?P<path>[\w.\\-]*+)(?!\{)    # C:\Users\me
          | (?P<row>\\{2,}+)                                      # a drawing
          | (?P<open>[(\[])
          | (?P<name>[A-Za-z]+)
          | (?P<sign>.))
      | (?<=[\w)\]}'′][\^_])(?P<script>)(?=\{)
      | (?<=[\w)\]]\^)(?P<power>-?[0-9]+|[A-Za-z*+](?!\w))
      | (?<=[{}])(?P<brace>))""",
    re.VERBOSE,
)
_ACCENTED = re.compile(r"\\['\"`^~=.] ?(?:\{\\?[A-Za-z]\}|[A-Za-z]|\\[ij](?![A-Za-z]))")
_LETTER_ACCENT = re.compile(r"\\[bcdHkruv](?:\{\\?[A-Za-z]\}| [A-Za-z](?=[a-z]))")
_LETTERS = frozenset(
    ("aa", "AA", "ae", "AE", "dh", "DH", "dj", "DJ", "i", "j", "l", "L", "ng", "NG", "o", "O", "oe", "OE", "ss", "TH")
)
_AFTER_LETTER = re.compile(r"\{\}| (?=[a-z])|(?=[}\\.,;:?!'\"-]|$)")
# Accents that some cleaning made of Greek letters: \r{ho} was \rho.
_TORN_GREEK = re.compile(r"\\([a-z])\{([a-z]{1,6})\}")

_GREEK = frozenset(name for name, text in _SYMBOLS.items() if "\u0391" <= text <= "\u03c9" and name.isalpha())
_OPENINGS = {
    # \b and \u are what is left of \textbf and \underline in some texts.
    **dict.fromkeys((*_FONTS, "ac", "acp", "acs", "acf", "b", "href", "path", "title", "u", "url"), ("", "")),
    "footnote": (" (", ")"),
    "footnotetext": (" (", ")"),
    "enquote": ("“", "”"),
    "keywords": ("Keywords: ", ""),
    "Keywords": ("Keywords: ", ""),
}
"""Macros that are read through: what stands for them, and for the brace that closes their argument."""
_SKIPPING = frozenset(("textcolor", "color", "colorbox", "foreignlanguage", "hspace", "texorpdfstring", "vspace"))
"""Macros of which the first argument says nothing to a reader."""
_ABBREVIATIONS = {
    "eg": "e.g.", "ie": "i.e.", "etal": "et al.", "etc": "etc.", "vs": "vs.", "cf": "cf.", "wrt": "w.r.t.",
}  # fmt: skip
_WITH_ARGUMENTS = frozenset((*_CONVERTED, *_WORD_ACCENTS)).difference(_OPERATORS, _OPENINGS)
_ESCAPED = frozenset("%&#_${}|'\"`^~!*<>")
_SPACES = frozenset(" ,;:")
# `\@` tells TeX how wide a space is, `\-` and `\/` where a word may be broken, `\\` where a line ends.
_NOTHING = re.compile(r"\\@(?=[\s.,;:]|$)|(?<=[a-z])\\[-/](?=[a-z])|\\\\(?:\[[^\[\]]{0,12}\])?(?=\s|$)")
_SWITCH = re.compile(r"\{\s?\\(?:bf|em|it|rm|sc|sf|sl|small|tt|bfseries|itshape|scshape|ttfamily|cal)(?![A-Za-z])\s?")
_PROTECTED = re.compile(r"\{[A-Z][A-Za-z0-9]{0,15}\}|\{[,.-]\}")
_BARE = re.compile(r"[-+<>=~/*|]{1,2}|\s*[0-9][0-9.,]*\s+|\s+[0-9][0-9.,]*\s*")
_PROSE = re.compile(r"[A-Za-z]{2,}[,.]? [A-Za-z]{2,}")
_WORDS = re.compile(r"[A-Za-z]{2,}\s|\s[A-Za-z]{3,}")
_LONGEST_SCRIPTED = 200
_DOLLARS_TRIED = 8


def _prepared(text: str) -> str:
    """Return `text` without citations and without backslashes before quotes that are no accents."""
    if "\\" not in text:
        return text
    if _CITING.search(text):
        text = _CITATION.sub("", text)
    text = _ESCAPED_APOSTROPHE.sub("'", text)
    return text.replace('\\"', '"') if _ESCAPED_QUOTES.search(text) else text


class _Reader:
    """One pass over a text, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._mates = _mates(text) if "{" in text else {}
        self._closings: dict[int, str] = {}
        """What stands for closing braces whose opening ones are gone."""
        self._readers = {
            "path": self._verbatim,
            "row": self._verbatim,
            "dollar": self._dollars,
            "open": self._display,
            "name": self._macro,
            "sign": self._sign,
            "script": self._scripted,
            "power": self._power,
            "brace": self._brace,
        }

    def read(self) -> str:
        parts: list[str] = []
        at = 0
        while token := _TOKEN.search(self._text, at):
            replacement, end = self._readers[token.lastgroup or "path"](token)
            parts += (self._text[at : token.start()], replacement)
            at = end
        return "".join((*parts, self._text[at:]))

    def _verbatim(self, token: re.Match[str]) -> tuple[str, int]:
        return token[0], token.end()

    def _dollars(self, token: re.Match[str]) -> tuple[str, int]:
        mark, start = token[0], token.end()
        end = self._closing_dollars(mark, start)
        after = end + len(mark)
        if end < 0 or not _is_formula(self._text[start:end], self._text[after : after + 1]):
            return mark, start
        formula = _formula(self._text[start:end])
        if formula is None:
            return mark, start
        return (self._apart(formula, after) if mark == "$$" else formula), after

    def _closing_dollars(self, mark: str, start: int) -> int:
        r"""Return where the dollars are that close a formula: not inside braces, for `\\mbox{$n$}` may stand there."""
        end = start
        for _ in range(_DOLLARS_TRIED):
            end = self._text.find(mark, end, start + _LONGEST_BIT)
            tex = self._text[start:end]
            if end < 0 or (not tex.endswith("\\") and tex.count("{") == tex.count("}")):
                return end
            end += len(mark)
        return -1

    def _display(self, token: re.Match[str]) -> tuple[str, int]:
        start = token.end()
        end = self._text.find("\\)" if token["open"] == "(" else "\\]", start, start + _LONGEST_BIT)
        formula = _formula(self._text[start:end]) if end >= 0 else None
        if formula is None:
            return token[0], start
        return (self._apart(formula, end + 2) if token["open"] == "[" else formula), end + 2

    def _apart(self, formula: str, after: int) -> str:
        """Return a formula that had a line of its own, with the spaces it needs in running text."""
        return f" {formula} " if self._text[after : after + 1].isalnum() else f" {formula}"

    def _power(self, token: re.Match[str]) -> tuple[str, int]:
        return _raise(token["power"]), token.end()

    def _macro(self, token: re.Match[str]) -> tuple[str, int]:
        name, start, end = token["name"], token.start(), token.end()
        torn = _TORN_GREEK.match(self._text, start)
        if torn and torn[1] + torn[2] in _GREEK:
            return _SYMBOLS[torn[1] + torn[2]], torn.end()
        accent = _LETTER_ACCENT.match(self._text, start)
        if accent:
            return _formula(accent[0]) or accent[0], accent.end()
        if end in self._mates:
            return self._macro_with_argument(name, start, end)
        if name in _OPENINGS and self._text.startswith("{", end):
            return _OPENINGS[name][0].rstrip("("), end + 1
        return self._bare_macro(name, start, end)

    def _macro_with_argument(self, name: str, start: int, end: int) -> tuple[str, int]:
        closing = self._mates[end]
        if name in _SKIPPING:
            return self._open(closing + 1) if closing + 1 in self._mates else ("", closing + 1)
        if name == "href" and self._after_space(closing + 1) in self._mates:
            return self._href(end, closing)
        if name in _OPENINGS:
            return self._open(end, *_OPENINGS[name])
        if name in _WITH_ARGUMENTS:
            return self._with_arguments(start, end)
        replacement, after = self._bare_macro(name, start, end)
        return replacement, closing + 1 if closing == end + 1 else after

    def _bare_macro(self, name: str, start: int, end: int) -> tuple[str, int]:
        if name in _LETTERS:
            after = _AFTER_LETTER.match(self._text, end)
            return (_SYMBOLS[name], after.end()) if after else (self._text[start:end], end)
        if name in _ABBREVIATIONS:
            return _ABBREVIATIONS[name], end + self._text.startswith(".", end)
        if name in _SYMBOLS:
            return _SYMBOLS[name], end
        if name in _OPERATORS:
            return name, end
        if name in _SILENT:
            return "", end + self._text.startswith(" ", end)
        return self._text[start:end], end

    def _href(self, opening: int, closing: int) -> tuple[str, int]:
        address = self._text[opening + 1 : closing].strip()
        shown = self._after_space(closing + 1)
        known = address in self._text[shown : self._mates[shown]] or not address
        return self._open(shown, "", "" if known else f" ({address})")

    def _open(self, opening: int, before: str = "", after: str = "") -> tuple[str, int]:
        self._closings[self._mates[opening]] = after
        return before, opening + 1

    def _after_space(self, at: int) -> int:
        return at + self._text.startswith(" ", at)

    def _with_arguments(self, start: int, end: int) -> tuple[str, int]:
        while end in self._mates:
            end = self._mates[end] + 1
        tex = self._text[start:end]
        formula = _formula(tex)
        return (tex, end) if formula is None else (formula, end)

    def _sign(self, token: re.Match[str]) -> tuple[str, int]:
        sign, start = token["sign"], token.start()
        accented = _ACCENTED.match(self._text, start)
        if accented:
            return _formula(accented[0]) or accented[0], accented.end()
        nothing = _NOTHING.match(self._text, start)
        if nothing:
            return " " if sign == "\\" else "", nothing.end()
        if sign in _SPACES:
            return " ", start + 2
        return sign if sign in _ESCAPED else f"\\{sign}", start + 2

    def _scripted(self, token: re.Match[str]) -> tuple[str, int]:
        closing = self._mates.get(token.end())
        if closing is None or closing - token.end() > _LONGEST_SCRIPTED:
            return token[0], token.end()
        tex = self._text[token.start() : closing + 1]
        return _formula(tex) or tex, closing + 1

    def _brace(self, token: re.Match[str]) -> tuple[str, int]:
        at = token.start()
        if at in self._closings:
            return self._closings.pop(at), at + 1
        if at not in self._mates:
            return self._text[at], at + 1
        switch = _SWITCH.match(self._text, at)
        if switch:
            self._closings[self._mates[at]] = ""
            return "", switch.end()
        if self._text.startswith("\\", at + 1) or self._protects(at):
            return self._open(at)
        return "{", at + 1

    def _protects(self, at: int) -> bool:
        """Say whether braces inside a word keep BibTeX from changing it: `symmet{R}y`, `5{,}084`."""
        if not _PROTECTED.match(self._text, at):
            return False
        before = self._text[self._text.rfind(" ", 0, at) + 1 : at]
        after = self._text[self._mates[at] + 1 : self._mates[at] + 2]
        return "/" not in before and (before[-1:].isalnum() or after.isalpha())


def _mates(text: str) -> dict[int, int]:
    r"""Return where each opening brace that is closed is closed; `\{` is no brace."""
    mates = {}
    opened: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            mates[opened.pop()] = brace.start()
    return mates


def _is_formula(tex: str, after: str) -> bool:
    """Say whether what stands between two dollars is a formula, and not the text between two prices."""
    if "\\" in tex or _BARE.fullmatch(tex):
        return True
    if not tex.strip() or _PROSE.search(tex) or (tex[0].isdigit() and _WORDS.search(tex)):
        return False
    if after.isdigit() and "^" not in tex and "_" not in tex:
        return False
    spaced = tex[0] == " ", tex[-1] == " "
    return not any(spaced) or (all(spaced) and not tex[1].isdigit())


# -- quotes, dashes, ties --------------------------------------------------------------------------------------------

_DOUBLE_QUOTED = re.compile(r"``(?<!```)(?!`)((?:[^`\"']|'(?!')|`(?!`)){1,400}+)(?:''|\")")
_SINGLE_QUOTED = re.compile(r"`(?<![\w`]`)(?![`\s])((?:[^`'\s]|'(?=\w)|\s(?!')){1,100}+)'(?![\w'])")
# Only where it touches words: " -- " is how people type a dash, and how arXiv and Hugging Face show it.
_EM_DASH = re.compile(r"---(?<=[^-\s<!]---)(?=[^-\s>])")
_EN_DASH = re.compile(r"--(?<=[^\s<!-]--)(?=[\w(\[“‘\"'$\\∼~+−])")
_TIE = re.compile(r"~(?:(?<=[\w.,:;)\]’”]~)(?=\s)|(?<=[^\W\d]~|[.,:;)\]’”]~)(?=[\w(“‘\\$])|(?<=\d~)(?=[^\W\d]))")


def _typeset(text: str) -> str:
    """Return `text` with TeX's quotes, dashes and unbreakable spaces as Unicode; `--help` and `~70%` stay."""
    if "`" in text:
        text = _DOUBLE_QUOTED.sub(r"“\1”", text)
        text = _SINGLE_QUOTED.sub(r"‘\1’", text)
    if "--" in text:
        text = _EN_DASH.sub("–", _EM_DASH.sub("—", text))
    if "~" in text:
        text = _TIE.sub(" ", text)
    return text
