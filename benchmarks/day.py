"""A day of 1,000 arXiv entries and 50 Hugging Face entries: CPU against feedparser alone, casts a second, peak memory.

The entries are recorded ones where those are at hand, and otherwise those of the bundled sample, as often as needed,
each time under another id and with other words between its own. What is compared is measured in turn. Sources,
pipeline, storage (SQLite on disk) and rendering are the real ones; only the network is a table of bytes, so that the
same work is compared.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from random import Random
from types import ModuleType

import feedparser

from benchmarks.figures import Figure, figure, tell
from digestmail.cli.main import look_for_cycles_less_often
from digestmail.collect.collector import collect
from digestmail.editions.publish import publish
from digestmail.mail.message import MessageTemplate
from digestmail.mail.message_headers import Sender
from digestmail.mail.render import Renderer
from digestmail.model.deliveries import Rendered
from digestmail.model.digests import Digest, Schedule, Topic
from digestmail.model.editions import Edition
from digestmail.model.papers import AnnounceType
from digestmail.model.selection import Section
from digestmail.model.subscribers import Subscription
from digestmail.sources.arxiv_feed import ArxivFeed
from digestmail.sources.base import Answer
from digestmail.sources.huggingface import HuggingFace
from digestmail.storage import subscribers
from digestmail.storage.database import Database

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
REPLAY = SHARED / "tools" / "replay.py"
SAMPLE = ROOT / "digestmail" / "sample"
NOW = datetime(2026, 4, 21, 12, tzinfo=UTC)
ARXIV_ENTRIES, HF_ENTRIES = 1000, 50
ROUNDS = 7

TOPICS = (
    Topic(name="Agents", keywords=("agent", "tool use"), description="language models that plan, call tools and act"),
    Topic(name="Efficiency", keywords=("quantization", "pruning"), description="less memory, time and energy"),
    Topic(name="Vision", keywords=("image", "video"), categories=("cs.CV",), description="seeing and making pictures"),
    Topic(name="Reasoning", keywords=("reasoning", "chain of thought"), description="solving problems step by step"),
    Topic(name="Learning", keywords=("reinforcement learning",), description="policies, rewards and exploration"),
)
DIGEST = Digest(
    name="daily",
    title="Trending papers",
    schedule=Schedule(cron="0 11 * * *", timezone="UTC"),
    sources=("hf", "arxiv"),
    topics=TOPICS,
)


@dataclass(frozen=True)
class Canned:
    """Answers from a table instead of the network."""

    arxiv: bytes
    hugging_face: bytes

    def fetch(self, url: str, **_: object) -> Answer:
        """Answer as the services would: the day's first page, and nothing behind it."""
        if "/rss/" in url:
            return Answer(url=url, body=self.arxiv)
        first = "date=2026-04-21" in url and "p=0" in url
        return Answer(url=url, body=self.hugging_face if first else b"[]")


def canned() -> Canned:
    """Return the day's bytes: recorded ones if they are at hand, else those of the sample."""
    return recorded() if REPLAY.exists() else sampled()


def sampled() -> Canned:
    """Return a day put together from the bundled sample."""
    chance = Random(0)
    feed = (SAMPLE / "arxiv.rss").read_text("utf-8").replace("Thu, 02 Apr 2026", f"{NOW:%a, %d %b %Y}")
    head, *items = re.split(r"(?=<item>)", feed)
    items[-1], tail = items[-1].split("</item>")[0] + "</item>", items[-1].split("</item>")[1]
    items = _lengthened(items)
    made = (_renumbered(items[n % len(items)], n, chance) for n in range(ARXIV_ENTRIES))
    listed = json.loads((SAMPLE / "daily_papers.json").read_text("utf-8"))
    # Every second one is announced by arXiv, too.
    papers = [
        json.loads(_renumbered(json.dumps(listed[n % len(listed)], ensure_ascii=False), n * 2 + 500, chance))
        for n in range(HF_ENTRIES)
    ]
    for n, item in enumerate(papers):
        item["paper"]["submittedOnDailyAt"] = f"{NOW:%Y-%m-%d}T04:{n:02}:00.000Z"
    return Canned(arxiv=f"{head}{''.join(made)}{tail}".encode(), hugging_face=json.dumps(papers).encode())


def _lengthened(items: list[str]) -> list[str]:
    """Return the entries with the abstracts of three each: those of the sample are a third as long as others."""
    texts = [item.partition("Abstract: ")[2].partition("</description>")[0] for item in items]
    return [
        item.replace("</description>", f" {texts[n - 1]} {texts[n - 2]}</description>") for n, item in enumerate(items)
    ]


def _renumbered(entry: str, number: int, chance: Random) -> str:
    """Return an entry as that of another paper: with another id, and other words between its own."""
    entry = re.sub(r"(?<!\d)26\d\d\.\d{5}(?!\d)", f"2604.{number + 10_000:05d}", entry)
    words = entry.split(" ")
    for at, word in enumerate(words):
        # Only plain words within a text: neither markup nor keys nor formulas.
        if at % 9 == 5 and word.isalpha() and words[at - 1].isalpha():
            words[at] = f"{word} {chance.choice(('mostly', 'nearly', 'rarely', 'surely', 'partly'))}{number}"
    return " ".join(words)


