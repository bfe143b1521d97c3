#!/usr/bin/env bash
# apprise 2.3.0 beside Python's email package in one process.
# Expected: a library that sends notifications leaves the headers alone that the program writes into its own emails.
# Seen: loading any service (here a webhook) imports the service for email, which changes for the process what "utf-8"
#   means in `email.charset`: a subject in Hebrew becomes quoted-printable, twice as long as the base64 it was before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "apprise==2.3.0"
"$folder/venv/bin/python" - <<'PYTHON'
from email.header import Header
from importlib.metadata import version

subject = "מאמרים חדשים"
before = Header(subject, "utf-8").encode()
import apprise

assert apprise.Apprise.instantiate("json://localhost") is not None
after = Header(subject, "utf-8").encode()
print("apprise", version("apprise"))
print(" before:", before)
print(" after: ", after)
assert before.startswith("=?utf-8?b?")
assert after.startswith("=?utf-8?q?")
PYTHON
