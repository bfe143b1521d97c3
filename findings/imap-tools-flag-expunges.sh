#!/usr/bin/env bash
# imap-tools 1.16.0, marking one message as seen in a folder where another program has marked a message as deleted.
# Expected: `flag()` sends UID STORE and nothing else; RFC 3501 section 6.4.3 leaves removing messages to whoever asks for it.
# Seen: it sends EXPUNGE as well, so the message that the other program may still want to restore is gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "imap-tools==1.16.0"
"$folder/venv/bin/python" - <<'PYTHON'
import socketserver
import threading
from importlib.metadata import version

from imap_tools import MailBoxUnencrypted, MailMessageFlags

commands = []


class Server(socketserver.StreamRequestHandler):
    """As much of an IMAP server as two messages need: 1 is marked as deleted."""

    def handle(self):
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            tag, *words = line.decode().split()
            said = " ".join(words)
            commands.append(said)
            untagged = {
                "CAPABILITY": ["* CAPABILITY IMAP4rev1"],
                "SELECT": [r"* FLAGS (\Deleted \Seen)", "* 2 EXISTS", "* 0 RECENT"],
                "UID": [r"* 2 FETCH (UID 2 FLAGS (\Seen))"] if "STORE" in said else [],
                "EXPUNGE": ["* 1 EXPUNGE"],
                "LOGOUT": ["* BYE"],
            }.get(words[0].upper(), [])
            self.wfile.write("".join(f"{one}\r\n" for one in [*untagged, f"{tag} OK done"]).encode())
            if words[0].upper() == "LOGOUT":
                return


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with MailBoxUnencrypted("127.0.0.1", server.server_address[1]).login("me", "secret") as mailbox:
        commands.clear()
        mailbox.flag("2", MailMessageFlags.SEEN, True)
        print("imap-tools", version("imap-tools"), commands)
    server.shutdown()
assert [command.split()[0] for command in commands[:2]] == ["UID", "EXPUNGE"], commands
PYTHON
