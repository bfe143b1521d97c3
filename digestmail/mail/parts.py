"""The parts of an edition's emails: each is rendered and encoded once, and then joined to others.

A part is what a macro of `email/parts.jinja` or `email/parts.txt` returns. Where it has a hole for other parts, it is
divided there. A hole is at the start of a line, and whatever fills it ends with a line end, so that the encoded lines
can be joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from jinja2 import StrictUndefined
from markupsafe import Markup

from digestmail.mail.encoding import Joined, encode_lines
from digestmail.mail.templates import LINE, Templates, compiled

_JOINING: Final = {
    "email/parts.jinja": ("lead_card", "overview_card", "section_card"),
    "email/parts.txt": ("body",),
}
"""The macros whose work `mail/assembly.py` does."""


class RenderedPart(NamedTuple):
    """Encoded lines, divided at the places of other parts."""

    pieces: tuple[bytes, ...]
    """One more than the part has holes."""
    spare: int
    """The sum of `Lines.spare`."""


_MOST_OCTETS: Final = 16_000_000
"""Of the parts of one kind in memory. Then all are forgotten, and rendered again when they are needed."""
_OF_ONE: Final = 300
"""Octets that each piece takes besides its content."""
_HOLE: Final = "<!--hole-->"
_TEXT_HOLE: Final = "\ufdd4"
"""A noncharacter, which `single_line` removes from all other text."""
_CUT: Final = "<!--cut-->"
_MJML: Final = (
    f"<mjml><mj-body><mj-section><mj-column><mj-text>{_CUT}%s{_CUT}</mj-text></mj-column></mj-section></mj-body></mjml>"
)


class Body:
    """A body, or a part of one, to which parts are added."""

    __slots__ = ("pieces", "spare")

    def __init__(self) -> None:
        """Nothing is in it yet."""
        self.pieces: list[bytes] = []
        self.spare = 0

    def add(self, part: RenderedPart, inner: RenderedPart | None = None) -> None:
        """Add a part, with `inner` in its hole if it has one."""
        before, *after = part.pieces
        self.pieces.append(before)
        self.spare += part.spare
        if after and inner is not None:
            self.pieces += (*inner.pieces, *after)
            self.spare += inner.spare

    def part(self) -> RenderedPart:
        """Return it as a part of another body."""
        return RenderedPart(tuple(self.pieces), self.spare)

    def joined(self) -> Joined:
        """Return it as the body of a message."""
        return Joined(self.pieces, self.spare)


def not_shared(name: str) -> Any:
    """Return what stands for a variable that no part may use. A template that does raises an error."""
    return StrictUndefined(f"`{name}` differs between emails, so no part of them can contain it")


class CannotAssembleError(Exception):
    """A template does not keep to the rules for parts, so that emails have to be rendered as a whole."""


def check_joining(templates: Templates) -> None:
    """Raise CannotAssembleError if macros that join parts are not the built-in ones."""
    for name, macros in _JOINING.items():
        used, built_in = (templates.source(name, own=own) for own in (True, False))
        for macro in macros:
            pattern = re.compile(r"{%-? macro " + macro + r"\(.*?{%-? endmacro", re.DOTALL)
            if pattern.findall(used) != pattern.findall(built_in):
                raise CannotAssembleError(f"{name} changes the macro {macro}: change the macros that it calls instead")


class Parts:
    """The parts of one kind: HTML or text."""

    hole = _TEXT_HOLE

    def __init__(
        self, templates: Templates, language: str, frame: dict[str, Any], macros: Any, links: Callable[[str], str]
    ) -> None:
        """`macros` know `frame`. `links` inserts the personal links, with `MARKER` for the token."""
        self._templates = templates
        self._language = language
        self._frame = frame
        self._macros = macros
        self._links = links
        self._made: dict[Hashable, RenderedPart] = {}
        self._octets = 0
        self.get = self._made.get
        """Returns the part with this key if it was made, otherwise None."""

    def make(self, key: Hashable, holes: int, name: str, *arguments: Any) -> RenderedPart:
        """Return what the macro `name` makes of `arguments`, and keep it under `key`.

        Raises RenderError, or CannotAssembleError if it does not consist of complete lines.
        """
        return self.keep(key, self.render(holes, name, *arguments))

    def part(self, name: str, *arguments: Any) -> RenderedPart:
        """Return what the macro `name` makes of hashable `arguments`, on which nothing else depends."""
        key = (name, *arguments)
        return self._made.get(key) or self.make(key, 0, name, *arguments)

    def around(self, name: str, *arguments: Any) -> RenderedPart:
        """Return the same around a hole, which is its last argument."""
        key = (name, *arguments)
        return self._made.get(key) or self.make(key, 1, name, *arguments, self.hole)

    def render(self, holes: int, name: str, *arguments: Any) -> RenderedPart:
        """Return what the macro `name` makes of `arguments`. Raises RenderError or CannotAssembleError."""
        return self._divided(self._finished(self._templates.call(self._macros, name, *arguments)), holes, name)

    def keep(self, key: Hashable, part: RenderedPart) -> RenderedPart:
        """Keep a part under `key`, and return it."""
        if self._octets > _MOST_OCTETS:
            self._made.clear()
            self._octets = 0
        self._made[key] = part
        self._octets += sum(len(piece) + _OF_ONE for piece in part.pieces)
        return part

    def numbered(self, digits: int, name: str, *arguments: Any) -> RenderedPart:
        """Return what the macro `name` makes of a number and `arguments`, divided at the number.

        What is around it is the same for all numbers of so many digits, because lines are as long. Raises RenderError,
        or CannotAssembleError if the number is not shown as it is.
        """
        one, two = (self.render(0, name, int(digit * digits), *arguments) for digit in "12")
        at = next(
            (at for at, pair in enumerate(zip(one.pieces[0], two.pieces[0], strict=False)) if pair[0] != pair[1]), 0
        )
        before, number, after = (one.pieces[0][:at], one.pieces[0][at : at + digits], one.pieces[0][at + digits :])
        if number != b"1" * digits or two.pieces[0] != before + b"2" * digits + after:
            raise CannotAssembleError(f"{self._named(name)} must show its argument `number` once, as it is")
        return RenderedPart((before, after), one.spare - digits)

    def frame(self, name: str, holes: dict[str, int], **shape: Any) -> RenderedPart:
        """Return the template `name` with holes where it calls these macros, each as often as `holes` says.

        Raises RenderError, or CannotAssembleError.
        """
        others = {key: value for key, value in vars(self._macros).items() if not key.startswith("_")}
        empty = SimpleNamespace(**others | dict.fromkeys(holes, lambda *_: self.hole))
        context = self._frame | shape | {self.variable: empty}
        made = self._whole(name, self._templates.render(name, context, language=self._language))
        return self._divided(made, sum(holes.values()), name, last=False)

    variable = "text_parts"
    file = "email/parts.txt"
    line_end = "a line end"

    def _named(self, name: str) -> str:
        return name if "/" in name else f"the macro {name} of {self.file}"

    def _finished(self, made: str) -> str:
        return made

    def _whole(self, name: str, made: str) -> str:  # noqa: ARG002 - HtmlParts names the template in errors
        return made

    def _divided(self, made: str, holes: int, name: str, *, last: bool = True) -> RenderedPart:
        """Return the encoded pieces around the holes. All but perhaps the `last` are complete lines."""
        pieces = self._links(made).split(self.hole)
        if len(pieces) != holes + 1:
            raise CannotAssembleError(
                f"{self._named(name)} has {len(pieces) - 1} places for other parts instead of {holes}: "
                "show what it is given, or what it calls, as often as the built-in file does"
            )
        if any(piece and not piece.endswith("\n") for piece in (pieces if last else pieces[:-1])):
            raise CannotAssembleError(
                f"{self._named(name)} shows other parts inside a line: write {self.line_end} before each of them"
            )
        lines = [encode_lines(piece) for piece in pieces]
        return RenderedPart(tuple(each.octets for each in lines), sum(each.spare for each in lines))


class HtmlParts(Parts):
    """The parts of the HTML."""

    hole = Markup(_HOLE)  # noqa: S704 - a constant
    variable = "parts"
    file = "email/parts.jinja"
    line_end = "{{ line }}"

    def _finished(self, made: str) -> str:
        """Return a macro's result as it is in a compiled email."""
        if not made.strip():
            return ""
        plain = made.replace(LINE, "\n")
        if "<" not in plain:
            return plain  # MJML leaves text as it is
        _, inside, _ = compiled(self.file, _MJML % made).split(_CUT)
        return inside

    def _whole(self, name: str, made: str) -> str:
        return compiled(name, made)
