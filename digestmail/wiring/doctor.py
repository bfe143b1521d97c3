"""The probes of `digestmail doctor`, from the configuration."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from digestmail.bounces.mailboxes.base import Mailbox
from digestmail.clock import Clock
from digestmail.config.mail import SmtpTable
from digestmail.config.settings import Config
from digestmail.doctor import machine, names, pages, receiving
from digestmail.doctor.certificates import TlsServer, probe_certificate
from digestmail.doctor.dkim_record import PublishedKey, probe_dkim
from digestmail.doctor.dmarc import probe_dmarc
from digestmail.doctor.dns import Dns
from digestmail.doctor.findings import Probe, ProbeFinding, ok
from digestmail.doctor.spf import Route, probe_spf
from digestmail.mail.dkim import Signer
from digestmail.mail.tokens import Tokens
from digestmail.sources.http.ssrf import is_public
from digestmail.storage.database import Database
from digestmail.text.addresses import split_address, wire_domain
from digestmail.text.hosts import is_local
from digestmail.transports.base import Transport
from digestmail.transports.single import try_connection
from digestmail.transports.smtp.client import machine_name
from digestmail.wiring.bounces import count_quarantined, open_mailbox
from digestmail.wiring.oauth import open_exchange

_NO_ONE: Final = 0
"""No subscriber has this number."""
_IMAP_PORTS: Final = {"none": 143, "starttls": 143, "tls": 993}
_ANYWHERE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses outside, only to learn which of ours would be used: connecting a UDP socket sends nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is examined."""

    config: Config
    base: Path
    database: Database
    clock: Clock
    tokens: Tokens
    signers: tuple[Signer, ...]
    transports: tuple[Transport, ...]
    dns: Dns
    addresses: tuple[str, ...]
    """The IP addresses that receivers see, if the operator named them."""


def probes(installation: Installation) -> Iterator[Probe]:
    """Yield all probes that fit the configuration, in the order of the report."""
    yield from _machine_probes(installation)
    yield from _dns_probes(installation)
    for transport in installation.transports:
        yield Probe(name="login", run=partial(_login, transport))
    yield from _mailbox_probes(installation)
    for server in _tls_servers(installation.config, installation.base):
        yield Probe(name="certificate", run=partial(probe_certificate, server, installation.clock.now()))
    yield from _page_probes(installation)


def _machine_probes(installation: Installation) -> Iterator[Probe]:
    config, database, now = installation.config, installation.database, installation.clock.now
    zones = tuple(digest.schedule.timezone for digest in config.digest_values())
    files = [*database.files()[:1], installation.base / config.epoch_file]
    folders = tuple(dict.fromkeys(file.absolute().parent for file in files))
    http = open_exchange(config, installation.clock)
    yield Probe(name=machine.DATABASE, run=partial(machine.probe_database, database))
    yield Probe(name=machine.DISK, run=partial(machine.probe_disk, folders))
    yield Probe(name=machine.CLOCK, run=partial(machine.probe_clock, http, _clock_server(config), now))
    yield Probe(name=machine.ZONES, run=partial(machine.probe_zones, zones, now()))


def _clock_server(config: Config) -> str | None:
    """Return the origin of a source on the web: a server that is asked anyway, and not this machine."""
    for table in config.sources:
        parts = urlsplit(table.address)
        if parts.scheme in {"http", "https"} and not is_local(parts.hostname or ""):
            return f"{parts.scheme}://{parts.netloc}/"
    return None


def _dns_probes(installation: Installation) -> Iterator[Probe]:
    config, dns = installation.config, installation.dns
    if config.mail.transport == "maildir":
        return
    author = wire_domain(split_address(config.mail.sender_address)[1]).lower()
    route = route_of(config, installation.addresses)
    keys = tuple(_published(signer) for signer in installation.signers)
    signing = keys[0].domain if keys else None
    yield Probe(name="spf", run=partial(probe_spf, dns, route))
    yield Probe(name="dkim", run=partial(probe_dkim, dns, keys))
    yield Probe(name="dmarc", run=partial(probe_dmarc, dns, author, route.domain, signing))
    yield Probe(name=names.MX, run=partial(names.probe_mx, dns, route.domain))
    for domain in dict.fromkeys((author, route.domain)):
        yield Probe(name=receiving.MTA_STS, run=partial(receiving.probe_receiving, dns, domain))
    yield Probe(name=names.REVERSE, run=partial(names.probe_reverse, dns, route))
    yield Probe(name=names.EHLO, run=partial(names.probe_ehlo, dns, route))


