#!/usr/bin/env bash
# feedgen 1.0.0, the links of an entry in an Atom feed: the page of a paper, and its PDF as a related document.
# Expected: `entry.link(href=..., rel="related", type="application/pdf")` writes these attributes, as it does for a feed.
# Seen: the links of entries are written with nothing but `href`; rel, type, hreflang, title and length are lost. Without rel, a
#   link is the page of the entry (RFC 4287 section 4.2.7.2), so an entry has several and no enclosure; feedparser opens the
#   last of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "feedgen==1.0.0" "feedparser==6.0.14"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import feedparser
from feedgen.feed import FeedGenerator

feed = FeedGenerator()
feed.id("https://lab.example.org/")
feed.title("Papers of the lab")
feed.link(href="https://lab.example.org/feed", rel="self", type="application/atom+xml")
entry = feed.add_entry()
entry.id("https://lab.example.org/1")
entry.title("A paper")
entry.link(href="https://lab.example.org/1", rel="alternate", type="text/html")
entry.link(href="https://lab.example.org/1.pdf", rel="related", type="application/pdf", title="PDF")
entry.link(href="https://lab.example.org/1.mp3", rel="enclosure", type="audio/mpeg", length="1000")
written = feed.atom_str(pretty=True).decode()
links = [line.strip() for line in written.splitlines() if "<link" in line]
read = feedparser.parse(written).entries[0]
print("feedgen", version("feedgen"))
print(*links, sep="\n")
print("feedparser", version("feedparser"), read.link, [link.rel for link in read.links], len(read.enclosures), "enclosures")
assert links == [
    '<link href="https://lab.example.org/feed" rel="self" type="application/atom+xml"/>',
    '<link href="https://lab.example.org/1"/>',
    '<link href="https://lab.example.org/1.pdf"/>',
    '<link href="https://lab.example.org/1.mp3"/>',
]
assert read.link == "https://lab.example.org/1.mp3"
assert not read.enclosures
PYTHON
