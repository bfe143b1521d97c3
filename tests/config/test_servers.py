"""Secrets and servers in the configuration: what is empty, what cannot work, what would tell everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from digestmail.config.load import load as load_config
from digestmail.config.servers import secrets_of
from digestmail.config.settings import Config
from digestmail.errors import ConfigError
from digestmail.text.hosts import is_local
from digestmail.wiring.sources import proxies_of

SMALL = """
[mail]
sender = "digest@example.org"

[[sources]]
name = "hf"
kind = "huggingface"

[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["hf"]
"""
TOKEN = "5f8d0c1be7a94c0f"


@pytest.fixture
def load(tmp_path, monkeypatch):
    def load(*tables: str, **environment: str) -> Config:
        for name, value in environment.items():
            monkeypatch.setenv(f"DIGESTMAIL_{name}", value)
        (tmp_path / "config.toml").write_text("\n".join([SMALL, *tables]), "utf-8")
        return load_config(tmp_path / "config.toml")

    return load


@pytest.fixture
def problems(load):
    def problems(*tables: str, **environment: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(*tables, **environment)
        return list(caught.value.problems)

    return problems


# -- what is empty -----------------------------------------------------------------------------------------------------


def test_an_empty_variable_counts_as_not_set(load):
    loaded = load(
        '[mail.smtp]\nport = 2525\nusername = "me"\npassword = "from the file"',
        f'[web]\nadmin_token = "{TOKEN}"',
        MAIL__SMTP__PORT="",
        MAIL__SMTP__PASSWORD="",
        MAIL__REPLY_TO="",
        MAIL__FALLBACK__HOST="",
        WEB__ADMIN_TOKEN="",
        WEB__WEBHOOK_SECRET="",
        BASE_URL="",
    )
    assert (loaded.mail.smtp.port, loaded.mail.reply_to, loaded.mail.fallback, loaded.base_url) == (
        2525,
        None,
        None,
        None,
    )
    assert secrets_of(loaded) == {
        "mail.smtp.password": "from the file",
        "bounces.password": None,
        "web.admin_token": TOKEN,
        "web.metrics_token": None,
        "web.webhook_secret": None,
    }


@pytest.mark.parametrize("table", ["mail.smtp", "mail.fallback", "bounces", "web"])
def test_an_empty_text_is_left_out_and_hides_no_file(load, tmp_path, table):
    (tmp_path / "secret").write_text(f"{TOKEN}\n")
    name = "admin_token" if table == "web" else "password"
    loaded = load(f'[{table}]\n{name} = ""\n{name}_file = "secret"')
    assert secrets_of(loaded)[f"{table}.{name}"] == TOKEN


@pytest.mark.parametrize("key", ["username", "password_file", "ca_file", "server_name", "ehlo_name"])
def test_an_empty_text_means_none_wherever_a_key_may_be_left_out(load, key):
    assert getattr(load(f'[mail.smtp]\n{key} = ""').mail.smtp, key) is None


@pytest.mark.parametrize("content", ["", "\n", "  \t\r\n"])
@pytest.mark.parametrize("key", ["mail.smtp.password", "bounces.password", "web.admin_token", "web.webhook_secret"])
def test_an_empty_file_is_named(problems, tmp_path, key, content):
    (tmp_path / "secret").write_text(content)
    table, _, name = key.rpartition(".")
    assert problems(f'[{table}]\n{name}_file = "secret"') == [f"{key}_file: secret is empty"]


@pytest.mark.parametrize("key", ["mail.smtp.password", "bounces.password", "web.admin_token", "web.webhook_secret"])
def test_blanks_are_no_secret(problems, key):
    table, _, name = key.rpartition(".")
    (problem,) = problems(f'[{table}]\n{name} = "    "')
    assert problem.startswith(key)


@pytest.mark.parametrize("name", ["admin_token", "webhook_secret"])
@pytest.mark.parametrize("weak", ["weakling", "fifteen-letters", "sixteen letters and blanks", "é" * 20])
def test_a_secret_that_guards_has_sixteen_characters(problems, tmp_path, name, weak):
    (tmp_path / "secret").write_text(weak, "utf-8")
    for line in (f'{name} = "{weak}"', f'{name}_file = "secret"'):
        (problem,) = problems(f"[web]\n{line}")
        assert problem.startswith(f"web.{name}: a secret has 16 to 200 characters")
        assert weak not in problem


def test_a_login_needs_a_secret(problems):
    (problem,) = problems('[mail.smtp]\nusername = "me"\npassword = ""')
    assert problem.startswith("mail.smtp.username: a login needs a secret too")


# -- what is not ours --------------------------------------------------------------------------------------------------


def test_variables_kubernetes_sets_for_a_service_of_our_name_stop_nothing(load, caplog):
    load(
        SERVICE_HOST="192.0.2.7",
        SERVICE_PORT="8080",
        SERVICE_PORT_HTTP="8080",
        PORT="tcp://192.0.2.7:8080",
        PORT_8080_TCP="tcp://192.0.2.7:8080",
        PORT_8080_TCP_PROTO="tcp",
        PORT_8080_TCP_PORT="8080",
        PORT_8080_TCP_ADDR="192.0.2.7",
        WEB_SERVICE_HOST="192.0.2.8",
        WEB_PORT_443_TCP="tcp://192.0.2.8:443",
        VERSION="7",
    )
    (record,) = caplog.records
    assert "DIGESTMAIL_PORT, " in record.message


def test_a_misspelt_variable_still_stops(problems):
    assert "DIGESTMAIL_DATABASE" in problems(DATABSE="sqlite:///x.db")[0]


def test_a_list_may_be_separated_by_commas(load):
    loaded = load(NETWORK__ALLOW_PRIVATE_HOSTS="rss.example.org, 192.0.2.1", WEB__TRUSTED_PROXIES='["192.0.2.2"]')
    assert loaded.network.allow_private_hosts == ("rss.example.org", "192.0.2.1")
    assert loaded.web.trusted_proxies == ("192.0.2.2",)


# -- ports and modes ---------------------------------------------------------------------------------------------------

FITS = {465: {"tls"}, 587: {"starttls", "none"}, 25: {"starttls", "none"}, 2525: {"tls", "starttls", "none"}}


@pytest.mark.parametrize("table", ["mail.smtp", "mail.fallback"])
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("port", FITS)
def test_a_port_that_never_answers_in_this_mode_is_refused_with_the_fix(load, problems, table, port, security):
    text = f'[{table}]\nhost = "mail.example.org"\nport = {port}\nsecurity = "{security}"'
    if security in FITS[port]:
        load(text)
    else:
        (problem,) = problems(text)
        assert problem.startswith(f"{table}.port: port {port} ")
        assert "set security = " in problem


def test_a_local_socket_has_no_port(load):
    load('[mail.smtp]\nhost = "/run/lmtp"\nport = 465')


@pytest.mark.parametrize(("port", "security"), [(993, "starttls"), (993, "none"), (143, "tls")])
def test_the_same_holds_for_imap(problems, port, security):
    found = problems(
        f'[bounces]\nkind = "imap"\nport = {port}\nsecurity = "{security}"\nusername = "me"\npassword = "p"'
    )
    assert [problem.split(":")[0] for problem in found] == ["bounces.port"]


# -- a password in clear -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ['password = "p"', 'password_file = "secret"', 'oauth = { token_file = "secret" }'])
@pytest.mark.parametrize("table", ["mail.smtp", "mail.fallback", "bounces"])
def test_a_secret_in_clear_over_the_network_needs_a_key_that_says_so(load, problems, tmp_path, table, secret):
    (tmp_path / "secret").write_text("p")
    text = f'[{table}]\nhost = "mail.example.org"\nsecurity = "none"\nusername = "me"\n{secret}'
    if table == "bounces":
        text += '\nkind = "imap"'
    (problem,) = problems(text)
    assert problem.startswith(f"{table}.security: ")
    assert "allow_plaintext_password" in problem
    load(f"{text}\nallow_plaintext_password = true")
    load(text.replace("mail.example.org", "127.0.0.1"))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.8.8.8", "::1", "/run/x"])
def test_this_machine_is_known(host):
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["mail.example.org", "192.0.2.1", "localhost.example.org", "0.0.0.0", "2001:db8::1", "mail"]
)
def test_other_machines_are_known(host):
    assert not is_local(host)


# -- names and authorities ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mail.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]", "xn--mller-kva.example"])
def test_a_full_name_or_an_address_literal_may_greet(load, name):
    assert load(f'[mail.smtp]\nehlo_name = "{name}"').mail.smtp.ehlo_name == name


@pytest.mark.parametrize(
    "name",
    [
        "3f2a77c0b1d4", "localhost", "192.0.2.1", "[mail]", "[2001:db8::1]", "a_b.example.org", "-a.example",
        "a b.example", "mail.example.org\\r\\nX: y", "x." * 130 + "org",
    ],
)  # fmt: skip
def test_what_no_server_takes_for_a_name_may_not_greet(problems, name):
    (problem,) = problems(f'[mail.smtp]\nehlo_name = "{name}"')
    assert problem.startswith("mail.smtp.ehlo_name: not a")


def test_authorities_must_be_readable_certificates(load, problems, tmp_path, certificate: Path):
    text = '[mail.smtp]\nport = 587\nsecurity = "starttls"\nca_file = "ca.pem"'
    assert problems(text)[0].startswith("mail.smtp.ca_file: there is no file ca.pem in ")
    (tmp_path / "ca.pem").write_text("no certificate")
    assert problems(text)[0] == f"mail.smtp.ca_file: {tmp_path / 'ca.pem'} holds no certificate in PEM"
    (tmp_path / "ca.pem").write_bytes(certificate.with_suffix(".crt").read_bytes())
    load(text)
    assert problems(text.replace("starttls", "none"))[0].startswith("mail.smtp.security: ")


# -- sources and their logins ------------------------------------------------------------------------------------------


def sources(lines: str, url: str = "https://blog.example.org/feed") -> str:
    return f'[[sources]]\nname = "blog"\nkind = "feed"\nurl = "{url}"\n{lines}\n'


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('username = "me"', 'sources["blog"].username'),
        ('password = "hush-hush"', 'sources["blog"].username'),
        ('username = "me:you"\npassword = "hush-hush"', 'sources["blog"].username'),
        ('username = "me"\npassword_file = "absent"', 'sources["blog"].password_file'),
        ('headers = { "X Key" = "hush-hush" }', 'sources["blog"].headers'),
        ('headers = { Host = "hush-hush" }', 'sources["blog"].headers'),
        ('headers = { X-Key = "hush-hush\\r\\nX: y" }', 'sources["blog"].headers'),
        ('headers = { X-Key = " hush-hush" }', 'sources["blog"].headers'),
        ('header_files = { X-Key = "absent" }', 'sources["blog"].header_files'),
        ('headers = { X-Key = "hush-hush" }\nheader_files = { x-key = "absent" }', 'sources["blog"].header_files'),
        ('username = "me"\npassword = "hush-hush"\nheaders = { authorization = "x" }', 'sources["blog"].headers'),
    ],
)
def test_a_login_of_a_source_that_cannot_work_is_said_and_not_shown(problems, lines, key):
    found = problems(sources(lines))
    assert any(problem.startswith(key) for problem in found), found
    assert "hush-hush" not in "\n".join(found)


def test_a_login_in_an_address_is_refused_with_the_keys_to_use_instead(problems):
    (problem,) = problems(sources("", "https://me:hush-hush@blog.example.org/feed"))
    assert problem.startswith('sources["blog"].url: write the login as username and password_file')
    assert "hush-hush" not in problem


@pytest.mark.parametrize("login", ['username = "me"\npassword = "x"', 'headers = { X-Key = "x" }'])
def test_a_login_is_not_sent_in_clear_text_over_other_people_s_networks(load, problems, login):
    (problem,) = problems(sources(login, "http://blog.example.org/feed"))
    assert "https://" in problem
    assert "allow_private_hosts" in problem
    load(sources(login, "http://127.0.0.1:8080/feed"))
    load(sources(login, "https://blog.example.org/feed"))
    load(sources('headers = { User-Agent = "x" }', "http://blog.example.org/feed"))
    load('[network]\nallow_private_hosts = ["feeds.internal"]\n' + sources(login, "http://feeds.internal/feed"))


def test_logins_come_out_of_their_files(load, tmp_path):
    (tmp_path / "password").write_text("hush hush\n", "utf-8")
    (tmp_path / "token").write_text("Bearer hush\n", "utf-8")
    loaded = load(sources('username = "me"\npassword_file = "password"\nheader_files = { X-Token = "token" }'))
    table = loaded.sources[1]
    assert table.password is not None
    assert table.password.get_secret_value() == "hush hush"
    assert table.headers["X-Token"].get_secret_value() == "Bearer hush"
    assert "hush" not in repr(loaded)


# -- the network -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('allow_private_hosts = ["http://feeds.internal"]', "network.allow_private_hosts[0]"),
        ('allow_private_networks = ["127.0.0.0/8"]', "network.allow_private_networks[0]"),
        ('allow_private_networks = ["feeds.internal"]', "network.allow_private_networks[0]"),
        ('proxy = "socks5://proxy.example.org:1080"', "network.proxy"),
        ('proxy = "http://me:hush-hush@proxy.example.org:3128"', "network.proxy"),
        ('proxy = "me:hush-hush@proxy.example.org:3128"', "network.proxy"),
        ('proxy_username = "me"\nproxy_password = "hush-hush"', "network.proxy"),
        ('proxy = "http://p:3128"\nproxy_username = "me"', "network.proxy_username"),
        (
            'proxy = "p:1"\nproxy_username = "me"\nproxy_password_file = "absent"',
            "network.proxy_password_file",
        ),
    ],
)
def test_what_the_network_table_cannot_mean_is_said_and_not_shown(problems, line, key):
    found = problems(f"[network]\n{line}")
    assert [problem.split(":")[0] for problem in found] == [key]
    assert "hush-hush" not in "\n".join(found)


def test_a_proxy_and_its_login_come_from_the_file_and_the_environment(load, tmp_path):
    (tmp_path / "password").write_text("hush", "utf-8")
    text = '[network]\nproxy = "proxy.example.org:3128"\nproxy_username = "me"\n'
    for loaded in (load(text + 'proxy_password_file = "password"'), load(text, NETWORK__PROXY_PASSWORD="hush")):
        proxies, problems = proxies_of(loaded.network, {"HTTP_PROXY": "http://other.example.org"})
        assert problems == ()
        assert proxies.http is not None
        assert proxies.http.shown == "http://proxy.example.org:3128"
        assert proxies.http.login == ("me", "hush")
        assert "hush" not in repr(loaded) + repr(proxies)


# -- embeddings --------------------------------------------------------------------------------------------------------

ENDPOINT = '[embeddings]\nurl = "{}"\nmodel = "small"\n'


def test_embeddings_are_off_unless_the_table_is_there(load):
    assert load().embeddings is None
    table = load(ENDPOINT.format("http://localhost:11434/v1/")).embeddings
    assert (table.url, table.model, table.api_key) == ("http://localhost:11434/v1", "small", None)


def test_the_key_of_embeddings_comes_from_the_file_or_the_environment(load, tmp_path):
    (tmp_path / "key").write_text("from-the-file\n")
    text = ENDPOINT.format("https://embeddings.example.org/v1")
    assert load(text + 'api_key_file = "key"').embeddings.api_key.get_secret_value() == "from-the-file"
    assert load(text, EMBEDDINGS__API_KEY="hush").embeddings.api_key.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[embeddings]\nurl = "https://a.example/v1"', "embeddings.model"),
        ('[embeddings]\nmodel = "small"', "embeddings.url"),
        (ENDPOINT.format("localhost:11434/v1"), "embeddings.url"),
        (ENDPOINT.format("https://me:hush@a.example/v1"), "embeddings.url"),
        (ENDPOINT.format("https://a.example:99999/v1"), "embeddings.url"),
        (ENDPOINT.format("https://a.example/v1") + "batch_size = 0", "embeddings.batch_size"),
        (ENDPOINT.format("https://a.example/v1") + 'api_key = "two\\nlines"', "embeddings.api_key"),
        (ENDPOINT.format("https://a.example/v1") + 'api_key_file = "absent"', "embeddings.api_key_file"),
        (ENDPOINT.format("http://a.example/v1") + 'api_key = "hush"', "embeddings.url: the key would go"),
        (ENDPOINT.format("http://192.168.1.5/v1") + 'api_key = "hush"', "embeddings.url: the key would go"),
    ],
)
def test_what_is_wrong_with_embeddings_is_named_and_no_key_is_shown(problems, table, said):
    (problem,) = problems(table)
    assert problem.startswith(said)
    assert "hush" not in problem


def test_a_key_in_clear_stays_on_this_machine_or_in_a_network_that_is_named(load):
    key = 'api_key = "hush"'
    assert load(ENDPOINT.format("http://127.0.0.1:8080/v1") + key).embeddings is not None
    own = '[network]\nallow_private_hosts = ["gpu.internal"]'
    assert load(ENDPOINT.format("http://gpu.internal/v1") + key, own).embeddings is not None


# -- summaries and enrichment ------------------------------------------------------------------------------------------

MODEL = '[summaries]\nurl = "{}"\nmodel = "small"\n'
INDEXES = "[enrichment]\n"


def test_summaries_and_enrichment_are_off_unless_their_tables_are_there(load):
    assert (load().summaries, load().enrichment) == (None, None)
    assert load().digest_values()[0].summary_model is None
    table = load(MODEL.format("http://localhost:11434/v1")).summaries
    assert (table.per_day, table.tokens_per_day) == (200, None)
    assert load(MODEL.format("http://localhost:11434/v1")).digest_values()[0].summary_model == "small"
    assert load(INDEXES).enrichment.indexes == ("semantic-scholar",)


def test_their_keys_come_from_files_or_the_environment(load, tmp_path):
    (tmp_path / "key").write_text("from-the-file\n")
    text = MODEL.format("https://models.example.org/v1")
    assert load(text + 'api_key_file = "key"').summaries.api_key.get_secret_value() == "from-the-file"
    found = load(INDEXES + 'openalex_key_file = "key"\nsemantic_scholar_key = "hush"\n').enrichment
    assert found.openalex_key.get_secret_value() == "from-the-file"
    assert found.semantic_scholar_key.get_secret_value() == "hush"
    assert load(text, SUMMARIES__API_KEY="hush").summaries.api_key.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[summaries]\nurl = "https://a.example/v1"', "summaries.model"),
        ('[summaries]\nmodel = "small"', "summaries.url"),
        (MODEL.format("localhost:11434/v1"), "summaries.url"),
        (MODEL.format("https://a.example/v1") + "per_day = 0", "summaries.per_day"),
        (MODEL.format("https://a.example/v1") + "tokens_per_day = 0", "summaries.tokens_per_day"),
        (MODEL.format("https://a.example/v1") + "batch_size = 3", "summaries.batch_size"),
        (MODEL.format("https://a.example/v1") + 'api_key = "hush\\n"', "summaries.api_key"),
        (MODEL.format("https://a.example/v1") + 'api_key_file = "absent"', "summaries.api_key_file"),
        (MODEL.format("http://a.example/v1") + 'api_key = "hush"', "summaries.url: the key would go"),
        (INDEXES + 'indexes = ["scopus"]', "enrichment.indexes"),
        (INDEXES + "indexes = []", "enrichment.indexes"),
        (INDEXES + 'openalex_key_file = "absent"', "enrichment.openalex_key_file: cannot be used"),
        (INDEXES + 'semantic_scholar_key = "hush\\n"', "enrichment.semantic_scholar_key"),
    ],
)
def test_what_is_wrong_with_them_is_named_and_no_key_is_shown(problems, table, said):
    found = "\n".join(problems(table))
    assert said in found
    assert "hush" not in found
