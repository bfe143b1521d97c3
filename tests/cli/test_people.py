"""`digestmail subscribers` and `digestmail secrets`: what the operator does for people."""

from __future__ import annotations

import json

import pytest
from clirun import digestmail

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
    assert "asked to be erased" in again


def test_secrets_are_rotated_and_forgotten(site):
    assert digestmail(site, "secrets", "rotate") == "a new secret signs; 1 older ones still verify\n"
    assert digestmail(site, "secrets", "rotate") == "a new secret signs; 2 older ones still verify\n"
    assert digestmail(site, "secrets", "rotate", "--forget") == "a new secret signs; 0 older ones still verify\n"
