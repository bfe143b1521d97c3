"""Who the client is behind proxies, and what a client can make up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websites import ask, create_app, open_app

from digestmail.web.forwarded import TrustedProxies, parse_hop

LOOPBACK = TrustedProxies(("127.0.0.1", "::1"))
CHAIN = TrustedProxies(("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"))


@pytest.mark.parametrize(
    ("peer", "fields", "client"),
    [
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7:61234"], "198.51.100.7"),
        ("127.0.0.1", ["[2001:db8::7]:61234"], "2001:db8::7"),
        ("127.0.0.1", ["[2001:db8::7]"], "2001:db8::7"),
        ("127.0.0.1", [" 2001:DB8::7 "], "2001:db8::7"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        # Made up by the client, in front of what the proxy appended.
        ("127.0.0.1", ["1.1.1.1, 2.2.2.2, 198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["1.1.1.1", "2.2.2.2", "198.51.100.7"], "198.51.100.7"),
        # Not from a trusted proxy at all.
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        ("203.0.113.9", ["127.0.0.1"], "203.0.113.9"),
        # Not an address: the proxy that wrote it is the last one we know.
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["_hidden, 198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [",,,"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7" * 1000], "127.0.0.1"),
        ("127.0.0.1", ["999.1.1.1"], "127.0.0.1"),
        ("127.0.0.1", ["fe80::1%eth0"], "127.0.0.1"),
        ("127.0.0.1", ["[2001:db8::7"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7:99999999"], "127.0.0.1"),
        ("127.0.0.1", ["for=198.51.100.7"], "127.0.0.1"),
        ("", ["198.51.100.7"], ""),
    ],
)
def test_the_client_is_the_last_address_that_a_trusted_proxy_wrote(peer, fields, client):
    assert LOOPBACK.client(peer, fields) == client


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        (["198.51.100.7, 10.1.1.1, 10.2.2.2"], "198.51.100.7"),
        (["1.1.1.1, 198.51.100.7, 10.1.1.1", "10.2.2.2"], "198.51.100.7"),
        (["2001:db8:1::7, 2001:db8:ffff::2"], "2001:db8:1::7"),
        (["10.9.9.9, 10.1.1.1"], "10.9.9.9"),
        (["junk, 10.1.1.1"], "10.1.1.1"),
        (["198.51.100.7" + ", 10.0.0.1" * 500], "10.0.0.1"),
    ],
)
def test_a_chain_of_trusted_proxies_is_followed_back(fields, client):
    assert CHAIN.client("127.0.0.1", fields) == client


@given(st.lists(st.text(max_size=30), max_size=5), st.ip_addresses())
def test_nothing_that_a_client_writes_changes_what_the_proxy_appends(made_up, address):
    expected = parse_hop(str(address))
    if expected is not None and not LOOPBACK.trusts(expected):
        assert LOOPBACK.client("127.0.0.1", [*made_up, str(address)]) == str(expected)


def test_a_client_cannot_escape_its_limit_by_making_up_addresses(sqlite, tmp_path):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}", searches_per_minute=1) as app:
        web = create_app(app)
        seen = [
            ask(web, "/search", client="127.0.0.1", headers={"x-forwarded-for": f"{made_up}, 198.51.100.7"}).status
            for made_up in ("1.1.1.1", "2.2.2.2", "junk", "127.0.0.1", "")
        ]
    assert seen == [200, 429, 429, 429, 429]


@pytest.mark.parametrize(("scheme", "expected"), [("https", "https"), ("HTTPS", "https"), ("javascript", "http")])
def test_only_a_known_scheme_is_believed(sqlite, tmp_path, scheme, expected):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}", base_url=None) as app:
        page = ask(create_app(app), "/", client="127.0.0.1", headers={"x-forwarded-proto": scheme})
    assert f'canonical" href="{expected}://' in page.text
