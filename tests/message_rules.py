"""The rules of a correct digest mail, as the product itself checks them: one sentence for each rule that is broken."""

from __future__ import annotations

from digestmail.mail.lint.html import read_page
from digestmail.mail.lint.parsed_message import parse_message
from digestmail.mail.lint.rules import lint


def broken_rules(raw: bytes, *, notice: bool = False) -> list[str]:
    """Return the errors of the message `raw`; none if it is a valid edition or notice."""
    results = lint(raw, notice=notice)
    return [f"{result.chapter}: {result.name}: {result.detail}" for result in results if not result.passed]


def visible(html: str) -> str:
    """Return the text a reader sees, white space folded."""
    return read_page(html).text


def part(raw: bytes, kind: str) -> str:
    """Return the decoded text of the part `text/kind`, its line ends LF."""
    letter = parse_message(raw)
    text = letter.html if kind == "html" else letter.text
    assert text, f"there is no text/{kind}"
    return text
