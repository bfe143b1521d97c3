r"""Running text, token by token: which bits of it are TeX, and what stands for them.

Text is not TeX: `%`, `&`, `#` and prices in dollars are what they look like.
"""

from __future__ import annotations

import re

from digestmail.text.scripts import raised
from digestmail.text.tex_guess import is_formula, protects_letters
from digestmail.text.tex_letters import ACCENTED, letter, letter_with_argument
from digestmail.text.tex_macros import (
    ABBREVIATIONS,
    FORMULA_ENVIRONMENTS,
    OPENINGS,
    QUANTITIES,
    SKIPPED_ARGUMENTS,
    SWITCH,
    TEXT_ENVIRONMENTS,
    dingbat,
)
from digestmail.text.tex_math import (
    BRACE,
    LONGEST_BIT,
    OPERATORS,
    SILENT,
    SYMBOLS,
    TAKING_ARGUMENTS,
    read_formula,
)

# Every pattern that runs over whole texts begins with a plain character, and looks back from there: much faster.
_TOKEN = re.compile(
    r"""[$\\^_{}](?:
        (?<=\$)(?P<dollar>\$?)
      | (?<=\\)(?:
            (?P<verbatim>(?<=(?<![\w\\])[A-Z]:\\)[\w.\\-]*+(?!\{)|\\{2,}+)    # C:\Users\me, a drawing
          | (?P<open>[(\[])
          | (?P<name>[A-Za-z]+)
          | (?P<sign>.))
      | (?<=[\w)\]}'′][\^_])(?P<script>)(?=\{)
      | (?<=[\w)\]]\^)(?P<power>-?[0-9]+|[A-Za-z*+](?!\w))
      | (?<=[{}])(?P<brace>))""",
    re.VERBOSE,
)
_ESCAPED = frozenset("%&#_${}|'\"`^~!*<>")
_SPACES = frozenset(" ,;:")
# `\@` tells TeX how wide a space is, `\-` and `\/` where a word may be broken, `\\` where a line ends.
_NOTHING = re.compile(r"\\@(?=[\s.,;:]|$)|(?<=[A-Za-z])\\[-/](?=[A-Za-z])|\\\\(?:\[[^\[\]]{0,12}\])?(?=\s|$)")
# Two of them around a blank are what is left of a hyphen.
_BROKEN_HYPHEN = re.compile(r"\\- ?\\-")
_ENVIRONMENT = re.compile(r"\\(?P<which>begin|end)\{(?P<name>[A-Za-z]{1,20}\*?)\}(?:\[[^\[\]]{0,40}\])?")
_VERBATIM = re.compile(r"\*?(?P<mark>[^\w\s*{}\[\\])(?P<code>.{1,200}?)(?P=mark)")
_OPTION = re.compile(r"\*?(?:\[[^\[\]{}]{0,40}\])?")
_TAKING_OPTION = frozenset(("footnotemark", "item", "linebreak", "pagebreak"))
# What is left of a formula, "a $38\\% gain": a price is no share.
_SHARE = re.compile(r"[0-9][0-9.,]*\\?%")
_NAMES = SYMBOLS | {name: name for name in OPERATORS} | {"textbackslash": "\\"}
_LONGEST_SCRIPTED = 200
_DOLLARS_TRIED = 8


def read_text(text: str) -> str:
    """Return `text` with the bits of it that are TeX made readable, in one pass; what is not TeX stays."""
    return _Reader(text).read()