def recorded() -> Canned:
    """Return the day's bytes, put together from recorded days."""
    replay = _replay()
    papers = {p["id"]: p for day in (20, 21, 22, 23) for p in replay.arxiv_day(date(2026, 4, day)) if p["categories"]}
    chosen = list(papers.values())[:ARXIV_ENTRIES]
    replay.batch_for = lambda *_: [(str(AnnounceType.NEW), paper) for paper in chosen]
    arxiv = replay.feed("rss", ["cs"], NOW.date(), NOW.date())
    items = [
        item
        for day in (21, 20, 17)
        for path in [SHARED / "data" / "hf_daily" / f"2026-04-{day}.json.gz"]
        for item in json.loads(gzip.decompress(path.read_bytes()))
    ][:HF_ENTRIES]
    return Canned(arxiv=arxiv, hugging_face=json.dumps(items).encode())


def _replay() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay", REPLAY)
    if spec is None or spec.loader is None or not REPLAY.exists():
        sys.exit("benchmarks.day: recorded days are not at hand (../shared); nothing was measured")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_day(entries: Canned, directory: Path, digest: Digest = DIGEST) -> int:
    """Collect, publish and render one day into the new database in `directory`; return how many papers came."""
    database = Database.open("sqlite:///day.db", base=directory)
    renderer = Renderer(own=None)
    with database.begin() as connection:
        subscriber_id = subscribers.add(connection, "reader@example.org", NOW)
        subscribers.subscribe(connection, subscriber_id, Subscription(digest="daily"), NOW)
    sources = [
        HuggingFace(name="hf", fetcher=entries, base_url="https://huggingface.co"),
        ArxivFeed(name="arxiv", fetcher=entries, base_url="https://rss.arxiv.org", categories=("cs",)),
    ]
    report = collect(database, sources, NOW)

    def render(edition: Edition, sections: tuple[Section, ...]) -> Rendered:
        return renderer.render(edition, sections, base_url="https://digest.example.org")

    published = publish(database, [digest], render, NOW)
    database.close()
    assert not report.failed, report
    assert published.digests[0].status == "published", published
    return sum(source.new for source in report.sources)


def new_database(directory: Path) -> None:
    """Make the database a day begins with."""
    database = Database.open("sqlite:///day.db", base=directory)
    database.upgrade()
    database.close()


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds `work` takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def day_against_feedparser(entries: Canned) -> list[Figure]:
    """Measure an entire day, and feedparser's parsing of the same bytes, in turn."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as directory:
            new_database(Path(directory))
            ours.append(cpu(lambda: one_day(entries, Path(directory))))
        theirs.append(cpu(lambda: feedparser.parse(entries.arxiv)))
    ratio = statistics.median(o / t for o, t in zip(ours[1:], theirs[1:], strict=True))
    return [
        figure("day: CPU against feedparser's parse of the same bytes", ratio, "times", "<=", 1.5),
        Figure("day: CPU", round(statistics.median(ours[1:]), 3), "s", "-", holds=True),
        Figure("day: feedparser alone, CPU", round(statistics.median(theirs[1:]), 3), "s", "-", holds=True),
    ]


def personalizes() -> list[Figure]:
    """Measure personalizing a message of 60 KB against composing it from scratch."""
    html = "<p>" + "Some words of a paper's abstract. " * 1500 + "</p>"
    rendered = Rendered(subject="Trending papers", html=html, text="Some words. " * 400)
    sender = Sender(
        mailbox="Digest <digest@example.org>",
        reply_to=None,
        domain="example.org",
        base_url="https://digest.example.org",
    )
    message_template = MessageTemplate(rendered, sender, digest="daily", title="Trending papers")

    def cast(number: int) -> bytes:
        return message_template.personalize(
            recipient=f"reader{number}@example.org",
            message_id=f"<daily.{number}@example.org>",
            date=NOW + timedelta(seconds=number),
            unsubscribe_token=f"token{number}",
        )

    def naive(number: int) -> bytes:
        message = EmailMessage()
        message["To"], message["From"] = f"reader{number}@example.org", "digest@example.org"
        message["Subject"] = rendered.subject
        message.set_content(rendered.text)
        message.add_alternative(rendered.html, subtype="html")
        return message.as_bytes()

    size, count, few = len(cast(0)), 8_000, 20
    fast, slow = [], []
    for _ in range(ROUNDS):
        fast.append(cpu(lambda: [cast(number) and None for number in range(count)]) / count)
        slow.append(cpu(lambda: [naive(number) and None for number in range(few)]) / few)
    ratio = statistics.median(s / f for f, s in zip(fast, slow, strict=True))
    return [
        figure("cast: messages a second on one core", 1 / statistics.median(fast), "messages/s", ">=", 20_000),
        Figure("cast: size of a message", float(size), "bytes", "-", holds=True),
        Figure("cast: against building each message", round(ratio, 1), "times", "-", holds=True),
    ]


def peak_memory() -> list[Figure]:
    """Measure the peak memory of one day in a separate process."""
    code = "from benchmarks import day; day.print_peak()"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return [figure("day: peak memory", float(output), "MB", "<=", 150)]


def print_peak() -> None:
    """Run one day and print this process's peak memory in megabytes."""
    entries = canned()
    with tempfile.TemporaryDirectory() as directory:
        new_database(Path(directory))
        one_day(entries, Path(directory))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure all."""
    memory = peak_memory()  # first, because the peak of a process begins with that of the one which started it
    look_for_cycles_less_often()
    entries = canned()
    sys.stderr.write(f"the entries are {'recorded' if REPLAY.exists() else 'those of the bundled sample'}\n")
    tell([*day_against_feedparser(entries), *personalizes(), *memory])


if __name__ == "__main__":
    main()
