from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from editions import (
    ABSTRACT,
    NONCE,
    PREFERENCES_PLACEHOLDER,
    SIX,
    UNSUBSCRIBE_PLACEHOLDER,
    Arranged,
    cast,
    edition,
    entry,
    full_edition,
    section,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from message_rules import broken_rules, part, visible

from digestmail.errors import RenderError
from digestmail.mail.encoding import LARGEST_MESSAGE, quoted_printable
from digestmail.mail.placeholders import preferences_placeholder, single_line, unsubscribe_placeholder
from digestmail.mail.render import Renderer, page
from digestmail.mail.template_files import templates_directory
from digestmail.model.deliveries import Rendered
from digestmail.model.editions import Slot
from digestmail.model.papers import Signals
from digestmail.model.selection import TopicMatch
from digestmail.model.theme import DARK, LIGHT, Appearance, Layout, Logo, Theme
from digestmail.text.truncate import at_sentence, at_word

RENDERER = Renderer(random_token=lambda: NONCE)
BASE_URL = "https://digest.example.org"


def render(of: Arranged, *, base_url: str | None = BASE_URL) -> Rendered:
    return RENDERER.render(of, of.sections, base_url=base_url)


def folded(text: str) -> str:
    return " ".join(text.split())


# -- the whole mail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base_url", [BASE_URL, None])
def test_a_full_edition_breaks_no_rule(base_url: str | None):
    assert broken_rules(cast(render(full_edition(), base_url=base_url))) == []


def test_both_parts_say_everything_about_a_paper():
    rendered = render(full_edition())

    for text in (visible(rendered.html), folded(rendered.text)):
        for words in (
            "Skipping Layers Gracefully: Depth on Demand for Small Language Models",
            "Ada Example, Boris Sample, Chen Madeup and 2 more",
            "Example Institute of Technology",
            "2 April 2026",
            "We look at how a model of modest size decides which of its layers a question needs.",
            "A small model learns which of its layers a question needs and leaves out the rest.",
            "AI summary",
            "187 upvotes",
            "1.6K",
            "early exit",
            "3 more in this topic",
            "Thursday, 2 April 2026",
            "what the community reads today",
            "4 papers in 2 topics.",
            "Also trending",
            "because you subscribed to Trending papers",
        ):
            assert words in text, words
    for link in (
        "https://arxiv.org/abs/2604.00001",
        "https://arxiv.org/pdf/2604.00001",
        "https://huggingface.co/papers/2604.00001",
        "https://github.com/example/skipping",
        "https://example.org/skipping",
        "https://digest.example.org/papers/arxiv:2604.00001#cite",
        "https://digest.example.org/daily/2026-04-02",
        UNSUBSCRIBE_PLACEHOLDER,
        PREFERENCES_PLACEHOLDER,
    ):
        assert f'href="{link}"' in rendered.html
        assert re.search(rf"(?m)(?:^|: ){re.escape(link)}$", rendered.text), f"{link} ends its line"


def test_without_web_pages_nothing_links_to_them():
    rendered = render(full_edition(), base_url=None)

    assert "on the web" not in rendered.html + rendered.text
    assert "digest.example.org" not in rendered.html + rendered.text


def test_an_edition_without_papers_says_so():
    rendered = render(edition(()))

    assert rendered.subject == "Trending papers, 2 April: nothing new today"
    assert "Nothing new today" in visible(rendered.html)
    assert "Nothing new today" in rendered.text
    assert broken_rules(cast(rendered)) == []


def test_a_public_page_contains_no_personal_link():
    shown = page(render(full_edition()))

    assert UNSUBSCRIBE_PLACEHOLDER not in shown
    assert PREFERENCES_PLACEHOLDER not in shown
    assert 'href="#"' in shown


def test_an_edition_ends_with_the_imprint_in_both_parts_and_on_its_public_page():
    imprint = "Example <Labs> & Sons, Street 1, 12345 City"
    of = full_edition()

    rendered = Renderer(imprint=imprint).render(of, of.sections, base_url=BASE_URL)

    for text in (visible(rendered.html), folded(rendered.text), visible(page(rendered))):
        assert text.index("because you subscribed") < text.index("Unsubscribe") < text.index(imprint)
    assert broken_rules(cast(rendered)) == []


def test_a_segment_gets_its_own_ranks_and_numbers():
    of = full_edition()

    rendered = RENDERER.render(of, of.sections[1:2])

    assert rendered.subject == "Do Models Read the Compiler's <think> Output? An Honest Look"
    assert "1 \xb7 Code Do Models Read" in visible(rendered.html)
    assert "1 paper." in rendered.text
    assert "1. Do Models Read" in rendered.text
    assert "Skipping" not in rendered.html + rendered.text


def test_the_text_part_keeps_to_72_columns_but_never_breaks_a_link():
    long = "https://blog.example.org/" + "a-long-name-" * 12
    rendered = render(edition((section((entry(1, "A Title of Some Length " * 8, link=long),)),)))

    assert f"   blog.example.org: {long}\n" in rendered.text
    assert all(len(line) <= 72 for line in rendered.text.splitlines() if "://" not in line)


def test_the_second_line_of_a_title_or_topic_is_indented():
    papers = [entry(number, "A Title of Some Length " * 5) for number in (1, 2)]
    rendered = render(edition((section(papers[:1], "A Topic of Some Length " * 4), section(papers[1:], "Short"))))

    after = [later for earlier, later in pairwise(rendered.text.splitlines()) if re.match(r"\d+\. ", earlier)]
    assert len(after) == 2
    assert all(
        line.startswith("   ") and line[3:].startswith(("A ", "Title ", "of ", "Some ", "Length ")) for line in after
    )
    (listed,) = [later for earlier, later in pairwise(rendered.text.splitlines()) if earlier.startswith("- A Topic")]
    assert re.match(r"  \S", listed)
    assert all(len(line) <= 72 for line in rendered.text.splitlines() if "://" not in line)


def test_dates_are_english_in_every_month():
    for month, name in enumerate(("January", "May", "December"), start=1):
        day = date(2026, {1: 1, 2: 5, 3: 12}[month], 7)
        slot = Slot(at=SIX, key=day.isoformat(), day=day)
        assert f"7 {name} 2026" in render(edition((section((entry(1, "A Title"),)),), slot=slot)).text
        assert f" 7 {name}: nothing new today" in render(edition((), slot=slot)).subject


# -- the subject -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("titles", "subject"),
    [
        (["One"], "One"),
        (["One", "Two"], "One and 1 more paper"),
        (["One", "Two", "Three"], "One and 2 more papers"),
        (["AT&T's <b>Bold</b> Claims"], "AT&T's <b>Bold</b> Claims"),
    ],
)
def test_the_subject_begins_with_the_first_paper(titles: list[str], subject: str):
    of = edition((section([entry(number, title) for number, title in enumerate(titles, start=1)]),))

    assert render(of).subject == subject


