#!/usr/bin/env bash
# @extractus/feed-extractor 8.0.3, an RSS feed where titles and ids look like numbers: arXiv ids, and versions of a program.
# Expected: what is text in a feed stays text: the title "1.10" and the guid "2604.01230".
# Seen: such a text is read as a number and written again: "1.10" becomes "1.1" and "2604.01230" becomes "2604.0123", which is
#   another arXiv id or none. Two items, 1.1 and 1.10, then have one id.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" "@extractus/feed-extractor@8.0.3" >/dev/null
cat >"$folder/read.mjs" <<'JS'
import { readFileSync } from "fs";
import { extractFromXml } from "@extractus/feed-extractor";
const item = (guid, title) => `<item><guid isPermaLink="false">${guid}</guid><title>${title}</title>
<link>https://lab.example.org/${guid}</link><description>Text.</description></item>`;
const feed = `<?xml version="1.0"?><rss version="2.0"><channel><title>Lab</title><link>https://lab.example.org/</link>
<description>News</description>${item("2604.01230", "A paper")}${item("1.1", "1.1")}${item("1.10", "1.10")}</channel></rss>`;
const { version } = JSON.parse(readFileSync("node_modules/@extractus/feed-extractor/package.json"));
const found = extractFromXml(feed).entries.map(({ id, title }) => `${id}: ${title}`);
console.log("feed-extractor", version, found.join(" | "));
JS
(cd "$folder" && node read.mjs) | tee "$folder/seen"
grep -qF '2604.0123: A paper | 1.1: 1.1 | 1.1: 1.1' "$folder/seen"
