"""`digestmail deliveries`, on a real configuration and a real receiving server."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clirun import digestmail
from sqlalchemy import text

from digestmail.demo.receiver import receiving
from digestmail.demo.services import serving
from digestmail.storage.database import Database

CONFIG = """
database = "sqlite:///digestmail.db"
[mail]
sender = "digest@example.org"
[mail.smtp]
host = "{host}"
port = {port}
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{services}"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""
NOW = "2026-04-02T12:00:00Z"
PEOPLE = ("a@example.org", "b@example.org")


@pytest.fixture
def sent(tmp_path):
    """An installation that has sent its first edition; yields (directory, mailbox)."""
    mailbox = tmp_path / "mailbox"
    with serving() as services, receiving(mailbox) as (host, port):
        (tmp_path / "config.toml").write_text(CONFIG.format(host=host, port=port, services=services), "utf-8")
        for address in PEOPLE:
            digestmail(tmp_path, "subscribers", "add", address, "--digest", "daily")
        assert "2 sent" in digestmail(tmp_path, "run", "--now", NOW)
        yield tmp_path, mailbox


def change(site: Path, statement: str) -> None:
    database = Database.open("sqlite:///digestmail.db", base=site)
    with database.begin() as connection:
        connection.execute(text(statement))
    database.close()


def test_an_edition_that_is_out_is_sent_to_those_who_subscribed_since(sent):
    site, mailbox = sent
    digestmail(site, "subscribers", "add", "c@example.org", "--digest", "daily")
    said = digestmail(site, "send", "daily", "--to", "c@example.org")
    assert "daily 2026-04-02: 1 queued, 0 had it, 0 without papers\n" in said
    assert "1 sent" in said
    assert len(list((mailbox / "new").iterdir())) == 3
    assert "0 queued, 3 had it" in digestmail(site, "send", "daily", "--edition", "2026-04-02")
    assert "d@example.org is not subscribed to 'daily'" in digestmail(
        site, "send", "daily", "--to", "d@example.org", status=1
    )
    assert "did you mean 'daily'?" in digestmail(site, "send", "dialy", status=1)


def test_a_cancelled_delivery_is_sent_again_on_request_and_a_retry_says_how(sent):
    site, mailbox = sent
    change(site, "UPDATE deliveries SET state = 'queued', attempts = 0, due_at = 0, ended_at = NULL")
    digestmail(site, "subscribers", "remove", "a@example.org")
    digestmail(site, "subscribers", "add", "a@example.org", "--digest", "daily")
    expected = "; 1 cancelled: `digestmail send` sends an edition to those who did not get it\n"
    said = digestmail(site, "deliveries", "retry", "daily", "--to", "a@example.org", "--dry-run")
    assert said == f"0 would be queued again{expected}"
    assert digestmail(site, "deliveries", "retry", "daily", "--to", "a@example.org") == f"0 queued again{expected}"
    assert digestmail(site, "deliveries", "retry", "daily", "--to", "b@example.org") == "0 queued again\n"
    arrived = len(list((mailbox / "new").iterdir()))
    assert "1 queued, 0 had it" in digestmail(site, "send", "daily", "--to", "a@example.org")
    assert len(list((mailbox / "new").iterdir())) == arrived + 2


UNKNOWN = [
    ("deliveries list --digest dialy", "there is no digest 'dialy'; did you mean 'daily'? there are: daily, notice"),
    ("deliveries list --slot 2026-04-03", "there is no edition '2026-04-03'; the last are 2026-04-02"),
    ("deliveries retry dialy", "there is no digest 'dialy'"),
    (
        "deliveries retry daily 2026-04-03 --dry-run",
        "there is no edition '2026-04-03' of daily; the last are 2026-04-02",
    ),
    ("deliveries retry notice confrim", "there is no kind of notices 'confrim'; did you mean 'confirm'?"),
    ("deliveries resolve daily 2026-04-03 --as sent", "there is no edition '2026-04-03' of daily"),
    ("deliveries show daily 2026-04-03 a@example.org", "there is no edition '2026-04-03' of daily"),
    ("deliveries show daily 2026-04-02 c@example.org", "daily 2026-04-02 has no delivery to this subscriber"),
    ("deliveries show notice welcome c@example.org", "notice welcome has no delivery to this subscriber"),
    ("outputs list hock", "there is no output 'hock'; did you mean 'hook'?"),
    ("outputs list hock --json", "there is no output 'hock'"),
    ("outputs retry hook dialy", "there is no digest 'dialy'; did you mean 'daily'?"),
    ("outputs retry hook daily 2026-04-03", "there is no edition '2026-04-03' of daily; the last are 2026-04-02"),
    ("editions list --digest dialy", "there is no digest 'dialy'"),
    ("editions show daily 2026-04-03", "there is no edition '2026-04-03' of daily; the last are 2026-04-02"),
    ("editions cite dialy 2026-04-02", "there is no digest 'dialy'"),
    ("papers list --source hugingface", "there is no source 'hugingface'; did you mean 'huggingface'?"),
    ("subscribers list --digest dialy", "there is no digest 'dialy'"),
    ("templates copy locales/da.po", "there is no template 'locales/da.po'; did you mean 'locales/"),
]


