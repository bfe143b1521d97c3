"""Real titles through template, MJML and MIME: all are preserved exactly, and no message is clipped."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from editions import Arranged, cast, edition, entry, section
from message_rules import broken_rules, part, visible

from digestmail.mail.render import Renderer
from digestmail.model.papers import Signals
from digestmail.model.selection import Entry

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here: no real papers to put in a mail")

DAYS = sorted((SHARED / "data" / "hf_daily").glob("*.json.gz"))[::10]
RENDERER = Renderer()
MOST_AT_ONCE = 77


def folded(text: str) -> str:
    return " ".join(text.split())


def seed_edition() -> Arranged:
    papers = json.loads((SHARED / "data" / "seed_papers.json").read_text("utf-8"))
    assert len(papers) == MOST_AT_ONCE
    return edition(
        [
            section(
                [
                    entry(n, folded(paper["title"]), abstract=paper["abstract"])
                    for n, paper in enumerate(papers, start=1)
                ]
            )
        ]
    )


def day_entries(path: Path) -> Iterator[Entry]:
    for number, item in enumerate(json.loads(gzip.decompress(path.read_bytes())), start=1):
        paper: dict[str, Any] = item["paper"]
        yield entry(
            number,
            folded(paper["title"]),
            abstract=paper["summary"],
            summary=paper.get("ai_summary"),
            authors=tuple(author["name"] for author in paper["authors"]),
            organization=(paper.get("organization") or {}).get("fullname"),
            discussion_url=f"https://huggingface.co/papers/{paper['id']}",
            code_url=paper.get("githubRepo"),
            project_url=paper.get("projectPage"),
            signals=Signals(upvotes=paper["upvotes"], comments=item["numComments"], stars=paper.get("githubStars")),
        )


def test_every_seed_title_is_in_the_mail_to_the_letter():
    of = seed_edition()
    raw = cast(RENDERER.render(of, of.sections))

    assert broken_rules(raw) == []
    html, text = part(raw, "html"), part(raw, "plain")
    assert html.count('<h2 class="lead"') + html.count("<h3") == MOST_AT_ONCE
    for each in of.entries:
        assert each.paper.title in visible(html)
        assert each.paper.title in folded(unescape(html))
        assert each.paper.title in folded(text)


@pytest.mark.parametrize("path", DAYS, ids=lambda path: path.name.split(".")[0])
def test_every_title_of_a_day_is_in_a_mail_that_is_not_clipped(path: Path):
    entries = list(day_entries(path))
    of = edition([section(entries[::2], "Even"), section(entries[1::2])] if len(entries) > 1 else [section(entries)])

    raw = cast(RENDERER.render(of, of.sections, base_url="https://digest.example.org"))

    assert broken_rules(raw) == []
    seen, text = visible(part(raw, "html")), folded(part(raw, "plain"))
    assert [each.paper.title for each in entries if each.paper.title not in seen] == []
    assert [each.paper.title for each in entries if each.paper.title not in text] == []
