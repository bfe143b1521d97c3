"""The common form of all providers' events: what an inbound report category about one recipient."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from digestmail.bounces.parsing.classify import classify_refusal
from digestmail.bounces.parsing.parse import where
from digestmail.bounces.parsing.report import (
    BounceClass,
    FailedRecipient,
    InboundReport,
    Kind,
    RecipientProof,
    printable_line,
)
from digestmail.errors import EventsError

log = logging.getLogger("digestmail.bounces")

_LONGEST: Final = 4000
_MILDEST_FIRST: Final = (BounceClass.SENDER_FAULT, BounceClass.SOFT, BounceClass.HARD)


def _text(value: object) -> str:
    """Return a text of limited length. Numbers are converted; other types become an empty string."""
    if not isinstance(value, str | int | float):
        return ""
    # JSON may contain lone surrogates, which databases do not accept.
    return str(value)[:_LONGEST].encode("utf-8", "replace").decode()


Text = Annotated[str, BeforeValidator(_text)]
"""An optional text. Providers also send null, numbers or nothing."""
Needed = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1)]
"""A required text."""


class Payload(BaseModel):
    """The parsed part of a provider's JSON. Unknown fields are ignored, because providers add fields at any time."""

    model_config = ConfigDict(extra="ignore", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """A provider's request, parsed."""

    events: tuple[InboundReport, ...] = ()
    unreadable: int = 0
    """Events that cannot be parsed, such as those without required fields. They do not affect the others."""
    confirm: str = ""
    """A URL that the operator must open once before the provider sends events. It is never fetched automatically."""


def load(body: bytes) -> Any:
    """Parse a body as JSON. Raises EventsError."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventsError("the body is not JSON") from error


def read_each(found: Iterable[Any], read: Callable[[Any], InboundReport]) -> EventBatch:
    """Parse events one by one. An event that `read` raises any exception for is counted, and the next one is parsed."""
    events, unreadable = [], 0
    for one in found:
        try:
            events.append(read(one))
        except Exception as error:  # noqa: BLE001 - one event must never stop the others
            log.warning("unreadable event: %s", where(error))
            unreadable += 1
    return EventBatch(events=tuple(events), unreadable=unreadable)


def ignored(kind: Kind) -> InboundReport:
    """Return an event that does not count, so that its recipient does not matter."""
    return InboundReport(kind=kind, identity="-")


def complaint(identity: str, recipient: str, proof: RecipientProof, detail: str) -> InboundReport:
    """Return a complaint or unsubscribe event; `detail` is its kind."""
    return InboundReport(
        kind=Kind.COMPLAINT, identity=identity, recipient=recipient, proof=proof, detail=printable_line(detail)
    )


def bounce(identity: str, recipient: str, proof: RecipientProof, failure: FailedRecipient) -> InboundReport:
    """Return the event of a message that did not arrive."""
    return InboundReport(
        kind=Kind.BOUNCE,
        identity=identity,
        recipient=recipient,
        proof=proof,
        failures=(failure,),
        detail=failure.text,
    )


def failed(recipient: str, category: BounceClass, *, status: str = "", text: str = "") -> FailedRecipient:
    """Return a failure that a provider classifies as `category`. The last server's reply can only make it milder."""
    code, judged = classify_refusal(status or None, text, otherwise=category)
    verdict = min(category, judged, key=_MILDEST_FIRST.index)
    return FailedRecipient(recipient=recipient, status=code, text=printable_line(text), verdict=verdict)


def identity_of(provider: str, event_id: str) -> str:
    """Return the identity of an event, from the provider's own id."""
    return hashlib.sha256(f"{provider}\n{event_id}".encode()).hexdigest()[:32]
