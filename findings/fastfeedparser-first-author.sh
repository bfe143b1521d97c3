#!/usr/bin/env bash
# fastfeedparser 0.6.5, an entry with two authors in Atom, in RSS (dc:creator) and in JSON Feed.
# Expected: `authors` has both, as in feedparser 6.0.14, whose interface it resembles.
# Seen: `authors` is a list of one: the first author. The others are nowhere in the entry.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "fastfeedparser==0.6.5" "feedparser==6.0.14"
"$folder/venv/bin/python" - <<'PYTHON'
import json
from importlib.metadata import version

import fastfeedparser
import feedparser

atom = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Lab</title><id>urn:lab</id><updated>2026-01-02T00:00:00Z</updated>
<entry><title>A paper</title><id>urn:1</id><updated>2026-01-02T00:00:00Z</updated>
<author><name>Ada Example</name></author><author><name>Bo Example</name></author></entry></feed>"""
rss = """<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Lab</title>
<item><title>A paper</title><dc:creator>Ada Example</dc:creator><dc:creator>Bo Example</dc:creator></item></channel></rss>"""
people = [{"name": "Ada Example"}, {"name": "Bo Example"}]
item = {"id": "1", "title": "A paper", "content_text": "x", "authors": people}
feed = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Lab", "items": [item]})
for name, text in (("Atom", atom), ("RSS", rss), ("JSON Feed", feed)):
    (entry,) = fastfeedparser.parse(text).entries
    print("fastfeedparser", version("fastfeedparser"), name, entry["authors"])
    assert entry["authors"] == people[:1], entry
    assert "Bo Example" not in str(dict(entry)), entry
for text in (atom, rss):
    (entry,) = feedparser.parse(text).entries
    print("feedparser", version("feedparser"), entry.authors)
    assert entry.authors == people, entry.authors
PYTHON
