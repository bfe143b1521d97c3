"""`digestmail announce`, from the file to a real SMTP server, and killed at every step."""

from __future__ import annotations

import io
import json
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import announce_run
import pytest
from clirun import digestmail
from forking_program import Program, program
from message_rules import broken_rules
from sqlalchemy import func, select

from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.config.load import load
from digestmail.demo.receiver import receiving
from digestmail.storage import schema
from digestmail.storage.database import Database
from digestmail.subscribers import admin

CONFIG = """
database = "{database}"
base_url = "https://digest.example.org"
[mail]
sender = "Trending papers <digest@example.org>"
bounce_address = "bounces@example.org"
imprint = "Example Labs, Street 1, 12345 City"
[mail.smtp]
host = "{host}"
port = {port}
[[sources]]
name = "huggingface"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""
TEXT = "# We move\n\nTo [a new address](https://new.example.org/), in *August*.\n"
PEOPLE = 7
LONG_AGO = datetime(2026, 4, 1, tzinfo=UTC)
STEPS = tuple(announce_run.STEPS)
UNSENT = set(STEPS[: STEPS.index("before the third message is written")])
CASES = [
    *(("sqlite", step) for step in STEPS),
    # What differs between the databases is what a transaction leaves behind.
    *(("postgresql", step) for step in STEPS if "transaction" in step or "commit" in step),
]


@pytest.fixture(scope="module")
def forking() -> Iterator[Program]:
    """Yield the program that forks the processes to kill."""
    with program(Path(announce_run.__file__)) as started:
        yield started


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Iterator[Path]:
    """Yield an installation with readers, an announcement, and a mail server that receives into `mailbox`."""
    with receiving(tmp_path / "mailbox") as (host, port):
        text = CONFIG.format(database=database_url, host=host, port=port)
        (tmp_path / "config.toml").write_text(text, "utf-8")
        (tmp_path / "move.md").write_text(TEXT, "utf-8")
        with App(load(tmp_path / "config.toml", environment=None), tmp_path, SystemClock(LONG_AGO)) as app:
            for number in range(PEOPLE):
                admin.add(app.database, app.digests, f"p{number}@example.org", "daily", (), app.clock.now())
        yield tmp_path


def received(site: Path) -> list[EmailMessage]:
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in (site / "mailbox/new").iterdir()]


def without_trace(site: Path) -> list[bytes]:
    """Return the messages as they were sent."""
    found = [path.read_bytes() for path in (site / "mailbox" / "new").iterdir()]
    return [raw.split(b"\n", 2)[2].replace(b"\n", b"\r\n") for raw in found]


def test_every_reader_receives_a_correct_mail_once(site):
    said = digestmail(site, "announce", "move.md", "--digest", "daily", "--yes")
    assert f"{PEOPLE} queued" in said
    assert f"{PEOPLE} sent" in said
    mails = received(site)
    assert sorted(mail["To"] for mail in mails) == [f"p{number}@example.org" for number in range(PEOPLE)]
    assert {mail["Subject"] for mail in mails} == {"We move"}
    assert [broken_rules(raw) for raw in without_trace(site)] == [[]] * PEOPLE
    for mail in mails:
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail["List-Unsubscribe"].startswith("<https://digest.example.org/unsubscribe/")
        assert mail["Return-Path"].startswith("<bounces+")
        assert "a new address <https://new.example.org/>" in mail.get_body(("plain",)).get_content()
        assert '<a href="https://new.example.org/"' in mail.get_body(("html",)).get_content()
    assert len({mail["Message-ID"] for mail in mails}) == PEOPLE

    (site / "copy.md").write_text("\ufeff" + TEXT.replace("\n", "\r\n"), "utf-8")
    again = digestmail(site, "announce", "copy.md", "--digest", "daily", "--yes")
    assert "this text was announced on " in again
    assert f"({PEOPLE} sent); no reader is added" in again
    assert len(received(site)) == PEOPLE

    listed = json.loads(digestmail(site, "deliveries", "list", "--digest", "daily", "--json"))
    assert {(one["digest"], one["state"]) for one in listed} == {("daily@announcement", "sent")}
    slot = listed[0]["slot"]
    assert "250 2.0.0 kept" in digestmail(site, "deliveries", "show", "daily@announcement", slot, "p1@example.org")
    assert digestmail(site, "editions", "list") == f"daily@announcement  {slot}  announcement: We move\n"
    assert TEXT.strip() in digestmail(site, "editions", "show", "daily@announcement", slot)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_asks_how_many_readers_and_sends_nothing_without_yes(site, monkeypatch):
    until = datetime.now(UTC) + timedelta(days=30)
    digestmail(site, "subscribers", "pause", "p1@example.org", "--until", f"{until:%Y-%m-%d}")
    words = ("announce", "move.md", "--digest", "daily")
    question = f"Send “We move” to {PEOPLE - 1} readers of daily (not to 1 who paused)? [y/N]:"
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        said = digestmail(site, *words, status=1)
        assert question in said
        assert "nothing was sent; with --yes it does not ask" in said
    assert digestmail(site, "deliveries", "list") == ""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert f"{PEOPLE - 1} sent" in digestmail(site, *words)
    assert "p1@example.org" not in {mail["To"] for mail in received(site)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_a_restore_a_text_that_may_have_been_sent_needs_a_second_word(site, monkeypatch):
    words = ("announce", "move.md", "--digest", "daily")
    digestmail(site, "backup", "older.db")
    digestmail(site, *words, "--yes")
    digestmail(site, "restore", "older.db", "--yes")
    said = digestmail(site, *words, "--yes", status=1)
    assert said.startswith("digestmail: nothing was sent: the database was put back from a backup on ")
    assert "--after-restore sends it" in said
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    said = digestmail(site, *words, status=1)
    assert (
        "may have forgotten that this text was announced, and its readers would get it again.\nSend “We move”" in said
    )
    assert len(received(site)) == PEOPLE
    assert f"{PEOPLE} sent" in digestmail(site, *words, "--yes", "--after-restore")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_test_goes_to_one_address_and_files_to_a_directory(site):
    words = ("announce", "move.md", "--digest", "daily")
    assert "Sent to me@example.org: 250" in digestmail(site, *words, "--to", "me@example.org")
    (mail,) = received(site)
    assert (mail["To"], mail["Subject"]) == ("me@example.org", "We move")
    assert "Not sent: " in digestmail(site, *words, "--to", "me", status=1)
    digestmail(site, *words, "--output", "out")
    assert {path.name for path in (site / "out").iterdir()} == {"mail.html", "mail.txt", "mail.eml", "rules.json"}
    assert json.loads((site / "out" / "rules.json").read_text("utf-8"))["passed"]
    assert digestmail(site, "deliveries", "list") == ""
    (site / "move.md").write_text("# We move\n\n<b>now</b>\n", "utf-8")
    for option in (("--output", "out"), ("--to", "me@example.org"), ("--preview",), ("--yes",)):
        said = digestmail(site, *words, *option, status=1)
        assert said.startswith("digestmail: move.md, line 3: HTML is not allowed: write Markdown")
    said = digestmail(site, "announce", "move.md", "--digest", "dayly", "--yes", status=1)
    assert "there is no digest 'dayly'; did you mean 'daily'?" in said


@pytest.mark.parametrize(("database_url", "step"), CASES, indirect=["database_url"])
def test_an_interrupted_announcement_goes_on_and_repeats_nothing_but_the_unanswered(site, database_url, forking, step):
    def run(step: str, now: str) -> list[int]:
        job = {"step": step, "now": now, "file": str(site / "move.md"), "config": str(site / "config.toml")}
        return forking.run([job])

    assert run(step, "2026-12-02T12:00:00+00:00") == [-signal.SIGKILL]
    assert run("never", "2026-12-02T12:40:00+00:00") == [0]
    assert run("never", "2026-12-02T13:20:00+00:00") == [0]
    ids = Counter(mail["Message-ID"] for mail in received(site))
    assert len(ids) == PEOPLE
    database = Database.open(database_url, base=site)
    with database.connect() as connection:
        d, a = schema.deliveries.c, schema.attempts.c
        states = connection.execute(select(d.state, func.count()).group_by(d.state)).all()
        listed = connection.execute(select(func.count()).where(a.state == "ambiguous")).scalar_one()
        stored = connection.execute(select(schema.editions.c.digest, schema.editions.c.recipients)).all()
    database.close()
    assert states == [("sent", PEOPLE)]
    assert stored == [("daily@announcement", PEOPLE)]
    assert sum(ids.values()) - PEOPLE <= listed
    assert not (listed and step in UNSENT)
