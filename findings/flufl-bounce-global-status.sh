#!/usr/bin/env bash
# flufl.bounce 6.0.0, a delivery status notification whose status part is message/global-delivery-status.
# Expected: the failed recipient is found, as it is in message/delivery-status. RFC 6533 section 4 gives this type, which servers
# with SMTPUTF8 send, the same fields. The address in this script is plain ASCII, so only the type of the part differs.
# Seen: the part is not read. scan_message() and all_failures() return no address, so the bounce is not counted.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "flufl.bounce==6.0.0"
"$folder/venv/bin/python" - <<'PYTHON'
from email import message_from_string
from importlib.metadata import version

from flufl.bounce import all_failures, scan_message

report = """From: MAILER-DAEMON@mx.example.net
To: bounce@example.org
Subject: Undelivered mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type={report}; boundary=b

--b
Content-Type: text/plain

The message was not delivered.
--b
Content-Type: message/{report}

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; reader@example.net
Action: failed
Status: 5.1.1

--b--
"""
found = {}
for name in ("delivery-status", "global-delivery-status"):
    message = message_from_string(report.format(report="delivery-status").replace("message/delivery-status", f"message/{name}"))
    found[name] = sorted(scan_message(message) | all_failures(message)[1])
    print("flufl.bounce", version("flufl.bounce"), name, found[name])
assert found == {"delivery-status": [b"reader@example.net"], "global-delivery-status": []}, found
PYTHON
