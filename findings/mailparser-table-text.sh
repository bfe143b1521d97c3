#!/usr/bin/env bash
# mailparser 3.14.2 for Node.js, a message that has only HTML, with a table.
# Expected: `text`, which it makes from the HTML, keeps apart what is in different cells, and has a line for each row.
# Seen: cells that follow each other directly become one word, "Optics12", and the rows share a line. (It is html-to-text that
#   joins them. It has a formatter for tables with data, but mailparser leaves that off.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" "mailparser@3.14.2" >/dev/null
cat >"$folder/read.js" <<'JS'
const { simpleParser } = require("mailparser");
const message = `From: digest@example.org
To: reader@example.org
Subject: Papers of today
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<p>Today:</p>
<table>
<tr><th>Topic</th><th>Papers</th></tr>
<tr><td>Optics</td><td>12</td></tr>
<tr><td>Robots</td><td>40</td></tr>
</table>
`;
simpleParser(message.replace(/\n/g, "\r\n")).then(({ text }) => {
  console.log("mailparser", require("mailparser/package.json").version, JSON.stringify(text));
});
JS
(cd "$folder" && node read.js) | tee "$folder/seen"
grep -qF 'TopicPapers Optics12 Robots40' "$folder/seen"
