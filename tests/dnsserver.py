"""A DNS server on loopback, over UDP and TCP, with zones and faults made for a test."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from digestmail.doctor.dns import Resolver

Zone = Mapping[str, Mapping[str, Sequence[str]]]
"""Records in the format of zone files, by name and type."""


def _datagram(response: dns.message.Message, octets: int) -> bytes:
    """Return the response as it fits into `octets`: complete, or without answers and marked as truncated."""
    try:
        return response.to_wire(max_size=octets)
    except dns.exception.TooBig:
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire(max_size=octets)


@dataclass
class DnsServer:
    """Answers from `zone`; names that are in no zone do not exist."""

    zone: Zone
    fails: Sequence[str] = ()
    """Names that are answered with SERVFAIL."""
    silent: Sequence[str] = ()
    """Names that are not answered."""
    truncates: Sequence[str] = ()
    """Names whose answers do not fit into a datagram."""
    port: int = 0
    queries: list[tuple[str, str, str]] = field(default_factory=list)
    """Transport, name and type of each query."""

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = str(question.name).rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.queries.append((transport, name, kind))
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.fails:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.truncates and transport == "udp":
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind)
        if transport == "tcp":
            return response.to_wire(max_size=65535)
        return _datagram(response, query.payload if query.edns >= 0 else 512)

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        records = self.zone.get(name)
        if records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return
        if "CNAME" in records and kind != "CNAME":
            (target,) = records["CNAME"]
            response.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", "CNAME", target))
            self._fill(response, target.rstrip("."), kind)
        elif kind in records:
            response.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", kind, *records[kind]))

    def resolver(self, seconds: float = 5.0) -> Resolver:
        return Resolver(f"127.0.0.1:{self.port}", seconds=seconds)


def _one_port() -> tuple[socket.socket, socket.socket]:
    """Return a socket for datagrams and one for connections, on the same port. Others may have one of the two."""
    for _ in range(100):
        listener = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(listener.getsockname())
        except OSError:
            listener.close()
            datagrams.close()
        else:
            return datagrams, listener
    raise OSError("no port is free for both datagrams and connections")


@contextmanager
def serving_dns(zone: Zone, **faults: Sequence[str]) -> Iterator[DnsServer]:
    """Serve `zone` on a loopback port until the block ends."""
    server = DnsServer(zone, **faults)
    datagrams, listener = _one_port()
    server.port = listener.getsockname()[1]
    with datagrams, listener:
        threads = [
            threading.Thread(target=_datagrams, args=(datagrams, server)),
            threading.Thread(target=_connections, args=(listener, server)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", server.port))
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def _datagrams(datagrams: socket.socket, server: DnsServer) -> None:
    while True:
        wire, peer = datagrams.recvfrom(65535)
        if not wire:
            return
        if (answer := server.answer(wire, "udp")) is not None:
            datagrams.sendto(answer, peer)


def _connections(listener: socket.socket, server: DnsServer) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as file:
            (length,) = struct.unpack("!H", file.read(2))
            answer = server.answer(file.read(length), "tcp") or b""
            connection.sendall(struct.pack("!H", len(answer)) + answer)
