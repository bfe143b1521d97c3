"""Editions to render: a full one to look at, and makers for odd ones. All texts are made up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from digestmail.message import Mould, Sender
from digestmail.model import (
    Edition,
    Entry,
    Origin,
    Paper,
    PaperId,
    Rendered,
    Score,
    Section,
    Signals,
    Slot,
    TopicMatch,
)

SIX = datetime(2026, 4, 2, 6, 0, tzinfo=UTC)
TOKEN = "WzEyMywiZGFpbHkiXQ.kZt0VJ3sm0kq8VQd3r5p0lqkN2E"
SENDER = Sender(
    mailbox="Trending Papers <digest@example.org>", domain="digest.example.org", base_url="https://digest.example.org"
)

ABSTRACT = (
    "We look at how a model of modest size decides which of its layers a question needs. "
    "Leaving the others out halves the time on a single card, at nearly the same quality on eight tasks. "
    "What is lost is mostly arithmetic, e.g. long division, and a short training run brings it back."
)


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
    return Entry(paper=paper, signals=signals, score=Score(total=1.0), rank=number, match=match)


def edition(sections: Sequence[Section], **fields) -> Edition:
    """Make the edition of Thursday 2 April 2026."""
    defaults = {
        "digest": "daily",
        "slot": Slot(at=SIX, key="2026-04-02", day=date(2026, 4, 2)),
        "title": "Trending papers",
        "byline": "what the community reads today",
        "composed_at": SIX,
        "sections": tuple(sections),
    }
    return Edition(**(defaults | fields))


def section(entries: Sequence[Entry], topic: str | None = None, more: int = 0) -> Section:
    """Make a section."""
    return Section(topic=topic, entries=tuple(entries), more=more)


def full_edition() -> Edition:
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
            topic="Efficient training & serving", strength=0.3, similarity=0.3, similar_words=("serving", "latency")
        ),
    )
    blog = entry(
        4, "Notes on Naïve Baselines", authors=(), abstract="", published_at=None, link="https://blog.example.org/x"
    )
    return edition(
        (
            section((skipping, cache), "Efficient training & serving", more=3),
            section((compiler,), "Code"),
            section((blog,)),
        )
    )


def cast(rendered: Rendered, *, sender: Sender = SENDER, title: str = "Trending papers") -> bytes:
    """Cast `rendered` for one recipient."""
    mould = Mould(rendered, sender, digest="daily", title=title)
    return mould.cast(
        recipient="reader@example.net",
        message_id="<daily.2026-04-02.abcdefgh@digest.example.org>",
        date=SIX,
        unsubscribe_token=TOKEN,
    )