def test_a_long_title_is_shortened_at_a_word_in_the_subject_only():
    title = "On the Surprising Length of Titles " * 6 + "End"
    rendered = render(edition((section((entry(1, title), entry(2, "Two"))),)))

    assert 120 < len(rendered.subject) <= 150
    assert rendered.subject.endswith("\u2026 and 1 more paper")
    assert title in visible(rendered.html)


# -- under any input -------------------------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(max_size=250),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "</td></table></mj-text><mj-raw><b>",
            "{{ unsubscribe_url }} {% raw %}",
            "<think> & 'quotes' \"double\" `back`",
            "a\r\nBcc: x@example.org\r\n\r\nbody",
            "a\u2028b\u2029c\x00d\x1be\x7f",
            "\u202eflipped\u202c שלום עולם مرحبا",
            "\U0001d4d0\U0001f600\U0010fffd e\u0301",
            ".\n.\nFrom you",
            "--=_digestmail_part--",
            "=?utf-8?b?QmNjOg==?= =20 =0D=0A",
            "&amp;lt; &#60; &nosuch; ]]> <!-- --> <![CDATA[",
            unsubscribe_placeholder(""),
            preferences_placeholder("9d6b2f40"),
            "\ufdd2",
        ]
    ),
)
HOSTILE_LINKS = st.one_of(
    st.sampled_from(
        [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://example.org/?a=1&b=<x>\"'",
            "https://example.org/a b\r\nBcc: x",
            "https://[broken",
            "//example.org",
            "http://exämple.org/ü?q=ü",
            "HTTPS://EXAMPLE.ORG/x",
            "https://example.org/" + "x" * 5000,
            " https://example.org/ ",
            "",
        ]
    ),
    st.text(),
)


