"""Every captured day in every layout: the message fits, and every title is included or counted in "N more"."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from editions import Arranged, cast, edition, entry, section

from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.render import Renderer
from digestmail.model.papers import Signals
from digestmail.model.selection import Entry
from digestmail.model.theme import Appearance, Layout
from digestmail.text.truncate import at_word

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here: no captured days to render")

DAYS = sorted((SHARED / "data" / "hf_daily").glob("*.json.gz"))
MONTHS = sorted({path.name[:7] for path in DAYS})
RENDERER = Renderer()
TWO_SIGNATURES = 2_000


def entries(path: Path) -> Iterator[Entry]:
    """Yield the papers of a captured day, best first."""
    items = json.loads(gzip.decompress(path.read_bytes()))
    items.sort(key=lambda item: -item["paper"]["upvotes"])
    for rank, item in enumerate(items, start=1):
        paper: dict[str, Any] = item["paper"]
        yield entry(
            rank,
            " ".join(paper["title"].split()),
            abstract=paper["summary"],
            summary=paper.get("ai_summary"),
            authors=tuple(author["name"] for author in paper["authors"]),
            organization=(paper.get("organization") or {}).get("fullname"),
            discussion_url=f"https://huggingface.co/papers/{paper['id']}",
            code_url=paper.get("githubRepo"),
            project_url=paper.get("projectPage"),
            thumbnail_url=item.get("thumbnail"),
            signals=Signals(upvotes=paper["upvotes"], comments=item["numComments"], stars=paper.get("githubStars")),
        )


def grouped(path: Path) -> Arranged:
    found = list(entries(path))
    return edition([section(part, topic) for part, topic in ((found[::2], "Even"), (found[1::2], None)) if part])


@pytest.mark.parametrize("month", MONTHS)
def test_every_day_of_a_month_becomes_a_mail_in_every_layout(month: str):
    for path in (path for path in DAYS if path.name.startswith(month)):
        of = grouped(path)
        for layout in Layout:
            look = Appearance(layout=layout, thumbnails=True)
            rendered = RENDERER.render(of, of.sections, base_url="https://digest.example.org", look=look)
            where = f"{path.name} {layout}"

            assert len(cast(rendered)) < LARGEST_MESSAGE - TWO_SIGNATURES, where
            schemes = set(re.findall(r'(?:href|src)="([^":]*:|#)', rendered.html))
            assert schemes <= {"http:", "https:", "#"}, where
            assert missing(of, rendered.html) == counted(rendered.html) == counted_in_text(rendered.text), where


def missing(of: Arranged, html: str) -> int:
    return sum(escape(at_word(each.paper.title, 300)) not in normal(html) for each in of.entries)


def counted(html: str) -> int:
    return sum(map(int, re.findall(r">(\d+) more (?:in this topic|papers?)", html)))


def counted_in_text(text: str) -> int:
    return sum(map(int, re.findall(r"(?m)^(\d+) more (?:in this topic|papers?)", text)))


def normal(html: str) -> str:
    return html.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


def test_of_two_hundred_papers_most_are_counted_and_none_is_lost():
    found = [found for path in DAYS[-8:] for found in entries(path)][:200]
    papers = [
        replace(each, rank=rank, paper=replace(each.paper, id=f"{each.paper.id}-{rank}"))
        for rank, each in enumerate(found, start=1)
    ]
    of = edition([section(papers[::2], "Even"), section(papers[1::2])])
    for layout in Layout:
        sections = of.sections
        rendered = RENDERER.render(of, sections, base_url="https://digest.example.org", look=Appearance(layout=layout))
        html = rendered.html

        assert len(cast(rendered)) < LARGEST_MESSAGE - TWO_SIGNATURES
        assert counted_in_text(rendered.text) == counted(html)
        assert html.count("<h3") + html.count('<h2 class="lead"') + counted(html) == len(papers)
