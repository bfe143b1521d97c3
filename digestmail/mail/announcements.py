"""Reads and checks announcements: Markdown files whose first heading is the subject. Pure.

What an email cannot show as it is written is refused with its line, because readers would get the bare characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from digestmail.errors import AnnouncementError
from digestmail.mail.lint.structure import VAGUE_TEXTS
from digestmail.mail.markdown import parse, words
from digestmail.mail.placeholders import first_unprintable, single_line
from digestmail.mail.subjects import SUBJECT_LENGTH
from digestmail.model.editions import Announcement
from digestmail.text.truncate import at_word

LONGEST: Final = 20_000
"""Characters. Both parts of an email contain them, and the message must stay under 100,000 octets."""
_DEEPEST: Final = 12
"""Levels of nesting. The parser counts two for each list, and silently leaves out what is deeper than 20."""
_SMALLEST_HEADING: Final = 3
_HEADING_TOKENS: Final = 3
"""A heading is three tokens: its start, its text and its end."""
_REFUSED: Final = {
    "html_block": "HTML is not allowed: write Markdown, such as **bold** and [text](https://example.org)",
    "html_inline": "HTML is not allowed: write Markdown, such as **bold** and [text](https://example.org)",
    "image": "images are not allowed: write [text](https://...) to link to the image instead",
    "table_open": "tables are not allowed: write a list instead",
    "s_open": "~~strikethrough~~ is not allowed: leave the text out instead",
}
_BARE_URL: Final = re.compile(r"\b(?:https?://|mailto:)[^\s<>]+", re.IGNORECASE)
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f.]*:[0-9a-f:.]+")
"""A name in ASCII, as the parser writes it, or an IPv6 address."""
_FOOTNOTE: Final = re.compile(r"\[\^[^\[\]\s]+\]")
_UNDEFINED: Final = re.compile(r"\[[^\[\]]+\]\[[^\[\]]*\]")


def read_announcement(text: str) -> Announcement:
    """Return the announcement that a file contains. Raises AnnouncementError with all problems.

    A byte order mark, kinds of line ends and blank lines around it do not matter.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip()
    if len(text) > LONGEST:
        raise AnnouncementError(
            [f"the announcement has {len(text):,} characters, {LONGEST:,} are allowed: shorten it, or link to a page"]
        )
    tokens = parse(text)
    problems = [f"line {line}: {problem}" for line, problem in sorted(set(_problems(tokens)))]
    if problems:
        raise AnnouncementError(problems)
    # Blank lines at the start count in line numbers, but not in what is stored.
    return Announcement(subject=_subject(tokens), text=text.lstrip("\n"))


def body_of(announcement: Announcement) -> list[Token]:
    """Return the tokens of what follows the subject."""
    return parse(announcement.text)[_HEADING_TOKENS:]


def _subject(tokens: Sequence[Token]) -> str:
    return single_line(words(SyntaxTreeNode(tokens[:_HEADING_TOKENS])))


