from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime

import pytest
from clirun import digestmail

from digestmail.cli.options import notes_on, parse_now
from digestmail.demo.services import serving
from digestmail.mail.template_files import templates_directory

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "huggingface"
kind = "huggingface"
base_url = "{services}"
[[topics]]
name = "Agents"
keywords = ["agent"]
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
topics = ["Agents"]
"""

NOW = "--now=2026-04-02T12:00:00Z"


@pytest.fixture
def site(tmp_path):
    with serving() as services:
        (tmp_path / "config.toml").write_text(CONFIG.format(services=services), "utf-8")
        yield tmp_path


def test_the_whole_day_of_an_operator(site):
    checked = digestmail(site, "check", NOW, status=1)
    assert "not read yet" in checked
    assert "digest daily has no subscribers: `digestmail subscribers add ADDRESS --digest daily`" in checked
    said = digestmail(site, "subscribers", "add", "Reader@Example.ORG", "--digest", "daily", NOW)
    assert "Reader@example.org  active  daily (all topics)" in said
    dry_run = digestmail(site, "run", "--dry-run", NOW)
    assert "daily 2026-04-02: published" in dry_run
    assert "nothing was stored" in dry_run
    assert digestmail(site, "papers", "list") == ""
    assert "1 sent" in digestmail(site, "run", NOW)
    assert len(list((site / "mail" / "new").iterdir())) == 1
    again = digestmail(site, "run", NOW)
    assert "already-published" in again
    assert "0 sent" in again
    assert "fresh" in digestmail(site, "check", NOW)
    assert "2026-04-02" in digestmail(site, "editions", "list")
    edition = json.loads(digestmail(site, "editions", "show", "daily", "2026-04-02", "--json"))["edition"]
    first = edition["sections"][0]["entries"][0]["paper"]
    assert first["title"] in digestmail(site, "editions", "show", "daily", "2026-04-02")
    assert "published in daily 2026-04-02" in digestmail(site, "papers", "show", first["link"])
    assert "published on Thu 02 April 2026" in digestmail(site, "explain", first["id"])


def test_quiet_says_nothing_on_success_and_json_is_json(site):
    assert digestmail(site, "run", "--quiet", NOW) == ""
    report = json.loads(digestmail(site, "run", "--json", NOW))
    assert report["publish"]["digests"][0]["status"] == "already-published"
    assert report["collect"]["sources"][0]["health"][0]["health"] == "fresh"


def test_options_stand_after_the_command_and_usage_errors_are_2(site):
    assert "No such option" in digestmail(site, "run", "--bogus", status=2)
    assert "is not an ISO 8601 time" in digestmail(site, "run", "--now", "yesterday", status=2)
    assert "no configuration file" in digestmail(site, "run", "--config", "absent.toml", status=2)


def test_every_problem_of_a_configuration_is_one_line(site):
    (site / "config.toml").write_text('[mail]\nsender = "x"\nbogus = 1\n', "utf-8")
    said = digestmail(site, "check", status=2).splitlines()
    assert [line.split(":")[1].strip() for line in said] == ["mail.sender", "mail.bogus", "sources", "digests"]


def test_what_does_not_exist_is_an_error_with_a_hint(site):
    assert "did you mean 'daily'?" in digestmail(site, "subscribers", "add", "a@b.org", "--digest", "dayly", status=1)
    said = digestmail(site, "subscribers", "add", "a@b.org", "--digest", "daily", "--topic", "Agent", status=1)
    assert "did you mean 'Agents'?" in said
    assert "is not an email address" in digestmail(site, "subscribers", "add", "a@@b", "--digest", "daily", status=1)
    assert "is not a subscriber" in digestmail(site, "subscribers", "remove", "a@b.org", status=1)
    assert "there is no paper" in digestmail(site, "explain", "2604.99999", status=1)


def test_subscribers_are_added_listed_shown_and_removed(site):
    digestmail(site, "subscribers", "add", "a@example.org", "--digest", "daily", "--topic", "Agents")
    digestmail(site, "subscribers", "add", "b@example.org", "--digest", "daily")
    assert len(digestmail(site, "subscribers", "list").splitlines()) == 2
    assert json.loads(digestmail(site, "subscribers", "show", "a@example.org", "--json"))["state"] == "active"
    digestmail(site, "subscribers", "remove", "a@example.org")
    assert "unsubscribed" in digestmail(site, "subscribers", "show", "a@example.org")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_the_terminal_has_no_character_for_is_written_as_an_escape(site, encoding):
    config = (site / "config.toml").read_text("utf-8")
    (site / "config.toml").write_text(config.replace("Trending papers", "Überblick 深度"), "utf-8")
    digestmail(site, "collect", NOW)
    terminal = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    for words in (["run", NOW], ["papers", "list"], ["editions", "show", "daily", "2026-04-02"]):
        said = subprocess.run(
            [sys.executable, "-m", "digestmail", *words], cwd=site, env=terminal, capture_output=True, check=True
        )
        assert said.stderr == b""
        assert said.stdout.decode(encoding)
    assert rb"\u6df1\u5ea6" in said.stdout


def test_a_failing_source_is_status_1_and_says_why(site):
    config = (site / "config.toml").read_text("utf-8")
    (site / "config.toml").write_text(config.replace('allow_private_hosts = ["127.0.0.1"]', ""), "utf-8")
    said = digestmail(site, "run", "--quiet", NOW, status=1)
    assert "refused" in said


def test_paths_are_relative_to_the_configuration_not_to_where_one_stands(site, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    digestmail(
        elsewhere, "subscribers", "add", "a@example.org", "--digest", "daily", "--config", str(site / "config.toml")
    )
    digestmail(elsewhere, "run", NOW, "--config", str(site / "config.toml"))
    assert (site / "digestmail.db").exists()
    assert (site / "mail" / "new").is_dir()
    assert list(elsewhere.iterdir()) == []


def test_preview_writes_the_mail_that_would_go_out(site):
    digestmail(site, "collect", NOW)
    digestmail(site, "subscribers", "add", "agents@example.org", "--digest", "daily", "--topic", "Agents")
    said = digestmail(site, "preview", NOW, "--output", "out")

    assert "of 100,000 bytes" in said
    page, text = (site / "out" / "mail.html").read_text("utf-8"), (site / "out" / "mail.txt").read_text("utf-8")
    assert "<h1" in page
    assert "Trending papers" in text
    raw = (site / "out" / "mail.eml").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n")
    report = json.loads((site / "out" / "rules.json").read_text("utf-8"))
    assert report["passed"]
    assert (report["digest"], report["edition"], report["limit"]) == ("daily", "next", 100_000)
    assert all(rule["passed"] for rule in report["rules"])
    assert "daily  2026" not in digestmail(site, "editions", "list")

    digestmail(site, "preview", NOW, "--output", "out", "--reader", "agents@example.org")
    assert json.loads((site / "out" / "rules.json").read_text("utf-8"))["papers"] < report["papers"]


def test_preview_shows_the_sample_while_there_is_nothing_to_send(site):
    digestmail(site, "preview", "--output", "out")
    assert json.loads((site / "out" / "rules.json").read_text("utf-8"))["edition"] == "sample"


def test_preview_leaves_with_1_when_a_rule_is_broken(site):
    own = site / "own" / "email"
    shutil.copytree(templates_directory() / "email", own)
    edition = own / "frame.mjml"
    edition.write_text(edition.read_text("utf-8").replace("</h1>", '</h1><p style="position:fixed">x</p>', 1), "utf-8")
    config = (site / "config.toml").read_text("utf-8")
    (site / "config.toml").write_text(f'templates_dir = "own"\n{config}', "utf-8")

    said = digestmail(site, "preview", "--edition", "sample", "--output", "out", status=1)

    assert "broken: 18 plain-layout: a style with position:fixed" in said
    assert not json.loads((site / "out" / "rules.json").read_text("utf-8"))["passed"]


def test_a_topic_that_the_digest_does_not_offer_is_named_with_what_to_do(site):
    words = ("subscribers", "add", "a@example.org", "--digest", "daily", "--topic", "Robots")
    assert "has no topic 'Robots'; there are: Agents" in digestmail(site, *words, status=1)
    path = site / "config.toml"
    path.write_text(path.read_text("utf-8").replace('topics = ["Agents"]', ""), "utf-8")
    assert "it offers none; list some in topics of its [[digests]] table" in digestmail(site, *words, status=1)


def test_preview_says_what_does_not_exist(site):
    assert "there is no digest 'x'" in digestmail(site, "preview", "--digest", "x", "--output", "out", status=1)
    assert "there is no edition" in digestmail(site, "preview", "--edition", "2020-01-01", "--output", "o", status=1)
    assert "is not a subscriber" in digestmail(site, "preview", "--reader", "a@example.org", "--output", "o", status=1)
    assert not (site / "out").exists()


def test_preview_serves_the_page_until_it_is_interrupted(site):
    program = subprocess.Popen(
        [sys.executable, "-m", "digestmail", "preview", "--no-browser", "--edition", "sample"],
        cwd=site,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = program.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/\?edition=sample", address)
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - loopback
            assert "Trending papers" in answer.read().decode()
    finally:
        program.send_signal(signal.SIGINT)
        left = program.wait(timeout=30)
        program.stdout.close()
    assert left == 0


def test_check_is_not_well_when_a_source_is_not(site):
    config = (site / "config.toml").read_text("utf-8")
    (site / "config.toml").write_text(config.replace('allow_private_hosts = ["127.0.0.1"]', ""), "utf-8")
    digestmail(site, "collect", NOW, status=1)
    assert "problem: source huggingface: refused" in digestmail(site, "check", NOW, status=1)


def test_trouble_with_files_is_a_sentence_too(site):
    assert "File exists" in digestmail(site, "preview", NOW, "--output", "config.toml", status=1)
    assert "is not within" in digestmail(site, "run", "--now", "0001-01-01", status=2)


def test_a_back_fill_beside_a_worker_sends_nothing_twice(site):
    for number in range(30):
        digestmail(site, "subscribers", "add", f"p{number}@example.org", "--digest", "daily", NOW)
    digestmail(site, "collect", NOW)
    digestmail(site, "publish", NOW)
    command = [sys.executable, "-m", "digestmail", "deliver"]
    both = [subprocess.Popen([*command, *more], cwd=site, stdout=subprocess.PIPE, text=True) for more in ([], [NOW])]
    said = "".join(worker.communicate(timeout=60)[0] for worker in both)
    assert sum(int(count) for count in re.findall(r"(\d+) sent", said)) == 30
    assert len(list((site / "mail" / "new").iterdir())) == 30


def test_two_runs_at_once_do_no_harm(site):
    digestmail(site, "subscribers", "add", "a@example.org", "--digest", "daily")
    command = [sys.executable, "-m", "digestmail", "run", NOW]
    runs = [subprocess.Popen(command, cwd=site, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert len(list((site / "mail" / "new").iterdir())) == 1


def test_up_catches_up_and_ends_cleanly_on_sigterm(site):
    digestmail(site, "collect", NOW)
    with subprocess.Popen(
        [sys.executable, "-m", "digestmail", "up", "--no-web"], cwd=site, stderr=subprocess.PIPE, text=True
    ) as serving_process:
        assert serving_process.stderr is not None
        lines = []
        for line in serving_process.stderr:
            lines.append(line)
            if "deliver" in line:
                break
        os.kill(serving_process.pid, signal.SIGTERM)
        rest = serving_process.stderr.read()
    assert serving_process.returncode == 0, "".join(lines) + rest
    assert "Traceback" not in "".join(lines) + rest


def test_templates_are_listed_copied_and_checked(site):
    config = site / "config.toml"
    config.write_text('templates_dir = "own"\n' + config.read_text("utf-8"), "utf-8")
    (site / "own").mkdir()

    assembled = "If an edition has many different emails, they are assembled from parts.\n"
    assert digestmail(site, "templates", "check") == f"{assembled}all well\n"
    digestmail(site, "templates", "copy", "email/subject.txt", "locales/de.po")
    listed = digestmail(site, "templates", "list")
    assert re.search(r"(?m)^email/subject\.txt +yours$", listed)
    assert re.search(r"(?m)^email/edition\.mjml +digestmail's$", listed)
    assert "is there already" in digestmail(site, "templates", "copy", "email/subject.txt", status=1)
    assert "no template 'email/none'" in digestmail(site, "templates", "copy", "email/none", status=1)

    (site / "own" / "email" / "subject.txt").write_text("{{ title }}, {{ sections | length }}")
    checked = digestmail(site, "templates", "check")
    assert checked.startswith("slow: email/subject.txt, line 1: `sections` differs between emails")
    assert "rendered one by one" in checked
    assert checked.endswith("all well\n")

    (site / "own" / "email" / "subject.txt").write_text("{{ title }}\n{{ nothing }}")
    assert digestmail(site, "templates", "check", status=1) == (
        "problem: email/subject.txt, line 2: 'nothing' is undefined\n"
    )


def test_templates_cannot_be_copied_nowhere(site):
    assert "templates_dir is not set" in digestmail(site, "templates", "copy", "email/subject.txt", status=1)


# -- first steps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "lines"),
    [
        ("localhost", ['host = "localhost"', "port = 25"]),
        ("smtp.example.org:2525", ['host = "smtp.example.org"', "port = 2525"]),
        ("[::1]:25", ['host = "::1"', "port = 25"]),
        ("[2001:db8::1]", ['host = "2001:db8::1"', "port = 25"]),
        ("smtp.example.org:465", ["port = 465", 'security = "tls"']),
        ("smtp.example.org:587", ["port = 587", 'security = "starttls"']),
    ],
)
def test_init_writes_the_server_it_is_given_in_the_mode_of_its_port(tmp_path, server, lines):
    said = digestmail(tmp_path, "init", "--sender", "digest@example.org", "--server", server)
    written = (tmp_path / "config.toml").read_text("utf-8")
    assert all(line in written for line in lines)
    assert ("security" in written) is any("security" in line for line in lines)
    assert "byline" not in written
    assert written.count("[[topics]]") > 2
    assert "digestmail subscribers add YOU@example.org" in said
    assert "       digestmail up    # stays" in said


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("localhost:abc", "'abc' is not a port"),
        ("localhost:", "'' is not a port"),
        ("localhost:0", "'0' is not a port"),
        ("localhost:65536", "'65536' is not a port"),
        (":25", "there is no host in ':25'"),
        ("", "there is no host in ''"),
        ("a b", "'a b' is not a host name"),
        ("::1", "put brackets around an IPv6 address: [::1]:25"),
        ("[::1", "is not HOST[:PORT]"),
        ("[127.0.0.1]:25", "'127.0.0.1' in brackets is not an IPv6 address"),
        ("smtp://localhost:25", "is not HOST[:PORT]"),
    ],
)
def test_init_refuses_what_is_no_server_and_writes_nothing(tmp_path, server, said):
    found = digestmail(tmp_path, "init", "--sender", "digest@example.org", "--server", server, status=2)
    assert said in " ".join(found.split())
    assert not list(tmp_path.iterdir())


def test_init_says_what_is_in_the_way(tmp_path):
    (tmp_path / "config.toml").write_text("mine")
    words = ["init", "--sender", "digest@example.org"]
    assert "exists and was not changed" in digestmail(tmp_path, *words, status=1)
    assert "there is no folder" in digestmail(tmp_path, *words, "--config", "no/config.toml", status=1)
    assert "not a mail address" in digestmail(tmp_path, "init", "--sender", "me", "--config", "b.toml", status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("words", [["-c", "{}", "editions", "list"], ["editions", "list", "--config", "{}"]])
def test_the_configuration_is_named_before_or_after_the_command(site, words):
    (site / "config.toml").rename(site / "other.toml")
    digestmail(site, *(word.format("other.toml") for word in words))


@pytest.mark.parametrize("words", [["-h"], ["run", "-h"], ["subscribers", "-h"], ["subscribers", "add", "-h"]])
def test_minus_h_is_help_everywhere(tmp_path, words):
    assert digestmail(tmp_path, *words).startswith("Usage: digestmail")


def test_a_reader_is_added_with_everything_they_want_and_shown_with_it(site):
    digestmail(site, "subscribers", "add", "a@example.org", "--topic", "AGENTS", "--hour", "7", "--language", "de", NOW)
    said = digestmail(site, "subscribers", "show", "a@example.org")
    assert re.search(r"digest daily +Agents, at 7:00", said)
    assert re.search(r"language +de", said)
    assert re.search(r"subscribed +Thu 2026-04-02 12:00 UTC", said)
    digestmail(site, "subscribers", "add", "a@example.org", NOW)
    assert re.search(r"digest daily +all topics, at 7:00", digestmail(site, "subscribers", "show", "a@example.org"))
    digestmail(site, "subscribers", "add", "a@example.org", "--cadence", "weekly", NOW)
    assert re.search(r"all topics, weekly, at 7:00", digestmail(site, "subscribers", "show", "a@example.org"))
    refused = digestmail(site, "subscribers", "add", "a@example.org", "--cadence", "weekli", NOW, status=1)
    assert "there is no cadence 'weekli'; did you mean 'weekly'?" in refused
    digestmail(site, "suppressions", "add", "a@example.org", "--reason", "asked by phone", NOW)
    assert "asked by phone" in digestmail(site, "subscribers", "show", "a@example.org")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--language", "xx"], "'xx' is none of de, en, fr, he"),
        (["--hour", "24"], "less than or equal to 23"),
        (["--timezone", "Europe/Berln"], "did you mean 'Europe/Berlin'?"),
    ],
)
def test_what_no_reader_can_want_is_refused_before_they_are_added(site, words, said):
    assert said in digestmail(site, "subscribers", "add", "a@example.org", *words, status=2)
    assert digestmail(site, "subscribers", "list") == ""


def test_the_digest_has_to_be_named_only_if_there_are_several(site):
    written = (site / "config.toml").read_text("utf-8")
    second = written[written.index("[[digests]]") :].replace("daily", "weekly")
    (site / "config.toml").write_text(written + second, "utf-8")
    assert "choose one of daily, weekly" in digestmail(site, "subscribers", "add", "a@example.org", status=2)


def test_a_paper_is_found_by_its_title_or_words_of_it(site):
    digestmail(site, "collect", NOW)
    listed = json.loads(digestmail(site, "papers", "list", "--json"))
    title, paper_id = listed[0]["title"], listed[0]["id"]
    assert digestmail(site, "explain", title.upper(), NOW).startswith(paper_id)
    assert digestmail(site, "papers", "show", title).startswith(title)
    several = digestmail(site, "explain", "ing", NOW, status=1)
    assert "several papers have 'ing' in their title" in several
    assert several.count("\n") > 2
    assert "there is no paper 'zzzz'" in digestmail(site, "explain", "zzzz", NOW, status=1)


@pytest.mark.parametrize("command", [["explain"], ["papers", "show"], ["papers", "list", "--source"]])
def test_an_argument_that_is_no_text_is_refused_without_a_traceback(site, command):
    said = digestmail(site, *command, "caf\udce9", status=2)
    assert said == "digestmail: 'caf\\udce9' is not text in this terminal's encoding; write it in UTF-8\n"


@pytest.mark.parametrize(
    ("given", "notes"),
    [
        ("2026-04-02T12:00:00Z", []),
        ("2026-04-02T14:00:00+02:00", []),
        ("2026-04-02T12:00:00", ["--now has no time zone and counts as UTC: 2026-04-02T12:00:00Z"]),
        ("2026-04-02", ["--now has no time zone and counts as UTC: 2026-04-02T00:00:00Z"]),
        ("2026-05-02T12:00:00Z", ["--now is in the future; what this run stores is dated 2026-05-02 12:00 UTC"]),
        ("2026-05-02T01:00:00+02:00", ["--now is in the future; what this run stores is dated 2026-05-01 23:00 UTC"]),
    ],
)
def test_a_time_without_zone_or_of_the_future_is_said(given, notes):
    assert list(notes_on(given, parse_now(given), datetime(2026, 4, 2, 12, tzinfo=UTC))) == notes


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_programs_read_is_utf_8_and_what_people_read_never_fails(site, encoding):
    (site / "config.toml").write_text(
        (site / "config.toml").read_text("utf-8").replace('"Agents"', '"Überblick"'), "utf-8"
    )
    digestmail(site, "subscribers", "add", "jürgen@example.org", "--topic", "überblick", NOW)
    environment = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}

    def said(*words: str) -> bytes:
        program = [sys.executable, "-c", "from digestmail.cli.main import main; main()", *words]
        return subprocess.run(program, cwd=site, env=environment, capture_output=True, check=True).stdout

    assert json.loads(said("subscribers", "list", "--json"))[0]["subscriptions"][0]["topics"] == ["Überblick"]
    assert "Überblick" in said("subscribers", "export").decode("utf-8")
    assert b"berblick" in said("subscribers", "list")
