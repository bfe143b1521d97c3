#!/usr/bin/env bash
# nodemailer 7.0.13, the message option `list`.
# Expected: `list: {"unsubscribe-post": "List-Unsubscribe=One-Click"}` writes the value that RFC 8058 section 3.1 asks for, and two
# ways to unsubscribe share one List-Unsubscribe field, as RFC 2369 section 2 has it.
# Seen: the value is taken for an address and becomes <http://List-Unsubscribe=One-Click>, so no mail program offers one click; an
# array becomes two fields, and List-Id gets a scheme (<http://...>). `headers` with prepared values is the way around.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" "nodemailer@7.0.13" >/dev/null
cat >"$folder/send.js" <<'JS'
const nodemailer = require("nodemailer");
const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "unix" });
const list = {
  unsubscribe: ["https://digest.example.org/unsubscribe/token", "leave@example.org"],
  "unsubscribe-post": "List-Unsubscribe=One-Click",
  id: { url: "daily.digest.example.org", comment: "Daily" },
};
transport
  .sendMail({ from: "digest@example.org", to: "reader@example.org", subject: "s", text: "t", list })
  .then((sent) => console.log(sent.message.toString()));
JS
(cd "$folder" && node send.js) | tr -d '\r' | grep -i '^List-' | tee "$folder/seen"
grep -qix 'List-Unsubscribe-Post: <http://List-Unsubscribe=One-Click>' "$folder/seen"
test "$(grep -ci '^List-Unsubscribe: ' "$folder/seen")" = 2
grep -qix 'List-ID: "\?Daily"\? <http://daily.digest.example.org>' "$folder/seen"
