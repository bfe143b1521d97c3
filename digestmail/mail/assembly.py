"""Assembles the emails of an edition in one language from parts that are rendered once for all of them.

The result is the same, octet for octet, as that of rendering `email/edition.mjml` and `email/edition.txt` for each
email. The cards and the text part follow the macros `*_card` of `email/parts.jinja`, and `body` of `email/parts.txt`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from digestmail.mail.assembly_plan import Paper, Place, Plan, Planner, Shown, ShownSection
from digestmail.mail.encoding import Joined, Lines
from digestmail.mail.fitting import fewest_cuts
from digestmail.mail.message import MessageTemplate, with_links
from digestmail.mail.parts import HtmlParts, Part, Parts
from digestmail.mail.render import Renderer
from digestmail.mail.subjects import edition_subject
from digestmail.mail.trending_lines import TrendingLine, build_trending
from digestmail.model.editions import Edition
from digestmail.model.selection import Section
from digestmail.model.theme import Appearance

_MOST_SUBJECTS: Final = 20_000


class Assembly:
    """The emails of one edition in one language."""

    def __init__(
        self, renderer: Renderer, template: MessageTemplate, edition: Edition, look: Appearance, *, feedback: bool
    ) -> None:
        """`template` is `reusable`; `look` has the language. Raises RenderError or CannotAssembleError."""
        nonce = renderer.random_token()
        base_url = template.sender.base_url
        frame = renderer.edition_frame(edition, base_url, nonce, look, feedback=feedback)
        macros = renderer.parts(frame)
        links = partial(with_links, nonce=nonce, sender=template.sender)
        kinds = (renderer.templates, look.language, frame)
        self._html = HtmlParts(*kinds, macros["parts"], partial(links, html=True))
        self._text = Parts(*kinds, macros["text_parts"], partial(links, html=False))
        self._text_frame = self._text.frame("email/edition.txt", {"body": 1})
        self._subject_of = partial(
            edition_subject, partial(renderer.templates.render, language=look.language)
        )
        self._frame = frame
        self._subjects: dict[tuple[int | None, int], str] = {}
        self._template = template
        self._planner = Planner(edition, look, base_url)

    def message(self, edition: Edition, sections: Sequence[Section]) -> tuple[MessageTemplate, tuple[object, ...]]:
        """Return the email with `sections`, and what it has in common with others that have the same cards.

        `edition` is the edition of this assembly, perhaps with other `trending`. Raises RenderError or
        CannotAssembleError.
        """
        plan = self._planner.plan(sections)
        trending = build_trending(edition)
        made: dict[int, tuple[str, Joined, Joined]] = {}
        shapes: dict[int, tuple[object, ...]] = {}

        def octets_after(cuts: int) -> int:
            shown = self._planner.after(plan, cuts)
            text = Joined(self._text_lines(shown, trending))
            html = Joined(self._html_lines(shown, trending))
            made[cuts] = self._subject(shown), text, html
            shapes[cuts] = shown.shape
            return self._template.octets_with(*made[cuts])

        cuts = fewest_cuts(octets_after, len(plan.places))
        subject, text, html = made[cuts]
        return self._template.with_content(subject, text.smaller(), html.smaller()), shapes[cuts]

    def _subject(self, shown: Shown) -> str:
        top = shown.top
        key = None if top is None else top.number, shown.count
        if key not in self._subjects:
            if len(self._subjects) > _MOST_SUBJECTS:
                self._subjects.clear()
            context = self._frame | {"top": top and top.row, "count": shown.count}
            self._subjects[key] = self._subject_of(context)
        return self._subjects[key]

    def _html_lines(self, shown: Shown, trending: tuple[TrendingLine, ...]) -> list[Lines]:
        frame = iter(self._html_frame(shown))
        lines = [next(frame), *self._preview(shown), next(frame)]
        if shown.lead:
            self._lead_card(lines, shown)
            lines.append(next(frame))
        if shown.overview:
            self._overview_card(lines, shown)
            lines.append(next(frame))
        last = len(shown.below_lead) - 1
        for at, section in enumerate(shown.below_lead):
            self._section_card(lines, shown, section)
            if at == last:
                self._last_lines(self._html, lines, shown, trending)
            lines.append(next(frame))
        return lines

    def _html_frame(self, shown: Shown) -> Part:
        """Return the frame of the HTML with a place for the preview, and for each card."""
        cards = len(shown.below_lead)
        key = ("frame", shown.shape)
        return self._html.get(key) or self._html.keep(
            key,
            self._html.frame(
                "email/edition.mjml",
                {"preview": 1, "lead_card": int(shown.lead), "overview_card": int(shown.overview), "section_card": cards},
                lead=_WITHOUT_CONTENT if shown.lead else None,
                overview=shown.overview,
                below_lead=(_WITHOUT_CONTENT,) * cards,
            ),
        )

    def _preview(self, shown: Shown) -> Part:
        top, others = shown.top, shown.runners_up
        key = ("preview", top and top.number, *[paper.number for paper in others])
        return self._html.get(key) or self._html.make(
            key, 0, "preview", top and top.row, tuple(paper.row for paper in others)
        )

    def _lead_card(self, lines: list[Lines], shown: Shown) -> None:
        parts, section = self._html, shown.sections[0]
        place, block = section.places[0], section.block
        reasons = self._reasons(parts, "paper_reasons", place)
        alone = len(shown.sections) == 1
        key = ("lead", place.paper.number, place.detail, bool(reasons[0]), block.topic, block.for_you, alone)
        made = parts.get(key) or parts.make(
            key, bool(reasons[0]), "lead", place.row, block, alone, parts.hole if reasons[0] else ""
        )
        lines += _filled(made, reasons)
        if len(section.places) == 1 and section.more:
            lines += self._more(parts, section, "18px 0 0")

    def _overview_card(self, lines: list[Lines], shown: Shown) -> None:
        parts, lead, sections = self._html, shown.lead, shown.sections
        if not shown.count:
            lines += self._only_counted(parts, shown) if shown.left_over else _part(parts, "nothing_new")
            return
        many = len(sections) > 1
        before, after = _with_hole(parts, "overview", lead)
        lines.append(before)
        if not lead or many:
            lines += _part(parts, "summary", shown.count, shown.topics)
        if many:
            first, last = _with_hole(parts, "contents")
            lines.append(first)
            for at, section in enumerate(sections, start=1):
                papers = len(section.places)
                anchor = "first" if lead and at == 1 and papers == 1 else section.block.anchor
                key = ("entry", section.block.topic, section.block.for_you, anchor, papers, at == len(sections))
                lines += parts.get(key) or parts.make(
                    key, 0, "contents_entry", section.block, anchor, papers, at == len(sections)
                )
            lines.append(last)
        if shown.upvoted:
            first, last = _with_hole(parts, "bars", lead, lead and not many)
            lines.append(first)
            for paper, width in shown.upvoted:
                key = ("bar", paper.number, width)
                lines += parts.get(key) or parts.make(key, 0, "bar", paper.row, width)
            lines.append(last)
        lines.append(after)

    def _section_card(self, lines: list[Lines], shown: Shown, section: ShownSection) -> None:
        parts = self._html
        lines += self._heading(parts, shown, section)
        before, after = _with_hole(parts, "papers")
        lines.append(before)
        get = parts.get
        for place in section.places:
            reasons = self._reasons(parts, "paper_reasons", place)
            key = (place.paper.number, place.detail, not reasons[0])
            made = get(key) or self._paper(parts, key, place, reasons)
            number = (place.number, place.headline)
            cell = get(number) or parts.make(number, 0, "number_cell", *number)
            lines += (made[0], cell[0], made[1])
            if reasons[0]:
                lines += (reasons[0], made[2])
        lines.append(after)
        if section.more:
            lines += self._more(parts, section)

    def _text_lines(self, shown: Shown, trending: tuple[TrendingLine, ...]) -> list[Lines]:
        parts = self._text
        before, after = self._text_frame
        lines = [before]
        if shown.count:
            lines += _part(parts, "summary", shown.count, shown.topics)
            if len(shown.sections) > 1:
                lines.append(_EMPTY_LINE)
                for section in shown.sections:
                    papers = len(section.places)
                    key = ("entry", section.block.topic, section.block.for_you, papers)
                    lines += parts.get(key) or parts.make(key, 0, "contents_entry", section.block, papers)
        elif not shown.left_over:
            lines += _part(parts, "nothing_new")
        for section in shown.sections:
            self._text_section(lines, shown, section)
        self._last_lines(parts, lines, shown, trending)
        lines.append(after)
        return lines

    def _text_section(self, lines: list[Lines], shown: Shown, section: ShownSection) -> None:
        parts = self._text
        lines += self._heading(parts, shown, section)
        get = parts.get
        for place in section.places:
            paper = place.paper.number
            reasons = self._reasons(parts, "reasons_lines", place)
            key = (paper, place.detail, not reasons[0])
            made = get(key) or self._paper(parts, key, place, reasons)
            title = get((paper, place.number)) or parts.make(
                (paper, place.number), 0, "numbered", place.row, place.number
            )
            lines += (made[0], title[0], made[1])
            if reasons[0]:
                lines += (reasons[0], made[2])
        if section.more:
            lines += self._more(parts, section)

    def _paper(self, parts: Parts, key: tuple[object, ...], place: Place, reasons: Part) -> Part:
        hole = parts.hole
        holes = 2 if reasons[0] else 1
        return parts.make(key, holes, "paper", place.row, hole, hole if reasons[0] else "")

    def _reasons(self, parts: Parts, name: str, place: Place) -> Part:
        """Return why a paper is in the email."""
        key = ("reasons", place.reason, place.headline)
        return parts.get(key) or parts.make(key, 0, name, place.with_reasons(), place.for_you)

    def _heading(self, parts: Parts, shown: Shown, section: ShownSection) -> Part:
        block, alone = section.block, len(shown.sections) == 1
        key = ("heading", block.topic, block.for_you, block.anchor, alone)
        return parts.get(key) or parts.make(key, 0, "heading", block, alone)

    def _more(self, parts: Parts, section: ShownSection, *arguments: str) -> Part:
        block = section.counted()
        key = ("more", block.topic, block.for_you, block.more, block.more_url, arguments)
        return parts.get(key) or parts.make(key, 0, "more", block, *arguments)

    def _only_counted(self, parts: Parts, shown: Shown) -> Part:
        return _part(parts, "only_counted", shown.left_over)

    def _last_lines(self, parts: Parts, lines: list[Lines], shown: Shown, trending: tuple[TrendingLine, ...]) -> None:
        if shown.left_over:
            lines += self._only_counted(parts, shown)
        if trending:
            lines += _part(parts, "trending_lines", trending)


class _WithoutContent:
    """Stands for a paper or a section in a frame, which is the same for every email."""


_WITHOUT_CONTENT: Final = _WithoutContent()
_EMPTY_LINE: Final = Lines.of("\n")


def _part(parts: Parts, name: str, *arguments: Any) -> Part:
    """Return the part that depends on nothing but hashable `arguments`."""
    key = (name, *arguments)
    return parts.get(key) or parts.make(key, 0, name, *arguments)


def _with_hole(parts: Parts, name: str, *arguments: Any) -> Part:
    """Return the two pieces of a part around its last argument, which is a hole."""
    key = (name, *arguments)
    return parts.get(key) or parts.make(key, 1, name, *arguments, parts.hole)


def _filled(part: Part, inner: Part) -> Part:
    return part if len(part) == 1 else (part[0], *inner, part[1])
