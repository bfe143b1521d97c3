"""The words of the house as values: frozen, and knowing nothing of files, sockets or databases.

Every `datetime` here is aware and in UTC unless its name ends in `_local`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import NewType

from digestmail.look import Look

PaperId = NewType("PaperId", str)
"""What makes two papers the same: `arxiv:2604.00157`, `doi:10.1101/2024.01.02`, `url:https://...`, in this order."""


# -- what the world said ---------------------------------------------------------------------------------------------


class Origin(IntEnum):
    """How near the author a text comes from; of two texts for one paper, the higher origin's is kept."""

    FEED = 1
    HUGGING_FACE = 2
    ARXIV = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A work, as far as it is known. Texts are plain text: no markup, white space folded, TeX made readable."""

    id: PaperId
    title: str
    origin: Origin
    link: str
    """Where to read it, http or https."""
    aliases: tuple[PaperId, ...] = ()
    """Other ids the same work goes by, sorted, without `id` itself."""
    abstract: str = ""
    raw_title: str = ""
    raw_abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """arXiv categories, the primary one first."""
    published_at: datetime | None = None
    """When the work first came out (arXiv: version 1), not when a source mentioned it."""
    summary: str | None = None
    """One or two sentences on the paper, by a machine."""
    keywords: tuple[str, ...] = ()
    organization: str | None = None
    comment: str | None = None
    discussion_url: str | None = None
    code_url: str | None = None
    project_url: str | None = None
    thumbnail_url: str | None = None
    withdrawn: bool = False


class AnnounceType(StrEnum):
    """arXiv's word for why a paper is in a feed, relative to the categories asked for."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What a source counted for a paper at one moment; None where it does not say."""

    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    announce_type: AnnounceType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One source mentioned one paper. `day` is the source's own date for it, else the day it was read."""

    source: str
    paper: Paper
    day: date
    signals: Signals = Signals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An entry that did not become a sighting: which one, and why."""

    entry: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a server gave with an answer, so that it can say "not modified" next time (RFC 9110 section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None
    unchanged: bool = field(default=False, compare=False)
    """Whether the server only said "not modified" when it gave them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of reading a source once."""

    source: str
    entries: int
    """Raw entries met; `entries` = sightings + skipped."""
    sightings: tuple[Sighting, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    categories: tuple[str, ...] = ()
    """Categories asked for, each judged for health on its own; empty when the source has none."""
    unchanged: bool = False
    """Every page asked for was answered "not modified"."""
    partial: str | None = None
    """Why the reading is not whole, when it is not."""
    validators: dict[str, Validators] = field(default_factory=dict)
    """By URL; to be stored together with the sightings, never before them."""


class Health(StrEnum):
    """How a reading of a source, or of one of its categories, went."""

    FRESH = "fresh"
    NOTHING_ANNOUNCED = "nothing-announced"
    STALE = "stale"
    PARTIAL = "partial"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """The health of one source, or of one category of it (`category` is empty for the source as a whole)."""

    source: str
    category: str
    health: Health
    detail: str
    """A sentence: why nothing came, or what came."""
    read_at: datetime
    fresh_at: datetime | None = None
    """When an unseen paper last came."""


# -- what is asked for -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A rule papers match and subscribers choose."""

    name: str
    keywords: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    description: str = ""
    min_similarity: float = 0.2
    """From which lexical similarity (0..1) a paper belongs here though no keyword occurs in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each part counts in a score; the formula stands in `selection/ranking.py`."""

    upvotes: float = 1.0
    comments: float = 0.5
    stars: float = 0.2
    growth: float = 0.5
    topic: float = 1.0
    half_life_days: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many papers one reader gets of an edition, and what a paper must score."""

    max_papers: int = 25
    max_per_topic: int = 10
    min_score: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When editions are due: a five-field crontab line (Sunday is 0 or 7) in an IANA time zone."""

    cron: str
    timezone: str


