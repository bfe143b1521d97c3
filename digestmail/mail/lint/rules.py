"""The rules in order, and the entry point, which returns one result for each rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.lint import headers, octets, structure
from digestmail.mail.lint.parsed_message import ParsedMessage, parse_message

_DETAILS: Final = 5
"""The number of errors reported for each rule; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRule:
    """A lint rule."""

    chapter: int
    """Its chapter in docs/preview.md, "The rules"."""
    name: str
    """A short, stable name for reports and CI."""
    sentence: str
    errors: Callable[[ParsedMessage], Iterable[str]]
    of_list: bool = False
    """Whether it only applies to editions, because a notice belongs to no list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """The result of a rule. `detail` describes the errors; it is empty if the rule passed."""

    chapter: int
    name: str
    sentence: str
    passed: bool
    detail: str


RULES: Final = (
    MessageRule(
        chapter=1,
        name="unsubscribe-header",
        sentence="List-Unsubscribe is on one line: https first, then mailto",
        errors=headers.unsubscribe_header,
        of_list=True,
    ),
    MessageRule(
        chapter=1,
        name="one-click",
        sentence="One-click is announced if and only if there is an https link",
        errors=headers.one_click,
        of_list=True,
    ),
    MessageRule(
        chapter=1,
        name="unsubscribe-link",
        sentence="Both parts contain the personal unsubscribe link",
        errors=headers.unsubscribe_link,
        of_list=True,
    ),
    MessageRule(
        chapter=3,
        name="list-headers",
        sentence="List-Id, List-Help, List-Owner and List-Archive are well formed",
        errors=headers.list_headers,
        of_list=True,
    ),
    MessageRule(
        chapter=4,
        name="bulk",
        sentence="Auto-Submitted and Precedence prevent automatic replies",
        errors=headers.marked_as_bulk,
    ),
    MessageRule(
        chapter=4,
        name="feedback-id",
        sentence="Feedback-ID has four fields, the last of which is the sender",
        errors=headers.feedback_id,
    ),
    MessageRule(
        chapter=5,
        name="one-mailbox",
        sentence="One sender, one recipient",
        errors=headers.one_mailbox_each,
    ),
    MessageRule(chapter=5, name="date", sentence="Date is present, with a time zone", errors=headers.dated),
    MessageRule(
        chapter=5, name="message-id", sentence="Message-ID is present and well formed", errors=headers.identified
    ),
    MessageRule(
        chapter=6,
        name="alternative",
        sentence="multipart/alternative: text first, HTML last",
        errors=structure.alternative,
    ),
    MessageRule(
        chapter=6, name="text-part", sentence="The text part is readable on its own", errors=structure.text_is_readable
    ),
    MessageRule(chapter=7, name="line-ends", sentence="CRLF only, no NUL", errors=octets.line_ends),
    MessageRule(
        chapter=7,
        name="line-lengths",
        sentence="No line over 998 octets, none over 76 in a quoted-printable part",
        errors=octets.line_lengths,
    ),
    MessageRule(chapter=7, name="seven-bit", sentence="Only 7-bit content", errors=octets.seven_bit),
    MessageRule(
        chapter=8,
        name="headers-once",
        sentence="Every expected header occurs once, and there are no others",
        errors=headers.headers_once,
    ),
    MessageRule(chapter=8, name="headers-whole", sentence="No header is malformed", errors=headers.headers_complete),
    MessageRule(
        chapter=14,
        name="byte-budget",
        sentence=f"The message is smaller than {LARGEST_MESSAGE:,} octets",
        errors=structure.byte_budget,
    ),
    MessageRule(chapter=15, name="links", sentence="Links only use http, https or mailto", errors=structure.links),
    MessageRule(
        chapter=15,
        name="no-active-content",
        sentence="No scripts, forms, frames or handlers",
        errors=structure.no_active_content,
    ),
    MessageRule(chapter=15, name="printable", sentence="No control characters", errors=structure.printable),
    MessageRule(
        chapter=15,
        name="nothing-hidden",
        sentence="No text is hidden by display, visibility, opacity or font size",
        errors=structure.nothing_hidden,
    ),
    MessageRule(chapter=15, name="compiled", sentence="No MJML tags are left", errors=structure.compiled),
    MessageRule(
        chapter=16,
        name="no-remote-styles",
        sentence="No fonts or style sheets from the network",
        errors=structure.no_remote_styles,
    ),
    MessageRule(
        chapter=16,
        name="images",
        sentence="Images use https and have alt, width and height; there are no tracking pixels",
        errors=structure.images,
    ),
    MessageRule(chapter=17, name="language", sentence="Language and direction are set", errors=structure.language),
    MessageRule(
        chapter=17,
        name="outline",
        sentence="One h1 comes first, and no heading level is skipped",
        errors=structure.outline,
    ),
    MessageRule(
        chapter=17,
        name="layout-tables",
        sentence="Layout tables have role=presentation",
        errors=structure.layout_tables,
    ),
    MessageRule(
        chapter=17, name="link-texts", sentence="Link texts describe their target", errors=structure.link_texts
    ),
    MessageRule(
        chapter=18,
        name="color-schemes",
        sentence="Light and dark colors are declared and defined",
        errors=structure.color_schemes,
    ),
    MessageRule(
        chapter=18,
        name="one-column",
        sentence=f"Nothing is wider than {structure.WIDEST} px",
        errors=structure.one_column,
    ),
    MessageRule(
        chapter=18, name="plain-layout", sentence="No SVG, flexbox, grid or positions", errors=structure.plain_layout
    ),
)


def lint(raw: bytes, *, notice: bool = False) -> tuple[RuleResult, ...]:
    """Check `raw`, one message, against every rule, or for a notice those that apply to notices.

    The results are in the order of `RULES`. Never fails.
    """
    parsed = parse_message(raw)
    return tuple(_result(rule, parsed) for rule in RULES if not (notice and rule.of_list))


def lint_parsed(parsed: ParsedMessage) -> tuple[RuleResult, ...]:
    """Check a parsed message against every rule."""
    return tuple(_result(rule, parsed) for rule in RULES)


def _result(rule: MessageRule, parsed: ParsedMessage) -> RuleResult:
    errors = list(dict.fromkeys(rule.errors(parsed)))
    detail = "; ".join(errors[:_DETAILS])
    if len(errors) > _DETAILS:
        detail += f"; and {len(errors) - _DETAILS} more"
    return RuleResult(chapter=rule.chapter, name=rule.name, sentence=rule.sentence, passed=not errors, detail=detail)
