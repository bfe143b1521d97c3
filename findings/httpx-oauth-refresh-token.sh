#!/usr/bin/env bash
# httpx-oauth 0.17.0, refresh_token() when the answer has no new refresh token, as RFC 6749 section 6 allows and Google does.
# Expected: the returned token keeps the refresh token that is still valid, as it does in Authlib 1.9.10.
# Seen: `refresh_token` is missing. If you store the returned token in place of the old one, you cannot refresh it again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "httpx-oauth==0.17.0" "httpx==0.28.1" "authlib==1.9.10" "requests==2.34.2"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from threading import Thread

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the token endpoint of this script is on loopback, without TLS

from authlib.integrations.requests_client import OAuth2Session
from httpx_oauth.oauth2 import OAuth2


class Endpoint(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"access_token": "new", "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = HTTPServer(("127.0.0.1", 0), Endpoint)
Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/token"
client = OAuth2("digest", "secret", "https://login.example.org/authorize", url, refresh_token_endpoint=url)
seen = asyncio.run(client.refresh_token("lasting")).get("refresh_token")
other = OAuth2Session("digest", "secret").refresh_token(url, refresh_token="lasting").get("refresh_token")
server.shutdown()
print("httpx-oauth", version("httpx-oauth"), seen, "| authlib", version("authlib"), other)
assert (seen, other) == (None, "lasting"), (seen, other)
PYTHON