@st.composite
def hostile_entries(draw: st.DrawFn):
    number = draw(st.integers(1, 10**6))
    counts = st.none() | st.integers(-5, 10**12)
    return entry(
        number,
        draw(HOSTILE.filter(single_line)),  # a source skips what has no title
        link=draw(HOSTILE_LINKS),
        authors=tuple(draw(st.lists(HOSTILE, max_size=5))),
        abstract=draw(HOSTILE),
        summary=draw(st.none() | HOSTILE),
        organization=draw(st.none() | HOSTILE),
        discussion_url=draw(st.none() | HOSTILE_LINKS),
        code_url=draw(st.none() | HOSTILE_LINKS),
        project_url=draw(st.none() | HOSTILE_LINKS),
        signals=Signals(upvotes=draw(counts), comments=draw(counts), stars=draw(counts)),
        match=draw(
            st.none()
            | st.builds(
                lambda words, categories, authors: TopicMatch(
                    topic="t", strength=1.0, keywords=(words,), categories=(categories,), authors=(authors,)
                ),
                HOSTILE,
                HOSTILE,
                HOSTILE,
            )
        ),
    )


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.builds(section, st.lists(hostile_entries(), max_size=3), st.none() | HOSTILE, st.integers(0, 50)), max_size=3
    ),
    HOSTILE,
    HOSTILE,
)
def test_hostile_texts_pass_every_rule_and_are_preserved_exactly(sections: list, title: str, byline: str):
    of = edition(sections, title=title, byline=byline)
    # With a nonce that is in no file: Hypothesis tries the texts that it finds in the tests.
    rendered = Renderer().render(of, of.sections, base_url=BASE_URL)
    raw = cast(rendered, title=title)

    assert broken_rules(raw) == []
    seen, text = visible(part(raw, "html")), folded(part(raw, "plain"))
    for wanted in [byline, *(each.paper.title for part_ in sections for each in part_.entries)]:
        assert single_line(wanted) in seen
        assert single_line(wanted) in text


def test_a_title_of_50_kb_is_cut_and_marked():
    rendered = render(edition((section((entry(1, "<&" * 25_000),)),)))

    assert broken_rules(cast(rendered)) == []
    assert "<&" * 149 + "<\u2026" in visible(rendered.html)


# -- the byte budget -------------------------------------------------------------------------------------------------


def many(count: int, *, topics: int = 1, text: str = ABSTRACT * 3, title: str = "A Paper Numbered") -> Arranged:
    entries = [
        entry(number, f"{title} {number}", abstract=text, signals=Signals(upvotes=count - number))
        for number in range(1, count + 1)
    ]
    return edition([section(entries[at::topics], f"Topic {at}") for at in range(topics)])


def test_a_usual_day_is_not_shortened():
    rendered = render(many(25, topics=4))

    assert rendered.shortened == 0
    assert len(quoted_printable(rendered.html)) < 70_000


