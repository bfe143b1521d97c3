"""Assembles the emails of an edition in one language from parts that are rendered once for all of them.

The result is the same, octet for octet, as that of rendering `email/edition.mjml` and `email/edition.txt` for each
email. The cards and the text part follow the macros `*_card` of `email/parts.jinja`, and `body` of `email/parts.txt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from digestmail.mail.assembly_plan import Place, Planner, Shown, ShownSection
from digestmail.mail.encoding import Joined
from digestmail.mail.fitting import fewest_cuts
from digestmail.mail.message import MessageTemplate, with_links
from digestmail.mail.parts import Body, HtmlParts, Parts, RenderedPart, check_joining, not_shared
from digestmail.mail.render import Renderer
from digestmail.mail.reusable import ReusableTemplate, Subject
from digestmail.mail.subjects import edition_subject
from digestmail.mail.trending_lines import TrendingLine, build_trending
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.model.theme import Appearance

_MOST_SUBJECTS: Final = 20_000
_OF_ONE_EMAIL: Final = (
    "sections", "lead", "below_lead", "upvoted", "left_over", "trending", "overview", "count", "top", "runners_up",
)  # fmt: skip
"""Variables that differ between emails. What a part needs of them is an argument."""


class Assembly:
    """The emails of one edition in one language."""

    def __init__(
        self,
        renderer: Renderer,
        template: ReusableTemplate,
        edition: Edition,
        look: Appearance,
        *,
        base_url: str | None,
        feedback: bool,
    ) -> None:
        """`look` has the language. Raises RenderError or CannotAssembleError."""
        check_joining(renderer.templates)
        nonce = renderer.random_token()
        frame = renderer.edition_frame(edition, base_url, nonce, look, feedback=feedback)
        frame |= {name: not_shared(name) for name in _OF_ONE_EMAIL}
        macros = renderer.parts(frame)
        links = partial(with_links, nonce=nonce, sender=template.sender)
        kinds = (renderer.templates, look.language, frame)
        self._html = HtmlParts(*kinds, macros["parts"], partial(links, html=True))
        self._text = Parts(*kinds, macros["text_parts"], partial(links, html=False))
        self._text_frame = self._text.frame("email/edition.txt", {"body": 1})
        self._subject_of = partial(edition_subject, partial(renderer.templates.render, language=look.language))
        self._frame = frame
        self._subjects: dict[tuple[int | None, int], Subject] = {}
        self._template = template
        self._planner = Planner(edition, look, base_url)

    def message(self, edition: Edition, sections: Sequence[Section]) -> tuple[MessageTemplate, tuple[object, ...]]:
        """Return the email with `sections`, and what it has in common with others that have the same cards.

        `edition` is the edition of this assembly, perhaps with other `trending`. Raises RenderError or
        CannotAssembleError.
        """
        plan = self._planner.plan(sections)
        trending = build_trending(edition)
        made: dict[int, tuple[Subject, Joined, Joined]] = {}
        shapes: dict[int, tuple[object, ...]] = {}

        def octets_after(cuts: int) -> int:
            shown = self._planner.after(plan, cuts)
            made[cuts] = self._subject(shown), self._text_body(shown, trending), self._html_body(shown, trending)
            shapes[cuts] = shown.shape
            return self._template.octets_with(*made[cuts])

        cuts = fewest_cuts(octets_after, len(plan.places))
        subject, text, html = made[cuts]
        return self._template.with_content(subject, text.smaller(), html.smaller()), shapes[cuts]

    def _subject(self, shown: Shown) -> Subject:
        top = shown.top
        key = None if top is None else top.number, shown.count
        if key not in self._subjects:
            if len(self._subjects) > _MOST_SUBJECTS:
                self._subjects.clear()
            context = self._frame | {"top": top and top.row, "count": shown.count}
            self._subjects[key] = Subject.of(self._subject_of(context))
        return self._subjects[key]

    def _html_body(self, shown: Shown, trending: tuple[TrendingLine, ...]) -> Joined:
        html = Body()
        frame = self._html_frame(shown)
        html.spare += frame.spare
        rest = iter(frame.pieces)
        html.pieces.append(next(rest))
        html.add(self._preview(shown))
        html.pieces.append(next(rest))
        if shown.lead:
            self._lead_card(html, shown)
            html.pieces.append(next(rest))
        if shown.overview:
            self._overview_card(html, shown)
            html.pieces.append(next(rest))
        for section in shown.below_lead:
            self._section_card(html, shown, section)
            if section is shown.below_lead[-1]:
                self._last_lines(self._html, html, shown, trending)
            html.pieces.append(next(rest))
        return html.joined()

    def _html_frame(self, shown: Shown) -> RenderedPart:
        """Return the frame of the HTML with a place for the preview, and for each card."""
        cards = len(shown.below_lead)
        key = ("frame", shown.shape)
        return self._html.get(key) or self._html.keep(
            key,
            self._html.frame(
                "email/edition.mjml",
                {
                    "preview": 1,
                    "lead_card": int(shown.lead),
                    "overview_card": int(shown.overview),
                    "section_card": cards,
                },
                lead=_WITHOUT_CONTENT if shown.lead else None,
                overview=shown.overview,
                below_lead=(_WITHOUT_CONTENT,) * cards,
            ),
        )

    def _preview(self, shown: Shown) -> RenderedPart:
        """Return what mailboxes show behind the subject. It is not kept, because few emails have the same."""
        top = shown.top
        return self._html.render(0, "preview", top and top.row, tuple([paper.row for paper in shown.runners_up]))

    def _lead_card(self, html: Body, shown: Shown) -> None:
        parts, section = self._html, shown.sections[0]
        place = section.places[0]
        reasons = self._reasons(parts, place)
        known = bool(reasons.pieces[0])
        alone = len(shown.sections) == 1
        key = ("lead", place.paper.number, place.detail, known, section.key, alone)
        made = parts.get(key) or parts.make(
            key, known, "lead", place.row, section.counted(), alone, parts.hole if known else ""
        )
        html.add(made, reasons)
        if len(section.places) == 1 and section.more:
            html.add(self._more(parts, section, "18px 0 0"))

    def _overview_card(self, html: Body, shown: Shown) -> None:
        parts, lead, many = self._html, shown.lead, len(shown.sections) > 1
        if not shown.count:
            html.add(self._only_counted(parts, shown) if shown.left_over else parts.part("nothing_new"))
            return
        content = Body()
        if not lead or many:
            content.add(parts.part("summary", shown.count, shown.topics))
        if many:
            content.add(parts.around("contents"), self._contents(shown).part())
        if shown.upvoted:
            rows = Body()
            for paper, width in shown.upvoted:
                key = ("bar", paper.number, width)
                rows.add(parts.get(key) or parts.make(key, 0, "bar", paper.row, width))
            content.add(parts.around("bars", lead, lead and not many), rows.part())
        html.add(parts.around("overview", lead), content.part())

    def _contents(self, shown: Shown) -> Body:
        """Return the table of contents."""
        parts, entries = self._html, Body()
        for section in shown.sections:
            papers = len(section.places)
            first, last = section is shown.sections[0], section is shown.sections[-1]
            anchor = "first" if shown.lead and first and papers == 1 else section.block.anchor
            key = ("entry", section.key, anchor, papers, last)
            entries.add(parts.get(key) or parts.make(key, 0, "contents_entry", section.counted(), anchor, papers, last))
        return entries

    def _section_card(self, html: Body, shown: Shown, section: ShownSection) -> None:
        parts = self._html
        html.add(self._heading(parts, shown, section))
        papers = parts.around("papers")
        html.pieces.append(papers.pieces[0])
        html.spare += papers.spare
        self._papers(parts, html, section)
        html.pieces.append(papers.pieces[1])
        if section.more:
            html.add(self._more(parts, section))

    def _papers(self, parts: Parts, body: Body, section: ShownSection) -> None:
        """Add the papers of a section: of everything that is done for each email, this is most."""
        get, add, spare = parts.get, body.pieces.extend, body.spare
        for place in section.places:
            key = (place.reason, place.headline)
            reasons = get(key) or self._reasons(parts, place)
            why = reasons.pieces[0]
            number = b"%d" % place.number
            paper_key = (place.paper.number, place.detail, len(number), not why)
            paper = get(paper_key) or self._paper(parts, paper_key, place)
            spare += reasons.spare + paper.spare
            if why:
                before, between, after = paper.pieces
                add((before, number, between, why, after))
            else:
                before, after = paper.pieces
                add((before, number, after))
        body.spare = spare

    def _paper(self, parts: Parts, key: tuple[int, int, int, bool], place: Place) -> RenderedPart:
        """Return a paper with places for its number and, unless there are no reasons, for those."""
        _, _, digits, without_reasons = key
        number = parts.numbered(digits, "number_cell", place.row)
        paper = parts.render(
            1 if without_reasons else 2, "paper", place.row, parts.hole, "" if without_reasons else parts.hole
        )
        (start, end), (before, after, *others) = number.pieces, paper.pieces
        return parts.keep(key, RenderedPart((before + start, end + after, *others), number.spare + paper.spare))

    def _text_body(self, shown: Shown, trending: tuple[TrendingLine, ...]) -> Joined:
        parts, text = self._text, Body()
        text.pieces.append(self._text_frame.pieces[0])
        text.spare += self._text_frame.spare
        if shown.count:
            text.add(parts.part("summary", shown.count, shown.topics))
            if len(shown.sections) > 1:
                text.add(_EMPTY_LINE)
                for section in shown.sections:
                    papers = len(section.places)
                    key = ("entry", section.key, papers)
                    text.add(parts.get(key) or parts.make(key, 0, "contents_entry", section.counted(), papers))
        elif not shown.left_over:
            text.add(parts.part("nothing_new"))
        for section in shown.sections:
            text.add(self._heading(parts, shown, section))
            self._papers(parts, text, section)
            if section.more:
                text.add(self._more(parts, section))
        self._last_lines(parts, text, shown, trending)
        text.pieces.append(self._text_frame.pieces[1])
        return text.joined()

    def _reasons(self, parts: Parts, place: Place) -> RenderedPart:
        """Return why a paper is in the email."""
        key = (place.reason, place.headline)
        return parts.get(key) or parts.make(
            key, 0, "paper_reasons", place.reasons(), place.headline, place.for_you, place.row.position is not None
        )

    def _heading(self, parts: Parts, shown: Shown, section: ShownSection) -> RenderedPart:
        alone = len(shown.sections) == 1
        key = ("heading", section.key, alone)
        return parts.get(key) or parts.make(key, 0, "heading", section.counted(), alone)

    def _more(self, parts: Parts, section: ShownSection, *arguments: str) -> RenderedPart:
        key = ("more", section.key, arguments)
        return parts.get(key) or parts.make(key, 0, "more", section.counted(), *arguments)

    def _only_counted(self, parts: Parts, shown: Shown) -> RenderedPart:
        return parts.part("only_counted", shown.left_over)

    def _last_lines(self, parts: Parts, body: Body, shown: Shown, trending: tuple[TrendingLine, ...]) -> None:
        if shown.left_over:
            body.add(self._only_counted(parts, shown))
        if trending:
            body.add(parts.part("trending_lines", trending))


class _WithoutContent:
    """Stands for a paper or a section in a frame, which is the same for every email."""

    def __getattr__(self, name: str) -> Any:
        return not_shared(f"lead.{name}")


_WITHOUT_CONTENT: Final = _WithoutContent()
_EMPTY_LINE: Final = RenderedPart((b"\r\n",), 2)
