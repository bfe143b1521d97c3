"""A mail of 25 papers: the time of rendering against mrml alone, of casting, and the octets of each layout's HTML part.

Texts are made up, as long as recorded ones are: titles of 75 characters, abstracts of 1,300.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from mjml import mjml2html

from benchmarks.figures import Figure, figure, tell
from digestmail.mail.encoding import quoted_printable
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.mail.view_model import build_blocks, content_after
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Origin, Paper, PaperId, Signals
from digestmail.model.selection import Entry, Score, Section, TopicMatch
from digestmail.model.theme import Appearance, Layout

PAPERS, TOPICS, ROUNDS, CASTS = 25, 4, 15, 20_000
AT = datetime(2026, 4, 2, 6, tzinfo=UTC)
BASE_URL = "https://digest.example.org"
SENTENCE = "What a model of this size loses when every other layer is left out is measured on nine tasks of two kinds. "


def entry(rank: int) -> Entry:
    """Return a made-up paper with everything a source may give."""
    paper = Paper(
        id=PaperId(f"arxiv:2604.{rank:05d}"),
        title=f"On the Measured Use of Leaving Out Layers in Models of Modest Size, Part {rank}",
        origin=Origin.HUGGING_FACE,
        link=f"https://arxiv.org/abs/2604.{rank:05d}",
        abstract=SENTENCE * 12,
        summary=SENTENCE * 2,
        authors=("Ada Example", "Boris Sample", "Chen Madeup", "Dora Nobody"),
        organization="Example Institute of Technology",
        published_at=AT,
        discussion_url=f"https://huggingface.co/papers/2604.{rank:05d}",
        code_url=f"https://github.com/example/leaving-out-{rank}",
    )
    match = TopicMatch(topic="x", strength=1.0, keywords=("layers", "modest size"))
    signals = Signals(upvotes=200 - 7 * rank, comments=rank, stars=60 * rank)
    return Entry(paper=paper, signals=signals, score=Score(total=1.0), rank=rank, matches=(match,))


def sample() -> Edition:
    """Return the edition that is measured."""
    papers = [entry(rank) for rank in range(1, PAPERS + 1)]
    return Edition(
        digest="daily",
        slot=Slot(at=AT, key="2026-04-02", day=AT.date()),
        title="Trending papers",
        byline="by AK and the research community",
        composed_at=AT,
        entries=tuple(papers),
    )


def sections_of(edition: Edition) -> tuple[Section, ...]:
    """Return its papers in sections of equal size."""
    return tuple(Section(topic=f"Topic {at + 1}", entries=edition.entries[at::TOPICS], more=at) for at in range(TOPICS))


def milliseconds(*works: Callable[[], object]) -> list[float]:
    """Return the median time of each, measured in turn."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, found in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            found.append(1000 * (time.perf_counter() - began))
    return [statistics.median(found) for found in times]


def mjml_of(renderer: Renderer, edition: Edition, look: Appearance) -> str:
    """Return the MJML the edition's template becomes, for mrml alone."""
    blocks = build_blocks(edition, sections_of(edition), look)
    frame = renderer.edition_frame(edition, BASE_URL, "nonce", look, feedback=True)
    context = frame | renderer.parts(frame) | content_after(blocks, PAPERS, 0, look.layout) | {"trending": ()}
    return renderer.templates.render("email/edition.mjml", context, language="en")


def main() -> None:
    """Measure."""
    renderer, edition = Renderer(), sample()
    source = mjml_of(renderer, edition, Appearance())
    rendered = renderer.render(edition, sections_of(edition), base_url=BASE_URL, look=Appearance())
    whole, compiling = milliseconds(
        lambda: renderer.render(edition, sections_of(edition), base_url=BASE_URL, look=Appearance()),
        lambda: mjml2html(source),
    )
    sender = Sender(mailbox="digest@example.org", domain="digest.example.org", base_url=BASE_URL)
    (moulding,) = milliseconds(lambda: MessageTemplate(rendered, sender, digest="daily", title=edition.title))
    message_template = MessageTemplate(rendered, sender, digest="daily", title=edition.title)
    began = time.perf_counter()
    for _ in range(CASTS):
        message_template.personalize(
            recipient="a@example.net", message_id="<a@example.org>", date=AT, unsubscribe_token="t" * 40
        )
    casting = 1_000_000 * (time.perf_counter() - began) / CASTS
    sizes = {
        layout: len(
            quoted_printable(
                renderer.render(edition, sections_of(edition), base_url=BASE_URL, look=Appearance(layout=layout)).html
            )
        )
        for layout in Layout
    }
    tell(
        [
            Figure("rendering a segment against mrml alone", round(whole / compiling, 1), "times", "-", holds=True),
            Figure("rendering a segment", round(whole, 2), "ms", "-", holds=True),
            Figure("mrml alone", round(compiling, 2), "ms", "-", holds=True),
            Figure("a message template", round(moulding, 2), "ms", "-", holds=True),
            figure("a personalized message", casting, "us", "<=", 20),
            figure("HTML part, full", sizes[Layout.FULL], "octets", "<=", 60_000),
            figure("HTML part, compact", sizes[Layout.COMPACT], "octets", "<=", 60_000),
            figure("HTML part, headlines", sizes[Layout.HEADLINES], "octets", "<=", 40_000),
        ]
    )


if __name__ == "__main__":
    main()
