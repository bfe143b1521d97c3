#!/usr/bin/env bash
# mjml-python 1.4.2 (which compiles with mrml) beside mjml 4.15.3, its model.
# Expected: both write the rules of <mj-style inline="inline"> into the style attributes of the elements they match.
# Seen: mjml does; mrml does not. A mail program that drops <style> shows the text without them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/mail.mjml" <<'MJML'
<mjml><mj-head><mj-style inline="inline">.x { color: #123456; }</mj-style></mj-head><mj-body>
<mj-section><mj-column><mj-text><p class="x">text</p></mj-text></mj-column></mj-section></mj-body></mjml>
MJML
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "mjml-python==1.4.2"
npm install --silent --no-audit --no-fund --prefix "$folder" "mjml@4.15.3" >/dev/null
"$folder/venv/bin/python" -c '
import sys, mjml
html = mjml.mjml2html(open(sys.argv[1]).read())
print(getattr(html, "content", html))' "$folder/mail.mjml" >"$folder/mrml.html"
"$folder/node_modules/.bin/mjml" "$folder/mail.mjml" -o "$folder/mjml.html"
echo "mjml-python 1.4.2: $(grep -o '<p class="x"[^>]*>' "$folder/mrml.html")"
echo "mjml 4.15.3:       $(grep -o '<p class="x"[^>]*>' "$folder/mjml.html")"
if grep -q '<p class="x"[^>]*style=' "$folder/mrml.html"; then exit 1; fi
grep -q '<p class="x"[^>]*style="[^"]*#123456' "$folder/mjml.html"