def _published(signer: Signer) -> PublishedKey:
    record = signer.record()
    return PublishedKey(name=record.name, domain=signer.domain, value=record.value, zone_line=record.zone_line())


def route_of(config: Config, named: Sequence[str]) -> Route:
    """Return how emails leave. `named` are the addresses that the operator named."""
    mail = config.mail
    local, domain = split_address(mail.bounce_address or mail.sender_address)
    tables = [table for table in (mail.smtp, mail.fallback) if table is not None and mail.transport == "smtp"]
    relays = tuple(table.host for table in tables if not is_local(table.host))
    return Route(
        sender=f"{local}@{wire_domain(domain).lower()}",
        ehlo_name=mail.smtp.ehlo_name or machine_name(),
        relays=relays,
        addresses=tuple(named) or (() if relays else _public_addresses()),
    )


def _public_addresses() -> tuple[str, ...]:
    """Return the public addresses that this machine sends from; none behind a NAT."""
    found = []
    for family, outside in _ANYWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))
            found.append(str(probe.getsockname()[0]))
    return tuple(address for address in found if is_public(ip_address(address)))


def _login(transport: Transport) -> Iterator[ProbeFinding]:
    try_connection(transport)
    yield ok("login", f"{transport.name} accepts the connection")


def _mailbox_probes(installation: Installation) -> Iterator[Probe]:
    if installation.config.bounces.kind == "imap":
        yield Probe(name="mailbox", run=partial(_mailbox, installation))


def _mailbox(installation: Installation) -> Iterator[ProbeFinding]:
    place, _ = count_quarantined(
        installation.config, installation.base, installation.database, installation.clock, connect=True
    )
    yield ok("mailbox", f"the login works: {place.partition('/quarantine')[0]} at {installation.config.bounces.host}")


def _tls_servers(config: Config, base: Path) -> Iterator[TlsServer]:
    mail, bounces = config.mail, config.bounces
    ehlo_name = mail.smtp.ehlo_name or "localhost"
    tables = {"mail.smtp": mail.smtp, "mail.fallback": mail.fallback} if mail.transport == "smtp" else {}
    for name, table in tables.items():
        if table is not None:
            yield _tls_server(name, table, base, ehlo_name)
    if bounces.kind == "imap":
        yield TlsServer(
            name="bounces",
            host=bounces.host,
            port=bounces.port or _IMAP_PORTS[bounces.security],
            security=bounces.security,
            protocol="imap",
            ehlo_name=ehlo_name,
            ca_file=base / bounces.ca_file if bounces.ca_file else None,
            server_name=None,
            timeout=bounces.timeout,
        )


def _tls_server(name: str, table: SmtpTable, base: Path, ehlo_name: str) -> TlsServer:
    return TlsServer(
        name=name,
        host=table.host,
        port=table.port,
        security=table.security,
        protocol=table.protocol,
        ehlo_name=ehlo_name,
        ca_file=base / table.ca_file if table.ca_file else None,
        server_name=table.server_name,
        timeout=table.timeout,
    )


def _page_probes(installation: Installation) -> Iterator[Probe]:
    url, http = installation.config.base_url, open_exchange(installation.config, installation.clock)
    token = installation.tokens.unsubscribe(_NO_ONE, "")
    yield Probe(name=pages.PAGES, run=partial(pages.probe_pages, http, url))
    yield Probe(name=pages.ONE_CLICK, run=partial(pages.probe_one_click, http, url, token))


def returned_mailbox(installation: Installation) -> Mailbox | None:
    """Return the mailbox of [bounces], which a test email may come back to; None if there is none to read."""
    if not installation.config.bounces.model_fields_set or installation.config.bounces.kind == "listen":
        return None
    return open_mailbox(installation.config, installation.base, installation.database, installation.clock)
