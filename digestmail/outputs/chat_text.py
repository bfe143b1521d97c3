"""The short text of an edition for chats: title, top papers with links, link to the edition. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from digestmail.outputs.content import EditionContent, PaperItem
from digestmail.text.truncate import at_word

MOST_BYTES: Final = 3_500
"""UTF-8 bytes of a message. A server of ntfy turns more than 4,096 into an attachment."""
_HEADROOM: Final = 0.9
"""Services add markup, and count some characters twice."""
_MOST_PAPERS: Final = 10
_TITLE_LENGTH: Final = 160
_SUBJECT_LENGTH: Final = 100
_ALERT_LENGTH: Final = 500
_ACTIVE: Final = re.compile(r"[@<](?=\S)|(?<!\S)#(?=\w)|://|(?<![a-z])www\.", re.IGNORECASE)
"""What services turn into mentions, channels or links."""
_BREAK: Final = "\N{ZERO WIDTH SPACE}"


def chat_message(content: EditionContent, *, body_limit: int, title_limit: int, test: bool = False) -> tuple[str, str]:
    """Return (title, body), each within its limit in characters, and the body within `MOST_BYTES`.

    Papers that find no room are counted. If `title_limit` is 0, the service puts the title above the body, so both
    share its limit.
    """
    title = inert(at_word(content.title, _SUBJECT_LENGTH))
    title = f"[Test] {title}" if test else title
    title = _cut(title, title_limit or body_limit)
    limit = int(min(body_limit, MOST_BYTES) * _HEADROOM) - (0 if title_limit else _bytes(title) + 2)
    return title, _body(content, max(limit, 0))


def alert_text(subject: str, lines: Sequence[str], limit: int) -> tuple[str, str]:
    """Return (title, body) of an alert, the body within `limit` UTF-8 bytes. What finds no room is counted."""
    for shown in range(len(lines), -1, -1):
        left = len(lines) - shown
        listed = [f"- {inert(at_word(line, _ALERT_LENGTH))}" for line in lines[:shown]]
        body = "\n".join([*listed, *([f"… and {left} more"] if left else [])])
        if _bytes(body) <= limit * _HEADROOM:
            return subject, body
    return subject, ""


def _body(content: EditionContent, limit: int) -> str:
    papers = content.papers
    end = [content.url] if content.url else []
    for shown in range(min(len(papers), _MOST_PAPERS), -1, -1):
        left = len(papers) - shown + content.more
        lines = [_line(number, paper) for number, paper in enumerate(papers[:shown], 1)]
        lines += [f"… and {left} more"] if left else []
        body = "\n".join([f"{content.day:%Y-%m-%d}", *lines, *end])
        if _bytes(body) <= limit:
            return body
    return content.url if content.url and _bytes(content.url) <= limit else _cut(f"{content.day:%Y-%m-%d}", limit)


def _line(number: int, paper: PaperItem) -> str:
    link = next((url for kind, url in paper.links if kind == "paper"), "")
    return f"{number}. {inert(at_word(paper.title, _TITLE_LENGTH))}" + (f"\n{link}" if link else "")


def inert(text: str) -> str:
    """Return `text` with nothing that a service takes for a mention (`@everyone`, `<!here>`), a channel or a link."""
    return _ACTIVE.sub(lambda found: f"{found[0][0]}{_BREAK}{found[0][1:]}", text)


def _bytes(text: str) -> int:
    return len(text.encode())


def _cut(text: str, limit: int) -> str:
    """Return `text` with at most `limit` UTF-8 bytes."""
    return text.encode()[:limit].decode("utf-8", "ignore")
