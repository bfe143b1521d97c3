"""Which addresses may be asked."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceRefusedError
from digestmail.sources.http.ssrf import (
    Allowance,
    PrivateHosts,
    check_addresses,
    check_name,
    is_public,
    parse_network,
    parse_target,
)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "151.101.3.42",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
        # Teredo: server 8.8.8.8, client 8.8.4.4 with its bits turned.
        "2001:0:808:808:0:0:f7f7:fbfb",
    ],
)
def test_public_addresses_pass(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "100::1",
    ],
)
def test_special_addresses_do_not(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"])
def test_wrapping_a_private_address_does_not_make_it_public(inner):
    number = int(ip_address(inner))
    mapped = ip_address(f"::ffff:{inner}")
    compatible = ip_address(f"::{inner}")
    nat64 = ip_address(int(ip_address("64:ff9b::")) | number)
    local_nat64 = ip_address(int(ip_address("64:ff9b:1::")) | number)
    sixtofour = ip_address(int(ip_address("2002::")) | number << 80)
    teredo_client = ip_address(int(ip_address("2001:0:808:808::")) | number ^ 0xFFFFFFFF)
    teredo_server = ip_address(int(ip_address("2001::f7f7:fbfb")) | number << 64)
    wrapped = [mapped, compatible, nat64, local_nat64, sixtofour, teredo_client, teredo_server]
    assert [address for address in wrapped if is_public(address)] == []


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_public_when_the_inner_one_is(inner):
    nat64 = ip_address(int(ip_address("64:ff9b::")) | int(inner))
    assert is_public(ip_address(f"::ffff:{inner}")) == is_public(inner) == is_public(nat64)


def reach(start: str, *hosts: str, networks: tuple[str, ...] = ()) -> Allowance:
    return PrivateHosts.parse(hosts, networks).reachable_from(parse_target(start))


def may(allowed: Allowance, host: str, port: int, address: str = "10.0.0.1") -> bool:
    try:
        check_addresses(host, port, [address], allowed)
    except SourceRefusedError:
        return False
    return True


def test_a_private_host_is_open_only_to_fetches_that_begin_there():
    inside = reach("http://feeds.internal:8080/a", "feeds.internal", "wiki.internal")
    public = reach("https://blog.example.org/feed", "feeds.internal", "wiki.internal")
    assert may(inside, "feeds.internal", 8080)
    assert may(inside, "feeds.internal", 443), "it may redirect to https"
    assert may(inside, "wiki.internal", 8080)
    assert not may(inside, "feeds.internal", 6379)
    assert not may(inside, "db.internal", 8080)
    assert not may(public, "feeds.internal", 8080)
    assert not may(public, "feeds.internal", 443)


def test_a_port_narrows_a_private_host():
    inside = reach("http://feeds.internal:8080/a", "feeds.internal:8080")
    assert may(inside, "feeds.internal", 8080)
    assert not may(inside, "feeds.internal", 443)
    assert not may(reach("http://feeds.internal:9090/a", "feeds.internal:8080"), "feeds.internal", 9090)
    six = reach("http://[::1]:81/", "[::1]:81")
    assert may(six, "::1", 81, "::1")
    assert may(reach("http://[::1]:81/", "::1"), "::1", 81, "::1")


def test_a_network_is_open_to_every_feed_and_no_further():
    fake = reach("https://blog.example.org/feed", networks=("198.18.0.0/15", "fdfe::/16"))
    assert may(fake, "blog.example.org", 443, "198.18.0.23")
    assert may(fake, "blog.example.org", 443, "::ffff:198.18.0.23")
    assert may(fake, "blog.example.org", 443, "fdfe::17")
    assert not may(fake, "blog.example.org", 443, "10.0.0.1")
    assert not may(fake, "blog.example.org", 443, "127.0.0.1")


def test_a_network_among_the_hosts_is_a_network():
    assert may(reach("https://blog.example.org/", "198.18.0.0/15"), "blog.example.org", 443, "198.19.255.1")


def test_a_refused_fake_address_names_the_key():
    with pytest.raises(SourceRefusedError, match="allow_private_networks"):
        check_addresses("blog.example.org", 443, ["198.18.0.9"], Allowance())


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "127.0.0.0/8", "127.0.0.1", "169.254.169.254", "::/0", "::1", "fe80::/64"]
)
def test_no_network_opens_this_machine_to_every_feed(network):
    with pytest.raises(ValueError, match="allow_private_hosts"):
        parse_network(network)


@pytest.mark.parametrize(
    "entry", ["", "a b", "http://a.test", "a.test/x", "user@a.test", "a.test:99999", "a.test:x", "[::1"]
)
def test_what_is_no_host_is_refused(entry):
    with pytest.raises(ValueError):
        PrivateHosts.parse([entry])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "10.0.0.1", "::1", "fd00::1", "localhost",
        "intranet", "printer.local", "wiki.internal", "router.home.arpa", "a.localhost",
    ],
)  # fmt: skip
def test_a_private_name_is_refused_where_a_proxy_would_resolve_it(host):
    with pytest.raises(SourceRefusedError):
        check_name(host)


@pytest.mark.parametrize("host", ["blog.example.org", "8.8.8.8", "2606:4700::1111", "local.example.org"])
def test_a_public_name_is_left_to_the_proxy(host):
    check_name(host)


def test_an_address_is_taken_apart():
    target = parse_target(" HTTPS://Export.ArXiv.org./api/query?search_query=cat:cs.LG+OR+cat:cs.CL&start=0#top ")
    assert (target.scheme, target.host, target.port) == ("https", "export.arxiv.org", 443)
    assert target.resource == "/api/query?search_query=cat:cs.LG+OR+cat:cs.CL&start=0"
    assert target.authority == "export.arxiv.org"
    assert target.shown == "https://export.arxiv.org/api/query"


def test_parameters_of_a_path_are_kept():
    assert parse_target("http://a.test/rss;v=1?x").resource == "/rss;v=1?x"
    assert parse_target("http://a.test?x").resource == "/?x"
    assert parse_target("http://a.test").resource == "/"


def test_a_name_beyond_ascii_becomes_its_idna_form():
    assert parse_target("http://b\u00fccher.example/").host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "feed.xml",
        "//a.test/",
        "ftp://a.test/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://user@a.test/",
        "http://user:secret@a.test/",
        "http://@a.test/",
        "http://a.test:99999/",
        "http://a.test:port/",
        "http://a b/",
        "http://a%2fb/",
        "http://a\x00b/",
        "http://..test/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://" + "a" * 64 + ".test/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(SourceRefusedError) as caught:
        parse_target(url)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://a.test/", "http://[", "//"]))
def test_any_text_is_a_clean_target_or_refused(text, start):
    try:
        target = parse_target(start + text)
    except SourceRefusedError:
        return
    assert target.host.isascii()
    assert target.resource.startswith("/")
    assert not set(target.resource + target.host) & set(" \r\n\t\x00")


def test_a_backslash_does_not_make_two_hosts_of_one_address():
    target = parse_target("http://good.test\\@evil.test/")
    assert target.host == "good.test"
    assert target.authority == "good.test"
    assert "\\" not in target.resource


def test_a_redirect_may_climb_to_https_but_not_come_down():
    plain, secure = parse_target("http://a.test/x/y"), parse_target("https://a.test/x/y")
    assert plain.follow("https://a.test/").scheme == "https"
    assert secure.follow("//b.test/z").host == "b.test"
    assert secure.follow("../z?q").resource == "/z?q"
    with pytest.raises(SourceRefusedError, match="plain http"):
        secure.follow("http://a.test/x/y")
