"""The HTML part for the lint rules: tags, links, images, headings, styles and visible text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

_HIDDEN: Final = frozenset({"style", "title", "head"})
_UNSEEN: Final = re.compile(
    r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0*(?:\.0+)?\s*(?:;|$)"
    r"|font(?:-size)?\s*:[^;]*?(?<![\d.])0+(?:\.0+)?(?:px|pt|em|rem|%)?\s*(?:[/;\s]|$))"
)


@dataclass(slots=True, kw_only=True)
class Anchor:
    """An `a` element with a target: its URL and its text, including the text of images inside."""

    href: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An element with a source: its tag and attributes, with lower-case names."""

    tag: str
    source: str
    attributes: dict[str, str] = field(default_factory=dict)


class HtmlPart(HTMLParser):
    """Collects the data for the rules during parsing."""

    def __init__(self) -> None:
        """Create an empty page."""
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: dict[str, dict[str, str]] = {}
        """The attributes of the first element of each tag."""
        self.links: list[Anchor] = []
        self.images: list[Image] = []
        self.handlers: list[str] = []
        self.headings: list[str] = []
        self.metas: dict[str, str] = {}
        self.styles: list[str] = []
        """The content of style sheets and `style` attributes."""
        self.widths: list[int] = []
        """Of tables and cells, in pixels."""
        self.unseen: list[str] = []
        """Texts directly inside an element that its `style` hides. Spam filters count them (rspamd: ZERO_FONT)."""
        self.bare_tables = 0
        self.wrapped = False
        """Whether an element inside `body` has `lang` and `dir`, for programs that drop `html`."""
        self._text: list[str] = []
        self._hidden = 0
        self._style_open = False
        self._hiding = False
        self._link: Anchor | None = None

    @property
    def text(self) -> str:
        """The visible text, with white space collapsed."""
        return " ".join(" ".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the start of an element."""
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes.setdefault(tag, values)
        self.handlers += [name for name in values if name.startswith("on")]
        self._hidden += tag in _HIDDEN
        self._style_open = self._style_open or tag == "style"
        self._hiding = bool(_UNSEEN.search(values.get("style", "")))
        if "style" in values:
            self.styles.append(values["style"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag == "table" and values.get("role") != "presentation":
            self.bare_tables += 1
        if tag in {"table", "td"} and values.get("width", "").isdecimal():
            self.widths.append(int(values["width"]))
        self.wrapped = self.wrapped or ("body" in self.tags and {"lang", "dir"} <= values.keys())
        self._note_reference(tag, values)

    def _note_reference(self, tag: str, values: dict[str, str]) -> None:
        if tag == "meta" and "name" in values:
            self.metas[values["name"].lower()] = values.get("content", "")
        if tag == "a" and "href" in values:
            self._link = Anchor(href=values["href"])
            self.links.append(self._link)
        source = values.get("src", values.get("background"))
        if source is not None or tag == "img":
            self.images.append(Image(tag=tag, source=source or "", attributes=values))
        if tag == "img" and self._link is not None:
            self._link.text += values.get("alt", "")

    def handle_endtag(self, tag: str) -> None:
        """Record the end of an element."""
        self._hidden -= tag in _HIDDEN
        self._hiding = False
        if tag == "style":
            self._style_open = False
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        """Record text."""
        if self._style_open:
            self.styles.append(data)
        if self._hidden:
            return
        self._text.append(data)
        if self._hiding and data.strip(" \t\r\n"):  # a no-break space is text too
            self.unseen.append(data)
        if self._link is not None:
            self._link.text += data


def read_page(html: str) -> HtmlPart:
    """Parse `html`. Never fails, because, as in a browser, any text is a page."""
    page = HtmlPart()
    page.feed(html)
    page.close()
    return page
