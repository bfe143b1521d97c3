#!/usr/bin/env bash
# feedparser 6.0.14, an RSS item with a picture: <media:description> of the picture stands before the item's <description>.
# Expected: `summary` is the item's own description, whatever the order of the elements (Media RSS 1.5.1 describes media).
# Seen: the first of the two wins, so `summary` is the caption of the picture.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "feedparser==6.0.14"
"$folder/venv/bin/python" - <<'PYTHON'
import feedparser

def summary(*elements: str) -> str:
    feed = f"""<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>Lab</title>
    <item><title>A paper</title>{"".join(elements)}</item></channel></rss>"""
    (entry,) = feedparser.parse(feed).entries
    return entry.summary

caption, abstract = "<media:description>The group in May</media:description>", "<description>We prove it.</description>"
found = [summary(caption, abstract), summary(abstract, caption)]
print("feedparser", feedparser.__version__, found)
assert found == ["The group in May", "We prove it."]
PYTHON
