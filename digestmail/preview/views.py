"""What the page shows, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from digestmail.editions.entitlement import Entitlement
from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.lint.parsed_message import parse_message
from digestmail.mail.lint.rules import RuleResult, lint_letter
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.preview.options import PreviewOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One line of a list to choose from."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One mail, taken apart for the page."""

    subject: str
    sender: str
    recipient: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    """In the order they stand, unfolded."""
    message: bytes
    """As it goes over the wire."""
    octets: int
    """Of the whole message, headers included."""
    papers: int
    shortened: int
    rules: tuple[RuleResult, ...]
    limit: int = LARGEST_MESSAGE

    @property
    def source(self) -> str:
        """The message as text, line ends LF."""
        return self.message.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """The rules that are broken."""
        return tuple(rule for rule in self.rules if not rule.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProblem:
    """Why there is no mail to show: for the operator, one line for each thing to mend."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What came of sending a test."""

    text: str
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The whole page."""

    asked: PreviewOptions
    """With the defaults filled in, as far as they could be found."""
    version: str
    """Changes when a template or the configuration does."""
    digests: tuple[Option, ...] = ()
    editions: tuple[Option, ...] = ()
    readers: tuple[Option, ...] = ()
    transport: str = ""
    """Where a test would go out."""
    shown: Shown | None = None
    remarks: tuple[str, ...] = ()
    fault: MailProblem | None = None
    notice: TestResult | None = None

    def with_notice(self, notice: TestResult) -> View:
        """Return the same page with what came of sending a test."""
        return replace(self, notice=notice)


def take_apart(message: bytes, sections: tuple[Section, ...], shortened: int) -> Shown:
    """Return all that the page shows of one cast `message` that holds `sections`, `shortened` papers of them cut."""
    letter = parse_message(message)
    return Shown(
        subject=letter.header("Subject"),
        sender=letter.header("From"),
        recipient=letter.header("To"),
        html=letter.html,
        text=letter.text,
        headers=tuple((name, str(value)) for name, value in letter.message.items()),
        message=message,
        octets=len(letter.raw),
        papers=sum(len(section.entries) for section in sections),
        shortened=shortened,
        rules=lint_letter(letter),
    )


def remarks_on(edition: Edition, share: Entitlement | None) -> tuple[str, ...]:
    """Return what a look at the mail alone would not tell, one sentence each."""
    found = []
    if edition.reason:
        found.append(f"This edition has no papers: {edition.reason}.")
    if share is None:
        return tuple(found)
    if not share.subscribed:
        found.append("This person is not subscribed to this digest; it is shown as if they took every topic.")
    if share.topics:
        found.append(f"Topics: {', '.join(share.topics)}.")
    if share.language:
        found.append(f"Language: {share.language}.")
    if share.received:
        count = len(share.received)
        found.append(f"{count} {'paper' if count == 1 else 'papers'} left out: another digest brought them already.")
    if share.delivered:
        found.append("This is what was committed for them when the edition was published.")
    return tuple(found)


def nothing_for(reader: str) -> MailProblem:
    """Return what is shown when a person gets no mail of an edition."""
    return MailProblem(
        title="No mail goes out",
        lines=(f"Nothing in this edition is for {reader}: no paper in their topics is left.",),
    )
