#!/usr/bin/env bash
# dkimpy 1.1.8 and mailauth 4.13.3, signing a newsletter with the header fields that each of them chooses.
# Expected: both sign List-Unsubscribe and List-Unsubscribe-Post: RFC 8058 section 4 wants a DKIM signature that covers the two,
#   and mail programs offer one click only then.
# Seen: both sign List-Unsubscribe and leave List-Unsubscribe-Post out. The way around is to name all fields: `include_headers` of
#   dkimpy, `headerList` of mailauth, one text with colons. (nodemailer 10.6.1 signs both.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "dkimpy==1.1.8" "cryptography==50.0.2"
npm install --silent --no-audit --no-fund --prefix "$folder" "mailauth@4.13.3" >/dev/null
cat >"$folder/sign.py" <<'PYTHON'
import re
import sys
from importlib.metadata import version
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

folder = Path(sys.argv[1])
pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
message = b"""From: digest@example.org\r
To: reader@example.org\r
Subject: Papers of today\r
Date: Wed, 01 Apr 2026 08:00:00 +0000\r
Message-ID: <1@example.org>\r
List-Unsubscribe: <https://digest.example.org/unsubscribe/token>\r
List-Unsubscribe-Post: List-Unsubscribe=One-Click\r
\r
Two papers.\r
"""
(folder / "key.pem").write_bytes(pem)
(folder / "message.eml").write_bytes(message)
signature = dkim.sign(message, b"key1", b"example.org", pem).decode()
print("dkimpy", version("dkimpy"), re.sub(r"\s", "", re.search(r"\bh=[^;]*", signature)[0]))
PYTHON
cat >"$folder/sign.js" <<'JS'
const { readFileSync } = require("fs");
const { dkimSign } = require("mailauth/lib/dkim/sign");
const signatureData = [{ signingDomain: "example.org", selector: "key1", privateKey: readFileSync("key.pem", "utf8") }];
dkimSign(readFileSync("message.eml"), { canonicalization: "relaxed/relaxed", signatureData }).then(({ signatures, errors }) => {
  const fields = signatures.match(/\bh=[^;]*/)[0].replace(/\s/g, "");
  console.log("mailauth", require("mailauth/package.json").version, fields, errors);
});
JS
"$folder/venv/bin/python" "$folder/sign.py" "$folder" | tee "$folder/seen"
(cd "$folder" && node sign.js) | tee -a "$folder/seen"
test "$(grep -ciE '[=:]list-unsubscribe(:| |$)' "$folder/seen")" = 2
test "$(grep -ci 'list-unsubscribe-post' "$folder/seen")" = 0
