#!/usr/bin/env bash
# arxiv 4.0.2 (arxiv.py), a search with max_results=1 and a client with the default options.
# Expected: the API of arXiv is asked for one result, because a page need not be longer than what the search may return.
# Seen: it is asked for 100, and 99 are thrown away. Only `page_size` decides how many results a request asks for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "arxiv==4.0.2"
"$folder/venv/bin/python" - <<'PYTHON'
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import arxiv

asked = []
entry = """<entry><id>http://arxiv.org/abs/2601.{number:05}v1</id><title>T</title><summary>S</summary>
<updated>2026-01-02T00:00:00Z</updated><published>2026-01-02T00:00:00Z</published><author><name>Ada Example</name></author>
<arxiv:primary_category term="cs.DL"/><category term="cs.DL"/></entry>"""
feed = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom"
xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"><title>query</title>
<opensearch:totalResults>500</opensearch:totalResults>{entries}</feed>"""


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        asked.append(int(parse_qs(urlsplit(self.path).query)["max_results"][0]))
        entries = "".join(entry.format(number=number) for number in range(1, asked[-1] + 1))
        body = feed.format(entries=entries).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/atom+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("127.0.0.1", 0), Api)
Thread(target=server.serve_forever, daemon=True).start()
client = arxiv.Client()
client.query_url_format = f"http://127.0.0.1:{server.server_port}/api/query?{{}}"
results = list(client.results(arxiv.Search(query="cat:cs.DL", max_results=1)))
server.shutdown()
print("arxiv", version("arxiv"), "returned:", len(results), "asked for:", asked)
assert (len(results), asked) == (1, [100]), (len(results), asked)
PYTHON
