#!/usr/bin/env bash
# aiosmtpd 1.4.6, its handler Proxy in front of a server that knows one of two recipients.
# Expected: the client hears of the refusal, as from any relay without a queue: a reply of the class 5 for a message that nobody
#   got (RFC 5321 section 6.1: with 250, a server takes over the responsibility to deliver or to report).
# Seen: the reply is 250 in both cases. The refusal is in the log of the proxy only: no bounce is written, the message is gone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "aiosmtpd==1.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import smtplib
import socket
from importlib.metadata import version

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Proxy

arrived = []


class Next:
    """A server where reader@example.org is the only mailbox."""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address != "reader@example.org":
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        arrived.extend(envelope.rcpt_tos)
        return "250 2.0.0 stored"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return opened.getsockname()[1]


following = Controller(Next(), hostname="127.0.0.1", port=free_port())
following.start()
proxy = Controller(Proxy("127.0.0.1", following.port), hostname="127.0.0.1", port=free_port())
proxy.start()
replies = []
for recipients in (["gone@example.org"], ["gone@example.org", "reader@example.org"]):
    with smtplib.SMTP("127.0.0.1", proxy.port) as client:
        client.ehlo("client.example.org")
        client.mail("digest@example.org")
        accepted = [client.rcpt(recipient)[0] for recipient in recipients]
        code, text = client.data(b"Subject: Papers\r\n\r\nTwo papers.\r\n")
    replies.append((*accepted, code))
    print("aiosmtpd", version("aiosmtpd"), recipients, "RCPT:", accepted, "DATA:", code, text.decode(), "arrived:", arrived)
proxy.stop()
following.stop()
assert replies == [(250, 250), (250, 250, 250)], replies
assert arrived == ["reader@example.org"], arrived
PYTHON
