"""A web app on a database with a few days of made-up papers, and ways to ask it: in process, and in a thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from fakes import FakeClock
from fastapi import FastAPI
from serving import serving

from digestmail.app import App
from digestmail.config.settings import Config
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Origin, Paper, PaperId, Sighting, Signals
from digestmail.model.selection import Beyond, Decision, Entry, Outcome, Score, TopicMatch
from digestmail.storage import editions, papers
from digestmail.storage.database import Database
from digestmail.web.app import create_app

THURSDAY = datetime(2026, 4, 2, 6, 0, tzinfo=UTC)
TOKEN = "a-made-up-admin-token"

# (topic, title, summary or None, abstract)
WORKS = (
    (
        "Efficient models",
        "Skipping Layers Gracefully: Depth on Demand for Small Language Models",
        "A small model learns which of its layers a question needs, and leaves out the rest at half the cost.",
        (
            "We look at how a model of modest size decides which of its layers a question needs. Leaving the "
            "others out halves the time on a single card, at nearly the same quality on eight tasks. What is lost "
            "is mostly arithmetic, e.g. long division, and a short training run brings it back."
        ),
    ),
    (
        "Efficient models",
        "A Cache That Forgets on Purpose",
        None,
        (
            "Long conversations fill the memory of a model with words nobody returns to. We let the cache drop "
            "what a tiny predictor calls finished, and keep what later turns ask for. On transcripts of twelve "
            "hours the memory stays flat, and answers differ from the full cache in one of two hundred."
        ),
    ),
    (
        "Efficient models",
        "Four Bits Are Plenty, Except on Tuesdays",
        None,
        (
            "Quantization errors are not spread evenly: a handful of weekly patterns in the data carry most of "
            "them. We find these patterns before training ends and give their weights two more bits, which costs "
            "three percent of memory and closes the gap."
        ),
    ),
    (
        "Agents",
        "Do Models Read the Compiler's <think> Output? An Honest Look",
        "Agents that write programs mostly ignore the second half of an error message.",
        (
            "Agents that write programs are shown compiler output and are assumed to use it. We shuffle, shorten "
            "and translate these messages and measure what changes. The first line matters most; everything after "
            "the fourth might as well be poetry. A prompt that asks for a summary first restores the value of the "
            "rest."
        ),
    ),
    (
        "Agents",
        "Errands: A Benchmark of Boring Tasks",
        None,
        (
            "Booking a room, moving a meeting, finding the form. We collect 900 dull office errands with a mock "
            "town hall behind them, and find that agents fail less at the task than at noticing that it is "
            "already done."
        ),
    ),
    (
        "Vision",
        "Shadows as Labels: Learning Depth From the Afternoon Sun",
        None,
        (
            "A fixed camera sees the same street all day while shadows move over it. We turn that movement into a "
            "training signal for depth and need neither a second lens nor a laser."
        ),
    ),
    (
        None,
        "Notes on Naïve Baselines",
        None,
        (
            "Nearest neighbours on a good tokenizer beat eleven of nineteen recent methods we tried. We describe "
            "how to report such baselines so that a reader can tell luck from progress."
        ),
    ),
)
_COUNTS = ((187, 14, 1640), (96, 8, 212), (54, 3, 41), (142, 22, 880), (33, None, None), (71, 5, None), (12, 1, None))
_AUTHORS = ("Ada Example", "Boris Sample", "Chen Madeup", "Dora Nobody", "Zoë Étude", "Ferdi Placeholder")


def work(number: int, day: int, *, title: str | None = None, **fields: Any) -> Paper:
    """Make the paper of this number and day."""
    _, known, summary, abstract = WORKS[number]
    arxiv = f"26{day + 1:02d}.{number + 1:05d}"
    values: dict[str, Any] = {
        "link": f"https://arxiv.org/abs/{arxiv}",
        "abstract": abstract,
        "summary": summary,
        "authors": _AUTHORS[number % 3 :],
        "categories": ("cs.LG", "cs.CL"),
        "published_at": THURSDAY - timedelta(days=7 - day),
        "organization": "Example Institute" if number % 2 == 0 else None,
        "discussion_url": f"https://huggingface.co/papers/{arxiv}",
        "code_url": f"https://github.com/example/{arxiv}" if _COUNTS[number][2] else None,
    }
    return Paper(
        id=PaperId(f"arxiv:{arxiv}"),
        title=title or (known if day == 0 else f"{known}, Part {day + 1}"),
        origin=Origin.HUGGING_FACE,
        **(values | fields),
    )


def publish(database: Database, day: int, *, titles: dict[int, str] | None = None, **fields: Any) -> Edition:
    """Store the edition of the day `day` days before Thursday 2 April 2026, with its sightings."""
    at = THURSDAY - timedelta(days=day)
    made = [work(number, day, title=(titles or {}).get(number), **fields) for number in range(len(WORKS))]
    with database.begin() as connection:
        for earlier, share in ((3, 4), (2, 2), (0, 1)):
            seen = [
                Sighting(source="huggingface", paper=paper, day=at.date(), signals=_signals(number, share))
                for number, paper in enumerate(made)
            ]
            papers.add_sightings(connection, seen, at - timedelta(days=earlier, hours=1))
        edition = Edition(
            digest="daily",
            slot=Slot(at=at, key=at.date().isoformat(), day=at.date()),
            title="Trending papers",
            byline="by AK and the research community",
            composed_at=at,
            entries=tuple(_entries(made)),
            beyond=(Beyond(topics=("Agents",), papers=2),),
            topics=tuple(dict.fromkeys(row[0] for row in WORKS if row[0])),
            considered=40,
        )
        edition_id = editions.add(connection, edition)
        if edition_id is not None:
            editions.add_qualified(connection, edition_id, map(_chosen, edition.entries))
    return edition


def leave_out(database: Database, edition: Edition, count: int, topic: str = "Agents") -> list[Paper]:
    """Store papers that qualified for an edition, best first after those it contains, and were in none."""
    first = work(3, 0)
    left = [
        replace(
            first,
            id=PaperId(f"arxiv:2612.{number:05d}"),
            title=f"Left Out, Number {number}",
            link=f"https://arxiv.org/abs/2612.{number:05d}",
        )
        for number in range(1, count + 1)
    ]
    with database.begin() as connection:
        seen = [Sighting(source="arxiv", paper=paper, day=edition.slot.day, signals=Signals()) for paper in left]
        papers.add_sightings(connection, seen, edition.composed_at - timedelta(hours=2))
        stored = editions.get(connection, edition.digest, edition.slot.key)
        assert stored is not None
        match = TopicMatch(topic=topic, strength=0.5) if topic else None
        decisions = (
            Decision(
                paper_id=paper.id,
                outcome=Outcome.OVER_TOPIC_LIMIT,
                score=Score(total=1.0),
                rank=len(edition.entries) + number,
                match=match,
            )
            for number, paper in enumerate(left, start=1)
        )
        editions.add_qualified(connection, stored.id, decisions)
    return left


def _chosen(entry: Entry) -> Decision:
    return Decision(
        paper_id=entry.paper.id,
        outcome=Outcome.SELECTED,
        score=entry.score,
        rank=entry.rank,
        match=entry.match,
        other_matches=entry.matches[1:],
    )


def _signals(number: int, share: int = 1) -> Signals:
    upvotes, comments, stars = _COUNTS[number]
    return Signals(upvotes=upvotes // share, comments=comments, stars=stars)


def _entries(made: list[Paper]) -> Iterator[Entry]:
    ranked = sorted(range(len(made)), key=lambda number: -_COUNTS[number][0])
    for rank, number in enumerate(ranked, start=1):
        topic = WORKS[number][0]
        matches = (TopicMatch(topic=topic, strength=0.8, keywords=(topic.lower().rstrip("s"),)),) if topic else ()
        yield Entry(
            paper=made[number],
            signals=_signals(number),
            score=Score(total=float(_COUNTS[number][0])),
            rank=rank,
            matches=matches,
        )


def open_app(database_url: str, **web: Any) -> App:
    """Return an app with two digests on the database; `web` are keys of `[web]`, `base_url` is its own."""
    return App(configured(database_url, **web), Path.cwd(), FakeClock(THURSDAY + timedelta(hours=2)))


def configured(database_url: str, **web: Any) -> Config:
    """Return the configuration of `open_app`."""
    return Config.model_validate(
        {
            "base_url": web.pop("base_url", "https://papers.example.org"),
            "database": database_url,
            "mail": {"sender": "digest@example.org"},
            "sources": [{"name": "huggingface", "kind": "huggingface"}],
            "topics": [{"name": "Agents", "keywords": ["agent"]}],
            "digests": [
                {
                    "name": "daily",
                    "title": "Trending papers",
                    "byline": "by AK and the research community",
                    "schedule": "0 6 * * *",
                    "sources": ["huggingface"],
                    "topics": ["Agents"],
                },
                {"name": "weekly", "title": "Papers of the week", "schedule": "0 8 * * 6", "sources": ["huggingface"]},
            ],
            "web": {"admin_token": TOKEN, "feedback": True} | web,
        }
    )


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    web: FastAPI,
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    json_body: Any = None,
    raw: bytes = b"",
    client: str = "203.0.113.9",
) -> Answer:
    """Ask the app in this process."""
    parts = urlsplit(path)
    body = raw if json_body is None else json.dumps(json_body).encode()
    fields = {"host": "papers.example.org", **(headers or {})}
    if body:
        fields = {"content-type": "application/json"} | fields
    from urllib.parse import unquote

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
        "client": (client, 1234),
        "server": ("127.0.0.1", 80),
    }
    # In a separate thread, because an open browser has a running loop in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(_asked(web, scope, body))).result()


async def _asked(web: FastAPI, scope: dict[str, Any], body: bytes) -> Answer:
    messages: list[Any] = []
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.sleep(3600)
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await web(scope, receive, send)
    start = messages[0]
    return Answer(
        status=start["status"],
        headers={name.decode().lower(): value.decode() for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in messages[1:]),
    )


@contextmanager
def served(app: App) -> Iterator[str]:
    """Serve the app on loopback in a thread; yield its address."""
    config = uvicorn.Config(create_app(app), host="127.0.0.1", port=0, log_level="error", proxy_headers=False)
    with serving(config) as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
