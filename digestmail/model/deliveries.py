"""Deliveries and notices: the outbox, and the outcome of each message.

What is created for each message is a named tuple: it takes a third of the time of a frozen data class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from digestmail.model.subscribers import BounceKind

NOTICE = "notice"
"""Shown where a delivery has the name of its digest; no digest may be called so."""


PUT_BACK = "the database was put back from a backup"
"""Why a restore cancels what is open: it may have been sent after the backup was made."""
TOO_LATE = "too late"
"""How the reason begins why a delivery is cancelled that was not begun for long, as after a restore unknown to us."""


class NoticeKind(StrEnum):
    """The kind of an email that belongs to no edition."""

    CONFIRM = "confirm"
    WELCOME = "welcome"
    ALREADY = "already"
    """Sent if someone signs up with an address that is already subscribed. The web page is the same for everyone."""
    CHANGED = "changed"
    """Preferences were changed through a link in an email. The subscriber can undo it."""
    GOODBYE = "goodbye"
    ADDRESS = "address"
    """Sent to a new address. Nothing changes before it is confirmed."""
    ERASE = "erase"
    """Asks a subscriber to confirm an erasure, which cannot be undone."""


class DeliveryState(StrEnum):
    """The state of a delivery. `queued`, `sending` and `deferred` are open.

    `sending`: the intent is committed and the message may have been transmitted. `ambiguous`: it is not known whether
    the message arrived, and the operator decides.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    CANCELLED = "cancelled"
    AMBIGUOUS = "ambiguous"


class Manner(StrEnum):
    """How far a mail server that offers PIPELINING (RFC 2920) accepts commands before it has replied to earlier ones.

    `within`: MAIL, RCPT and DATA of one transaction are sent together. `behind-dot`: the commands of the next
    transaction also follow the final dot directly. `never`: one command at a time. `trial`: one connection tests
    whether the server is `behind-dot`; all others use `within`.
    """

    TRIAL = "trial"
    BEHIND_DOT = "behind-dot"
    WITHIN = "within"
    NEVER = "never"


Claim = tuple[int, int, int]
"""Identifies one claim of one message. After a lease has passed, a worker may hold two claims of the same message."""


class Delivery(NamedTuple):
    """A claimed delivery of an edition to a subscriber. Only the holder of `fence` may record its outcome."""

    edition_id: int
    subscriber_id: int
    segment_id: int
    address: str
    attempts: int
    """The number of attempts, including this one."""
    queued_at: datetime
    fence: int
    wanted: bool
    """Whether the subscriber was active and subscribed at the time of the claim."""
    state: DeliveryState = DeliveryState.QUEUED
    """The state before the claim: `sending` if another worker died with it."""
    picks: bytes | None = None
    """The papers that were picked for the subscriber, see `storage/picks.py`."""

    @property
    def claim(self) -> Claim:
        """The identity of this claim."""
        return self.edition_id, self.subscriber_id, self.fence


class Notice(NamedTuple):
    """A claimed notice. Only the holder of `fence` may record its outcome."""

    id: int
    subscriber_id: int
    kind: NoticeKind
    content: Mapping[str, str]
    """What the template needs beyond the subscriber. It goes to `content["to"]`, if that is set."""
    address: str
    attempts: int
    """The number of attempts, including this one."""
    queued_at: datetime
    fence: int
    wanted: bool
    """Whether it may still be sent: the address was not suppressed at the time of the claim."""
    state: DeliveryState = DeliveryState.QUEUED
    """The state before the claim: `sending` if another worker died with it."""

    @property
    def claim(self) -> Claim:
        """The identity of this claim; 0 is no edition's id."""
        return 0, self.id, self.fence


ClaimedMessage = Delivery | Notice
"""The two kinds of messages the delivery engine sends."""


class Attempted(NamedTuple):
    """The result of an attempt. `due_at` is set if the delivery stays open."""

    state: DeliveryState
    code: int | None = None
    text: str = ""
    due_at: datetime | None = None
    milliseconds: int | None = None
    """The server's processing time, from the first command to the reply to the final dot."""
    begun: bool = True
    """Whether an attempt was made; otherwise the delivery was only released."""
    kept: DeliveryState | None = None
    """The state of the stored attempt if it did not end the delivery: `deferred` or `ambiguous`."""
    bounce: BounceKind | None = None
    """How a permanent refusal counts towards suppression, like a bounce."""
    status: str | None = None
    """The enhanced status code of that refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """A process, as it can be recognized later: process IDs are used again."""

    machine: str
    """The machine since its last start, and the container."""
    pid: int
    started: str
    """When the process started, in the clock ticks of its machine."""


class AmbiguousPolicy(StrEnum):
    """What to do with a message that may have arrived."""

    RESEND = "resend"
    """Send it again with the same Message-ID."""
    HOLD = "hold"
    """Wait for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A rendered email, created once for each segment. Personal links are placeholders (see `mail/placeholders.py`)."""

    subject: str
    html: str
    text: str
    shortened: int = 0
    """How many papers were shortened so that the message fits the size limit."""
    nonce: str = ""
    """The random part of the placeholders; empty if there are none."""


class Envelope(NamedTuple):
    """The sender and the recipient in SMTP (RFC 5321 section 2.3.1)."""

    sender: str
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A filter for failed and ambiguous deliveries; None means all."""

    code: int | None = None
    """Their last reply code."""
    text: str | None = None
    """A part of the server's reply, regardless of case."""
    digest: str | None = None
    slot: str | None = None
    subscriber_id: int | None = None
