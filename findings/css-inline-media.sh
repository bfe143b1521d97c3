#!/usr/bin/env bash
# css-inline 0.24.0 beside premailer 3.10.0; both move CSS into style attributes for mail programs.
# Expected: rules that cannot be moved, such as @media (prefers-color-scheme: dark), stay in a <style> element.
# Seen: premailer keeps them; css-inline drops them with its default options, and a mail loses its dark palette without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "css-inline==0.24.0" "premailer==3.10.0"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import css_inline
import premailer

rules = "p { color: #222222 } @media (prefers-color-scheme: dark) { p { color: #eeeeee } }"
page = f"<html><head><style>{rules}</style></head><body><p>text</p></body></html>"
for name, html in (("css-inline", css_inline.inline(page)), ("premailer", premailer.transform(page))):
    print(name, version(name), "keeps" if "prefers-color-scheme" in html else "drops", "the media query")
assert "prefers-color-scheme" not in css_inline.inline(page)
assert "prefers-color-scheme" in premailer.transform(page)
PYTHON
