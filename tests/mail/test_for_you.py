"""How emails show the section "For you"."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from editions import NONCE, WHY_PICKED, cast, edition, entry, for_you, full_edition, personal_edition, section
from message_rules import broken_rules

from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.render import Renderer
from digestmail.mail.template_check import template_problems
from digestmail.mail.view_model import build_blocks
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import PersonalSection
from digestmail.model.theme import Appearance, Layout
from digestmail.selection.segments import with_picks

RENDERER = Renderer(random_token=lambda: NONCE)
BASE_URL = "https://digest.example.org"
SENTENCES = {
    "en": "For you|Like “A Cache That Remembers|Like “Depth on Demand” from your reading list|"
    "By Ada Example, Zoë Étude, whom you follow|Because of your interests: quantization, low bit|Something different",
    "de": "Für dich|Ähnlich wie „A Cache That Remembers|aus deiner Leseliste|Du folgst Ada Example, Zoë Étude|"
    "Wegen deiner Interessen: quantization, low bit|Etwas anderes",
    "fr": "Pour vous|Proche de « A Cache That Remembers|votre liste de lecture|Par Ada Example, Zoë Étude|"
    "centres d’intérêt : quantization, low bit|Autre chose",
    "he": "בשבילך|A Cache That Remembers|מרשימת הקריאה שלך|Ada Example, Zoë Étude|quantization, low bit|משהו אחר",
}


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("language", SENTENCES)
@pytest.mark.parametrize("layout", Layout)
def test_each_picked_paper_says_why_in_both_parts(layout, language):
    of = personal_edition()
    look = Appearance(layout=layout, language=language)
    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL, look=look)
    for sentence in SENTENCES[language].split("|"):
        assert sentence in words(rendered.html), sentence
        assert sentence in words(rendered.text), sentence
    assert broken_rules(cast(rendered, title=of.title)) == []


def test_picked_papers_come_first_and_only_once():
    blocks = build_blocks(full_edition(), personal_edition().sections, Appearance())
    ranks = [[row.rank for row in block.rows] for block in blocks]
    assert ranks == [[1, 2, 3, 4, 5], [6], [7], [8]]
    assert [(block.for_you, block.anchor) for block in blocks][:2] == [(True, "for-you"), (False, "topic-2")]
    titles = [row.title for block in blocks for row in block.rows]
    assert len(titles) == len(set(titles))


def test_feedback_links_of_picked_papers_have_their_stored_positions():
    of = personal_edition()
    html = RENDERER.render(of, of.sections, base_url=BASE_URL).html
    assert re.findall(r"2026-04-02/(\d+)/more", html) == ["2", "5", "6", "7", "8", "1", "3", "4"]


def test_a_topic_s_reasons_are_not_those_of_a_pick():
    picked = build_blocks(full_edition(), personal_edition().sections, Appearance())[0]
    assert [dict(row.reasons) for row in picked.rows] == [
        {"liked": ("A Cache That Remembers <Everything>",)},
        {"reading-list": ("Depth on Demand",)},
        {"author": ("Ada Example", "Zoë Étude")},
        {"interests": ("quantization", "low bit")},
        {"exploration": ()},
    ]


def test_hostile_reasons_are_text():
    evil = "</td><script>alert(1)</script> {{ title }} %(title)s\r\nBcc: x@example.org" + "x" * 5000
    reasons = (PickReason(kind=PickKind.LIKED, title=evil), PickReason(kind=PickKind.INTERESTS, names=(evil,) * 9))
    of = full_edition()
    picked = PersonalSection(topic=None, entries=of.entries[:2], reasons=reasons, positions=(1, 2))
    for layout in Layout:
        rendered = RENDERER.render(of, (picked,), base_url=BASE_URL, look=Appearance(layout=layout))
        raw = cast(rendered, title=of.title)
        assert broken_rules(raw) == []
        assert "<script>" not in rendered.html
        assert "x" * 200 not in rendered.html + rendered.text


def test_picked_papers_are_the_last_that_are_shortened_for_the_size_limit():
    papers = [entry(number, f"Paper {number}", abstract="A sentence of some length. " * 20) for number in range(1, 101)]
    picked = [replace(one, rank=number) for number, one in enumerate(papers[:20], start=200)]
    of = edition((section(papers[20:]),), entries=tuple(papers))
    personal = PersonalSection(
        topic=None, entries=tuple(picked), reasons=WHY_PICKED[-1:] * 20, positions=tuple(range(1, 21))
    )
    sections = (personal, *of.sections)
    rendered = RENDERER.render(of, sections, base_url=BASE_URL)
    assert len(cast(rendered, title=of.title)) < LARGEST_MESSAGE
    assert rendered.shortened
    assert rendered.html.count("Something different") == 20
    assert all(f">Paper {number}<" in rendered.html for number in range(1, 21))


def test_an_email_of_picks_alone_is_complete():
    of = full_edition()
    rendered = RENDERER.render(of, with_picks((), for_you(), 25), base_url=BASE_URL)
    assert "5 papers." in rendered.text
    assert "Nothing new today" not in rendered.html
    assert rendered.subject == "A Cache That Forgets on Purpose and 4 more papers"
    assert broken_rules(cast(rendered, title=of.title)) == []


def test_templates_of_the_operator_are_checked_with_every_reason(tmp_path):
    own = tmp_path / "email"
    own.mkdir()
    built_in = Renderer().templates.directories[-1] / "email" / "phrases.jinja"
    sentence = 'gettext("Something different, from outside your interests")'
    phrases = built_in.read_text("utf-8")
    assert sentence in phrases
    (own / "phrases.jinja").write_text(phrases.replace(sentence, "nothing.here"), "utf-8")
    (problem, *_) = template_problems(Renderer(own=tmp_path))
    assert "phrases.jinja" in problem
