"""Which addresses may be asked."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceRefusedError
from digestmail.sources.http.ssrf import check_addresses, is_public, parse_target


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


def test_an_allowed_host_may_be_anywhere_but_only_that_host():
    allowed = frozenset({"feeds.internal"})
    check_addresses("feeds.internal", ["10.0.0.1"], allowed=allowed)
    with pytest.raises(SourceRefusedError):
        check_addresses("wiki.internal", ["10.0.0.1"], allowed=allowed)


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