def test_a_name_that_does_not_exist_is_an_error_that_says_what_does(sent):
    site, _ = sent
    for name in ("files", "templates"):
        (site / name).mkdir()
    with (site / "config.toml").open("a", encoding="utf-8") as file:
        file.write('[[outputs]]\nname = "hook"\nkind = "files"\npath = "files"\n')
    text = (site / "config.toml").read_text("utf-8")
    (site / "config.toml").write_text(f'templates_dir = "templates"\n{text}', "utf-8")
    digestmail(site, "subscribers", "add", "c@example.org")
    for command, said in UNKNOWN:
        assert said in digestmail(site, *command.split(), status=1), command


def test_a_name_that_exists_is_no_error_if_there_is_nothing_to_do(sent):
    site, _ = sent
    assert digestmail(site, "deliveries", "retry", "daily", "2026-04-02") == "0 queued again\n"
    assert digestmail(site, "deliveries", "retry", "notice") == "0 queued again\n"
    assert digestmail(site, "deliveries", "list", "--digest", "notice", "--slot", "welcome") == ""
    assert digestmail(site, "deliveries", "resolve", "daily", "2026-04-02", "--as", "sent") == "0 resolved as sent\n"


def test_every_delivery_is_listed_with_what_the_server_said(sent):
    site, _ = sent
    found = json.loads(digestmail(site, "deliveries", "list", "--json"))
    assert [(one["address"], one["state"], one["code"]) for one in found] == [(a, "sent", 250) for a in PEOPLE]
    shown = digestmail(site, "deliveries", "show", "daily", "2026-04-02", PEOPLE[0])
    assert shown.startswith("1  ")
    assert "sent after" in shown


def test_an_ambiguous_delivery_can_be_resolved_or_sent_again_under_its_message_id(sent):
    site, mailbox = sent
    before = {path.name for path in (mailbox / "new").iterdir()}
    change(site, "UPDATE deliveries SET state = 'ambiguous', text = 'no answer'")
    assert "the result of 2 deliveries is unknown" in digestmail(site, "check", status=1)
    listed = digestmail(site, "deliveries", "list", "--state", "ambiguous")
    assert len(listed.splitlines()) == 2
    edition = ("daily", "2026-04-02")
    assert (
        digestmail(site, "deliveries", "resolve", *edition, "--as", "sent", "--to", PEOPLE[0]) == "1 resolved as sent\n"
    )
    assert digestmail(site, "deliveries", "retry", *edition) == "1 queued again\n"
    assert "1 sent" in digestmail(site, "deliver")
    texts = [path.read_text("utf-8") for path in (mailbox / "new").iterdir()]
    ids = [line for mail in texts for line in mail.splitlines() if line.startswith("Message-ID:")]
    assert len(before) == 2
    assert (len(ids), len(set(ids))) == (3, 2)


def test_failed_deliveries_are_sent_again_by_what_the_server_said(sent):
    site, mailbox = sent
    change(
        site, "UPDATE deliveries SET state = 'failed', code = 550, text = 'RCPT TO was answered with 550 no such user'"
    )
    change(
        site,
        "UPDATE deliveries SET text = 'the message was answered with 550 5.0.0 100% of your Quota' "
        "WHERE subscriber_id = (SELECT min(id) FROM subscribers)",
    )
    retry = ("deliveries", "retry")
    assert "which deliveries to retry" in digestmail(site, *retry, status=2)
    assert digestmail(site, *retry, "--code", "550", "--dry-run") == "2 would be queued again\n"
    assert digestmail(site, *retry, "--code", "550", "--text", "quota", "--dry-run") == "1 would be queued again\n"
    assert digestmail(site, *retry, "--text", "0% of", "--dry-run") == "1 would be queued again\n"
    assert digestmail(site, *retry, "--text", "0_ of", "--dry-run") == "0 would be queued again\n"
    assert digestmail(site, *retry, "--code", "554", "--text", "quota") == "0 queued again\n"
    assert "there is no digest 'weekly'" in digestmail(site, *retry, "weekly", "--code", "550", status=1)
    assert digestmail(site, *retry, "--code", "550", "--text", "quota") == "1 queued again\n"
    assert "1 sent" in digestmail(site, "deliver")
    assert len(list((mailbox / "new").iterdir())) == 3


def test_a_database_put_back_sends_nothing_until_it_is_adopted(sent):
    site, mailbox = sent
    change(site, "UPDATE deliveries SET state = 'deferred', due_at = 0, ended_at = NULL")
    change(site, "UPDATE settings SET value = '0' WHERE name = 'epoch'")
    for command in ("deliver", "publish", "run"):
        assert "put back from a backup" in digestmail(site, command, status=1)
    assert "put back from a backup" in digestmail(site, "check", status=1)
    assert "2 open deliveries cancelled" in digestmail(site, "deliveries", "adopt")
    assert "0 sent" in digestmail(site, "deliver")
    assert len(list((mailbox / "new").iterdir())) == 2