def _problems(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """Yield (line, problem)."""
    if not tokens or tokens[0].tag != "h1":
        yield 1, "the file must begin with the subject: `# Subject`"
    else:
        yield from _subject_problems(tokens)
    level, line = 1, 1
    for number, token in enumerate(tokens):
        line = token.map[0] + 1 if token.map else line
        if token.type in _REFUSED:
            yield line, _REFUSED[token.type]
        if token.level > _DEEPEST or any(child.level > _DEEPEST for child in token.children or ()):
            yield line, f"lists and quotations are nested too deeply: at most {_DEEPEST // 2} levels are allowed"
        if token.type == "heading_open" and number:
            yield from ((line, problem) for problem in _heading_problems(int(token.tag[1]), level))
            level = int(token.tag[1])
        if token.type in {"fence", "code_block"}:
            yield from _character_problems(line, token.content)
        if token.type == "inline":
            yield from _inline_problems(token, line)


def _subject_problems(tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    line = tokens[0].map[0] + 1 if tokens[0].map else 1
    subject = _subject(tokens)
    if not subject:
        yield line, "the subject is empty: write it after the #"
    if len(subject) > SUBJECT_LENGTH:
        yield line, f"the subject has {len(subject)} characters, {SUBJECT_LENGTH} are allowed: shorten it"
    if any(child.type == "link_open" for child in tokens[1].children or ()):
        yield line, "the subject cannot contain a link: move it into the text"
    if len(tokens) == _HEADING_TOKENS:
        yield line, "there is no text below the subject"


def _heading_problems(level: int, before: int) -> Iterator[str]:
    if level == 1:
        yield "only the subject can begin with one #: write ## for a heading"
    elif level > _SMALLEST_HEADING:
        yield "a heading can have two or three #: write ## or ###"
    elif level > before + 1:
        yield "### needs a heading with ## above it"


def _inline_problems(token: Token, line: int) -> Iterator[tuple[int, str]]:
    """Yield the problems of a paragraph or heading that begins at `line`."""
    position, link, label, since = 0, None, "", line
    for child in token.children or ():
        if child.type in _REFUSED:
            yield line, _REFUSED[child.type]
        if child.type == "link_open":
            link, label, since = str(child.attrs["href"]), "", line
            yield from ((line, problem) for problem in _link_problems(link))
        elif child.type == "link_close" and link is not None:
            if " ".join(label.lower().split()) in VAGUE_TEXTS:
                yield since, f"the link text {label.strip()!r} does not say what {at_word(link, 60)} is: write that"
            link = None
        elif child.type in {"softbreak", "hardbreak"}:
            label += " "
        elif child.type in {"text", "code_inline"}:
            label += child.content
            yield from _character_problems(line, child.content)
            if child.type == "text" and link is None:
                yield from ((line, problem) for problem in _text_problems(child.content))
        start, position = position, _end_of(child, token.content, position)
        line += token.content.count("\n", start, position)


def _end_of(child: Token, content: str, position: int) -> int:
    """Return where a line break, or a code span or tag that may span lines, ends in `content` after `position`."""
    if child.type in {"softbreak", "hardbreak"}:
        return content.find("\n", position) + 1
    if child.type == "code_inline":
        mark = rf"(?<!`){re.escape(child.markup)}(?!`)"
        found = re.compile(f"{mark}.*?{mark}", re.DOTALL).search(content, position)
    elif child.type == "html_inline":
        found = re.compile(re.escape(child.content)).search(content, position)
    else:
        found = None
    return found.end() if found else position


def _link_problems(target: str) -> Iterator[str]:
    shown = at_word(target, 60)
    try:
        parts = urlsplit(target)
        complete = "@" in parts.path if parts.scheme == "mailto" else bool(_HOST.fullmatch(parts.hostname or ""))
    except ValueError:
        complete = False
        parts = urlsplit("")
    if parts.scheme in {"http", "https", "mailto"} and complete:
        return
    if not target:
        yield "a link has no target: write [text](https://...)"
    elif parts.scheme in {"", "http", "https", "mailto"}:
        yield f"the link {shown} is not absolute: write https://... or mailto:name@example.org"
    else:
        yield f"the link {shown} is not allowed: links begin with https://, http:// or mailto:"


def _text_problems(text: str) -> Iterator[str]:
    for found in _BARE_URL.findall(text):
        bare = found.rstrip(".,;:!?'\")")
        yield f"{at_word(bare, 60)} would not be a link: write it in angle brackets, <https://...>"
    if _FOOTNOTE.search(text):
        yield "footnotes are not allowed: write the note into the text"
    for undefined in _UNDEFINED.findall(text):
        yield f"{undefined} is not defined: write [text](https://...)"


def _character_problems(line: int, text: str) -> Iterator[tuple[int, str]]:
    if found := first_unprintable(text):
        yield line, f"the character U+{ord(found):04X} is not allowed in emails: remove it"
