"""Editions to render: a full one, and builders for odd ones. All texts are invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.placeholders import preferences_placeholder, unsubscribe_placeholder
from digestmail.model.deliveries import Rendered
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Origin, Paper, PaperId, Signals
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import Entry, PersonalSection, Score, Section, TopicMatch
from digestmail.model.theme import Appearance, Layout
from digestmail.selection.segments import with_picks

SIX = datetime(2026, 4, 2, 6, 0, tzinfo=UTC)
TOKEN = "WzEyMywiZGFpbHkiXQ.kZt0VJ3sm0kq8VQd3r5p0lqkN2E"
NONCE = "9d6b2f41"
UNSUBSCRIBE_PLACEHOLDER = unsubscribe_placeholder(NONCE)
PREFERENCES_PLACEHOLDER = preferences_placeholder(NONCE)
SENDER = Sender(
    mailbox="Trending Papers <digest@example.org>", domain="digest.example.org", base_url="https://digest.example.org"
)

ABSTRACT = (
    "We look at how a model of modest size decides which of its layers a question needs. "
    "Leaving the others out halves the time on a single card, at nearly the same quality on eight tasks. "
    "What is lost is mostly arithmetic, e.g. long division, and a short training run brings it back."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged(Edition):
    """An edition with given sections, for tests of its appearance."""

    sections: tuple[Section, ...] = ()


def entry(number: int, title: str, *, signals: Signals = Signals(), match: TopicMatch | None = None, **fields) -> Entry:  # noqa: B008 - frozen
    """Make the entry of rank `number`."""
    fields = {"authors": ("Ada Example", "Boris Sample"), "abstract": ABSTRACT, "published_at": SIX} | fields
    paper = Paper(
        id=PaperId(f"arxiv:2604.{number:05d}"),
        title=title,
        origin=Origin.HUGGING_FACE,
        link=fields.pop("link", f"https://arxiv.org/abs/2604.{number:05d}"),
        **fields,
    )
    return Entry(paper=paper, signals=signals, score=Score(total=1.0), rank=number, matches=(match,) if match else ())


def edition(sections: Sequence[Section], **fields) -> Arranged:
    """Make the edition of Thursday 2 April 2026."""
    defaults = {
        "digest": "daily",
        "slot": Slot(at=SIX, key="2026-04-02", day=date(2026, 4, 2)),
        "title": "Trending papers",
        "byline": "what the community reads today",
        "composed_at": SIX,
        "entries": tuple(entry for section in sections for entry in section.entries),
        "sections": tuple(sections),
    }
    return Arranged(**(defaults | fields))


def section(entries: Sequence[Entry], topic: str | None = None, more: int = 0) -> Section:
    """Make a section."""
    return Section(topic=topic, entries=tuple(entries), more=more)


def full_edition() -> Arranged:
    """Make an edition in which every part of the layout occurs."""
    skipping = entry(
        1,
        "Skipping Layers Gracefully: Depth on Demand for Small Language Models",
        authors=("Ada Example", "Boris Sample", "Chen Madeup", "Dora Nobody", "Zoë Étude"),
        summary="A small model learns which of its layers a question needs and leaves out the rest.",
        organization="Example Institute of Technology",
        discussion_url="https://huggingface.co/papers/2604.00001",
        code_url="https://github.com/example/skipping",
        project_url="https://example.org/skipping",
        signals=Signals(upvotes=187, comments=14, stars=1640),
        match=TopicMatch(topic="Efficient training & serving", strength=0.9, keywords=("small model", "early exit")),
    )
    compiler = entry(
        2,
        "Do Models Read the Compiler's <think> Output? An Honest Look",
        signals=Signals(upvotes=96, comments=1),
        match=TopicMatch(topic="Code", strength=0.5, categories=("cs.SE", "cs.PL")),
    )
    cache = entry(
        3,
        "A Cache That Forgets on Purpose",
        signals=Signals(upvotes=62),
        match=TopicMatch(
            topic="Efficient training & serving", strength=0.3, similarity=0.3, words=("serving", "latency")
        ),
    )
    blog = entry(
        4,
        "Notes on Naïve Baselines",
        authors=(),
        abstract="",
        published_at=None,
        link="https://blog.example.org/x",
        signals=Signals(upvotes=41),
    )
    return edition(
        (
            section((skipping, cache), "Efficient training & serving", more=3),
            section((compiler,), "Code"),
            section((blog,)),
        )
    )


def one_paper() -> Arranged:
    """Make an edition of a single paper that matched a topic."""
    return edition((section((entry(1, "A Cache That Forgets on Purpose", signals=Signals(upvotes=1)),), "Caches"),))


def sixty_papers() -> Arranged:
    """Make an edition over the byte budget: sixty papers with long abstracts in three topics."""
    papers = [
        entry(
            n,
            f"The Sixty Findings, Number {n}",
            abstract=ABSTRACT * 3,
            organization="Example Institute of Technology",
            discussion_url=f"https://huggingface.co/papers/2604.{n:05d}",
            code_url=f"https://github.com/example/finding-{n}",
            signals=Signals(upvotes=300 - 4 * n, comments=n, stars=10 * n),
        )
        for n in range(1, 61)
    ]
    return edition([section(papers[at::3], f"Topic {at + 1}", more=at) for at in range(3)])


def hostile_edition() -> Arranged:
    """Make an edition whose texts try to be markup, templates, headers and links of other kinds."""
    evil = entry(
        1,
        "<script>alert(1)</script> & </td></mj-text> {{ title }} {% raw %}",
        authors=("<b>Bold</b>", "a\r\nBcc: x@example.org", "\u202eflipped\u202c"),
        abstract='<think>hm</think> .\n.\nFrom here & there; 100 % "quoted" &lt;b&gt; %(title)s \x00\x1b',
        organization="<i>Institute</i>",
        link="javascript:alert(1)",
        discussion_url="https://example.org/?a=1&b=<x>\"'",
        code_url="data:text/html,x",
        project_url="http://exämple.org/ü?q=ü",
        thumbnail_url="http://example.org/insecure.png",
        signals=Signals(upvotes=-3, comments=10**12, stars=10**12),
        match=TopicMatch(topic="t", strength=1.0, keywords=("<mj-raw>", "%(words)s")),
    )
    return edition((section((evil,), 'Topic <&> "x"'),), title="Digest <&> %(day)s", byline="by <script>")


def hebrew_edition() -> Arranged:
    """Make an edition whose papers and topics are written from right to left, beside one that is not."""
    first = entry(
        1,
        "מודלים קטנים שקוראים רק מה שצריך",
        authors=("נועה דוגמה", "Ada Example"),
        abstract="מודל קטן לומד אילו משכבותיו נחוצות לשאלה ומדלג על השאר. כך נחסך מחצית הזמן בכרטיס אחד.",
        signals=Signals(upvotes=12, comments=2, stars=2100),
        discussion_url="https://huggingface.co/papers/2604.00001",
        code_url="https://github.com/example/small",
    )
    return edition(
        (
            section((first, entry(2, "Numbers in Two Directions", signals=Signals(upvotes=1))), "יעילות", more=2),
            section((entry(3, "A Third One", signals=Signals(upvotes=4)),)),
        ),
        title="מאמרים שמדברים עליהם",
        byline="מה שהקהילה קוראת היום",
    )


def pictured_edition() -> Arranged:
    """Make the full edition with pictures from the sources."""
    of = full_edition()
    sections = [
        replace(
            part,
            entries=tuple(
                replace(each, paper=replace(each.paper, thumbnail_url=f"https://pictures.example.org/{each.rank}.png"))
                for each in part.entries
            ),
        )
        for part in of.sections
    ]
    return replace(of, sections=tuple(sections))


WHY_PICKED = (
    PickReason(kind=PickKind.LIKED, title="A Cache That Remembers <Everything>"),
    PickReason(kind=PickKind.READING_LIST, title="Depth on Demand"),
    PickReason(kind=PickKind.AUTHOR, names=("Ada Example", "Zoë Étude")),
    PickReason(kind=PickKind.INTERESTS, names=("quantization", "low bit")),
    PickReason(kind=PickKind.EXPLORATION),
)


def for_you(count: int = 5) -> PersonalSection:
    """Make a section "For you": the first paper is that of rank 3 in the edition, the others are not in it."""
    number_3 = next(entry for one in full_edition().sections for entry in one.entries if entry.rank == 3)
    picked = (number_3, *(entry(number, f"Picked as Number {number - 8}") for number in range(10, 9 + count)))
    return PersonalSection(topic=None, entries=picked, reasons=WHY_PICKED[:count], positions=(2, *range(5, 4 + count)))


def personal_edition() -> Arranged:
    """Make the full edition as a reader gets it for whom papers were picked."""
    of = full_edition()
    return replace(of, sections=with_picks(of.sections, for_you(), 8))


GOLDEN_EDITIONS: dict[str, tuple[Arranged, Appearance, str | None]] = {
    "normal": (pictured_edition(), Appearance(thumbnails=True), None),
    "one-paper": (one_paper(), Appearance(layout=Layout.COMPACT), "de"),
    "sixty-papers": (sixty_papers(), Appearance(), "fr"),
    "hostile": (hostile_edition(), Appearance(thumbnails=True), None),
    "right-to-left": (hebrew_edition(), Appearance(language="he"), None),
    "for-you": (personal_edition(), Appearance(), None),
    "no-thumbnails": (pictured_edition(), Appearance(layout=Layout.HEADLINES), None),
}
"""Each kept in tests/golden: the edition, its look and the segment's language."""


def cast(rendered: Rendered, *, sender: Sender = SENDER, title: str = "Trending papers") -> bytes:
    """Cast `rendered` for one recipient."""
    message_template = MessageTemplate(rendered, sender, digest="daily", title=title)
    return message_template.personalize(
        recipient="reader@example.net",
        message_id="<daily.2026-04-02.abcdefgh@digest.example.org>",
        date=SIX,
        unsubscribe_token=TOKEN,
    )
