"""The HTML of a mail as a mail program of one palette shows it: media queries answered beforehand. Pure.

Whatever the browser's own palette is, both of the mail's can be looked at: `prefers-color-scheme` is replaced by a
condition that always holds, or never does. The mail itself is not touched; this is for the frame only.
"""

from __future__ import annotations

import re
from typing import Final

from digestmail.preview.options import Rendition

_ALWAYS: Final = "(min-width:0)"
_NEVER: Final = "(max-width:0)"
_QUERY: Final = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")
_META: Final = re.compile(r'(<meta\s+name="(?:supported-)?color-schemes?"\s+content=")[^"]*(")')
_SCHEME: Final = re.compile(r"(\b(?:supported-color-schemes|color-scheme)\s*:)[^;}\"]*(?=[;}])")
_NEW_WINDOW: Final = '<base target="_blank">'
"""A link opens beside the preview, never inside the frame."""
_INVERSION: Final = (
    "<style>html{background:#fff;filter:invert(1) hue-rotate(180deg)}img{filter:invert(1) hue-rotate(180deg)}</style>"
)
"""About what programs do that turn every mail dark by force: colours are turned over, pictures are kept."""


def painted(html: str, palette: Rendition) -> str:
    """Return `html` as it is shown under `palette`."""
    wanted = "dark" if palette is Rendition.DARK else "light"
    html = _QUERY.sub(lambda query: _ALWAYS if query[1] == wanted else _NEVER, html)
    html = _META.sub(rf"\g<1>{wanted}\g<2>", html)
    html = _SCHEME.sub(rf"\g<1>{wanted}", html)
    added = _NEW_WINDOW + (_INVERSION if palette is Rendition.INVERTED else "")
    head, found, rest = html.partition("</head>")
    return f"{head}{added}{found}{rest}" if found else f"{added}{html}"
