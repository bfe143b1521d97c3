"""Forces the HTML of an email into light or dark mode, independently of the browser's setting. Pure.

`prefers-color-scheme` is replaced with a condition that is always or never true. This only applies to the preview
frame, not to the message.
"""

from __future__ import annotations

import re
from typing import Final

from digestmail.preview.options import ColorScheme

_ALWAYS: Final = "(min-width:0)"
_NEVER: Final = "(max-width:0)"
_QUERY: Final = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")
_META: Final = re.compile(r'(<meta\s+name="(?:supported-)?color-schemes?"\s+content=")[^"]*(")')
_SCHEME: Final = re.compile(r"(\b(?:supported-color-schemes|color-scheme)\s*:)[^;}\"]*(?=[;}])")
_NEW_WINDOW: Final = '<base target="_blank">'
"""Opens links in a new window, never inside the frame."""
_INVERSION: Final = (
    "<style>html{background:#fff;filter:invert(1) hue-rotate(180deg)}img{filter:invert(1) hue-rotate(180deg)}</style>"
)
"""Simulates mail programs that force dark mode: colors are inverted, images are kept."""


def with_color_scheme(html: str, palette: ColorScheme) -> str:
    """Return `html` as it looks with `palette`."""
    wanted = "dark" if palette is ColorScheme.DARK else "light"
    html = _QUERY.sub(lambda query: _ALWAYS if query[1] == wanted else _NEVER, html)
    html = _META.sub(rf"\g<1>{wanted}\g<2>", html)
    html = _SCHEME.sub(rf"\g<1>{wanted}", html)
    added = _NEW_WINDOW + (_INVERSION if palette is ColorScheme.INVERTED else "")
    head, found, rest = html.partition("</head>")
    return f"{head}{added}{found}{rest}" if found else f"{added}{html}"
