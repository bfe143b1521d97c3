"""`digestmail dkim`, from the key to a mail that verifies."""

from __future__ import annotations

import json
import stat

import pytest
from clirun import digestmail
from dkimverifier import verifies

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
{dkim}
[[sources]]
name = "huggingface"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""
BOTH = '[mail.dkim]\nrsa_key_file = "dkim-rsa.pem"\ned25519_key_file = "dkim-ed25519.pem"'


def configure(site, dkim: str) -> None:
    (site / "config.toml").write_text(CONFIG.format(dkim=dkim), "utf-8")


@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_a_key_is_written_for_its_owner_alone_and_never_over_another(tmp_path, algorithm):
    said = digestmail(tmp_path, "dkim", "generate", "--domain=example.org", f"--algorithm={algorithm}")

    path = tmp_path / f"dkim-{algorithm}.pem"
    assert f'digest-{algorithm}._domainkey.example.org. IN TXT ( "v=DKIM1; k={algorithm}; p=' in said
    assert "PRIVATE" not in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    again = digestmail(tmp_path, "dkim", "generate", "--domain=example.org", f"--algorithm={algorithm}", status=1)
    assert "exists" in again
    assert path.read_bytes() == before


def test_a_domain_that_is_none_leaves_no_file(tmp_path):
    assert "host name" in digestmail(tmp_path, "dkim", "generate", "--domain=a b", status=2)
    assert list(tmp_path.iterdir()) == []


def test_show_prints_what_generate_printed(tmp_path):
    printed = [
        digestmail(tmp_path, "dkim", "generate", "--domain=example.org", f"--algorithm={algorithm}").splitlines()[1]
        for algorithm in ("ed25519", "rsa")
    ]
    configure(tmp_path, BOTH)

    assert digestmail(tmp_path, "dkim", "show").splitlines() == printed
    records = json.loads(digestmail(tmp_path, "dkim", "show", "--json"))
    assert [record["name"] for record in records] == [line.split(". ")[0] for line in printed]


def test_without_keys_show_says_so(tmp_path):
    configure(tmp_path, "")
    assert "not signed" in digestmail(tmp_path, "dkim", "show")


def test_every_wrong_key_is_told_when_the_configuration_is_loaded(tmp_path):
    (tmp_path / "dkim-rsa.pem").write_text("nothing")
    configure(tmp_path, BOTH)

    said = digestmail(tmp_path, "check", status=2)
    assert "mail.dkim.rsa_key_file: not a private key in PEM form" in said
    assert "mail.dkim.ed25519_key_file: " in said

    digestmail(tmp_path, "dkim", "generate", "--domain=example.org", "--algorithm=ed25519")
    (tmp_path / "dkim-ed25519.pem").rename(tmp_path / "dkim-rsa.pem")
    assert "holds a key for ed25519" in digestmail(tmp_path, "check", status=2)


def test_two_keys_cannot_share_a_selector(tmp_path):
    for algorithm in ("ed25519", "rsa"):
        digestmail(tmp_path, "dkim", "generate", "--domain=example.org", f"--algorithm={algorithm}")
    configure(tmp_path, f'{BOTH}\nrsa_selector = "one"\ned25519_selector = "one"')

    assert "share a selector" in digestmail(tmp_path, "dkim", "show", status=2)


def test_what_the_app_moulds_verifies(tmp_path):
    from datetime import UTC, datetime

    from editions import edition

    from digestmail.cli.options import open_app
    from digestmail.model.deliveries import Rendered

    for algorithm in ("ed25519", "rsa"):
        digestmail(tmp_path, "dkim", "generate", "--domain=example.org", f"--algorithm={algorithm}")
    configure(tmp_path, BOTH)
    with open_app(tmp_path / "config.toml") as app:
        message_template = app.mail.edition_message(edition(()), Rendered(subject="s", html="<p>h</p>", text="t"))
        records = {signer.record().name: signer.record().value for signer in app.mail.signers}

    mail = message_template.personalize(
        recipient="r@example.net", message_id="<a@example.org>", date=datetime.now(UTC), unsubscribe_token="t"
    )
    assert verifies(mail, records) == [True, True]
