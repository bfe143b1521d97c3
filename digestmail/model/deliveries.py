"""Deliveries and notices: the outbox, and what became of each message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digestmail.model.subscribers import BounceKind


class NoticeKind(StrEnum):
    """What a mail that belongs to no edition says."""

    CONFIRM = "confirm"
    WELCOME = "welcome"
    ALREADY = "already"
    """Sent to who asks to subscribe and is subscribed: the page says the same to everybody."""
    CHANGED = "changed"
    """What somebody with the link in a mail changed; sent to the subscriber, who can undo it."""
    GOODBYE = "goodbye"
    ADDRESS = "address"
    """Sent to the new address of who wants to change theirs: nothing changes before it is confirmed."""
    ERASE = "erase"
    """Asks a subscriber to confirm that they are to be erased, which cannot be undone."""


class DeliveryState(StrEnum):
    """Where a delivery stands; `queued`, `sending` and `deferred` are open.

    `sending`: the intent is committed and the message may be on the wire. `ambiguous`: it may have arrived, nobody
    knows, and the operator decides.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    CANCELLED = "cancelled"
    AMBIGUOUS = "ambiguous"


class Manner(StrEnum):
    """How far a mail server that offers PIPELINING (RFC 2920) takes commands before it has answered the last one.

    `within`: MAIL, RCPT and DATA of one transaction go together. `behind-dot`: besides, the next transaction's
    commands go behind the final dot. `never`: one command at a time. `trial`: one connection is finding out whether
    the server is `behind-dot`; everybody else treats it as `within`.
    """

    TRIAL = "trial"
    BEHIND_DOT = "behind-dot"
    WITHIN = "within"
    NEVER = "never"


Claim = tuple[int, int, int]
"""Identifies one claim of one message. After a lease has passed, a worker may hold two claims of the same message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Edition x subscriber, as claimed by one worker: only the holder of `fence` may record its outcome."""

    edition_id: int
    subscriber_id: int
    segment_id: int
    address: str
    attempts: int
    """Attempts begun, including this one."""
    queued_at: datetime
    fence: int
    wanted: bool
    """Whether the subscriber was active and subscribed at the time of the claim."""
    state: DeliveryState = DeliveryState.QUEUED
    """The state before the claim: `sending` if another worker died with it."""

    @property
    def claim(self) -> Claim:
        """The identity of this claim."""
        return self.edition_id, self.subscriber_id, self.fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message of no edition, as claimed by one worker: only the holder of `fence` may record its outcome."""

    id: int
    subscriber_id: int
    kind: NoticeKind
    content: Mapping[str, str]
    """What the template needs beyond the subscriber. It goes to `content["to"]`, if that is set."""
    address: str
    attempts: int
    """Attempts begun, including this one."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What a delivery became after an attempt; `due_at` is set when it stays open."""

    state: DeliveryState
    code: int | None = None
    text: str = ""
    due_at: datetime | None = None
    milliseconds: int | None = None
    """How long the server took, from the first command to the answer to the final dot."""
    begun: bool = True
    """Whether it was an attempt at all; else the delivery was only given back."""
    kept: DeliveryState | None = None
    """As what the attempt is kept beside the delivery, when it did not end it: `deferred` or `ambiguous`."""
    bounce: BounceKind | None = None
    """How a server's final refusal counts towards suppression, as a report of it would."""
    status: str | None = None
    """The enhanced status code of that refusal."""


class AmbiguousPolicy(StrEnum):
    """What is done about a message that may have arrived."""

    RESEND = "resend"
    """It is sent again under the same Message-ID."""
    HOLD = "hold"
    """It waits for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The words of a mail, made once per segment. Personal places are marked as `mail/message.py` says."""

    subject: str
    html: str
    text: str
    shortened: int = 0
    """How many papers were cut to less than the layout has room for, so that the message keeps its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who a message is from and for, on the wire (RFC 5321 section 2.3.1)."""

    sender: str
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """Which failed and ambiguous deliveries are meant; None: all."""

    code: int | None = None
    """Their last reply code."""
    text: str | None = None
    """A part of what the server said; case does not matter."""
    digest: str | None = None
    slot: str | None = None
    subscriber_id: int | None = None
