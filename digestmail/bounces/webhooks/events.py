"""The normal form: what any provider tells of one recipient, in the words of a mail that came back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from digestmail.bounces.parsing.classify import judge
from digestmail.bounces.parsing.report import BounceClass, FailedRecipient, InboundReport, Kind, RecipientProof
from digestmail.errors import EventsError

_LONGEST: Final = 4000
_MILDEST_FIRST: Final = (BounceClass.SENDER_FAULT, BounceClass.SOFT, BounceClass.HARD)


def _text(value: object) -> str:
    """Return a text, cut to what is ever looked at; numbers are written out, and what is neither is empty."""
    if not isinstance(value, str | int | float):
        return ""
    # JSON may hold halves of a surrogate pair, which no database takes.
    return str(value)[:_LONGEST].encode("utf-8", "replace").decode()


Text = Annotated[str, BeforeValidator(_text)]
"""A text that may be missing: providers write null, numbers and nothing at all."""
Needed = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1)]
"""A text an event means nothing without."""


class Payload(BaseModel):
    """As much of a provider's JSON as is read; providers add fields when they like."""

    model_config = ConfigDict(extra="ignore", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """One request of a provider, read."""

    events: tuple[InboundReport, ...] = ()
    unreadable: int = 0
    """Events that lack what their kind needs; they are left out, and hurt no other."""
    confirm: str = ""
    """An address the operator opens by hand, once, before the provider tells more; it is never fetched."""


def load(body: bytes) -> Any:
    """Return what a body holds as JSON. Raises EventsError."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventsError("the body is not JSON") from error


def read_each(found: Iterable[Any], read: Callable[[Any], InboundReport]) -> EventBatch:
    """Read events one by one; `read` raises ValidationError for one that cannot be read."""
    events, unreadable = [], 0
    for one in found:
        try:
            events.append(read(one))
        except ValidationError:
            unreadable += 1
    return EventBatch(events=tuple(events), unreadable=unreadable)


def ignored(kind: Kind) -> InboundReport:
    """Return an event that counts against nobody; whose it is does not matter."""
    return InboundReport(kind=kind, identity="-")


def complaint(identity: str, recipient: str, proof: RecipientProof, detail: str) -> InboundReport:
    """Return an event that tells of a reader who wants no more mail; `detail` says how they said so."""
    return InboundReport(kind=Kind.COMPLAINT, identity=identity, recipient=recipient, proof=proof, detail=_line(detail))


def bounce(identity: str, recipient: str, proof: RecipientProof, failure: FailedRecipient) -> InboundReport:
    """Return an event that tells of a mail that did not arrive."""
    return InboundReport(
        kind=Kind.BOUNCE,
        identity=identity,
        recipient=recipient,
        proof=proof,
        failures=(failure,),
        detail=failure.text,
    )


def failed(recipient: str, says: BounceClass, *, status: str = "", text: str = "") -> FailedRecipient:
    """Return a failure a provider calls `says`; the last server's status code and text can only make it milder."""
    code, judged = judge(status or None, text, otherwise=says)
    verdict = min(says, judged, key=_MILDEST_FIRST.index)
    return FailedRecipient(recipient=recipient, status=code, text=_line(text), verdict=verdict)


def identity_of(provider: str, event_id: str) -> str:
    """Return what makes an event the same however often it is told: of the provider's own id."""
    return hashlib.sha256(f"{provider}\n{event_id}".encode()).hexdigest()[:32]


def _line(text: str) -> str:
    return " ".join(text.split())[:500]
