#!/usr/bin/env bash
# rss-parser 3.13.0, an Atom entry with an abstract in type="xhtml", where text and elements take turns.
# Expected: `content` is that XHTML, and `contentSnippet` its text: "H2O is wet and cold."
# Seen: all text of an element comes first and its elements after it: "HO is  and .2wetcold". A formula or an emphasized word
#   changes what a sentence says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" "rss-parser@3.13.0" >/dev/null
cat >"$folder/read.js" <<'JS'
const Parser = require("rss-parser");
const feed = `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Lab</title><id>urn:example:lab</id>
<updated>2026-04-01T08:00:00Z</updated><entry><id>urn:example:1</id><title>Water</title><updated>2026-04-01T08:00:00Z</updated>
<link href="https://lab.example.org/1"/><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>H<sub>2</sub>O is
<b>wet</b> and <i>cold</i>.</p></div></content></entry></feed>`;
new Parser().parseString(feed.replace("is\n", "is ")).then(({ items: [{ content, contentSnippet }] }) => {
  console.log("rss-parser", require("rss-parser/package.json").version);
  console.log(" content:", content);
  console.log(" snippet:", contentSnippet);
});
JS
(cd "$folder" && node read.js) | tee "$folder/seen"
grep -qF '<p>HO is  and .<sub>2</sub><b>wet</b><i>cold</i></p>' "$folder/seen"
grep -qF 'snippet: HO is  and .2wetcold' "$folder/seen"
