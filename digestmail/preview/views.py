"""The content of the preview page, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from digestmail.editions.entitlement import Entitlement
from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.lint.parsed_message import parse_message
from digestmail.mail.lint.rules import RuleResult, lint_parsed
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.preview.options import PreviewOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectOption:
    """An entry of a select box."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedEmail:
    """An email with everything that the page shows about it."""

    subject: str
    sender: str
    recipient: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    """In order, unfolded."""
    message: bytes
    """The message as it is sent."""
    octets: int
    """The size of the message, including headers."""
    papers: int
    shortened: int
    rules: tuple[RuleResult, ...]
    limit: int = LARGEST_MESSAGE

    @property
    def source(self) -> str:
        """The message as text with LF line ends."""
        return self.message.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """The lint rules that failed."""
        return tuple(rule for rule in self.rules if not rule.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProblem:
    """Why no email is shown, with one line for each problem to fix."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """The result of sending a test message."""

    text: str
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The page."""

    options: PreviewOptions
    """The options, with defaults filled in if possible."""
    version: str
    """Changes with the templates and the configuration."""
    digests: tuple[SelectOption, ...] = ()
    editions: tuple[SelectOption, ...] = ()
    readers: tuple[SelectOption, ...] = ()
    transport: str = ""
    """The transport for test messages."""
    email: PreviewedEmail | None = None
    notes: tuple[str, ...] = ()
    problem: MailProblem | None = None
    test_result: TestResult | None = None

    def with_test_result(self, test_result: TestResult) -> View:
        """Return the page with the result of sending a test message."""
        return replace(self, test_result=test_result)


def describe_email(message: bytes, sections: tuple[Section, ...], shortened: int) -> PreviewedEmail:
    """Return what the page shows about `message`, which contains `sections` with `shortened` papers shortened."""
    parsed = parse_message(message)
    return PreviewedEmail(
        subject=parsed.header("Subject"),
        sender=parsed.header("From"),
        recipient=parsed.header("To"),
        html=parsed.html,
        text=parsed.text,
        headers=tuple((name, str(value)) for name, value in parsed.message.items()),
        message=message,
        octets=len(parsed.raw),
        papers=sum(len(section.entries) for section in sections),
        shortened=shortened,
        rules=lint_parsed(parsed),
    )


def notes_on(edition: Edition, entitlement: Entitlement | None, *, is_skipped: bool) -> tuple[str, ...]:
    """Return sentences about the email that the email itself does not show.

    `is_skipped`: without papers, it is not sent.
    """
    found = []
    if edition.reason:
        skipped = ' It is not sent: on_empty = "skip".' if is_skipped else ""
        found.append(f"This edition has no papers: {edition.reason}.{skipped}")
    if entitlement is None:
        return tuple(found)
    if not entitlement.subscribed:
        found.append("This person is not subscribed to this digest. The preview shows all topics.")
    if entitlement.topics:
        found.append(f"Topics: {', '.join(entitlement.topics)}.")
    if entitlement.language:
        found.append(f"Language: {entitlement.language}.")
    if entitlement.received:
        count = len(entitlement.received)
        found.append(f"{count} {'paper' if count == 1 else 'papers'} left out, because they received them before.")
    if entitlement.delivered:
        found.append("This is the content that was stored for them when the edition was published.")
    return tuple(found)


def no_email_for(reader: str) -> MailProblem:
    """Return the message for a person who gets no email of an edition."""
    return MailProblem(
        title="No email is sent",
        lines=(f"This edition contains no papers for {reader}: none of them match their topics.",),
    )
