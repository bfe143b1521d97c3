#!/usr/bin/env bash
# standardwebhooks 1.1.0, Webhook.sign() with a datetime that has a time zone other than UTC.
# Expected: one moment has one signature, in whichever time zone it is written: the signed text has the seconds since 1970.
# Seen: the zone is replaced by UTC, not converted. A signature made with the time of Berlin does not verify with the true timestamp;
# `moment.astimezone(timezone.utc)` is the way around.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "standardwebhooks==1.1.0"
"$folder/venv/bin/python" - <<'PYTHON'
import base64
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(base64.b64encode(b"a key for this script only").decode())
moment = datetime.now(timezone.utc).replace(microsecond=0)
seen = []
for zone in (timezone.utc, timezone(timedelta(hours=1))):
    signature = webhook.sign("message-1", moment.astimezone(zone), "{}")
    headers = {
        "webhook-id": "message-1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }
    try:
        webhook.verify("{}", headers)
        seen.append("verified")
    except WebhookVerificationError as error:
        seen.append(str(error))
    print("standardwebhooks", version("standardwebhooks"), zone, seen[-1])
assert seen == ["verified", "No matching signature found"], seen
PYTHON
