"""The first paper of an email stands above all others, and papers are numbered down the page."""

from __future__ import annotations

import re

import pytest
from editions import ABSTRACT, NONCE, Arranged, cast, edition, entry, section
from message_rules import broken_rules, visible

from digestmail.mail.render import Renderer
from digestmail.model.deliveries import Rendered
from digestmail.model.papers import Signals
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import PersonalSection
from digestmail.model.theme import Appearance, Layout

RENDERER = Renderer(random_token=lambda: NONCE)
BASE_URL = "https://digest.example.org"


def render(of: Arranged, layout: Layout = Layout.FULL) -> Rendered:
    return RENDERER.render(of, of.sections, base_url=BASE_URL, look=Appearance(layout=layout))


def numbered_in_html(rendered: Rendered) -> list[tuple[int, str]]:
    """Return the number and the title of each paper, in the order of the HTML part."""
    lead = r'<p class="r"[^>]*>(\d+)&nbsp;.*?<h2[^>]*><a[^>]*>(.*?)</a></h2>'
    row = r'<td class="[rk]" width="40">(\d+)</td>.*?<h3[^>]*><a[^>]*>(.*?)</a></h3>'
    found = re.finditer(f"{lead}|{row}", rendered.html, re.DOTALL)
    return [(int(match[1] or match[3]), match[2] or match[4]) for match in found]


def numbered_in_text(rendered: Rendered) -> list[tuple[int, str]]:
    return [(int(number), title) for number, title in re.findall(r"(?m)^(\d+)\. (.*)$", rendered.text)]


def topics(*sections: tuple[str | None, list[int], int]) -> Arranged:
    """Make an edition of sections of a topic, the ranks of its papers, and how many more there are."""
    return edition([
        section([entry(rank, f"Paper {rank}") for rank in ranks], topic, more) for topic, ranks, more in sections
    ])  # fmt: skip


