#!/usr/bin/env bash
# feedparser 6.0.12, an RSS item that names its one author in <author> and in <dc:creator>, as many journals do.
# Expected: the two elements are alternatives, and `authors` has one person.
# Seen: `authors` has the same person twice, so whoever counts authors counts one too many.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "feedparser==6.0.12"
"$folder/venv/bin/python" - <<'PYTHON'
import feedparser

feed = """<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Journal</title>
<item><title>A paper</title><author>Ann Lee</author><dc:creator>Ann Lee</dc:creator></item></channel></rss>"""
authors = [author["name"] for author in feedparser.parse(feed).entries[0].authors]
print("feedparser", feedparser.__version__, authors)
assert authors == ["Ann Lee", "Ann Lee"]
PYTHON
