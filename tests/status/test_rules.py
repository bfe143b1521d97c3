"""`digestmail check` names topics and rules that can have no effect, and what to write instead."""

from __future__ import annotations

from clirun import digestmail

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[[sources]]
name = "arxiv"
kind = "arxiv-feed"
categories = ["cs.LG"]
block = { words = ["survey"] }
keep = { words = ["survey of graphs"] }
[[sources]]
name = "blogs"
kind = "feed"
urls = ["https://a.example/x", "https://b.example/x"]
block = { patterns = ["."] }
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["arxiv", "blogs"]
topics = ["Agents", "Vision"]
block = { patterns = ["."] }
[[topics]]
name = "Agents"
[[topics]]
name = "Vision"
keywords = ["image"]
exclude = ["images"]
"""


def test_check_names_them(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    said = digestmail(tmp_path, "check", status=1)
    assert "digest daily: block: the pattern '.' matches every paper, so no paper is left: remove it" in said
    assert said.count("source blogs: block: the pattern '.' matches every paper") == 1
    assert "source arxiv: block leaves out everything that keep keeps (word 'survey of graphs')" in said
    assert "topic Vision: the keyword 'image' has no effect, because exclude leaves out such papers ('images')" in said
    assert "note: topic Agents has only a name" in said


def test_a_keyword_that_no_paper_can_contain_is_an_error(tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG.replace('["image"]', '["image", "--"]'), "utf-8")
    said = digestmail(tmp_path, "check", status=2)
    assert "topics" in said
    assert "contains only hyphens and spaces, so no paper contains it: write a word or a phrase" in said
