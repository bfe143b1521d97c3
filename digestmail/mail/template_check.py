"""Checks that all templates can be rendered: an edition, an announcement and every notice, in every language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from digestmail.errors import RenderError
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.mail.template_files import SOURCE_LANGUAGE
from digestmail.mail.writer import MailWriter
from digestmail.model.deliveries import NoticeKind
from digestmail.model.differences import Changed
from digestmail.model.editions import Announcement, Edition, Slot
from digestmail.model.papers import Origin, Paper, PaperId, Signals
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import Beyond, Count, Entry, PersonalSection, Score, TopicMatch, Trending
from digestmail.model.summaries import PaperSummary
from digestmail.model.theme import Appearance, Layout
from digestmail.selection.segments import for_all_topics, with_picks

_AT = datetime(2026, 4, 2, 6, tzinfo=UTC)
_TOPIC = "A topic"
_CLOSING = 4
"""The paper that matches no topic."""
_BASE_URL = "https://digest.example.org"


def sample_edition() -> Edition:
    """Return an example edition that uses every part of the templates."""
    return Edition(
        digest="sample",
        slot=Slot(at=_AT, key="2026-04-02", day=_AT.date()),
        title="A digest",
        byline="by someone",
        composed_at=_AT,
        entries=tuple(_entry(rank) for rank in (1, 2, 3, _CLOSING)),
        beyond=(Beyond(topics=(_TOPIC,), papers=2),),
        topics=(_TOPIC,),
    )


def template_problems(renderer: Renderer) -> Iterator[str]:
    """Yield a sentence for each distinct error."""
    seen = set()
    for problem in _problems(renderer):
        if problem not in seen:
            seen.add(problem)
            yield problem


def assembly_obstacles(renderer: Renderer) -> Iterator[str]:
    """Yield each distinct reason why emails have to be rendered one by one. Raises RenderError.

    They are decided as for an edition that is sent, with an example edition in each layout and language.
    """
    found: dict[str, None] = {}
    of = _full_edition()
    shared = for_all_topics(of)
    choices = (with_picks(shared, _picked(), of.limits.max_papers), (_picked(),), with_picks(shared, _picked(1), 2))
    sender = Sender(mailbox="digest@mail.invalid", domain="mail.invalid", base_url=_BASE_URL)
    for layout in Layout:
        writer = MailWriter(renderer, sender, {of.base: Appearance(layout=layout, thumbnails=True)}, ())
        for language in renderer.languages():
            messages = writer.edition_messages(of, language, few=0, tell=lambda reason: found.update({reason: None}))
            for sections in choices:
                messages.message(of, sections)
    yield from found


def _problems(renderer: Renderer) -> Iterator[str]:
    full = _full_edition()
    empty = Edition(
        digest=full.digest, slot=full.slot, title=full.title, byline="", composed_at=_AT, reason="nothing came"
    )
    for language in renderer.languages():
        for layout in Layout:
            look = Appearance(layout=layout, thumbnails=True, language=language)
            shared = for_all_topics(full)
            personal = with_picks(shared, _picked(), full.limits.max_papers)
            for edition, sections, base_url in (
                (full, personal, _BASE_URL), (full, shared, _BASE_URL), (full, shared, None), (empty, (), _BASE_URL),
            ):  # fmt: skip
                try:
                    renderer.render(edition, sections, base_url=base_url, look=look)
                except RenderError as error:
                    yield str(error)
        try:
            renderer.announcement(full, _announcement(), base_url=_BASE_URL, language=language)
        except RenderError as error:
            yield str(error)
        for kind in NoticeKind:
            try:
                renderer.notice(
                    kind,
                    title="A digest",
                    digests=("One",),
                    action_url=_BASE_URL,
                    language=language,
                    steps=tuple((what.value, "One") for what in Changed),
                )
                renderer.notice(kind, title="A digest", language=language)
            except RenderError as error:
                yield str(error)


def _full_edition() -> Edition:
    """Return the example edition with papers that trend, after a pause."""
    full = sample_edition()
    again = tuple(
        Trending(paper=full.entries[0].paper, published_on=full.slot.day, topics=(), count=count, growth=20)
        for count in Count
    )
    return replace(full, trending=again, since=full.slot.day)


def _announcement() -> Announcement:
    """Return an announcement with every kind of content."""
    text = "_A_ **b** `c` [page](https://example.org)\n\n## D\n\n### E\n\n- f\n\n1. g\n\n> h\n\n***\n\n    i\n"
    return Announcement(subject="We move", text=f"# We move\n\n{text}")


def _picked(most: int = len(PickKind)) -> PersonalSection:
    """Return a section "For you" with up to `most` papers, which are the reasons that there are."""
    reasons = tuple(PickReason(kind=kind, title="A paper", names=("A", "B")) for kind in islice(PickKind, most))
    entries = tuple(_entry(rank) for rank in range(1, len(reasons) + 1))
    positions = tuple(range(1, len(reasons) + 1))
    return PersonalSection(topic=None, entries=entries, reasons=reasons, positions=positions)


def _entry(rank: int) -> Entry:
    known = rank == 1
    paper = Paper(
        id=PaperId(f"url:{_BASE_URL}/{rank}"),
        title=f"Paper {rank}",
        origin=Origin.FEED,
        link=f"{_BASE_URL}/{rank}",
        abstract="A sentence. Another one.",
        summary="A summary." if known else None,
        authors=("A", "B", "C", "D") if known else (),
        organization="An institute" if known else None,
        published_at=_AT if known else None,
        discussion_url=f"{_BASE_URL}/discussion/{rank}" if known else None,
        code_url=f"{_BASE_URL}/code/{rank}" if known else None,
        project_url=f"{_BASE_URL}/project/{rank}" if known else None,
        thumbnail_url=f"{_BASE_URL}/{rank}.png",
    )
    minimal = TopicMatch(topic=_TOPIC, strength=1.0)
    detailed = replace(minimal, keywords=("word",), categories=("cs.LG",), authors=("A",), words=("near",))
    matches = () if rank == _CLOSING else (detailed if known else minimal,)
    signals = Signals(upvotes=9 - rank, comments=rank, stars=1500)
    written = PaperSummary(language=SOURCE_LANGUAGE, sentence="A sentence.", points=("One.", "Two.", "Three."))
    summaries = (written,) if known else ()
    score = Score(total=1.0)
    return Entry(paper=paper, signals=signals, score=score, rank=rank, matches=matches, summaries=summaries)
