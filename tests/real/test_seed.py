"""The 77 seed papers, each in the format of a real service, from a feed's bytes into a mailbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape

from fakes import FakeClock
from message_rules import broken_rules, part, visible
from replaying import DATA, needs_shared

from digestmail.app import App
from digestmail.config.load import load
from digestmail.subscribers import admin

pytestmark = needs_shared

READABLE = {
    "S^{2}FT: Efficient, Scalable and Generalizable LLM Fine-tuning by Structured Sparsity": (
        "S²FT: Efficient, Scalable and Generalizable LLM Fine-tuning by Structured Sparsity"
    )
}
"""The only title that is not already as people read it."""

CONFIG = """
base_url = "https://digest.example.org"
[mail]
sender = "digest@example.org"
transport = "maildir"
[network]
allow_private_hosts = ["127.0.0.1", "localhost"]
[[sources]]
name = "seed"
kind = "feed"
url = "{url}"
[[topics]]
name = "Code"
keywords = ["code", "program synthesis"]
[[topics]]
name = "Memory"
keywords = ["memory-efficient", "KV cache", "quantization"]
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["seed"]
topics = ["Code", "Memory"]
max_papers = 100
max_per_topic = 100
"""


def feed(papers: list[dict[str, str]]) -> str:
    items = "".join(
        f"<item><title>{escape(paper['title'])}</title><link>https://papers.example.org/{number}</link>"
        f"<description>{escape(paper['abstract'])}</description></item>"
        for number, paper in enumerate(papers)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Seed</title>{items}</channel></rss>'
    )


def test_every_seed_title_arrives_to_the_letter(httpserver, tmp_path: Path) -> None:
    papers = json.loads((DATA / "seed_papers.json").read_text("utf-8"))
    httpserver.expect_request("/feed").respond_with_data(feed(papers), content_type="application/rss+xml")
    (tmp_path / "config.toml").write_text(CONFIG.format(url=httpserver.url_for("/feed")), "utf-8")
    clock = FakeClock(datetime(2026, 4, 2, 12, tzinfo=UTC))
    with App(load(tmp_path / "config.toml"), tmp_path, clock, wall_clock=clock) as app:
        admin.add(app.database, app.digests, "reader@example.org", "daily", (), clock.now())
        report = app.run()
    assert report.publish.digests[0].papers == len(papers) == 77
    assert report.deliver.sent == 1
    (path,) = (tmp_path / "mail" / "new").iterdir()
    _return_path, _delivered_to, message = path.read_bytes().split(b"\n", 2)
    raw = message.replace(b"\n", b"\r\n")
    assert broken_rules(raw) == []
    html, text = visible(part(raw, "html")), " ".join(part(raw, "plain").split())
    for paper in papers:
        folded = " ".join(paper["title"].split())
        title = READABLE.get(folded, folded)
        assert title in html
        assert title in text
