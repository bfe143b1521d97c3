#!/usr/bin/env bash
# feedparser 6.0.14, an RSS item whose <guid> is a plain number, in a channel that was fetched from an address.
# Expected: without isPermaLink="false" a guid may be taken for a link, but `id` stays what the feed says: "42".
# Seen: `id` is resolved against the address of the feed, so the same item has another id after the feed has moved.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "feedparser==6.0.14"
"$folder/venv/bin/python" - <<'PYTHON'
import feedparser

feed = """<rss version="2.0"><channel><title>Lab</title>
<item><title>A paper</title><guid>42</guid></item></channel></rss>"""
found = [
    feedparser.parse(feed, response_headers={"content-location": f"https://{host}.example/feed"}).entries[0].id
    for host in ("old", "new")
]
print("feedparser", feedparser.__version__, found)
assert found == ["https://old.example/42", "https://new.example/42"]
PYTHON
