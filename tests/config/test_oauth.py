"""`[mail.smtp.oauth]` and its siblings: which keys belong together, and what a provider presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from digestmail.config.load import load as load_config
from digestmail.config.servers import secrets_of
from digestmail.errors import ConfigError
from digestmail.oauth.presets import GrantType
from digestmail.status.files import secret_files

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


@pytest.fixture
def load(tmp_path):
    def load(keys: str, table: str = "mail.smtp.oauth", more: str = ""):
        (tmp_path / "config.toml").write_text(f"{SMALL}\n{more}\n[{table}]\n{keys}", "utf-8")
        return load_config(tmp_path / "config.toml")

    return load


@pytest.fixture
def problems(load):
    def problems(keys: str, **options: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(keys, **options)
        return list(caught.value.problems)

    return problems


def test_microsoft_is_known_for_an_application_and_for_a_person(load):
    keys = 'provider = "microsoft"\ntenant = "example.org"\nclient_id = "c"\n'
    base = "https://login.microsoftonline.com/example.org/oauth2/v2.0"
    as_person = load(keys).mail.smtp.oauth.application("smtp")
    assert (as_person.token_url, as_person.device_url) == (f"{base}/token", f"{base}/devicecode")
    assert as_person.scope == "https://outlook.office.com/SMTP.Send offline_access"
    assert load(keys).mail.smtp.oauth.application("imap").scope == (
        "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"
    )
    itself = load(f'{keys}client_secret = "s3cr3t-value"\ngrant = "client_credentials"').mail.smtp.oauth
    found = itself.application("smtp")
    assert (found.scope, found.device_url) == ("https://outlook.office365.com/.default", None)
    assert (found.grant, found.client_secret) == (GrantType.CLIENT_CREDENTIALS, "s3cr3t-value")


def test_google_is_known_and_signs_in_with_a_browser(load):
    found = load('provider = "google"\nclient_id = "c"\nclient_secret = "s3cr3t-value"').mail.smtp.oauth
    application = found.application("smtp")
    assert application.token_url == "https://oauth2.googleapis.com/token"
    assert application.device_url is None
    assert application.authorization_url.startswith("https://accounts.google.com/")
    assert application.scope == "https://mail.google.com/"


def test_keys_replace_what_a_provider_presets(load):
    keys = 'provider = "google"\nclient_id = "c"\nscope = "a b"\ntoken_url = "https://login.example.org/token"'
    application = load(keys).mail.smtp.oauth.application("smtp")
    assert (application.scope, application.token_url) == ("a b", "https://login.example.org/token")


def test_the_secret_may_be_in_a_file_or_in_the_environment_and_is_never_shown(load, tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("s3cr3t-value\n")
    keys = 'token_url = "https://login.example.org/token"\nclient_id = "c"\n'
    loaded = load(f'{keys}client_secret_file = "secret"')
    assert secrets_of(loaded)["mail.smtp.oauth.client_secret"] == "s3cr3t-value"
    assert "s3cr3t" not in repr(loaded)
    assert ("mail.smtp.oauth.client_secret_file", Path("secret")) in secret_files(loaded), "its mode is looked at"
    monkeypatch.setenv("DIGESTMAIL_MAIL__SMTP__OAUTH__CLIENT_SECRET", "from-the-environment")
    assert secrets_of(load(keys))["mail.smtp.oauth.client_secret"] == "from-the-environment"


def test_a_secret_file_that_is_not_there_is_named(problems):
    (problem,) = problems('token_url = "https://x.example.org/"\nclient_id = "c"\nclient_secret_file = "gone"')
    assert problem.startswith("mail.smtp.oauth.client_secret_file: there is no file gone")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("", "mail.smtp.oauth: set provider, token_url, token_command or token_file"),
        ('token_file = "t"\ntoken_command = ["t"]', "mail.smtp.oauth: set only one of token_file, token_command"),
        ('token_file = "t"\nprovider = "google"', "mail.smtp.oauth: set only one of token_file, provider"),
        ('token_file = "t"\nclient_id = "c"', "mail.smtp.oauth.client_id: has no effect beside token_file"),
        ('token_command = ["t"]\nscope = "s"', "mail.smtp.oauth.scope: has no effect beside token_command"),
        ('token_url = "https://x.example.org/"', "mail.smtp.oauth.client_id: is missing"),
        ('provider = "microsoft"\nclient_id = "c"', "mail.smtp.oauth.tenant: is missing"),
        ('provider = "google"\nclient_id = "c"\ntenant = "t"', "mail.smtp.oauth.tenant: only provider"),
        ('provider = "google"\nclient_id = "c"\ngrant = "client_credentials"', "mail.smtp.oauth.grant: Google issues"),
        (
            'token_url = "https://x.example.org/"\nclient_id = "c"\ngrant = "client_credentials"',
            "mail.smtp.oauth.client_secret_file: client_credentials needs",
        ),
        ('token_url = "http://login.example.org/"\nclient_id = "c"', "mail.smtp.oauth.token_url: "),
        ('token_url = "https://x.example.org/#a"\nclient_id = "c"', "mail.smtp.oauth.token_url: "),
        ('provider = "yahoo"', "mail.smtp.oauth.provider: "),
        ('grant = "password"\ntoken_url = "https://x.example.org/"\nclient_id = "c"', "mail.smtp.oauth.grant: "),
        ("token_command = []", "mail.smtp.oauth.token_command: "),
        ('token_file = "t"\noauth_token_file = "x"', "mail.smtp.oauth.oauth_token_file: "),
    ],
)
def test_keys_that_do_not_belong_together_are_named(problems, keys, problem):
    found = problems(keys)
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_a_token_endpoint_on_this_machine_may_be_http(load):
    load('token_url = "http://127.0.0.1:8080/token"\nclient_id = "c"')


def test_a_password_beside_tokens_is_a_contradiction(problems):
    more = '[mail.fallback]\nhost = "127.0.0.1"\nusername = "u"\npassword = "long-password"'
    (problem,) = problems('token_file = "t"', table="mail.fallback.oauth", more=more)
    assert problem == "mail.fallback.oauth: access tokens replace the password: remove one of them"


def test_a_mailbox_may_use_tokens(load):
    more = '[bounces]\nkind = "imap"\nhost = "outlook.office365.com"\nusername = "bounces@example.org"'
    load('token_command = ["print-token"]', table="bounces.oauth", more=more)


@pytest.mark.parametrize("table", ["mail.smtp", "mail.smtp.oauth", "mail.fallback", "mail.sendmail", "bounces.oauth"])
def test_an_unknown_key_is_named_in_every_table_of_a_server(problems, table):
    (problem,) = problems("colour = 1", table=table)
    assert problem.startswith(f"{table}.colour: unknown key; known here: ")
