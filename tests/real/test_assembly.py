"""Captured days: emails that are assembled from parts are the same as those that are rendered as a whole."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from editions import SENDER, SIX, TOKEN, WHY_PICKED, edition, entry

from digestmail.mail.edition_messages import EditionMessages
from digestmail.mail.render import Renderer
from digestmail.mail.writer import MailWriter
from digestmail.model.editions import Edition
from digestmail.model.papers import Signals
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import PersonalSection, Section, TopicMatch
from digestmail.model.theme import Appearance, Layout
from digestmail.selection.segments import for_segment, with_picks

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here: no captured days to assemble")

DAYS = sorted((SHARED / "data" / "hf_daily").glob("*.json.gz"))
CHOSEN = DAYS[:: max(len(DAYS) // 6, 1)]
TOPICS = ("Vision", "Language", "Robots")
RENDERER = Renderer()


def captured(path: Path) -> Edition:
    items = sorted(json.loads(gzip.decompress(path.read_bytes())), key=lambda item: -item["paper"]["upvotes"])
    entries = [
        entry(
            rank,
            " ".join(item["paper"]["title"].split()),
            abstract=item["paper"]["summary"],
            summary=item["paper"].get("ai_summary"),
            authors=tuple(author["name"] for author in item["paper"]["authors"]),
            organization=(item["paper"].get("organization") or {}).get("fullname"),
            discussion_url=f"https://huggingface.co/papers/{item['paper']['id']}",
            code_url=item["paper"].get("githubRepo"),
            project_url=item["paper"].get("projectPage"),
            thumbnail_url=item.get("thumbnail"),
            signals=Signals(
                upvotes=item["paper"]["upvotes"], comments=item["numComments"], stars=item["paper"].get("githubStars")
            ),
            match=TopicMatch(topic=TOPICS[rank % 4], strength=1.0, keywords=("model",)) if rank % 4 < 3 else None,
        )
        for rank, item in enumerate(items, start=1)
    ]
    return edition((), entries=tuple(entries), topics=TOPICS)


def choice(rng: random.Random, of: Edition) -> tuple[Section, ...]:
    sections = for_segment(of, rng.sample(TOPICS, rng.randrange(4)), ())
    picked = rng.sample(range(len(of.entries)), min(rng.choice((1, 5, 15, 25)), len(of.entries)))
    liked = [PickReason(kind=PickKind.LIKED, title=one.paper.title) for one in of.entries]
    for_you = PersonalSection(
        topic=None,
        entries=tuple(of.entries[at] for at in picked),
        reasons=tuple(rng.choice([*WHY_PICKED, *liked]) for _ in picked),
        positions=tuple(at + 1 for at in picked),
    )
    return with_picks(rng.choice((sections, ())), rng.choice((for_you, for_you, None)), of.limits.max_papers)


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.name[:10])
def test_each_reader_of_a_captured_day_gets_the_same_octets_either_way(path: Path, caplog):
    of, rng = captured(path), random.Random(path.name)
    for layout in Layout:
        for language in ("en", "de", "fr", "he"):
            look = Appearance(layout=layout, thumbnails=rng.choice((True, False)))
            writer = MailWriter(RENDERER, SENDER, {"daily": look}, ())
            messages: EditionMessages = writer.edition_messages(of, language, few=0)
            for _ in range(3):
                sections = choice(rng, of)
                assembled = messages.message(of, sections)
                whole = writer.edition_message(of, writer.render(of, sections, language=language))
                fields = {
                    "recipient": "r@example.net",
                    "message_id": "<a@example.org>",
                    "date": SIX,
                    "unsubscribe_token": TOKEN,
                }
                assert assembled.personalize(**fields) == whole.personalize(**fields)
    assert caplog.records == []
