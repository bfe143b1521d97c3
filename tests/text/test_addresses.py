"""What an address is, the same for everyone who adds one; and which addresses share a mailbox."""

from __future__ import annotations

import pytest
from clirun import digestmail
from hypothesis import given
from hypothesis import strategies as st
from site_fixture import opened
from websites import TOKEN, ask, create_app

from digestmail.errors import SubscriptionError
from digestmail.text.addresses import mailbox_of, normalize_address

NOT_PUBLIC = [
    "a@127.0.0.1",
    "a@[127.0.0.1]",
    "a@[IPv6:2001:db8::1]",
    "a@2130706433",
    "a@0x7f.1",
    "a@1.2",
    "a@example.123",
    "a@mailhost",
    "a@localhost",
    "a@MAILHOST",
    "a@example.",
    "a@.example.org",
    "a@example..org",
    "a@exa_mple.org",
    "a@example.x",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_ip_addresses_and_bare_host_names_are_refused(address):
    with pytest.raises(SubscriptionError, match="not an email address"):
        normalize_address(address)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("a@EXAMPLE.org", "a@example.org"),
        ("a@xn--bcher-kva.example", "a@bücher.example"),
        ("a@lab.local", "a@lab.local"),
        ("a@3.example", "a@3.example"),
        ("a@example.xn--p1ai", "a@example.рф"),
        ("a@例え.テスト", "a@例え.テスト"),
    ],
)
def test_other_domains_are_accepted(given, stored):
    assert normalize_address(given) == stored


def test_an_address_is_shortened_in_an_error():
    with pytest.raises(SubscriptionError) as error:
        normalize_address("a" * 60_000 + "@example.org")
    assert len(str(error.value)) < 600
    assert len(str(error.value.values)) < 300


def test_page_api_command_and_import_refuse_the_same(tmp_path, sqlite_template):
    import shutil

    shutil.copy(sqlite_template, tmp_path / "test.db")
    with opened(tmp_path, f"sqlite:///{tmp_path / 'test.db'}") as site:
        for address in NOT_PUBLIC[:8]:
            assert site.fill_in("/subscribe", address=address, digest="daily").status == 422, address
        from pydantic import SecretStr

        table = site.app.config.web.model_copy(update={"admin_token": SecretStr(TOKEN)})
        site.app.config = site.app.config.model_copy(update={"web": table})
        web = create_app(site.app)
        for address in NOT_PUBLIC:
            answer = ask(
                web,
                "/api/v1/subscribers",
                method="POST",
                json_body={"address": address, "digest": "daily"},
                headers={"authorization": f"Bearer {TOKEN}"},
            )
            assert answer.status == 422, address
    for address in NOT_PUBLIC:
        assert "not an email address" in digestmail(
            tmp_path, "subscribers", "add", address, "--digest", "daily", status=1
        )
    rows = "".join(f"{address},daily,form,2026-01-01\n" for address in NOT_PUBLIC)
    (tmp_path / "list.csv").write_text(f"address,digest,consent_source,consent_at\n{rows}", "utf-8")
    said = digestmail(tmp_path, "subscribers", "import", "list.csv", status=1)
    assert said.count("not an email address") == len(NOT_PUBLIC)
    assert "@" not in digestmail(tmp_path, "subscribers", "list")


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("reader@example.org", "reader@example.org"),
        ("Reader+news+more@Example.org", "reader@example.org"),
        ("+@example.org", "+@example.org"),
        ("+tag@example.org", "+tag@example.org"),
        ("not.a.reader@example.org", "not.a.reader@example.org"),
        ("Not.A.Reader+x@gmail.com", "notareader@gmail.com"),
        ("not.a.reader@googlemail.com", "notareader@gmail.com"),
        ("straße@example.org", "strasse@example.org"),
    ],
)
def test_addresses_of_one_mailbox_share_a_key(address, mailbox):
    assert mailbox_of(address) == mailbox


@given(st.from_regex(r"[a-z.+]{1,20}", fullmatch=True), st.sampled_from(["gmail.com", "example.org"]))
def test_the_key_of_a_key_is_itself(local, domain):
    once = mailbox_of(f"{local}@{domain}")
    assert mailbox_of(once) == once
