#!/usr/bin/env bash
# feedparser 6.0.14, an RSS item whose author has an address in .science: `<author>ada@institute.science (Ada Lovelace)</author>`.
# Expected: the name "Ada Lovelace" and the address, as for ada@lab.org.
# Seen: the last label of an address ends after four letters, so the address is "ada@institute.scie", and the name begins with the
#   rest of it: "nce (Ada Lovelace". Top-level domains longer than that exist since 2000 (.museum).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "feedparser==6.0.14"
"$folder/venv/bin/python" - <<'PYTHON'
import feedparser

FEED = """<rss version="2.0"><channel><title>Lab</title><link>https://lab.example.org/</link><description>News</description>
<item><title>A paper</title><link>https://lab.example.org/1</link><author>{} (Ada Lovelace)</author></item></channel></rss>"""


def author(address):
    detail = feedparser.parse(FEED.format(address)).entries[0].author_detail
    print("feedparser", feedparser.__version__, address, "->", dict(detail))
    return detail.name, detail.email


assert author("ada@lab.org") == ("Ada Lovelace", "ada@lab.org")
assert author("ada@institute.science") == ("nce (Ada Lovelace", "ada@institute.scie")
PYTHON
