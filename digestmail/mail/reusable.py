"""`ReusableTemplate`: the message of an edition, filled with other bodies for one reader after another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digestmail.mail.dkim import Signer, relaxed
from digestmail.mail.encoding import Joined, Part
from digestmail.mail.message import EMPTY_LINE, MessageTemplate
from digestmail.mail.message_headers import Sender, subject_header
from digestmail.model.deliveries import Rendered


@dataclass(frozen=True, slots=True)
class Subject:
    """The field with the subject, as sent and in canonical form, each with its CRLF."""

    field: bytes
    canonical: bytes

    @classmethod
    def of(cls, subject: str) -> Subject:
        """Encode `subject`."""
        field = subject_header(subject)
        return cls(field, relaxed(field))


class ReusableTemplate(MessageTemplate):
    """A message template with everything but the subject and the bodies, which are different for each reader."""

    def __init__(self, sender: Sender, *, digest: str, title: str, signers: Sequence[Signer]) -> None:
        """Serialize what all emails share. Raises ValueError, as `MessageTemplate`."""
        empty = Rendered(subject="", html="", text="")
        super().__init__(empty, sender, digest=digest, title=title, signers=signers)
        self._relaxed_after = relaxed(self._after)
        # Signatures are prepared with the headers before the subject only.
        self._signer = self._segment_signer(self._before, b"") if signers else None
        subject, body = Subject.of(""), Joined((), 0)
        self._overhead = self.with_content(subject, body, body).max_octets() - len(subject.field)

    def with_content(self, subject: Subject, text: Part, html: Part) -> MessageTemplate:
        """Return the message with this content, which takes microseconds."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made._set(subject.field, text, html)
        made._own_start = subject.canonical + self._relaxed_after
        made._unhashed = made._start.removeprefix(EMPTY_LINE)
        return made

    def octets_with(self, subject: Subject, text: Joined, html: Joined) -> int:
        """Return the size of the largest message `with_content` of these bodies, each as the `smaller` of two."""
        token = b"x" * self._longest_token
        octets = sum(_octets(body.smaller(), token) for body in (text, html))
        return self._overhead + len(subject.field) + octets


def _octets(part: Part, token: bytes) -> int:
    """Return the size of a body with `token`, and by how much the name of its encoding is longer than usual."""
    named = len(part.encoding) - len(Joined.encoding)
    if isinstance(part, Joined):
        return part.octets(token) + named
    return len(part.start) + sum(map(len, part.rest(token))) + named
