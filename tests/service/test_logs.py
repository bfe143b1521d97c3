"""The logs of `digestmail up` and `digestmail run`: one form, the number of the run, and the mail log in a file."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clirun import digestmail
from uprun import NOW, SOURCE, configure, get, running

from digestmail.demo.services import serving

LOGS = '[logs]\nformat = "json"\nmail_log = "mail.log"\n'


@pytest.fixture
def site(tmp_path) -> Iterator[Path]:
    with serving() as found:
        configure(tmp_path, SOURCE.format(found), more=LOGS)
        for number in range(3):
            digestmail(tmp_path, "subscribers", "add", f"reader{number}@example.org", "--digest", "daily", NOW)
        yield tmp_path


def runs(site: Path) -> list[int]:
    with sqlite3.connect(site / "digestmail.db") as connection:
        found = [number for (number,) in connection.execute("SELECT id FROM runs ORDER BY id")]
    connection.close()
    return found


def mail_log(site: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (site / "mail.log").read_text("utf-8").splitlines()]


def test_each_attempt_of_a_run_is_in_the_mail_log_with_the_number_of_the_run(site):
    digestmail(site, "run", "--quiet", NOW)
    (number,) = runs(site)
    attempts = mail_log(site)
    assert {line["log"] for line in attempts} == {"digestmail.mail"}
    assert sorted(line["subscriber"] for line in attempts) == [1, 2, 3]
    assert {(line["run"], line["state"], line["recorded"]) for line in attempts} == {(number, "sent", True)}
    assert stat.S_IMODE((site / "mail.log").stat().st_mode) == 0o600
    assert f"run {number} well" in digestmail(site, "status", status=1), "what the log says can be found in the status"


def test_what_is_delivered_outside_of_a_run_has_no_number(site):
    for verb in ("collect", "publish", "deliver"):
        digestmail(site, verb, "--quiet", NOW)
    assert [line.get("run") for line in mail_log(site)] == [None] * 3
    assert runs(site) == []


def test_all_that_up_logs_is_json_and_its_lines_have_the_number_of_their_run(site):
    config = site / "config.toml"
    with running(site, "up") as up:
        address = up.page()
        up.until('"message": "next run of digest daily')
        get(address)
        config.write_text(config.read_text("utf-8").replace('format = "json"', 'format = "text"'), "utf-8")
        up.process.send_signal(1)
        up.until("level=INFO log=digestmail.service reload: ")
        assert up.end() == 0
    (number, *_) = runs(site)
    *lines, last = up.lines[: next(at for at, line in enumerate(up.lines) if "reload: " in line) + 1]
    said = [json.loads(line) for line in lines]
    assert {line["run"] for line in said if line["message"].startswith(("collect ", "publish ", "deliver "))} == {
        number
    }
    assert last.startswith("20"), "a reload takes up [logs] first, so its own line has the new form"


def test_a_mail_log_that_cannot_be_written_is_a_problem_that_check_names(site):
    config = site / "config.toml"
    config.write_text(config.read_text("utf-8").replace('"mail.log"', '"away/mail.log"'), "utf-8")
    said = digestmail(site, "run", NOW)
    assert said.count("cannot be written") == 1
    assert "3 sent" in said
    assert "logs.mail_log: there is no folder" in digestmail(site, "check", status=1)


def test_what_threads_of_a_run_log_has_its_number_too(site):
    config = site / "config.toml"
    config.write_text(config.read_text("utf-8").replace('"json"', '"text"\nlevel = "debug"'), "utf-8")
    said = digestmail(site, "run", NOW)
    (number,) = runs(site)
    requests = [line for line in said.splitlines() if "log=digestmail.http" in line]
    assert requests
    assert all(f" run={number} host=127.0.0.1 status=" in line for line in requests)