class OnEmpty(StrEnum):
    """What to do on a day without papers."""

    SKIP = "skip"
    SEND = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A configured newsletter."""

    name: str
    title: str
    schedule: Schedule
    sources: tuple[str, ...]
    curated: tuple[str, ...] = ()
    """Those of `sources` that pick papers others announced, such as Hugging Face; the others announce."""
    byline: str = ""
    topics: tuple[Topic, ...] = ()
    limits: Limits = Limits()
    weights: Weights = Weights()
    window_days: int = 2
    also_trending: bool = True
    """Whether papers that match no topic get a closing section."""
    on_empty: OnEmpty = OnEmpty.SKIP
    allow_repeats_of: tuple[str, ...] = ()
    """Names of digests whose papers this one may send to the same person again."""
    look: Look = Look()


# -- what was chosen -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """When one source first showed a paper, and the latest day it gave for it."""

    source: str
    first_seen_at: datetime
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentioned:
    """A paper with all that a digest's sources said of it."""

    paper: Paper
    mentions: tuple[Mention, ...]
    """One for each source, by name."""
    signals: Signals = Signals()
    """The latest known, the highest over the sources."""
    earlier: Signals = Signals()
    """The same a reading before, for growth; equal to `signals` when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A paper a digest may choose: it is news, and of this day."""

    paper: Paper
    day: date
    """The day of the source that makes it news."""
    came_at: datetime
    """When that source first showed it."""
    signals: Signals = Signals()
    earlier: Signals = Signals()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicMatch:
    """Why a paper belongs to a topic."""

    topic: str
    strength: float
    """0..1, comparable between topics."""
    keywords: tuple[str, ...] = ()
    """The topic's keywords that occur in the paper, in the topic's order."""
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    similarity: float = 0.0
    similar_words: tuple[str, ...] = ()
    """The words that carry most of the similarity, strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A paper's score, and the parts it is the sum of (after `age`, which multiplies the others)."""

    total: float
    upvotes: float = 0.0
    comments: float = 0.0
    stars: float = 0.0
    growth: float = 0.0
    topic: float = 0.0
    age: float = 1.0
    """The factor 0..1 by which age shrinks the sum of the other parts."""


class Outcome(StrEnum):
    """What became of a candidate."""

    SELECTED = "selected"
    PUBLISHED_BEFORE = "published-before"
    WITHDRAWN = "withdrawn"
    NO_TOPIC = "no-topic"
    BELOW_MIN_SCORE = "below-min-score"
    OVER_TOPIC_LIMIT = "over-topic-limit"
    OVER_LIMIT = "over-limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of one candidate, and everything the decision rests on."""

    paper_id: PaperId
    outcome: Outcome
    score: Score
    rank: int | None = None
    """1 is taken first, among the candidates neither published before nor withdrawn."""
    new: bool = True
    """Whether it came since the last edition; what is left over from before comes after all that is new."""
    match: TopicMatch | None = None
    """The topic it matches best."""
    other_matches: tuple[TopicMatch, ...] = ()
    excluded: tuple[str, ...] = ()
    """`topic: word` for every topic whose exclusion struck."""
    published_in: str | None = None
    """The slot of the edition that had it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A paper in an edition, as it was on the day: the archive shows this, whatever is learned later."""

    paper: Paper
    signals: Signals
    score: Score
    rank: int
    matches: tuple[TopicMatch, ...] = ()
    """Every topic it matches, the best first; in a section, the one it stands under first."""

    @property
    def match(self) -> TopicMatch | None:
        """Return the topic it stands under, None if it matches none."""
        return self.matches[0] if self.matches else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One topic's papers as one reader gets them, by rank. `topic` is None for what matches no topic."""

    topic: str | None
    entries: tuple[Entry, ...]
    more: int = 0
    """How many more papers belonged here for this reader but were over a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """How many papers qualified for an edition but are in it for no reader; `topics` they match, the best first."""

    topics: tuple[str, ...]
    papers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What `select` decided: what an edition holds, what it has no room for, and a decision per candidate by rank."""

    entries: tuple[Entry, ...]
    beyond: tuple[Beyond, ...]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slot:
    """The period an edition stands for: `key` is its local date, with the time if it fires more often than daily."""

    at: datetime
    key: str
    day: date
    """The local date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One immutable issue of a digest. Without entries it is the record of an empty day and `reason` says why.

    It holds what any choice of topics may need; what one reader gets of it is decided in `selection/segments.py`.
    """

    digest: str
    slot: Slot
    title: str
    byline: str
    composed_at: datetime
    entries: tuple[Entry, ...] = ()
    """By rank."""
    beyond: tuple[Beyond, ...] = ()
    topics: tuple[str, ...] = ()
    """The topics of the digest in the order of its sections."""
    limits: Limits = Limits()
    """What one reader gets at most."""
    considered: int = 0
    """How many candidates there were."""
    reason: str = ""


