"""Summaries by a language model in emails: in the reader's language, marked, escaped, and the first to be cut."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from editions import edition, entry, section

from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.model.deliveries import Rendered
from digestmail.model.summaries import PaperSummary
from digestmail.model.theme import Appearance, Layout

BASE_URL = "https://papers.example.org"
RENDERER = Renderer(random_token=lambda: "0" * 16)
ABSTRACT = "Rivers are long. " * 60
ENGLISH = PaperSummary(
    language="en", sentence="A <b>short</b> sentence & more.", points=("First.", "Second <i>.", "Last.")
)
GERMAN = PaperSummary(language="de", sentence="Ein kurzer Satz.")


def render(count: int = 1, language: str = "en", layout: Layout = Layout.FULL, **fields) -> Rendered:
    entries = [
        replace(entry(n, f"Paper {n}: A title", abstract=ABSTRACT, **fields), summaries=(ENGLISH, GERMAN))
        for n in range(1, count + 1)
    ]
    of = edition([section(entries, "Rivers")])
    return RENDERER.render(of, of.sections, base_url=BASE_URL, language=language, look=Appearance(layout=layout))


def plain(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").replace("&nbsp;", " ").split())


def test_sentence_and_points_come_before_the_abstract_and_are_marked_once():
    rendered = render(summary="By the source.")
    marked = (
        "A &lt;b&gt;short&lt;/b&gt; sentence &amp; more. • First. • Second &lt;i&gt;. • Last. AI summary Rivers are"
    )
    assert marked in plain(rendered.html)
    written = "A <b>short</b> sentence & more. - First. - Second <i>. - Last. (AI summary) Rivers are long."
    assert written in " ".join(rendered.text.split())
    assert "By the source" not in rendered.html + rendered.text


@pytest.mark.parametrize("language", ["de", "de-AT"])
def test_an_email_has_the_summary_in_its_language(language):
    rendered = render(language=language)
    assert "Ein kurzer Satz. (KI-Zusammenfassung) Rivers are long." in " ".join(rendered.text.split())
    assert "First." not in rendered.text


def test_without_a_summary_in_its_language_it_has_what_the_source_says():
    assert "By the source. (Résumé par IA)" in " ".join(render(language="fr", summary="By the source.").text.split())
    assert "IA" not in render(language="fr").text


def test_the_compact_layout_has_the_sentence_and_headlines_have_nothing():
    compact = " ".join(render(layout=Layout.COMPACT).text.split())
    assert "sentence & more. (AI summary)" in compact
    assert "First." not in compact
    assert "Rivers are long" not in compact
    assert "sentence & more" not in render(layout=Layout.HEADLINES).text


def test_points_are_cut_before_any_text_and_both_parts_agree():
    for count in (25, 30, 36, 60):
        rendered = render(count)
        sender = Sender(mailbox="digest@example.org", domain="example.org", base_url=BASE_URL)
        assert MessageTemplate(rendered, sender, digest="daily", title="Papers").max_octets() < LARGEST_MESSAGE
        points, texts = rendered.text.count("- First."), rendered.text.count("Rivers are long")
        assert rendered.html.count("First.") == points
        assert rendered.html.count("Rivers are long") == texts
        assert rendered.text.count("(AI summary)") == rendered.html.count("AI summary</span>")
        if points:
            assert rendered.shortened == 0
    assert render(5).text.count("- First.") == 5
    assert "- First." not in render(60).text
