"""Titles, abstracts and names are hostile text: pages and Markdown show exactly that text, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest
from editions import ABSTRACT, edition, entry, section
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from digestmail.mail.placeholders import single_line
from digestmail.mail.templates import Templates
from digestmail.model.editions import Edition
from digestmail.model.papers import Signals
from digestmail.model.selection import TopicMatch
from digestmail.model.theme import Appearance
from digestmail.outputs.pages import PageFormat, PageLink, PageRenderer, escaped

PAGES = PageRenderer(Templates(), looks={}, titles={"daily": "Trending papers"}, base_url="https://digest.example.org")
MARKUP = [
    "<script>",
    "](javascript:x)",
    "{{ x }}",
    "{% raw %}",
    "\\",
    "`",
    "***",
    "\n# ",
    "\n\n- ",
    "&lt;",
    "&#60;",
    "![",
    "|",
]
HOSTILE = st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=12)), max_size=6).map("".join)
TAGS = {
    "a", "bdi", "body", "h1", "h2", "h3", "head", "html", "li", "main", "meta", "ol", "p", "span", "strong", "style",
    "time", "title",
}  # fmt: skip
MARKDOWN_TAGS = {"a", "h1", "h2", "h3", "p", "strong"}


class Seen(HTMLParser):
    """What a browser would see: tags, links and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.headings: list[str] = []
        self._inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [str(value) for name, value in attrs if name in {"href", "src"}]
        if tag == "h3":
            self._inside = True
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "h3":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.headings[-1] += data


def hostile(text: str, link: str = "https://example.org/1") -> Edition:
    """Return an edition with `text` everywhere where a stranger's text may be."""
    match = TopicMatch(topic="Topic", strength=1.0, keywords=(text or "x",), authors=(text or "x",))
    one = entry(
        1,
        text,
        authors=(text or "x",),
        abstract=f"{text} {ABSTRACT}",
        organization=text,
        link=link,
        discussion_url=f"https://example.org/{text}",
        signals=Signals(upvotes=1),
        match=match,
    )
    made = edition((section((one,), "Topic"),), byline=text)
    return replace(made, topics=("Topic",))


@settings(deadline=None)
@given(HOSTILE)
def test_a_page_contains_only_its_own_tags_whatever_a_title_says(text: str):
    seen = Seen(PAGES.edition(hostile(text), PageFormat.HTML))

    assert seen.tags <= TAGS
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert all(link.startswith(("https://", "../")) for link in seen.links)
    assert [" ".join(heading.split()) for heading in seen.headings] == [shown(text)]


@settings(deadline=None)
@given(HOSTILE)
def test_markdown_shows_a_title_as_it_is_and_becomes_no_other_markup(text: str):
    written = PAGES.edition(hostile(text), PageFormat.MARKDOWN)
    seen = Seen(MarkdownIt("commonmark").enable("table").enable("strikethrough").render(written))

    assert seen.tags <= MARKDOWN_TAGS
    assert all(link.startswith(("https://", "../")) for link in seen.links)
    assert [" ".join(heading.split()) for heading in seen.headings] == [f"1. {shown(text)}"]
    assert "{{" not in written
    assert "{%" not in written


def shown(text: str) -> str:
    """Return a title as it is shown: white space is collapsed, and long ones end earlier."""
    return single_line(text) or "Untitled"


@given(st.text())
def test_escaped_text_is_one_line_that_renders_as_itself(text: str):
    rendered = MarkdownIt("commonmark").enable("table").enable("strikethrough").renderInline(escaped(text))

    seen = Seen(f"<h3>{rendered}</h3>")
    assert "".join(seen.headings).split() == single_line(text).split()
    assert seen.tags == {"h3"}


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://example.org/>) <script>", "https://example.org/a)b](c", "data:text/html,x"]
)
@pytest.mark.parametrize("form", list(PageFormat))
def test_a_link_leads_where_it_should_or_is_left_out(link, form):
    written = PAGES.edition(hostile("Title", link), form)
    html = written if form is PageFormat.HTML else MarkdownIt("commonmark").render(written)

    seen = Seen(html)
    assert "script" not in seen.tags
    assert all(
        one.startswith(("https://example.org/", "https://arxiv.org/", "https://digest", "../")) for one in seen.links
    )


def test_a_page_has_topics_reasons_and_links_in_the_language_of_its_digest():
    german = PageRenderer(Templates(), looks={"daily": Appearance(language="de")}, titles={}, base_url=None)

    written = german.edition(hostile("Titel"), PageFormat.HTML)

    assert 'lang="de"' in written
    assert "Donnerstag, 2. April 2026" in written
    assert "Passt zu" in written or "Stichwort" in written or "Schlagwort" in written
    assert "https://digest.example.org" not in written


def test_an_index_lists_the_newest_edition_of_each_digest_first():
    links = [
        PageLink(digest="daily", day=date(2026, 4, 2), time="", path="daily/2026-04-02.html"),
        PageLink(digest="daily", day=date(2026, 4, 3), time="", path="daily/2026-04-03.html"),
        PageLink(digest="gone", day=date(2026, 4, 1), time="07:00", path="gone/2026-04-01T0700.html"),
    ]
    for form in PageFormat:
        written = PAGES.index(links, form)
        assert written.index("daily/2026-04-03") < written.index("daily/2026-04-02") < written.index("gone/2026")
        assert "Trending papers" in written