@pytest.mark.parametrize(
    "of",
    [
        many(90),
        many(150),
        many(1000),
        many(1000, topics=300),
        many(40, text="注意力机制" * 500, title="注意力" * 60),
        many(400, text="\U0001f600" * 3000, title="\U0001f600" * 300),
    ],
    ids=["90", "150", "1000", "300-topics", "chinese", "emoji"],
)
def test_any_number_of_papers_stays_under_the_budget_and_is_counted(of: Arranged):
    measured = []

    def measure(mail: Rendered) -> int:
        measured.append(len(cast(mail)))
        return measured[-1]

    rendered = RENDERER.render(of, of.sections, base_url=BASE_URL, measure=measure)

    assert len(measured) <= 2 + (3 * len(of.entries)).bit_length(), "the search halves what is left"
    raw = cast(rendered)
    assert broken_rules(raw) == []
    assert len(raw) < LARGEST_MESSAGE
    assert rendered.shortened > 0
    seen = visible(rendered.html)
    shown = len(re.findall("<h3|<h2[^>]* id=.first.", rendered.html))
    dropped = sum(int(number) for number in re.findall(r"(\d+) more (?:papers?\b|in this)", seen))
    assert shown + dropped == len(of.entries)
    assert "Unsubscribe" in seen


def test_the_lowest_ranked_lose_their_text_first():
    rendered = render(many(130))

    lengths = [len(row.split("</tr>")[0]) for row in re.split(r'<h3|<h2[^>]* id="first"', rendered.html)[1:]]
    assert lengths[0] > lengths[-1]
    assert lengths == sorted(lengths, reverse=True) or max(later - earlier for earlier, later in pairwise(lengths)) < 40
    assert rendered.shortened == 130


def test_papers_over_a_limit_and_over_the_size_budget_are_counted_together():
    of = many(1000)
    of = edition((section(of.sections[0].entries, "Topic", more=7),))

    seen = visible(render(of).html)

    shown = len(re.findall(r"A Paper Numbered \d+ ", seen.split("Unsubscribe")[0])) - 1
    (more,) = re.findall(r"(\d+|\d\.\dK) more in this topic", seen)
    assert more.endswith("K") or int(more) + shown >= 1007 - 3


# -- shortening ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("One. Two. Three.", 10, "One. Two."),
        ("One. Two. Three.", 16, "One. Two. Three."),
        ("We use e.g. Adam here. Then more.", 25, "We use e.g. Adam here."),
        ("As Smith et al. Did before us.", 20, "As Smith et al. Did\u2026"),
        ("Is it so? It is. More text here.", 18, "Is it so? It is."),
        ("Version 2.5 beats 2.4 everywhere.", 20, "Version 2.5 beats\u2026"),
        ("注意力。机制。很长的句子", 8, "注意力。机制。"),
        ("No end in sight here", 10, "No end in\u2026"),
    ],
)
def test_texts_are_cut_at_a_sentence_end_or_else_a_word(text: str, limit: int, short: str):
    assert at_sentence(text, limit) == short


@given(st.text(), st.integers(1, 100))
def test_a_shortened_text_is_never_longer_than_asked(text: str, limit: int):
    assert len(at_word(text, limit)) <= limit
    assert len(at_sentence(text, limit)) <= limit
    assert text.startswith(at_word(text, limit).removesuffix("\u2026"))


ONE_TEXT = "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"

# -- templates -------------------------------------------------------------------------------------------------------


def test_an_operators_template_goes_before_the_own_one(tmp_path: Path):
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "subject.txt").write_text("Papers of {{ day }}: {{ count }}")

    of = full_edition()
    rendered = Renderer(tmp_path).render(of, of.sections)

    assert rendered.subject == "Papers of 2026-04-02: 4"
    assert "Skipping Layers" in rendered.html


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("edition.txt", "one\ntwo {{ nothing }}", r"email/edition\.txt, line 2: 'nothing' is undefined"),
        ("edition.txt", "one\n{% if %}", r"email/edition\.txt, line 2: "),
        ("edition.txt", "one\n\n{{ count + title }}", r"email/edition\.txt, line 3: "),
        ("edition.txt", "{{ title.__class__.__mro__ }}", r"email/edition\.txt, line 1: .*unsafe"),
        ("edition.txt", "{% include 'email/none.txt' %}", r"email/none\.txt: there is no such template"),
        ("edition.mjml", "<mjml><mj-body><mj-section>", r"email/edition\.mjml: is not valid MJML"),
        ("edition.mjml", "plain", r"email/edition\.mjml: is not valid MJML"),
        (
            "edition.mjml",
            ONE_TEXT.format("<mj-odd>x</mj-odd>"),
            r"<mj-odd> is not an MJML tag",
        ),
        (
            "edition.mjml",
            ONE_TEXT.format("{{ 'x' * 200000 }}"),
            r"the email is too large",
        ),
    ],
)
def test_a_faulty_template_is_named_with_its_line(tmp_path: Path, name: str, source: str, message: str):
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / name).write_text(source)
    of = full_edition()

    with pytest.raises(RenderError, match=message):
        Renderer(tmp_path).render(of, of.sections)