@pytest.mark.parametrize("layout", Layout)
def test_papers_are_numbered_down_the_page_in_both_parts(layout: Layout):
    of = topics(("Agents", [1, 4, 12], 0), ("Vision", [2, 3], 0), (None, [5, 6, 7, 8, 9, 10, 11], 0))

    rendered = render(of, layout)

    order = [1, 4, 12, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert numbered_in_html(rendered) == [(at, f"Paper {rank}") for at, rank in enumerate(order, start=1)]
    assert numbered_in_text(rendered) == numbered_in_html(rendered)
    assert rendered.subject == "Paper 1 and 11 more papers"


@pytest.mark.parametrize("layout", [Layout.FULL, Layout.COMPACT])
def test_the_first_paper_is_above_the_overview_and_once_in_the_email(layout: Layout):
    seen = visible(render(topics(("Agents", [1, 2], 0), (None, [3], 0)), layout).html).split("Trending papers", 1)[1]

    assert seen.index("Paper 1") < seen.index("3 papers") < seen.index("Paper 2") < seen.index("Paper 3")
    assert seen.count("Paper 1") == 1


def test_in_headlines_no_paper_is_larger_than_the_others():
    rendered = render(topics(("Agents", [1, 2], 0), (None, [3], 0)), Layout.HEADLINES)

    assert 'id="first"' not in rendered.html
    assert visible(rendered.html).index("3 papers") < visible(rendered.html).index("Paper 1")


def test_a_topic_of_only_the_first_paper_leads_to_it_and_counts_what_is_not_shown():
    rendered = render(topics(("Agents", [1], 6), ("Vision", [2], 0)))

    assert re.search(r'<a class="a" href="#first"[^>]*>Agents</a>&nbsp;1', rendered.html)
    assert re.search(
        rf'href="{BASE_URL}/daily/2026-04-02/papers\?topic=Agents"[^>]*>6 more in this topic</a>', rendered.html
    )
    assert rendered.html.index("6 more in this topic") < rendered.html.index("2 papers")
    assert "6 more in this topic" in rendered.text
    assert len(re.findall("<h2", rendered.html)) == 2, "the lead and one heading"
    assert broken_rules(cast(rendered)) == []


RESULT = "Experiments show that notes of twenty words outperform memory by 12% on long documents."
ABOUT = "Small models forget the beginning of a long document. We let them take notes."


@pytest.mark.parametrize(
    ("summary", "abstract", "point", "rest"),
    [
        (None, f"{ABOUT} {RESULT} Code is available.", RESULT, f"{ABOUT} Code is available."),
        ("Notes help.", f"{ABOUT} {RESULT}", "Notes help. AI summary", f"{ABOUT} {RESULT}"),
        (RESULT, f"{ABOUT} {RESULT}", f"{RESULT} AI summary", ABOUT),
        (ABOUT, ABOUT, f"{ABOUT} AI summary", ""),
        (None, RESULT, RESULT, ""),
        (None, ABOUT, "", ABOUT),
        ("Notes help.", "", "Notes help. AI summary", ""),
        (None, "", "", ""),
    ],
)
def test_the_point_comes_before_the_rest_of_the_abstract(summary, abstract, point, rest):
    of = edition((section([entry(1, "A title", summary=summary, abstract=abstract, authors=(), published_at=None)]),))

    rendered = render(of)

    said = " ".join(filter(None, [point, rest]))
    assert f"A title {said} arXiv".replace("  ", " ") in visible(rendered.html)
    text = " ".join(rendered.text.split()).replace("(AI summary)", "AI summary")
    assert f"A title {said} arXiv:".replace("  ", " ") in text


def test_a_compact_email_shows_the_point_alone():
    of = edition((section([entry(1, "A title", abstract=f"{ABOUT} {RESULT}"), entry(2, "B", abstract=ABOUT)]),))

    seen = visible(render(of, Layout.COMPACT).html)

    assert RESULT in seen
    assert seen.count(ABOUT) == 1


def test_every_link_of_the_overview_leads_somewhere():
    rendered = render(topics(("Agents", [1], 6), ("Vision", [2, 3], 0), (None, [4], 0)))

    anchors = re.findall(r'href="#([^"]+)"', rendered.html)
    assert len(anchors) == 3
    assert all(f' id="{anchor}"' in rendered.html for anchor in anchors)


def test_the_first_paper_is_shortened_last_whatever_its_score():
    text = "One short sentence. " * 40
    best = [entry(rank, f"Paper {rank}", abstract=text) for rank in range(1, 41)]
    of = edition((section([entry(90, "Leading", abstract=text)], "Agents"), section(best)))

    rendered = render(of)

    rows = re.split(r"<h2[^>]* id=.first.|<h3", rendered.html)[1:]
    told = {re.findall(r"(Leading|Paper \d+)<", row)[0]: row.count("One short sentence.") for row in rows}
    assert told["Leading"] == max(told.values())
    assert min(told.values()) < max(told.values())
    by_rank = [told[f"Paper {rank}"] for rank in range(1, 41)]
    assert by_rank == sorted(by_rank, reverse=True)
    assert broken_rules(cast(rendered)) == []


def test_a_pick_for_the_reader_leads_and_says_why_in_a_sentence():
    papers = [entry(rank, f"Paper {rank}") for rank in (1, 2, 3)]
    of = edition((section(papers, "Agents"),))
    reasons = (PickReason(kind=PickKind.AUTHOR, names=("Ada Example",)),)
    picks = PersonalSection(topic=None, entries=(papers[2],), positions=(3,), reasons=reasons)

    rendered = RENDERER.render(of, (picks, section(papers[:2], "Agents")), base_url=BASE_URL)

    assert numbered_in_html(rendered) == numbered_in_text(rendered) == [(1, "Paper 3"), (2, "Paper 1"), (3, "Paper 2")]
    assert "1 \xb7 For you Paper 3" in visible(rendered.html)
    assert "By Ada Example, whom you follow" in visible(rendered.html)
    assert "By Ada Example, whom you follow" in rendered.text
    assert rendered.subject == "Paper 3 and 2 more papers"


def test_the_overview_and_the_subject_count_the_papers_that_are_in_the_email():
    of = edition((section([entry(rank, f"Paper {rank}", abstract=ABSTRACT) for rank in range(1, 801)], "Agents"),))

    rendered = render(of)

    shown = len(numbered_in_html(rendered))
    assert shown < 800
    assert f"{shown} papers." in rendered.text
    assert rendered.subject == f"Paper 1 and {shown - 1} more papers"
    assert len(numbered_in_text(rendered)) == shown


def test_an_email_without_room_for_any_paper_counts_them_all():
    of = topics(("Agents", [1, 2], 3), (None, [3], 0))
    smallest = RENDERER.render(
        of, of.sections, base_url=BASE_URL, measure=lambda mail: 10**6 * ("Paper 1" in mail.html)
    )

    for text in (visible(smallest.html), smallest.text):
        assert "6 more papers in other topics" in text
        assert "Nothing new" not in text
    assert f"{BASE_URL}/daily/2026-04-02" in smallest.html
    assert broken_rules(cast(smallest)) == []


def test_upvotes_of_the_first_paper_do_not_shrink_the_bars_of_the_others():
    votes = {1: 4000, 2: 40, 3: 20, 4: 10}
    of = edition((section([entry(rank, f"Paper {rank}", signals=Signals(upvotes=n)) for rank, n in votes.items()]),))

    assert re.findall(r'width="(\d+)%" cell', render(of).html.split("Also upvoted")[1])[1:4] == ["100", "50", "25"]
