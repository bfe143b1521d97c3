"""Markdown (CommonMark) as the HTML and the text of an email. Pure.

The caller has checked the text, see `announcements.py`: it has no raw HTML, images or tables, and its links are
absolute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from digestmail.text.wrapping import TEXT_WIDTH, wrap

_MARKS: Final = {"em": "_", "strong": "*"}
_BREAKS: Final = {"softbreak": " ", "hardbreak": "\n"}
_CODE: Final = "    "


class _Parser(MarkdownIt):
    """Makes links of all targets: unsafe ones are refused, instead of being shown as text."""

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802 - as the library calls it
        return True


def parse(text: str) -> list[Token]:
    """Return the tokens of `text`. Raw HTML, tables, strikethrough and links of any kind are tokens too.

    They are recognized so that they can be refused, instead of being sent as the characters that were typed.
    """
    return _Parser("commonmark").enable(["table", "strikethrough"]).parse(text)


def to_html(tokens: Sequence[Token], attributes: Mapping[str, Mapping[str, str]]) -> str:
    """Return `tokens` as HTML. Elements of each tag get its `attributes`, such as {"p": {"style": "margin:0"}}."""
    parser = MarkdownIt("commonmark", {"html": False})
    return str(parser.renderer.render([_dressed(token, attributes) for token in tokens], parser.options, {}))


def _dressed(token: Token, attributes: Mapping[str, Mapping[str, str]]) -> Token:
    """Return a copy of a token with the attributes of its tag, and of a link only the target besides."""
    block_of_code = token.type in {"fence", "code_block"}
    kept = {name: value for name, value in token.attrs.items() if name in {"href", "start"}}
    added = attributes.get("pre" if block_of_code else token.tag, {}) if token.nesting >= 0 else {}
    return token.copy(
        # Both kinds of code blocks are shown alike, without the language.
        type="fence" if block_of_code else token.type,
        info="",
        attrs={**kept, **added},
        children=None if token.children is None else [_dressed(child, attributes) for child in token.children],
    )


def to_text(tokens: Sequence[Token]) -> str:
    """Return `tokens` as wrapped plain text. A link is followed by its target in angle brackets (RFC 3986, C)."""
    return "\n".join(_blocks(SyntaxTreeNode(tokens).children, "", "", tight=False))


def first_paragraph(tokens: Sequence[Token]) -> str:
    """Return the words of the first paragraph in one line; empty if there is none."""
    for node in SyntaxTreeNode(tokens).walk():
        if node.type == "paragraph":
            return " ".join(words(node).split())
    return ""


def words(node: SyntaxTreeNode) -> str:
    """Return the text of `node` without markup, such as that of a link or heading."""
    if node.type in _BREAKS:
        return " "
    return node.content if not node.children else "".join(map(words, node.children))


def _blocks(nodes: Sequence[SyntaxTreeNode], first: str, rest: str, *, tight: bool) -> Iterator[str]:
    """Yield the lines of blocks. The first line begins with `first`, all others with `rest`."""
    if not nodes:
        yield first.rstrip()
    for number, node in enumerate(nodes):
        if number and not tight:
            yield rest.rstrip()
        yield from _block(node, rest if number else first, rest)


def _block(node: SyntaxTreeNode, first: str, rest: str) -> Iterator[str]:
    match node.type:
        case "bullet_list" | "ordered_list":
            yield from _list(node, first, rest)
        case "blockquote":
            yield from _blocks(node.children, f"{first}> ", f"{rest}> ", tight=False)
        case "fence" | "code_block":
            lines = node.content.rstrip("\n").split("\n")
            yield from (f"{rest if number else first}{_CODE}{line}".rstrip() for number, line in enumerate(lines))
        case "hr":
            yield f"{first}* * *"
        case "heading":
            heading = wrap(_inline(node).replace("\n", " "), first, rest)
            yield heading
            if node.tag == "h2":
                width = max(map(len, heading.split("\n"))) - len(rest)
                yield f"{rest}{'-' * min(width, TEXT_WIDTH - len(rest))}"
        case _:
            lines = _inline(node).split("\n")
            yield from (wrap(line, rest if number else first, rest) for number, line in enumerate(lines))


def _list(node: SyntaxTreeNode, first: str, rest: str) -> Iterator[str]:
    start = int(node.attrs.get("start", 1))
    tight = all(child.hidden for item in node.children for child in item.children if child.type == "paragraph")
    for number, item in enumerate(node.children):
        if number and not tight:
            yield rest.rstrip()
        mark = "- " if node.type == "bullet_list" else f"{start + number}. "
        yield from _blocks(item.children, (rest if number else first) + mark, rest + " " * len(mark), tight=tight)


def _inline(node: SyntaxTreeNode) -> str:
    """Return inline content, with a line end at each hard break."""
    return "".join(_piece(child) for child in node.children)


def _piece(node: SyntaxTreeNode) -> str:
    if node.type == "link":
        return _link(node, str(node.attrs["href"]))
    if node.type == "code_inline":
        return f"`{node.content}`"
    if node.type in _BREAKS:
        return _BREAKS[node.type]
    mark = _MARKS.get(node.type, "")
    return mark + (_inline(node) if node.children else node.content) + mark


def _link(node: SyntaxTreeNode, target: str) -> str:
    label, shown = _inline(node), target.removeprefix("mailto:")
    return shown if node.info == "auto" or label in {target, shown} else f"{label} <{target}>"