def test_the_templates_are_found_beside_the_package():
    assert (templates_directory() / "email" / "edition.mjml").is_file()


# -- layouts and languages -------------------------------------------------------------------------------------------


def looked(look: Appearance, *, language: str | None = None, of: Arranged | None = None) -> Rendered:
    shown = of or full_edition()
    return RENDERER.render(shown, shown.sections, base_url=BASE_URL, language=language, look=look)


def first_paper(text: str) -> str:
    """Return what a part says of the first paper of the full edition."""
    return text.split("Skipping Layers Gracefully", 1)[1].split("A Cache That Forgets on Purpose", maxsplit=1)[0]


def test_the_layouts_show_point_and_abstract_or_one_sentence_or_headlines():
    full, compact, headlines = (looked(Appearance(layout=layout)) for layout in Layout)
    abstract, summary = "We look at how a model of modest size", "A small model learns which of its layers"

    for said in (lambda each: visible(each.html), lambda each: folded(each.text)):
        in_full, in_compact = first_paper(said(full)), first_paper(said(compact))
        assert in_full.index(summary) < in_full.index("AI summary") < in_full.index(abstract)
        assert in_compact.index(summary) < in_compact.index("AI summary")
        assert abstract not in in_compact
    for kind in ("html", "text"):
        assert abstract not in getattr(headlines, kind)
        assert summary not in getattr(headlines, kind)
    assert len(full.html) > len(headlines.html)
    assert full.shortened == compact.shortened == headlines.shortened == 0


@pytest.mark.parametrize("layout", Layout)
def test_no_layout_breaks_a_rule_or_loses_a_title(layout: Layout):
    rendered = looked(Appearance(layout=layout, thumbnails=True))

    assert broken_rules(cast(rendered)) == []
    for each in full_edition().entries:
        assert each.paper.title in visible(rendered.html)
        assert each.paper.title in folded(rendered.text)


def test_pictures_are_shown_only_where_the_digest_wants_them_and_only_by_https():
    def of(url: str) -> Arranged:
        return edition((section((entry(1, "A Title", thumbnail_url=url),)),))

    secure = of("https://pictures.example.org/1.png")
    assert 'src="https://pictures.example.org/1.png"' in looked(Appearance(thumbnails=True), of=secure).html
    assert "<img" not in looked(Appearance(), of=secure).html
    assert "<img" not in looked(Appearance(thumbnails=True, layout=Layout.HEADLINES), of=secure).html
    assert "<img" not in looked(Appearance(thumbnails=True), of=of("http://pictures.example.org/1.png")).html


def voted(*upvotes: int) -> Arranged:
    entries = [entry(n, f"Paper {n}", signals=Signals(upvotes=votes)) for n, votes in enumerate(upvotes, start=1)]
    return edition((section(entries),))


def upvoted(rendered: Rendered) -> list[tuple[str, str]]:
    """Return the title and the width in per cent of each bar, after checking that the title is a link."""
    row = r'width="(\d+)%".{0,800}?<a class="q" href="https://arxiv[^>]*>(Paper \d)</a></td></tr>'
    listed = re.split("(?:Most|Also) upvoted", rendered.html)[1:]
    return [(title, width) for part_ in listed for width, title in re.findall(row, part_, re.DOTALL)]


def test_the_most_upvoted_below_the_lead_are_drawn_as_bars_in_proportion():
    bars = upvoted(looked(Appearance(), of=voted(200, 96, 62, 48)))
    assert bars == [("Paper 2", "100"), ("Paper 3", "64"), ("Paper 4", "50")]
    assert upvoted(looked(Appearance(layout=Layout.HEADLINES), of=voted(200, 96, 62))) == [
        ("Paper 1", "100"), ("Paper 2", "48"), ("Paper 3", "31"),
    ]  # fmt: skip
    assert upvoted(looked(Appearance(), of=voted(200, 96, 62))) == [], "two are too few to compare"