class _Reader:
    """One pass over a text, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._mates = _mates(text) if "{" in text else {}
        self._closings: dict[int, str] = {}
        """What stands for closing braces whose opening ones are gone."""
        self._bare: set[int] = set()
        """Opening braces that go."""
        self._readers = {
            "verbatim": self._verbatim,
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
            replacement, end = self._readers[token.lastgroup or "verbatim"](token)
            parts += (self._text[at : token.start()], replacement)
            at = end
        return "".join((*parts, self._text[at:]))

    def _verbatim(self, token: re.Match[str]) -> tuple[str, int]:
        return token[0], token.end()

    def _dollars(self, token: re.Match[str]) -> tuple[str, int]:
        mark, start = token[0], token.end()
        found = self._formula(mark, start)
        if found is None and mark == "$" and _SHARE.match(self._text, start):
            return "", start
        return found or (mark, start)

    def _formula(self, mark: str, start: int) -> tuple[str, int] | None:
        end = self._closing_dollars(mark, start)
        after = end + len(mark)
        if end < 0 or not is_formula(self._text[start:end], self._text[after : after + 1]):
            return None
        formula = read_formula(self._text[start:end])
        if formula is None:
            return None
        return (self._apart(formula, after) if mark == "$$" else formula), after

    def _closing_dollars(self, mark: str, start: int) -> int:
        r"""Return where the dollars are that close a formula: not inside braces, for `\mbox{$n$}` may stand there."""
        end = start
        for _ in range(_DOLLARS_TRIED):
            end = self._text.find(mark, end, start + LONGEST_BIT)
            tex = self._text[start:end]
            if end < 0 or (not tex.endswith("\\") and tex.count("{") == tex.count("}")):
                return end
            end += len(mark)
        return -1

    def _display(self, token: re.Match[str]) -> tuple[str, int]:
        start = token.end()
        end = self._text.find("\\)" if token["open"] == "(" else "\\]", start, start + LONGEST_BIT)
        formula = read_formula(self._text[start:end]) if end >= 0 else None
        if formula is None:
            return token[0], start
        return (self._apart(formula, end + 2) if token["open"] == "[" else formula), end + 2

    def _apart(self, formula: str, after: int) -> str:
        """Return a formula that had a line of its own, with the spaces it needs in running text."""
        return f" {formula} " if self._text[after : after + 1].isalnum() else f" {formula}"

    def _power(self, token: re.Match[str]) -> tuple[str, int]:
        return raised(token["power"]), token.end()

    def _macro(self, token: re.Match[str]) -> tuple[str, int]:
        name, start, end = token["name"], token.start(), token.end()
        special = self._special(name, start, end)
        if special:
            return special
        if end in self._mates:
            return self._macro_with_argument(name, start, end)
        if name in OPENINGS and self._text.startswith("{", end):
            return OPENINGS[name][0].rstrip("("), end + 1
        return self._bare_macro(name, start, end)

    def _special(self, name: str, start: int, end: int) -> tuple[str, int] | None:
        """Return what stands for a macro that takes more than braces, None if this is no such macro."""
        if name in {"begin", "end"}:
            return self._environment(start, end)
        if name in {"verb", "lstinline"} and (verbatim := _VERBATIM.match(self._text, end)):
            return verbatim["code"], verbatim.end()
        return letter_with_argument(self._text, start)

    def _macro_with_argument(self, name: str, start: int, end: int) -> tuple[str, int]:
        closing = self._mates[end]
        if name in SKIPPED_ARGUMENTS:
            return self._after_skipped(end, SKIPPED_ARGUMENTS[name])
        if name == "ding":
            return dingbat(self._text[end + 1 : closing]) or self._text[start : closing + 1], closing + 1
        if name == "href" and self._after_space(closing + 1) in self._mates:
            return self._href(end, closing)
        if name in OPENINGS:
            return self._open(end, *self._around(name, closing))
        if name in TAKING_ARGUMENTS:
            return self._with_arguments(start, end)
        replacement, after = self._bare_macro(name, start, end)
        return replacement, closing + 1 if closing == end + 1 else after

    def _around(self, name: str, closing: int) -> tuple[str, str]:
        """Return what stands for the macro, and for the brace that closes its argument."""
        if name in QUANTITIES and closing + 1 in self._mates:
            self._bare.add(closing + 1)
            return "", " "
        return OPENINGS[name]

    def _after_skipped(self, opening: int, arguments: int) -> tuple[str, int]:
        at = opening
        for _ in range(arguments):
            if at in self._mates:
                at = self._mates[at] + 1
        return self._open(at) if at in self._mates else ("", at)

    def _environment(self, start: int, end: int) -> tuple[str, int]:
        found = _ENVIRONMENT.match(self._text, start)
        if found and found["name"] in TEXT_ENVIRONMENTS:
            return " ", found.end()
        if not found or found["name"] not in FORMULA_ENVIRONMENTS or found["which"] == "end":
            return self._text[start:end], end
        closing = f"\\end{{{found['name']}}}"
        at = self._text.find(closing, found.end(), found.end() + LONGEST_BIT)
        formula = read_formula(self._text[found.end() : at]) if at >= 0 else None
        if formula is None:
            return self._text[start:end], end
        return self._apart(formula, at + len(closing)), at + len(closing)

    def _bare_macro(self, name: str, start: int, end: int) -> tuple[str, int]:
        spelled = letter(name, self._text, start, end)
        if spelled:
            return spelled
        if name in ABBREVIATIONS:
            return ABBREVIATIONS[name], end + self._text.startswith(".", end)
        if name in _NAMES:
            return _NAMES[name], end + (name == "textbackslash" and self._text.startswith(" ", end))
        if name in _TAKING_OPTION and (option := _OPTION.match(self._text, end)):
            return "" if name == "footnotemark" else " ", option.end()
        if name in SILENT:
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
        formula = read_formula(tex)
        return (tex, end) if formula is None else (formula, end)

    def _sign(self, token: re.Match[str]) -> tuple[str, int]:
        sign, start = token["sign"], token.start()
        accented = ACCENTED.match(self._text, start)
        if accented:
            return read_formula(accented[0]) or accented[0], accented.end()
        hyphen = _BROKEN_HYPHEN.match(self._text, start)
        if hyphen:
            return "-", hyphen.end()
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
        return read_formula(tex) or tex, closing + 1

    def _brace(self, token: re.Match[str]) -> tuple[str, int]:
        at = token.start()
        if at in self._closings:
            return self._closings.pop(at), at + 1
        if at not in self._mates:
            return self._text[at], at + 1
        if at in self._bare:
            return self._open(at)
        switch = SWITCH.match(self._text, at)
        if switch:
            self._closings[self._mates[at]] = ""
            return "", switch.end()
        if self._text.startswith("\\", at + 1) or protects_letters(self._text, at, self._mates[at]):
            return self._open(at)
        return "{", at + 1


def _mates(text: str) -> dict[int, int]:
    r"""Return where each opening brace that is closed is closed; `\{` is no brace."""
    mates = {}
    opened: list[int] = []
    for brace in BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            mates[opened.pop()] = brace.start()
    return mates
