"""New sources at the end of a configuration file."""

from __future__ import annotations

import pytest

from digestmail.config.load import load
from digestmail.config.source_tables import append, as_toml, check_name, new_sources
from digestmail.config.sources import FeedTable, HuggingFaceTable
from digestmail.errors import ConfigError

SMALL = """\
# My digest
[mail]
sender = "digest@example.org"

[[sources]]
name = "blog"   # the lab's
kind = "feed"
url = "https://blog.example.org/feed"

[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["blog"]
"""
BLOG = FeedTable(name="blog", kind="feed", url="https://blog.example.org/feed")


def names(*wanted: tuple[str, str]) -> list[str]:
    return [table.name for table in new_sources(wanted, [BLOG]).tables]


def test_a_name_is_made_of_the_title_or_the_host():
    assert names(
        ("Zoë's  Lab: News!", "https://a.example/1"),
        ("", "https://www.b.example/2"),
        ("日本語", "https://c.example:8080/3"),
        ("Blog", "https://d.example/4"),
        ("blog", "https://d.example/5"),
        ("x" * 60, "https://e.example/6"),
        ("x" * 60, "https://e.example/7"),
    ) == ["zoe-s-lab-news", "b-example", "c-example", "blog-2", "blog-3", "x" * 40, "x" * 38 + "-2"]


def test_duplicates_are_found_whatever_scheme_or_case():
    found = new_sources(
        [
            ("", "http://BLOG.example.org/feed#top"),
            ("", "https://a.example"),
            ("", "https://a.example:443/"),
            ("", "https://a.example/Feed"),
            ("", "https://a.example/feed?x=1"),
        ],
        [BLOG],
    )
    assert [table.address for table in found.tables] == [
        "https://a.example",
        "https://a.example/Feed",
        "https://a.example/feed?x=1",
    ]
    assert len(found.duplicates) == 2


@pytest.mark.parametrize("address", ["feed://a.example/x", "feed:http://a.example/x", "feed://http://a.example/x"])
def test_the_scheme_of_feed_readers_is_understood(address):
    assert new_sources([("", address)], []).tables[0].address == "http://a.example/x"


@pytest.mark.parametrize(
    "address", ["", "ftp://a.example/", "file:///etc/passwd", "https://me:hush@a.example/feed", "https://[::1/feed"]
)
def test_what_cannot_be_a_source_is_refused_with_a_reason(address):
    found = new_sources([("x", address)], [])
    assert found.tables == ()
    ((_, reason),) = found.refused
    assert reason
    assert "hush" not in reason


def test_a_feed_of_arxiv_becomes_a_source_of_its_kind():
    (table,) = new_sources([("cs.LG updates on arXiv.org", "http://rss.arxiv.org/rss/cs.LG+cs.CL")], []).tables
    assert as_toml([table]) == (
        '\n[[sources]]\nname = "cs-lg-updates-on-arxiv-org"\nkind = "arxiv-feed"\ncategories = ["cs.LG", "cs.CL"]\n'
    )
    assert new_sources([("", "https://rss.arxiv.org/rss/cs.LG+cs.CL")], [table]).duplicates


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n# the end"])
def test_what_is_appended_is_all_that_changes(tmp_path, newline, end):
    path = tmp_path / "config.toml"
    before = (SMALL.rstrip("\n") + end).replace("\n", newline)
    path.write_bytes(before.encode())
    tables = new_sources([('A "quoted" \\ title', 'https://a.example/?q="\\"&ü=\x7f')], [BLOG]).tables
    append(path, tables)
    after = path.read_bytes().decode()
    assert after.startswith(before)
    assert [table.address for table in load(path).sources] == [BLOG.url, 'https://a.example/?q="\\"&ü=\x7f']
    assert ("\r\n" in after) == (newline == "\r\n")
    assert "\n" not in after.replace("\r\n", "") or newline == "\n"


def test_a_file_that_would_break_stays_as_it_is(tmp_path):
    path = tmp_path / "config.toml"
    text = 'sources = [{name = "blog", kind = "feed", url = "https://blog.example.org/feed"}]\n'
    path.write_text(text)
    with pytest.raises(ConfigError, match="cannot be appended"):
        append(path, new_sources([("", "https://a.example/")], []).tables)
    assert path.read_text() == text


def test_a_name_of_your_own_must_be_free_and_well_made():
    table = HuggingFaceTable(name="hf", kind="huggingface")
    check_name("other", [table])
    for name in ("hf", "My feed", ""):
        with pytest.raises(ConfigError, match="--name"):
            check_name(name, [table])