@pytest.mark.parametrize("language", ["de", "fr", "he"])
def test_a_segment_s_language_goes_before_the_digest_s(language: str):
    rendered = looked(Appearance(language="en"), language=language)

    assert "Unsubscribe" not in rendered.html + rendered.text
    way = "rtl" if language == "he" else "ltr"
    assert f'<html lang="{language}" dir="{way}"' in rendered.html
    assert f'role="main" lang="{language}" dir="{way}"' in rendered.html
    assert broken_rules(cast(rendered)) == []


def test_a_theme_sets_colors_and_a_logo_above_the_title():
    theme = Theme(
        light=replace(LIGHT, link="#7a0019"),
        dark=replace(DARK, link="#ffc0cb"),
        logo=Logo(url="https://example.org/logo.png", alt="Example & Labs", width=90, height=30),
    )
    html = looked(Appearance(theme=theme)).html

    assert "#7a0019" in html
    assert "#ffc0cb" in html
    assert LIGHT.link not in html
    assert '<img src="https://example.org/logo.png" alt="Example &amp; Labs" width="90" height="30"' in html


def test_a_paper_that_spoils_the_mjml_is_named(tmp_path: Path):
    (tmp_path / "email").mkdir()
    broken = ONE_TEXT.format(
        "{% for part in sections %}{% for row in part.rows %}{{ row.title | safe }}{% endfor %}{% endfor %}"
    )
    (tmp_path / "email" / "edition.mjml").write_text(broken)
    of = edition((section((entry(1, "Well"), entry(2, "Not < well </mj-text>"), entry(3, "Also well"))),))

    with pytest.raises(RenderError, match=r"\(paper 2, 'Not < well </mj-text>'\)"):
        Renderer(tmp_path).render(of, of.sections)


def test_papers_that_are_only_counted_are_behind_a_link_to_the_papers_of_their_topic():
    page = f"{BASE_URL}/daily/2026-04-02/papers?topic=Efficient%20training%20%26%20serving"
    rendered = looked(Appearance())

    assert re.search(rf'<a class="a" href="{re.escape(page)}"[^>]*>3 more in this topic</a>', rendered.html)
    assert page in rendered.text


PERSONAL = re.compile(r"https://digest\.example\.org/(?:unsubscribe|preferences)/[^\s\"<&]+")


@pytest.mark.parametrize("place", [unsubscribe_placeholder, preferences_placeholder])
def test_no_feed_can_link_to_a_personal_page(place):
    """The feed repeats every placeholder it has ever seen, in every field, and in pieces that are put together."""
    seen: list[str] = []

    def random_token() -> str:
        seen.append(f"token{len(seen)}")
        return seen[-1]

    renderer = Renderer(random_token=random_token)
    expected = personal_links(renderer, full_edition())
    for nonce in ("", "token", *(f"token{number}" for number in range(3))):
        link = place(nonce)
        torn = f"{link[:20]}\ufdd2{link[20:40]}\x00{link}{link[40:]}"
        for text in (link, torn):
            of = edition(
                [section([entry(1, text, link=link, summary=text, authors=(text,), organization=text, code_url=link)])],
                title=text,
                byline=text,
            )
            assert personal_links(renderer, of) == expected


def personal_links(renderer: Renderer, of) -> tuple[list[str], list[str]]:
    raw = cast(renderer.render(of, of.sections, base_url=BASE_URL), title="x")
    return PERSONAL.findall(part(raw, "html")), PERSONAL.findall(part(raw, "plain"))


def test_two_renderings_have_different_placeholders():
    of = full_edition()
    renderer = Renderer()
    first, second = (renderer.render(of, of.sections, base_url=BASE_URL).nonce for _ in range(2))
    assert first != second
    assert re.fullmatch("[0-9a-f]{16}", first)
