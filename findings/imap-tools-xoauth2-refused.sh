#!/usr/bin/env bash
# imap-tools 1.16.0, xoauth2() with an access token that the server refuses.
# Expected: the client answers the server's error challenge with an empty line, as the XOAUTH2 pages of Google describe, and raises
# MailboxLoginError with the JSON of that challenge, which says why.
# Seen: it sends the refused token a second time, and raises imaplib's IMAP4.error, which has only the text of the last line ("NO ...").
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "imap-tools==1.16.0"
"$folder/venv/bin/python" - <<'PYTHON'
import base64
import socketserver
import threading
from imaplib import IMAP4
from importlib.metadata import version

from imap_tools import MailBoxUnencrypted, MailboxLoginError

answers = []
reason = b'{"status":"invalid_token","schemes":"bearer","scope":"mail"}'


class Server(socketserver.StreamRequestHandler):
    """As much of an IMAP server as a refused token needs."""

    def handle(self):
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            tag, command, *_ = line.decode().split()
            if command == "AUTHENTICATE":
                for challenge in (b"", base64.b64encode(reason)):
                    self.wfile.write(b"+ " + challenge + b"\r\n")
                    answers.append(base64.b64decode(self.rfile.readline()))
                self.wfile.write(f"{tag} NO SASL authentication failed\r\n".encode())
                continue
            untagged = {"CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n", "LOGOUT": "* BYE\r\n"}.get(command, "")
            self.wfile.write(f"{untagged}{tag} OK done\r\n".encode())


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mailbox = MailBoxUnencrypted("127.0.0.1", server.server_address[1])
    try:
        mailbox.xoauth2("me@example.org", "expired")
        raise SystemExit("the refused token was accepted")
    except (MailboxLoginError, IMAP4.error) as raised:
        error = raised
    mailbox.client.logout()
    server.shutdown()
print("imap-tools", version("imap-tools"), answers, repr(error))
assert answers == [b"user=me@example.org\x01auth=Bearer expired\x01\x01"] * 2, answers
assert isinstance(error, IMAP4.error), error
assert not isinstance(error, MailboxLoginError), error
assert str(error) == "SASL authentication failed", error
PYTHON