# -- who gets it -----------------------------------------------------------------------------------------------------


class SubscriberState(StrEnum):
    """Where a person stands."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


class SuppressionReason(StrEnum):
    """Why nothing is sent to an address any more."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    OPERATOR = "operator"


class BounceKind(StrEnum):
    """How bad a report about an address is."""

    HARD = "hard"
    """The address does not exist."""
    SOFT = "soft"
    """Mail to it failed for another reason that lies with it: full, disabled, unreachable, or refused by its owner."""
    COMPLAINT = "complaint"
    """Its owner called a mail junk, or asked their provider to be taken off."""
    OURS = "ours"
    """We, our server or the mail were refused: it weighs nothing, and is kept so that a block can be seen."""
    BLOCKED = "blocked"
    """Hard or soft by its words, but one of so many alike that the domain blocks us: it weighs nothing."""
    FORGIVEN = "forgiven"
    """Counted once; its owner has confirmed anew since, or the operator lifted the suppression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceEvent:
    """One report about one subscriber's mail, from wherever it came: a mailbox, or a provider's webhook."""

    report: str
    """The report's own identity: the same report read twice counts once."""
    subscriber_id: int
    kind: BounceKind
    edition_id: int | None = None
    status: str | None = None
    """An enhanced status code (RFC 3463), such as "5.1.1"."""
    detail: str = ""
    """What the other side said, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedBounce:
    """As much of a stored bounce as its weight needs."""

    kind: BounceKind
    at: datetime
    edition_id: int | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Subscriber x digest. No topics means all of them."""

    digest: str
    topics: tuple[str, ...] = ()
    hour: int | None = None
    """The local hour (0..23) it is wanted in; None: as soon as it is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person chose: digests, each with topics and hour, and what holds for all of them."""

    subscriptions: tuple[Subscription, ...] = ()
    language: str | None = None
    """A language tag (BCP 47); None follows the digest."""
    timezone: str | None = None
    """An IANA name; None follows the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Where and when a person agreed to get mail."""

    source: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A person's address, and what they asked for."""

    id: int
    address: str
    state: SubscriberState
    created_at: datetime
    subscriptions: tuple[Subscription, ...] = ()
    language: str | None = None
    timezone: str | None = None
    paused_until: datetime | None = None
    consent_source: str | None = None
    consent_at: datetime | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Edition x subscriber, as claimed by one worker: only the holder of `fence` may record its outcome."""

    edition_id: int
    subscriber_id: int
    segment_id: int
    address: str
    attempts: int
    """Attempts begun, this one included."""
    queued_at: datetime
    fence: int
    wanted: bool
    """Whether the subscriber is active and still subscribed, looked up at the time of the claim."""
    state: DeliveryState = DeliveryState.QUEUED
    """The state it was claimed in: `sending` if another worker died with it."""

    @property
    def claim(self) -> tuple[int, int, int]:
        """Which claim this is: after its lease a worker may claim the same delivery again, and then holds two."""
        return self.edition_id, self.subscriber_id, self.fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A mail of no edition, as claimed by one worker: only the holder of `fence` may record its outcome."""

    id: int
    subscriber_id: int
    kind: NoticeKind
    content: dict[str, str]
    """What the template needs beyond the subscriber."""
    address: str
    language: str | None
    attempts: int
    """Attempts begun, this one included."""
    queued_at: datetime
    fence: int
    wanted: bool
    """Whether it may still be sent: nobody who was suppressed meanwhile gets it."""


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
class Segment:
    """The subscribers of an edition who get the same content: these papers, in the edition's order, in one language."""

    id: int
    edition_id: int
    topics: tuple[str, ...]
    paper_ids: tuple[PaperId, ...]
    more: tuple[tuple[str | None, int], ...] = ()
    """How many more papers belonged under a topic (None: the closing section), where there were any."""
    language: str | None = None
    """The language they chose; None follows the digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The words of a mail, made once per segment. Personal places are marked as `message.py` says."""

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
