"""Log lines: one a record, the number of the run in all of them, and a mail log that only its owner reads."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import stat
import sys
import threading
from pathlib import Path

import pytest
from clirun import undo_logging

from digestmail.collect.lanes import run_lanes
from digestmail.logs.formats import JsonFormatter, RunFilter, TextFormatter
from digestmail.logs.runs import current_run, in_same_run, name_run, run_scope
from digestmail.logs.setup import MAIL_LOG, LogSettings, set_up_logging

UP = logging.getLogger("digestmail.up")
MAIL = logging.getLogger(MAIL_LOG)
OTHERS = logging.getLogger("another.library")


@pytest.fixture(autouse=True)
def _undone():
    root = logging.getLogger()
    level = root.level
    yield
    undo_logging(root, level)


def lines(capsys) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_text_has_time_zone_level_logger_and_message(capsys):
    set_up_logging(LogSettings(), level=logging.INFO)
    UP.info("collect  %s", "arxiv")
    (line,) = lines(capsys)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d level=INFO log=digestmail\.up collect  arxiv", line
    )


@pytest.mark.parametrize("json_lines", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("breaking", ["\n", "\r\n", "\x85", "\u2028", "\x1b[2J", "\x00"])
def test_what_a_server_says_cannot_forge_a_line(capsys, json_lines, breaking):
    set_up_logging(LogSettings(json=json_lines), level=logging.INFO)
    UP.warning("reply=%s", f"550 no{breaking}level=INFO forged")
    (line,) = lines(capsys)
    assert line.isprintable()


def test_json_has_one_object_a_line_also_with_a_traceback(capsys):
    set_up_logging(LogSettings(json=True), level=logging.INFO)
    with run_scope():
        name_run(17)
        try:
            int("a\nb")
        except ValueError:
            UP.exception("part %s crashed", "run")
    (line,) = lines(capsys)
    said = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said.pop("time"))
    assert said.pop("exception").startswith("Traceback")
    assert said == {"level": "ERROR", "log": "digestmail.up", "message": "part run crashed", "run": 17}


def test_other_libraries_are_heard_from_warning_on(capsys):
    set_up_logging(LogSettings(level=logging.DEBUG), level=logging.WARNING)
    OTHERS.info("a password")
    OTHERS.warning("a warning")
    UP.debug("ours")
    assert [line.split()[-1] for line in lines(capsys)] == ["warning", "ours"]


@pytest.mark.parametrize(
    ("level", "default", "quiet", "heard"),
    [
        (None, logging.INFO, False, "IWE"),
        (None, logging.WARNING, False, "WE"),
        (logging.ERROR, logging.INFO, False, "E"),
        (logging.DEBUG, logging.WARNING, False, "DIWE"),
        (logging.DEBUG, logging.INFO, True, "WE"),
        (logging.ERROR, logging.INFO, True, "E"),
    ],
)
def test_the_configured_level_counts_and_quiet_only_raises_it(capsys, level, default, quiet, heard):
    set_up_logging(LogSettings(level=level), level=default, quiet=quiet)
    for name in ("debug", "info", "warning", "error"):
        getattr(UP, name)(name[0].upper())
    assert "".join(line[-1] for line in lines(capsys)) == heard


def test_configuring_again_replaces_what_was_configured(capsys, tmp_path):
    set_up_logging(LogSettings(mail_log=tmp_path / "a.log"), level=logging.INFO)
    MAIL.info("to a file")
    set_up_logging(LogSettings(json=True), level=logging.INFO)
    MAIL.info("to standard error")
    assert (tmp_path / "a.log").read_text().count("\n") == 1
    assert [json.loads(line)["message"] for line in lines(capsys)] == ["to standard error"]


# -- the run -----------------------------------------------------------------------------------------------------------


def test_a_run_has_its_number_until_its_scope_ends():
    assert current_run() is None
    with run_scope():
        assert current_run() is None
        name_run(3)
        assert current_run() == 3
    assert current_run() is None
    name_run(4)
    assert current_run() is None, "without a scope there is nothing to name"


def test_two_runs_at_once_keep_their_numbers():
    both = threading.Barrier(2)
    found: list[tuple[int, int | None]] = []

    def run(number: int) -> None:
        with run_scope():
            name_run(number)
            both.wait(10)
            found.append((number, current_run()))

    threads = [threading.Thread(target=run, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(1, 1), (2, 2)]


def test_a_thread_of_a_run_has_its_number_and_others_do_not():
    found: list[int | None] = []

    def look() -> None:
        found.append(current_run())

    with run_scope():
        name_run(5)
        for work in (in_same_run(look), look):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    assert found == [5, None]


def test_what_reading_a_source_logs_has_the_number_of_the_run():
    with run_scope():
        name_run(6)
        assert list(run_lanes([["a"], ["b"]], lambda _: current_run(), lambda: False)) == [6, 6]


# -- the mail log ------------------------------------------------------------------------------------------------------


def test_the_mail_log_is_private_and_apart_whatever_level_and_quiet_say(capsys, tmp_path):
    path = tmp_path / "mail.log"
    before = os.umask(0)
    try:
        set_up_logging(LogSettings(mail_log=path, level=logging.ERROR), level=logging.INFO, quiet=True)
        assert not path.exists(), "a command that sends nothing makes no file"
        MAIL.info("edition=1 subscriber=2 state=sent")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().endswith("log=digestmail.mail edition=1 subscriber=2 state=sent\n")
    assert lines(capsys) == []


@pytest.mark.parametrize("how", ["moved", "moved-and-created", "removed"])
def test_the_mail_log_is_opened_again_after_logrotate(tmp_path, how):
    path = tmp_path / "mail.log"
    set_up_logging(LogSettings(mail_log=path), level=logging.INFO)
    MAIL.info("one")
    if how == "removed":
        path.unlink()
    else:
        path.rename(tmp_path / "mail.log.1")
    if how == "moved-and-created":
        path.touch(0o600)
    MAIL.info("two")
    MAIL.info("three")
    assert [line.split()[-1] for line in path.read_text().splitlines()] == ["two", "three"]


def test_a_mail_log_that_cannot_be_written_is_said_once_and_stops_nothing(capsys, tmp_path):
    path = tmp_path / "away/mail.log"
    set_up_logging(LogSettings(mail_log=path), level=logging.INFO)
    MAIL.info("one")
    MAIL.info("two")
    (line,) = lines(capsys)
    assert f"the mail log {path} cannot be written: No such file or directory; emails are sent" in line
    path.parent.mkdir()
    MAIL.info("three")
    assert path.read_text().endswith(" three\n")
    path.parent.rename(tmp_path / "gone")
    MAIL.info("four")
    assert len(lines(capsys)) == 1, "it failed anew, so that is said anew"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, which is always full, is on Linux only")
def test_a_full_disk_is_said_once_without_a_traceback(capsys):
    set_up_logging(LogSettings(mail_log=Path("/dev/full")), level=logging.INFO)
    for number in range(3):
        MAIL.info("line %d", number)
    (line,) = lines(capsys)
    assert "No space left on device" in line


class Broken(io.StringIO):
    """A standard error whose reader is gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_standard_error_that_is_closed_stops_nothing(monkeypatch, tmp_path):
    set_up_logging(LogSettings(mail_log=tmp_path / "away/mail.log"), level=logging.INFO)
    broken = Broken()
    monkeypatch.setattr(sys, "stderr", broken)
    UP.info("one")
    MAIL.info("two")
    assert broken.getvalue() == ""


def test_fields_of_a_record_are_keys_in_json():
    record = logging.LogRecord("digestmail.mail", logging.INFO, "", 0, "edition=%d", (1,), None)
    record.fields = {"edition": 1, "code": None}
    assert RunFilter().filter(record)
    said = json.loads(JsonFormatter().format(record))
    assert (said["edition"], said["code"], "run" in said) == (1, None, False)
    assert "edition=1" in TextFormatter().format(record)
