from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clirun import digestmail
from websites import publish

from digestmail.storage.database import Database

CONFIG = """
database = "sqlite:///site.db"
[mail]
sender = "digest@example.org"
transport = "maildir"
[[sources]]
name = "huggingface"
kind = "huggingface"
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


@pytest.fixture
def site(tmp_path, sqlite_template):
    shutil.copy(sqlite_template, tmp_path / "site.db")
    database = Database.open(f"sqlite:///{tmp_path / 'site.db'}", base=Path())
    publish(database, 0)
    publish(database, 1)
    database.close()
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    return tmp_path


def test_papers_are_cited_in_the_order_they_are_named_in(site):
    said = digestmail(site, "papers", "cite", "2602.00001", "https://arxiv.org/abs/2601.00002")
    assert re.findall(r"(?m)^@misc\{(.*),$", said) == ["arxiv-2602.00001", "arxiv-2601.00002"]


def test_an_edition_is_cited_in_every_format(site):
    assert digestmail(site, "editions", "cite", "daily", "2026-04-02").count("@misc{") == 7
    assert digestmail(site, "editions", "cite", "daily", "2026-04-02", "--format", "ris").count("TY  - UNPB") == 7
    items = json.loads(digestmail(site, "editions", "cite", "daily", "2026-04-02", "--format", "csl-json"))
    assert len({item["id"] for item in items}) == 7
    topic = digestmail(site, "editions", "cite", "daily", "2026-04-02", "--topic", "Agents")
    assert topic.count("@misc{") == 2


def test_a_search_is_cited_newest_first(site):
    said = digestmail(site, "papers", "cite", "--search", "cache")
    assert re.findall(r"(?m)^@misc\{(.*),$", said) == ["arxiv-2601.00002", "arxiv-2602.00002"]


def test_what_cannot_be_cited_is_an_error_that_names_it(site):
    assert "there is no paper '2604.99999'" in digestmail(site, "papers", "cite", "2601.00001", "2604.99999", status=1)
    assert "there is no edition '1999-01-01' of daily; the last are 2026-04-02" in digestmail(
        site, "editions", "cite", "daily", "1999-01-01", status=1
    )
    assert "there is no topic 'None'" in digestmail(
        site, "editions", "cite", "daily", "2026-04-02", "--topic", "None", status=1
    )
    assert "use --search" in digestmail(site, "papers", "cite", status=2)
    assert "use --search" in digestmail(site, "papers", "cite", "2601.00001", "--search", "cache", status=2)
    assert "bibtex" in digestmail(site, "papers", "cite", "2601.00001", "--format", "word", status=2)


def test_a_bibliography_is_utf_8_on_any_terminal(site):
    terminal = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    command = [sys.executable, "-m", "digestmail", "papers", "cite", "2601.00002", "--format", "ris"]
    said = subprocess.run(command, cwd=site, env=terminal, capture_output=True, check=True)
    assert "AU  - Étude, Zoë\r\n" in said.stdout.decode("utf-8")
    assert b"\r\r\n" not in said.stdout
