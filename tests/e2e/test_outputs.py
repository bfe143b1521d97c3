"""`digestmail run` with all kinds of outputs: each gets each edition once, and emails go out whatever outputs do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeClock
from output_receiving import SECRET, Receiver
from werkzeug import Request, Response
from zotero_api import ZoteroApi

from digestmail.app import App
from digestmail.cli.printing import lines
from digestmail.config.load import load
from digestmail.errors import StorageError
from digestmail.model.reports import RunReport
from digestmail.outputs import admin, worker
from digestmail.status import outputs as check_outputs
from digestmail.subscribers import admin as subscribers

DAY = timedelta(days=1)
READER = "reader@example.net"
SECRETS = (SECRET, "made-up-zotero-key", "/room", "/hall")
CONFIG = """
base_url = "https://digest.example.org"
database = "{database}"
[mail]
sender = "digest@example.org"
transport = "maildir"
[mail.maildir]
path = "mail"
[network]
allow_private_hosts = ["localhost", "127.0.0.1"]
[[sources]]
name = "feed"
kind = "feed"
url = "{feed}"
[[topics]]
name = "Rivers"
keywords = ["river"]
[[digests]]
name = "daily"
title = "Papers of the day"
schedule = "0 7 * * *"
sources = ["feed"]
topics = ["Rivers"]
"""
HOOK = '[[outputs]]\nname = "hook"\nkind = "webhook"\nurl = "{hook}"\nsecret = "{secret}"\n'
CHAT = '[[outputs]]\nname = "chat"\nkind = "apprise"\nurls = ["json://{room}", "json://{hall}"]\n'
SITE = '[[outputs]]\nname = "site"\nkind = "files"\npath = "public"\n'
ZOTERO = (
    '[[outputs]]\nname = "zotero"\nkind = "zotero"\nlibrary = "users/12"\ncollection = "Digest"\n'
    'api_key = "made-up-zotero-key"\nurl = "{zotero}"\n'
)
ALL = HOOK + CHAT + SITE + ZOTERO


class Stage:
    """An installation whose feed has one new paper every day, and the services that its outputs send to."""

    def __init__(self, httpserver, path: Path, database: str) -> None:
        self.server = httpserver
        self.path = path
        self.database = database
        self.clock = FakeClock(THURSDAY)
        self.hook = Receiver()
        self.zotero = ZoteroApi()
        self.rooms: dict[str, list[str]] = {"room": [], "hall": []}
        self.broken: set[str] = set()
        httpserver.expect_request("/feed").respond_with_handler(self._feed)
        for name in self.rooms:
            httpserver.expect_request(f"/{name}").respond_with_handler(self._chat(name))
        self.places = {
            "feed": httpserver.url_for("/feed"),
            "hook": self.hook.listen(httpserver),
            "secret": SECRET,
            "zotero": self.zotero.listen(httpserver),
            **{name: httpserver.url_for(f"/{name}").removeprefix("http://") for name in self.rooms},
        }

    def _feed(self, _: Request) -> Response:
        days = range((self.clock.now() - THURSDAY).days + 1)
        items = "".join(
            f"<item><title>River {day}</title><link>https://a.example.org/{day}</link>"
            f"<pubDate>{THURSDAY + day * DAY:%a, %d %b %Y %H:%M:%S} GMT</pubDate></item>"
            for day in days
        )
        xml = f"<?xml version='1.0'?><rss version='2.0'><channel><title>F</title>{items}</channel></rss>"
        return Response(xml, mimetype="application/rss+xml")

    def _chat(self, name: str) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            if name in self.broken:
                return Response(status=500)
            self.rooms[name].append(request.get_json()["message"])
            return Response("ok")

        return answer

    def write(self, tables: str = ALL) -> Path:
        config = self.path / "config.toml"
        config.write_text((CONFIG + tables).format(database=self.database, **self.places), "utf-8")
        return config

    def open(self) -> App:
        return App(load(self.path / "config.toml", None), self.path, self.clock, wall_clock=self.clock)

    def run(self) -> RunReport:
        self.hook.now = self.clock.now()
        with self.open() as app:
            return app.run()

    def subscribe(self) -> None:
        with self.open() as app:
            subscribers.add(app.database, app.digests, READER, "daily", (), self.clock.now())

    def mails(self) -> int:
        return len(list((self.path / "mail/new").glob("*")))


@pytest.fixture
def stage(httpserver, tmp_path, database_url) -> Stage:
    made = Stage(httpserver, tmp_path, database_url)
    made.write()
    return made


def test_three_days_bring_each_edition_to_each_output_once(stage):
    stage.subscribe()
    for day in range(3):
        report = stage.run()
        assert not report.failed, list(lines(report))
        assert report.deliver.outputs.sent == 5
        assert stage.run().deliver.outputs.is_empty
        assert stage.mails() == day + 1
        stage.clock.sleep(DAY.total_seconds())

    titles = [paper["title"] for one in stage.hook.accepted for paper in one["data"]["sections"][0]["papers"]]
    assert titles == ["River 0", "River 1", "River 2"]
    assert len(set(stage.hook.ids)) == 3
    assert [len(texts) for texts in stage.rooms.values()] == [3, 3]
    assert sorted(one["title"] for one in stage.zotero.items.values()) == titles
    pages = {str(page.relative_to(stage.path / "public")) for page in (stage.path / "public").rglob("*.html")}
    assert pages == {"index.html", *(f"daily/2026-04-0{day}.html" for day in (2, 3, 4))}
    assert READER not in str([stage.hook.accepted, stage.rooms, stage.zotero.items])
    for file in stage.path.glob("test.db*"):
        assert not [secret for secret in SECRETS if secret.encode() in file.read_bytes()]


def test_outputs_that_fail_hold_up_no_email_and_are_sent_later(stage):
    stage.subscribe()
    stage.hook.answers = [Response(status=500)]
    stage.broken = {"hall"}
    stage.zotero.answers = [Response(status=503, headers={"Retry-After": "7200"})]

    report = stage.run()
    assert stage.mails() == 1
    assert not report.failed
    assert (report.deliver.outputs.sent, report.deliver.outputs.deferred) == (2, 3)
    shown = "\n".join(lines(report))
    assert "outputs  2 sent, 3 deferred" in shown
    assert "made-up" not in shown

    stage.broken.clear()
    stage.clock.sleep(3 * 3600)
    assert stage.run().deliver.outputs.sent == 3
    assert [len(texts) for texts in stage.rooms.values()] == [1, 1]
    assert len(stage.hook.accepted) == len(stage.zotero.items) == 1
    assert stage.mails() == 1


def test_an_output_that_is_given_up_fails_one_run_and_is_named_by_check(stage):
    stage.write(HOOK)
    stage.hook.answers = [Response(status=500)] * 99
    reports = []
    for _ in range(60):
        stage.hook.now = stage.clock.now()
        with stage.open() as app:
            reports.append(app.send_outputs() if reports else app.run().deliver)
        stage.clock.sleep(2 * 3600)

    assert [report.went_wrong for report in reports].count(True) == 1
    with stage.open() as app:
        (problem,) = check_outputs.problems(app)
    assert problem.startswith("output hook: 1 edition failed in the last 7 days: `digestmail outputs list hook`")
    stage.hook.answers.clear()
    stage.hook.now = stage.clock.now()
    with stage.open() as app:
        admin.retry(app.database, "hook", stage.clock.now())
        assert app.send_outputs().outputs.sent == 1


def test_a_database_that_is_lost_after_the_emails_leaves_their_report(stage, monkeypatch):
    stage.subscribe()

    def lost(*_: object, **__: object) -> None:
        raise StorageError("database test.db: disk I/O error")

    monkeypatch.setattr(worker.outputs, "claim", lost)
    report = stage.run()
    assert report.deliver.sent == stage.mails() == 1
    assert report.failed
    assert "outputs  0 sent; database test.db: disk I/O error" in list(lines(report))


def test_410_stops_the_output_and_says_so(stage):
    stage.write(HOOK)
    stage.hook.answers = [Response(status=410)]

    report = stage.run()
    assert report.failed
    stage.clock.sleep(DAY.total_seconds())
    assert stage.run().deliver.outputs.is_empty
    assert stage.hook.requests == 1
    with stage.open() as app:
        found = list(check_outputs.problems(app))
    assert any("was stopped on" in one and "`digestmail outputs retry hook` resumes it" in one for one in found)


def test_an_output_added_later_gets_no_old_editions_and_a_removed_one_is_cancelled(stage):
    stage.write(HOOK)
    stage.hook.answers = [Response(status=500)]
    stage.run()
    stage.write(SITE)
    stage.clock.sleep(3600)

    assert stage.run().deliver.outputs.cancelled == 1
    assert not (stage.path / "public").exists()
    stage.clock.sleep(DAY.total_seconds())
    assert stage.run().deliver.outputs.sent == 1
    assert [page.name for page in (stage.path / "public/daily").iterdir()] == ["2026-04-03.html"]


def test_a_machine_without_outputs_neither_imports_nor_stores_anything_for_them(stage):
    stage.write("")
    program = (
        "import sys; sys.path[:0] = [sys.argv[3]]; import runpy; sys.argv = ['x', *sys.argv[1:3]];"
        "runpy.run_path(sys.path[0] + '/output_run.py', run_name='__main__');"
        "print(sorted(name for name in sys.modules if name.startswith(('digestmail.outputs', 'apprise'))))"
    )
    done = _program("-c", program, str(stage.path / "config.toml"), THURSDAY.isoformat(), _tests())

    assert done.stdout.strip() == "[]", done.stderr


def test_a_process_that_is_killed_before_it_recorded_a_webhook_sends_it_again_with_the_same_id(stage):
    stage.write(HOOK + SITE)
    killed: list[subprocess.Popen[str]] = []

    def kill(request: Request) -> Response:
        """Take the message, and kill the sender before it can know."""
        stage.hook.receive(request)
        os.kill(killed[0].pid, signal.SIGKILL)
        return Response(status=204)

    stage.server.clear_all_handlers()
    stage.server.expect_request("/feed").respond_with_handler(stage._feed)
    stage.server.expect_oneshot_request("/hook").respond_with_handler(kill)
    command = [sys.executable, f"{_tests()}/output_run.py", str(stage.path / "config.toml"), THURSDAY.isoformat()]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        killed.append(process)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert len(stage.hook.ids) == 1

    stage.hook.listen(stage.server)
    assert stage.run().deliver.outputs.sent == 1, "the folder; the lease of the other row lasts"
    stage.clock.sleep(11 * 60)
    assert stage.run().deliver.outputs.sent == 1
    assert len(set(stage.hook.ids)) == 1
    assert len(stage.hook.ids) == 2
    assert len(stage.hook.accepted) == 1


def test_outputs_are_listed_retried_and_tested_from_the_command_line(stage, monkeypatch):
    stage.broken = {"hall"}
    stage.run()

    listed = digestmail(stage.path, "outputs", "list")
    assert "output chat: apprise, all digests" in listed
    assert sum(" sent " in line for line in listed.splitlines()) == 4
    assert "deferred" in digestmail(stage.path, "outputs", "list", "chat", "--state", "deferred")
    assert "json://" not in listed
    assert '"output": "zotero"' in digestmail(stage.path, "outputs", "list", "--json")
    assert "0 editions queued again" in digestmail(stage.path, "outputs", "retry", "hook")

    monkeypatch.setattr(stage.hook, "now", datetime.now(THURSDAY.tzinfo))
    assert "hook: sent; 204" in digestmail(stage.path, "outputs", "test", "hook")
    assert stage.hook.accepted[-1]["type"] == "edition.test"
    assert "the key may write" in digestmail(stage.path, "outputs", "test", "zotero")
    assert "test.html" in digestmail(stage.path, "outputs", "test", "site")
    tested = digestmail(stage.path, "outputs", "test", "chat", status=1)
    assert "sent; JSON" in tested
    assert "JSON answered 500" in tested
    assert "did you mean 'hook'?" in digestmail(stage.path, "outputs", "test", "hok", status=1)


def test_check_names_what_will_not_work_before_a_run_has_to(stage, monkeypatch):
    (stage.path / "public").write_text("a file")
    monkeypatch.setattr("digestmail.outputs.chat.find_spec", lambda _: None)

    with stage.open() as app:
        found = list(check_outputs.problems(app))
    assert sum("Apprise is not installed" in one for one in found) == 2
    assert f"output site: {stage.path / 'public'} is not a folder" in found
    assert not any(secret in one for one in found for secret in SECRETS)


def test_check_names_an_output_that_no_run_sends(stage):
    with stage.open() as app:
        app.collect()
        app.publish()
    stage.clock.sleep(3 * 3600)

    with stage.open() as app:
        found = list(check_outputs.problems(app))
    assert "output hook: 1 edition not sent for more than two hours" in " ".join(found)
    assert "output chat: 2 editions not sent for more than two hours" in " ".join(found)


def _tests() -> str:
    return str(Path(__file__).parents[1])


def _program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)
