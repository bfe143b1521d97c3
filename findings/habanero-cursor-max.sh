#!/usr/bin/env bash
# habanero 2.9.2, a list that Crossref gives in pages of two works, asked for with cursor_max=3.
# Expected: three works, because its documentation calls cursor_max the "Max records to retrieve".
# Seen: four. Complete pages are kept, so that up to limit - 1 works more come than were asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "habanero==2.9.2"
"$folder/venv/bin/python" - <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from threading import Thread

from habanero import Crossref

asked = []


class Works(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        asked.append(self.path)
        numbers = range(2 * len(asked) - 1, min(2 * len(asked), 5) + 1)
        items = [{"DOI": f"10.5555/{number}", "title": ["T"]} for number in numbers]
        message = {"total-results": 5, "items-per-page": 2, "next-cursor": "more", "items": items}
        body = json.dumps({"status": "ok", "message-type": "work-list", "message": message}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("127.0.0.1", 0), Works)
Thread(target=server.serve_forever, daemon=True).start()
client = Crossref(base_url=f"http://127.0.0.1:{server.server_port}")
pages = client.works(cursor="*", limit=2, cursor_max=3, progress_bar=False)
server.shutdown()
found = [item["DOI"] for page in pages for item in page["message"]["items"]]
print("habanero", version("habanero"), found)
assert len(found) == 4, found
PYTHON
