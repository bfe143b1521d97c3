"""`digestmail doctor` against servers on loopback: DNS, mail, and the web pages of the same installation."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from clirun import digestmail
from dnsserver import serving_dns
from site_fixture import opened
from sqlalchemy import select

from digestmail.config.load import load
from digestmail.mail.dkim import Algorithm, Signer, generate
from digestmail.storage import schema
from digestmail.storage.database import Database
from digestmail.wiring import doctor

SETTINGS = """
[mail.dkim]
ed25519_key_file = "key.pem"
[bounces]
path = "box"
"""
Found = Mapping[str, list[tuple[str, str]]]


@pytest.fixture
def key(tmp_path, monkeypatch):
    """Return the DNS record of a key that the site signs with; and ask no server of a source for the time."""
    monkeypatch.setattr(doctor, "_clock_server", lambda _: None)
    pem = generate(Algorithm.ED25519)
    (tmp_path / "key.pem").write_bytes(pem)
    return Signer(domain="example.org", selector="digest-ed25519", pem=pem).record()


def everything(database: Database) -> dict[str, list[object]]:
    """Return all rows of all tables."""
    with database.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in schema.metadata.sorted_tables
        }


def zone(key, **changes):
    """Return the zone of a domain that is set up well."""
    return {
        "example.org": {"TXT": ['"v=spf1 ip4:192.0.2.1 -all"'], "MX": ["10 mail.example.org."]},
        "mail.example.org": {"A": ["192.0.2.1"]},
        "1.2.0.192.in-addr.arpa": {"PTR": ["mail.example.org."]},
        "_dmarc.example.org": {"TXT": ['"v=DMARC1; p=reject; rua=mailto:dmarc@example.org"']},
        key.name: {"TXT": [f'"{key.value}"']},
    } | {name.replace("_", "."): records for name, records in changes.items()}


def examine(site, server, *words: str, status: int = 0) -> Found:
    said = digestmail(
        site,
        "doctor",
        "--json",
        "--resolver",
        f"127.0.0.1:{server.port}",
        "--address",
        "192.0.2.1",
        *words,
        status=status,
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in json.loads(said):
        found.setdefault(finding["probe"], []).append((finding["severity"], finding["text"]))
    return found


def severities(found: Found, *probes: str) -> list[str]:
    return [severity for probe in probes for severity, _ in found[probe]]


def test_an_installation_that_is_set_up_well_has_nothing_but_its_readers_to_find(key, tmp_path):
    with (
        opened(tmp_path, "sqlite:///test.db", settings=SETTINGS) as site,
        serving_dns(zone(key)) as server,
    ):
        assert site.app.tokens, "the signing secret is there, as after any first run"
        before = everything(site.app.database)
        found = examine(tmp_path, server, "--send-to", "bounces@example.org", status=1)
        assert everything(site.app.database) == before, "nothing is changed"
        assert [path.name[-4:] for path in (tmp_path / "box/cur").iterdir()] == [":2,S"], "it was marked as read"
    well = ("database", "spf", "dkim", "dmarc", "mx", "reverse-dns", "login", "one-click")
    assert severities(found, *well) == ["ok"] * len(well), found
    assert severities(found, "round-trip") == ["ok", "ok", "skip"], found["round-trip"]
    assert severities(found, "pages") == ["warn", "ok"], "without https"
    assert {text.partition(":")[0] for severity, text in found["check"] if severity == "fail"} <= {
        "digest daily has no subscribers",
        "digest weekly has no subscribers",
    }


def test_what_is_wrong_outside_fails_and_everything_else_is_examined(key, tmp_path):
    wrong = zone(key, example_org={"TXT": ['"v=spf1 -all"']})
    del wrong["_dmarc.example.org"]
    with (
        opened(tmp_path, "sqlite:///test.db", settings=SETTINGS),
        serving_dns(wrong, fails=["1.2.0.192.in-addr.arpa"]) as server,
    ):
        found = examine(tmp_path, server, status=1)
    assert severities(found, "spf", "dkim", "dmarc", "mx", "reverse-dns") == ["fail", "ok", "fail", "fail", "warn"]
    assert severities(found, "login", "one-click") == ["ok", "ok"]


def test_pages_of_another_installation_are_recognized(key, tmp_path):
    (tmp_path / "other").mkdir()
    with (
        opened(tmp_path, "sqlite:///test.db") as site,
        opened(tmp_path / "other", "sqlite:///test.db", site.base_url, settings=""),
        serving_dns(zone(key)) as server,
    ):
        found = examine(tmp_path / "other", server, status=1)
    assert severities(found, "pages", "one-click") == ["warn", "ok", "fail"]
    assert "not known there" in found["one-click"][0][1]


def test_the_text_has_a_line_for_each_finding_and_one_for_its_remedy(key, tmp_path):
    with opened(tmp_path, "sqlite:///test.db", settings=SETTINGS), serving_dns({}) as server:
        arguments = ("doctor", "--resolver", f"127.0.0.1:{server.port}")
        lines = digestmail(tmp_path, *arguments, status=1).splitlines()
        quiet = digestmail(tmp_path, *arguments, "--quiet", status=1).splitlines()
    assert "ok    login: " in "\n".join(lines)
    (dkim,) = [at for at, line in enumerate(lines) if line.startswith("fail  dkim: ")]
    assert lines[dkim + 1].startswith("      fix: publish: digest-ed25519._domainkey.example.org. IN TXT")
    assert all(line.startswith(("fail", "warn", "      fix: ")) for line in quiet)


@pytest.mark.parametrize("words", [("--resolver", "dns.example.org"), ("--address", "mail.example.org")])
def test_options_that_are_no_addresses_are_wrong_usage(key, tmp_path, words):
    with opened(tmp_path, "sqlite:///test.db"):
        digestmail(tmp_path, "doctor", *words, status=2)


# -- how emails leave --------------------------------------------------------------------------------------------------

CONFIG = """
[mail]
sender = "Digest <digest@exämple.org>"
{mail}
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["hf"]
"""


@pytest.mark.parametrize(
    ("mail", "named", "relays", "addresses", "domain"),
    [
        ('[mail.smtp]\nhost = "smtp.example.net"', (), ("smtp.example.net",), (), "xn--exmple-cua.org"),
        ('[mail.smtp]\nhost = "smtp.example.net"', ("192.0.2.1",), ("smtp.example.net",), ("192.0.2.1",), None),
        ('[mail.smtp]\nhost = "localhost"', ("192.0.2.1",), (), ("192.0.2.1",), None),
        ('[mail.smtp]\nhost = "/run/mail"', ("192.0.2.1",), (), ("192.0.2.1",), None),
        ('transport = "sendmail"', ("192.0.2.1",), (), ("192.0.2.1",), None),
        ('bounce_address = "bounce@b.example.net"', ("192.0.2.1",), (), ("192.0.2.1",), "b.example.net"),
        ('[mail.fallback]\nhost = "b.example.net"', (), ("b.example.net",), (), None),
    ],
)
def test_the_route_of_emails_follows_from_the_servers(tmp_path, mail, named, relays, addresses, domain):
    (tmp_path / "config.toml").write_text(CONFIG.format(mail=mail), "utf-8")
    route = doctor.route_of(load(tmp_path / "config.toml"), named)
    assert (route.relays, route.addresses) == (relays, addresses)
    assert domain is None or route.domain == domain
