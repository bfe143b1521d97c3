"""`digestmail subscribers` and `digestmail secrets`."""

from __future__ import annotations

import json
import re

import pytest
from clirun import digestmail
from fakes import THURSDAY, sighting

from digestmail.cli.options import open_app
from digestmail.model.personal import ReadingListKind
from digestmail.storage import feedback, papers, reading_lists
from digestmail.subscribers import admin, interests

CONFIG = """
database = "sqlite:///digestmail.db"
[mail]
sender = "digest@example.org"
transport = "maildir"
[[sources]]
name = "huggingface"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["huggingface"]
"""
NOW = ("--now", "2026-04-02T12:00:00Z")


@pytest.fixture
def site(tmp_path):
    """A configured installation with one subscriber; return its directory."""
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    digestmail(tmp_path, "subscribers", "add", "a@example.org", "--digest", "daily", *NOW)
    return tmp_path


def test_a_pause_lasts_until_a_day_and_can_be_ended(site):
    said = digestmail(site, "subscribers", "pause", "a@example.org", "--until", "2026-05-01", *NOW)
    assert said == "a@example.org  active  daily (all topics)  paused until 2026-05-01\n"
    assert "paused" in digestmail(site, "subscribers", "show", "a@example.org")
    assert "paused" not in digestmail(site, "subscribers", "pause", "a@example.org", "--end", *NOW)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "either --until DATE or --end"),
        (("--until", "2026-05-01", "--end"), 2, "either --until DATE or --end"),
        (("--until", "soon"), 2, "ISO 8601"),
        (("--until", "2026-04-01"), 1, "within the next year"),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(site, words, status, said):
    answer = digestmail(site, "subscribers", "pause", "a@example.org", *words, *NOW, status=status)
    assert said in " ".join(answer.replace("│", " ").split())


def test_who_is_erased_is_gone_and_cannot_be_added_again(site):
    assert json.loads(digestmail(site, "subscribers", "erase", "A@example.org", "--json", *NOW)) == {
        "removed": True,
        "deliveries": 0,
    }
    assert digestmail(site, "subscribers", "list") == ""
    assert "not a subscriber" in digestmail(site, "subscribers", "erase", "a@example.org", *NOW, status=1)
    again = digestmail(site, "subscribers", "add", "a@example.org", "--digest", "daily", *NOW, status=1)
    assert "data was erased" in again


def test_secrets_are_rotated_and_forgotten(site):
    assert digestmail(site, "secrets", "rotate") == "created a new signing secret; 1 older secret still accepted\n"
    assert digestmail(site, "secrets", "rotate") == "created a new signing secret; 2 older secrets still accepted\n"
    assert (
        digestmail(site, "secrets", "rotate", "--forget")
        == "created a new signing secret; 0 older secrets still accepted\n"
    )


def test_people_go_out_and_come_in(site):
    said = digestmail(site, "subscribers", "export", "--output", "people.csv")
    assert said == "1 row in people.csv\n"
    assert (site / "people.csv").stat().st_mode & 0o077 == 0
    rows = (site / "people.csv").read_text("utf-8")
    assert digestmail(site, "subscribers", "export").replace("\r\n", "\n") == rows
    (site / "more.csv").write_bytes(
        b"\xef\xbb\xbfaddress,digest\r\nb@example.org,daily\r\na@example.org,daily\r\n\xe4@x.org,daily\r\n"
    )
    command = ("subscribers", "import", "more.csv", "--consent-source", "desk", "--consent-at", "2026-01-01", *NOW)
    assert digestmail(site, *command, "--dry-run", status=1).splitlines() == [
        "line 2: added",
        "line 3: already subscribed",
        "line 4: the row is not valid UTF-8 or contains NUL",
        "1 would be added, 0 would be changed, 1 skipped (already subscribed), 1 failed",
    ]
    assert digestmail(site, *command, status=1).splitlines() == [
        "line 4: the row is not valid UTF-8 or contains NUL",
        "1 added, 0 changed, 1 skipped (already subscribed), 1 failed",
    ]
    assert json.loads(digestmail(site, *command, "--json", status=1))["skipped"] == [["already subscribed", 2]]
    assert digestmail(site, *command, "--quiet", status=1).splitlines()[0].startswith("line 4: ")


def test_a_file_that_is_not_there_or_no_csv_is_a_sentence(site):
    assert "nowhere.csv" in digestmail(site, "subscribers", "import", "nowhere.csv", status=1)
    (site / "sheet.csv").write_bytes("name,town\n".encode("utf-16"))
    assert "first line must name" in digestmail(site, "subscribers", "import", "sheet.csv", status=1)
    assert "or neither" in digestmail(site, "subscribers", "import", "sheet.csv", "--consent-source", "desk", status=1)


def test_a_subscriber_is_shown_with_interests_reading_lists_and_feedback(site):
    plain = digestmail(site, "subscribers", "show", "a@example.org")
    assert not any(word in plain for word in ("interests", "exploration", "list ", "feedback"))
    with open_app(site / "config.toml") as app:
        (found,) = admin.list_all(app.database)
        profile = interests.checked("protein\nfolding", ["Ada Example"], ["survey"], 0.4)
        interests.save(app.database, found.id, profile, THURSDAY)
        interests.add_file(app.database, found.id, "my.ris", b"TY  - JOUR\nTI  - A paper\nER  -\n", THURSDAY)
        interests.add_list(app.database, found.id, ReadingListKind.ORCID, "0000-0002-1825-0097", THURSDAY)
        with app.database.begin() as connection:
            papers.add_sightings(connection, [sighting(1)], THURSDAY)
            feedback.store(connection, found.id, 1, THURSDAY, liked=False)
            (_, second) = reading_lists.of(connection, found.id)
            reading_lists.record_failure(connection, second.id, "HTTP 404", THURSDAY)
    said = digestmail(site, "subscribers", "show", "a@example.org")
    for fact in (
        r"interests +protein folding\n",
        r"followed authors +Ada Example\n",
        r"blocked words +survey\n",
        r"exploration +40%\n",
        r"list file +my\.ris: 1 paper, read Thu 2026-04-02",
        r"list orcid +0000-0002-1825-0097: 0 papers, not read yet; HTTP 404\n",
        r"feedback +0 more like this, 1 less like this\n",
    ):
        assert re.search(fact, said), fact
    shown = json.loads(digestmail(site, "subscribers", "show", "a@example.org", "--json"))
    assert (shown["address"], shown["interests"]["profile"]["authors"]) == ("a@example.org", ["Ada Example"])
    assert [one["papers"] for one in shown["interests"]["reading_lists"]] == [1, 0]
