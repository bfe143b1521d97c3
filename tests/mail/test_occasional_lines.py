"""Lines that only some editions have: papers that trend again, and since when a catch-up edition has papers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from editions import NONCE, cast, full_edition, sixty_papers
from fakes import paper
from message_rules import broken_rules

from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.render import Renderer
from digestmail.model.selection import Count, Trending
from digestmail.model.theme import Appearance, Layout

RENDERER = Renderer(random_token=lambda: NONCE)
BASE_URL = "https://digest.example.org"
TITLE = 'Cheap <b>Tricks</b> & "Quotes"'


def line(title: str = TITLE, **fields) -> Trending:
    return Trending(
        paper=paper(7, title=title, **fields),
        published_on=date(2026, 3, 20),
        topics=(),
        count=Count.UPVOTES,
        growth=1085,
    )


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


@pytest.mark.parametrize("layout", Layout)
def test_a_line_stands_under_the_last_section_in_both_parts(layout):
    of = replace(full_edition(), trending=(line(),))
    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL, look=Appearance(layout=layout))
    said = 'Trending now, in the digest of 20 March: Cheap <b>Tricks</b> & "Quotes" (+1.1K upvotes)'
    assert said in " ".join(rendered.text.split())
    assert "Cheap &lt;b&gt;Tricks&lt;/b&gt; &amp;" in rendered.html
    assert "https://arxiv.org/abs/2604.00007" in rendered.html
    assert "https://arxiv.org/abs/2604.00007" in rendered.text
    assert plain(rendered.html).index("Trending now") > plain(rendered.html).rindex(of.entries[-1].paper.title)
    assert broken_rules(cast(rendered, title=of.title)) == []


def test_it_is_no_paper_of_the_edition():
    of = full_edition()
    without = RENDERER.render(of, of.sections, base_url=BASE_URL)
    rendered = RENDERER.render(replace(of, trending=(line(),)), of.sections, base_url=BASE_URL)
    assert rendered.subject == without.subject
    assert rendered.shortened == without.shortened
    at = rendered.text.index("Trending now")
    assert rendered.text[:at].rstrip() in without.text
    assert len(re.findall("/feedback", rendered.html)) == len(re.findall("/feedback", without.html))


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "Trending now, in the digest of 20 March"),
        ("de", "Jetzt im Trend, im Digest vom 20. März"),
        ("fr", "En vogue en ce moment, dans l’édition du 20 mars"),
        ("he", "פופולרי עכשיו, מהגיליון של 20 במרץ"),
    ],
)
def test_every_language_has_the_line(language, says):
    of = full_edition()
    for count in Count:
        found = replace(of, trending=(replace(line(), count=count),))
        rendered = RENDERER.render(found, of.sections, base_url=BASE_URL, language=language)
        assert says in " ".join(rendered.text.split())
        assert says in plain(rendered.html)


def test_a_title_without_a_link_is_text():
    of = replace(full_edition(), trending=(replace(line(), paper=replace(paper(7), link="javascript:alert(1)")),))
    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL)
    assert "javascript" not in rendered.html + rendered.text
    assert "Paper 7" in rendered.text


def test_a_long_email_with_trending_papers_fits():
    of = replace(sixty_papers(), trending=(line("Long " * 200),) * 3)
    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL)
    assert len(cast(rendered, title=of.title)) < LARGEST_MESSAGE
    assert rendered.text.count("Trending now") == 3


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "The best since 20 March 2026, while your emails were paused."),
        ("de", "Das Beste seit dem 20. März 2026, als deine E-Mails pausiert waren."),
    ],
)
def test_an_edition_after_a_pause_says_since_when_it_has_papers(language, says):
    of = full_edition()
    rendered = RENDERER.render(replace(of, since=date(2026, 3, 20)), of.sections, base_url=BASE_URL, language=language)
    assert says in plain(rendered.html)
    assert says in " ".join(rendered.text.split())
    assert broken_rules(cast(rendered, title=of.title)) == []
