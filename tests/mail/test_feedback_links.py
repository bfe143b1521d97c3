"""Which papers of an email have links for feedback, and where they lead."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from editions import NONCE, cast, edition, entry, full_edition, section, sixty_papers
from message_rules import broken_rules

from digestmail.mail.placeholders import feedback_placeholder
from digestmail.mail.render import Renderer
from digestmail.model.theme import Appearance, Layout

RENDERER = Renderer(random_token=lambda: NONCE)
BASE_URL = "https://digest.example.org"


def answers(html: str) -> list[tuple[int, str]]:
    """Return (position, answer) of each feedback link."""
    found = re.findall(rf'href="{feedback_placeholder(NONCE)}/2026-04-02/(\d+)/(\w+)"', html)
    return [(int(position), answer) for position, answer in found]


@pytest.mark.parametrize("layout", Layout)
def test_every_paper_of_every_layout_has_both_links(layout):
    of = full_edition()
    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL, look=Appearance(layout=layout))
    # In the order of the sections.
    assert answers(rendered.html) == [(position, one) for position in (1, 2, 3, 4) for one in ("more", "less")]
    assert "feedback" not in rendered.text
    raw = cast(rendered, title=of.title)
    assert b"place.invalid" not in raw
    assert broken_rules(raw) == []


def test_a_position_is_that_in_the_edition_whatever_a_reader_gets_of_it():
    papers = [entry(number, f"Paper {number}") for number in range(1, 6)]
    of = edition((section(papers),))
    part = (section((papers[4], papers[1])),)
    assert answers(RENDERER.render(of, part, base_url=BASE_URL).html) == [
        (5, "more"), (5, "less"), (2, "more"), (2, "less"),
    ]  # fmt: skip


def test_a_paper_that_is_not_in_the_edition_has_no_links():
    of = edition((section((entry(1, "A paper"),)),))
    other = (section((entry(1, "A paper"), replace(entry(2, "Another"), rank=2))),)
    assert answers(RENDERER.render(of, other, base_url=BASE_URL).html) == [(1, "more"), (1, "less")]


@pytest.mark.parametrize("options", [{"base_url": None}, {"base_url": BASE_URL, "feedback": False}], ids=str)
def test_without_pages_or_turned_off_there_are_no_links(options):
    of = full_edition()
    rendered = RENDERER.render(of, of.sections, **options)
    assert "feedback" not in rendered.html + rendered.text
    assert "More like this" not in rendered.html


def test_papers_cut_to_a_headline_for_the_size_limit_have_no_links():
    of = sixty_papers()
    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL)
    assert rendered.shortened == 60
    rows = re.findall(r'<td class="([rk])" width="40">(\d+)</td>(.*?)</td></tr>', rendered.html, re.DOTALL)
    kinds = {kind for kind, _, _ in rows}
    assert kinds == {"r", "k"}
    for kind, _, content in rows:
        assert len(answers(content)) == (2 if kind == "r" else 0)
