#!/usr/bin/env bash
# Sickle 0.7.0, a list of OAI-PMH with a record that was deleted (its header has status="deleted", and it has no metadata).
# Expected: a record is a record: `metadata` of a deleted one is empty or None.
# Seen: a deleted record has no attribute `metadata` at all. A loop that reads it works for years with repositories that
#   do not keep deletions, and ends with an AttributeError at the first deleted record of another one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "Sickle==0.7.0"
"$folder/venv/bin/python" - <<'PYTHON'
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from threading import Thread

from sickle import Sickle

LIST = b"""<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">
<responseDate>2026-04-02T00:00:00Z</responseDate><request/><ListRecords>
<record><header status="deleted"><identifier>oai:example:1</identifier><datestamp>2026-04-02</datestamp></header></record>
<record><header><identifier>oai:example:2</identifier><datestamp>2026-04-02</datestamp></header><metadata>
<dc xmlns="http://purl.org/dc/elements/1.1/"><title>Rivers</title></dc></metadata></record>
</ListRecords></OAI-PMH>"""


class Repository(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(LIST)))
        self.end_headers()
        self.wfile.write(LIST)


server = HTTPServer(("127.0.0.1", 0), Repository)
Thread(target=server.serve_forever, daemon=True).start()
client = Sickle(f"http://127.0.0.1:{server.server_port}")
deleted, present = client.ListRecords(metadataPrefix="oai_dc")
server.shutdown()
print("Sickle", version("Sickle"), {"deleted": hasattr(deleted, "metadata"), "present": hasattr(present, "metadata")})
assert deleted.deleted
assert not hasattr(deleted, "metadata")
assert present.metadata == {"title": ["Rivers"]}
PYTHON