def test_a_restored_backup_sends_nothing_again(sent):
    site, mailbox = sent
    change(site, "UPDATE deliveries SET state = 'deferred', due_at = 0, ended_at = NULL")
    assert "bytes\n" in digestmail(site, "backup", "copy.db")
    assert "copy.db exists already" in digestmail(site, "backup", "copy.db", status=1)
    assert "2 sent" in digestmail(site, "deliver")
    arrived = len(list((mailbox / "new").iterdir()))
    said = digestmail(site, "restore", "copy.db", "--yes")
    assert "2 open deliveries cancelled; slots that began before now get no edition" in said
    (kept,) = site.glob("before-restore-*-copy.db")
    assert kept.name in said
    assert "0 sent" in digestmail(site, "deliver")
    assert len(list((mailbox / "new").iterdir())) == arrived
    said = digestmail(site, "send", "daily")
    assert "0 queued, 0 had it, 0 without papers, 2 uncertain\nuncertain: they may have got it" in said
    assert len(list((mailbox / "new").iterdir())) == arrived
    said = digestmail(site, "send", "daily", "--uncertain")
    assert "2 queued, 0 had it, 0 without papers\n" in said
    assert "2 sent" in said
    assert "no damage found" in digestmail(site, "database", "check")
    assert "bytes now" in digestmail(site, "database", "vacuum")


def test_a_restore_asks_first_and_refuses_what_is_no_backup(sent, monkeypatch):
    site, _ = sent
    digestmail(site, "backup", "copy.db")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "Aborted" in digestmail(site, "restore", "copy.db", status=1)
    (site / "copy.db").write_bytes(b"hm")
    assert "is no SQLite database" in digestmail(site, "restore", "copy.db", "--yes", status=1)
    assert not list(site.glob("before-restore-*"))


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("status",),
        ("run",),
        ("subscribers", "list"),
        ("backup", "other.db"),
        ("database", "check"),
        ("doctor",),
    ],
)
def test_a_database_of_a_newer_version_is_named_in_one_line(sent, command):
    site, _ = sent
    change(site, "UPDATE alembic_version SET version_num = '9999'")
    said = digestmail(site, *command, status=1)
    assert re.fullmatch(r"digestmail: database .*digestmail.db was made by a newer version of digestmail .*\n", said)


def test_a_database_of_a_newer_version_is_replaced_by_a_backup_and_kept(sent):
    site, _ = sent
    digestmail(site, "backup", "copy.db")
    change(site, "UPDATE alembic_version SET version_num = '9999'")
    said = digestmail(site, "restore", "copy.db", "--yes")
    (kept,) = site.glob("before-restore-*-copy.db")
    assert kept.name in said
    digestmail(site, "subscribers", "list")
    refused = digestmail(site, "restore", kept.name, "--yes", status=1)
    assert "was made by a newer version of digestmail" in refused
    digestmail(site, "subscribers", "list")


def test_the_copy_of_what_a_restore_replaces_is_beside_the_database(sent):
    site, _ = sent
    (site / "backups").mkdir()
    digestmail(site, "backup", "backups/copy.db")
    said = digestmail(site, "restore", "backups/copy.db", "--yes")
    (kept,) = site.glob("before-restore-*-copy.db")
    assert f"the one before is in {kept}\n" in said
    assert list((site / "backups").iterdir()) == [site / "backups" / "copy.db"]


def test_a_restore_that_cannot_be_completed_names_the_database_before(sent):
    site, _ = sent
    digestmail(site, "backup", "copy.db")
    (site / "digestmail.epoch").write_bytes(b"\xff")
    said = digestmail(site, "restore", "copy.db", "--yes", status=1)
    (kept,) = site.glob("before-restore-*-copy.db")
    assert "cannot be read" in said
    assert f"the one before is in {kept}" in said


def test_the_guard_against_a_database_put_back_outlives_forgotten_secrets(sent):
    site, _ = sent
    digestmail(site, "secrets", "rotate", "--forget")
    change(site, "UPDATE settings SET value = '0' WHERE name = 'epoch'")
    assert "put back from a backup" in digestmail(site, "deliver", status=1)


def test_a_paused_mail_server_is_tried_again_when_it_is_told_so(sent):
    site, _ = sent
    until = int((datetime.now(UTC) + timedelta(hours=20)).timestamp() * 1000)
    change(
        site,
        "INSERT INTO rates (key, next_at, factor, paused_until, reason) "
        f"SELECT 'relay:x:25', 0, 1, {until}, 'relaying denied'",
    )
    said = digestmail(site, "check", "--now", NOW, status=1)
    assert "relaying denied" in said
    assert "`digestmail deliveries resume`" in said
    assert digestmail(site, "deliveries", "resume").startswith("1 mail server tried again, 0 emails due; ")
    assert "all well" in digestmail(site, "check", "--now", NOW)
    assert digestmail(site, "deliveries", "resume") == "no mail server is paused, and no email waits\n"


def test_a_state_that_does_not_exist_is_a_usage_error(sent):
    site, _ = sent
    assert "none of" in digestmail(site, "deliveries", "list", "--state", "lost", status=2)
