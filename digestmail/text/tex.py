r"""TeX in titles and abstracts, made readable as plain text.

arXiv keeps the TeX its authors typed, Hugging Face what is left of it after others cleaned it, blogs have none. So a
text as a whole is never TeX: `%`, `&`, `#`, `~` and prices in dollars are what they look like. Only the bits that
must be TeX are read as TeX, by pylatexenc; what neither it nor this module knows stays as it was typed.
"""

from __future__ import annotations

import re

from digestmail.text.tex_scanner import read_text

_PASSES = 4
r"""How often a text is read for TeX that comes out of TeX (`\emph{\$x\$}`); one is enough for real ones."""
_TEXISH = ("\\", "$", "`", "^", "{", "~", "--", "''")
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff]"
)
_CITING = re.compile(r"\\(?:cite|[cC]?ref|autoref|eqref|label)")
_CITE = r"\\(?:cite[a-zA-Z]*|[cC]?ref|autoref|eqref|label)\*?(?:\[[^\[\]{}]*+\]){0,2}\{[^{}]*+\}"
_CITATION = re.compile(rf"(?<![\s~])[\s~]*+(?:{_CITE}|\({_CITE}\))")
# Texts out of JSON or Python escape their quotes; in TeX only vowels take \".
_ESCAPED_QUOTES = re.compile(r"\\\"(?![AEIOUYaeiouy{\\])")
_ESCAPED_APOSTROPHE = re.compile(r"\\'(?<=\w\\')(?=(?:s|t|d|m|re|ve|ll)(?!\w))")
_DOUBLE_QUOTED = re.compile(r"``(?<!```)(?!`)((?:[^`\"']|'(?!')|`(?!`)){1,400}+)(?:''|\")")
# Quotes that lost their opening half to an editor: "so'' and ''so''; not 5'10'' or 12''.
_HALF_QUOTED = re.compile(
    r"(?:\"|'')(?<![\w\"'`.,;:!?)\]]\")(?<![\w\"'`.,;:!?)\]]'')(?=[^\W_])([^`\"']{1,400}+(?:'(?!')[^`\"']{1,200}+){0,5})(?<=[^\s(\[\d])''(?![\w'\"])"
)
_SINGLE_QUOTED = re.compile(r"`(?<![\w`]`)(?![`\s])((?:[^`'\s]|'(?=\w)|\s(?!')){1,100}+)'(?![\w'])")
# What cleaning leaves of `\href{address}{text}` and of `{\times}`.
_LINK_LEFT = re.compile(r"https?://(?<![\w]https://)[^\s{}()]{4,300}+\{(?<![/=?&]\{)([^{}]{2,200})\}")
_POINTING = re.compile(r"(?:here|this|link|url|https|page|website|\s)+", re.IGNORECASE)
_SIGN_LEFT = re.compile(r"\{(?<![A-Za-z_^}]\{)(?:approx|cdot|geq?|gg|leq?|ll|neq|pm|rightarrow|sim|times)\}")
# Only where it touches words: " -- " is how people type a dash, and how arXiv and Hugging Face show it.
_EM_DASH = re.compile(r"---(?<=[^-\s<!]---)(?=[^-\s>])")
_EN_DASH = re.compile(r"--(?<=[^\s<!-]--)(?=[\w(\[“‘\"'$\\∼~+−])")
_TIE = re.compile(r"~(?:(?<=[\w.,:;)\]’”]~)(?=\s)|(?<=[^\W\d]~|[.,:;)\]’”]~)(?=[\w(“‘\\$])|(?<=\d~)(?=[^\W\d]))")


def readable(text: str) -> str:
    r"""Return `text` as one line of plain text: white space folded, TeX made readable.

    Formulas become Unicode as far as it goes (`$x^{2}$` is x², `\frac{a}{b}` is a/b), fonts and citations go, quotes
    and dashes become typographic, `\href` keeps its address in brackets. Control characters, lone surrogates and
    characters that turn the direction of writing are dropped. Never raises; takes time linear in the length.
    """
    text = _soft_wrap(text)
    for _ in range(_PASSES):
        if not any(sign in text for sign in _TEXISH):
            break
        read = _soft_wrap(_typeset(read_text(_prepared(text))))
        if read == text:
            break
        text = read
    return text


def _soft_wrap(text: str) -> str:
    folded = " ".join(text.split())
    # Nearly all texts end here; what `isprintable` dislikes is more than what has to go.
    return folded if folded.isprintable() else " ".join(_UNPRINTABLE.sub("", folded).split())


def _prepared(text: str) -> str:
    """Return `text` without citations and without backslashes before quotes that are no accents."""
    if "{" in text:
        text = _SIGN_LEFT.sub(lambda sign: f"${{\\{sign[0][1:-1]}}}$", _LINK_LEFT.sub(_link_left, text))
    if "\\" not in text:
        return text
    if _CITING.search(text):
        text = _CITATION.sub("", text)
    text = _ESCAPED_APOSTROPHE.sub("'", text)
    return text.replace('\\"', '"') if _ESCAPED_QUOTES.search(text) else text


def _link_left(found: re.Match[str]) -> str:
    """Return the address, and the text behind it unless that is the address again, or "here"."""
    address, shown = found[0].removesuffix(f"{{{found[1]}}}"), found[1].strip()
    bare = address.partition("//")[2].rstrip("/")
    known = bare in shown or shown in address or _POINTING.fullmatch(shown)
    return address if known else f"{address} ({shown})"


def _typeset(text: str) -> str:
    """Return `text` with TeX's quotes, dashes and unbreakable spaces as Unicode; `--help` and `~70%` stay."""
    if "`" in text:
        text = _DOUBLE_QUOTED.sub(r"“\1”", text)
        text = _SINGLE_QUOTED.sub(r"‘\1’", text)
    if "''" in text:
        text = _HALF_QUOTED.sub(r"“\1”", text)
    if "--" in text:
        text = _EN_DASH.sub("–", _EM_DASH.sub("—", text))
    if "~" in text:
        text = _TIE.sub(" ", text)
    return text
