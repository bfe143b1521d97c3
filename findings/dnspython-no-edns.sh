#!/usr/bin/env bash
# dnspython 2.9.2, dns.resolver.Resolver with its default options, looking up the TXT records of a domain: SPF and the verification
# strings of eight services, 735 bytes together.
# Expected: the query has EDNS with dnspython's own payload size (1232), so that the answer fits into one UDP packet.
# Seen: the resolver sends no EDNS. The answer is cut off at 512 bytes and fetched again over TCP, so the lookup takes two queries and
# fails where TCP port 53 is closed. A DKIM record with a 4096-bit RSA key is cut off too; `resolver.use_edns()` is the way around.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "dnspython==2.9.2"
"$folder/venv/bin/python" - <<'PYTHON'
import socketserver
import threading
from importlib.metadata import version

import dns.exception
import dns.flags
import dns.message
import dns.resolver
import dns.rrset

queries = []
name = "example.org"
records = ['"v=spf1 include:_spf.example.net ip4:192.0.2.0/24 -all"', *(f'"service-{n}-verification={"x" * 44}"' for n in range(8))]


def answer(wire, transport):
    query = dns.message.from_wire(wire)
    queries.append((transport, f"EDNS payload {query.payload}" if query.edns >= 0 else "no EDNS"))
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", *records))
    if transport == "tcp":
        return response.to_wire()
    try:
        return response.to_wire(max_size=max(512, query.payload))
    except dns.exception.TooBig:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response.to_wire()


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        wire, sock = self.request
        sock.sendto(answer(wire, "udp"), self.client_address)


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        wire = answer(self.rfile.read(int.from_bytes(self.rfile.read(2), "big")), "tcp")
        self.wfile.write(len(wire).to_bytes(2, "big") + wire)


tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp)
udp = socketserver.ThreadingUDPServer(tcp.server_address, Udp)
for server in (tcp, udp):
    threading.Thread(target=server.serve_forever, daemon=True).start()
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.1"]
resolver.port = tcp.server_address[1]
resolver.resolve(name, "TXT")
print("dnspython", version("dnspython"), "default:", queries)
assert queries == [("udp", "no EDNS"), ("tcp", "no EDNS")], queries
queries.clear()
resolver.use_edns()
resolver.resolve(name, "TXT")
print("dnspython", version("dnspython"), "use_edns():", queries)
assert queries == [("udp", "EDNS payload 1232")], queries
for server in (tcp, udp):
    server.shutdown()
    server.server_close()
PYTHON
