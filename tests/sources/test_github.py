"""Releases on GitHub: they are called by their repository, and are never the papers that their notes cite."""

from __future__ import annotations

from datetime import UTC, date, datetime
from html import escape

import pytest
from fetching import ScriptedFetcher, in_order

from digestmail.errors import SourceRefusedError, SourceUnreadableError
from digestmail.model.digests import Topic
from digestmail.selection.similarity import Similarity
from digestmail.selection.tokenize import read
from digestmail.selection.topics import admits, compile_rule, match
from digestmail.sources.feed_items import parse_feed
from digestmail.sources.github import KEYWORD, Github, parse_releases

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
REPOSITORY = "example-lab/quiet_model"


def entry(
    title: str = "v1.2.0", notes: str = "<p>Faster.</p>", *, tag: str = "v1.2.0", at: str = "2026-04-01T09:30:00Z"
) -> str:
    return (
        f"<entry><id>tag:github.com,2008:Repository/4711/{tag}</id><updated>{at}</updated>"
        f'<link rel="alternate" type="text/html" href="https://github.com/{REPOSITORY}/releases/tag/{tag}"/>'
        f'<title>{escape(title)}</title><content type="html">{escape(notes)}</content>'
        "<author><name>release-bot[bot]</name></author>"
        '<media:thumbnail height="30" width="30" url="https://avatars.example.com/1"/></entry>'
    )


def feed(*entries: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:media="http://search.yahoo.com/mrss/" xml:lang="en-US">'
        f"<id>tag:github.com,2008:https://github.com/{REPOSITORY}/releases</id><title>Release notes</title>"
        f"<updated>2026-04-01T09:30:00Z</updated>{''.join(entries)}</feed>"
    ).encode()


def parse(*entries: str):
    return parse_releases(feed(*entries), source="code/x", repository=REPOSITORY, now=NOW)


def only(*args: str, **fields: str):
    (sighting,) = parse(entry(*args, **fields)).sightings
    return sighting


def test_a_release_is_called_by_its_repository_and_has_no_authors():
    found = only()
    assert found.paper.title == "quiet_model v1.2.0"
    assert found.paper.abstract == "Faster."
    assert found.paper.authors == ()
    assert found.paper.organization == "example-lab"
    assert found.paper.code_url == f"https://github.com/{REPOSITORY}"
    assert found.paper.link == f"https://github.com/{REPOSITORY}/releases/tag/v1.2.0"
    assert found.day == date(2026, 4, 1)


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("Quiet_Model 2: it listens", "Quiet_Model 2: it listens"),
        ("2.0 <beta>", "quiet_model 2.0 <beta>"),
        ("", "quiet_model v1.2.0"),
    ],
)
def test_a_title_names_the_repository_once(given, title):
    assert only(given).paper.title == title


@pytest.mark.parametrize("notes", ["No content.", "<p>No content.</p>", ""])
def test_a_release_without_notes_has_no_abstract(notes):
    assert only("v1", notes).paper.abstract == ""


@pytest.mark.parametrize(
    "notes",
    [
        "Implements <a href='https://arxiv.org/abs/2604.00157'>the paper</a>, arXiv:2604.00157",
        "See https://doi.org/10.1000/xyz123",
    ],
)
def test_a_release_is_not_the_paper_that_its_notes_cite(notes):
    expected = f"url:https://github.com/{REPOSITORY}/releases/tag/v1.2.0"
    found = only("v1.2.0", notes).paper
    assert (found.id, found.aliases) == (expected, ())
    (by_feed,) = parse_feed(feed(entry("v1.2.0", notes)), source="blog", now=NOW).sightings
    assert by_feed.paper.id == expected


def test_a_tag_that_looks_like_a_paper_is_none():
    (found,) = parse(entry(tag="arxiv-2604.00157")).sightings
    assert not found.paper.id.startswith("arxiv:")
    assert not any(alias.startswith("arxiv:") for alias in found.paper.aliases)


def test_a_topic_can_have_all_releases():
    rule, release = compile_rule(Topic(name="Releases", keywords=(KEYWORD,))), only().paper
    found = match(rule, release, read(release), Similarity())
    assert found is not None
    assert admits(rule, found)


def test_a_date_in_the_future_and_no_date_count_as_today():
    assert only(at="2031-01-01T00:00:00Z").day == NOW.date()
    assert only(at="soon").day == NOW.date()


def test_a_bad_entry_costs_nothing_but_itself():
    found = parse("<entry><title>v0</title></entry>", entry())
    assert [skip.reason for skip in found.skipped] == ["no link"]
    assert len(found.sightings) == 1


def test_a_feed_that_is_cut_off_is_partial_and_asked_for_completely_again():
    body = feed(entry(tag="v2"), entry())[:-120]
    fetcher = ScriptedFetcher(in_order(body))
    found = Github(name="code/x", fetcher=fetcher, repositories=(REPOSITORY,)).read(NOW, None)
    assert (len(found.sightings), found.partial, found.validators) == (1, "the feed is cut off", {})


def test_an_unchanged_feed_is_unchanged():
    fetcher = ScriptedFetcher(in_order(None))
    found = Github(name="code/x", fetcher=fetcher, repositories=(REPOSITORY,)).read(NOW, None)
    assert found.unchanged
    assert fetcher.requests[0].url == f"https://github.com/{REPOSITORY}/releases.atom"


def test_a_page_or_another_feed_is_no_list_of_releases():
    for body in (b"<html><title>Sign in</title></html>", b"<rss version='2.0'><channel><item/></channel></rss>", b""):
        with pytest.raises(SourceUnreadableError):
            parse_releases(body, source="x", repository=REPOSITORY, now=NOW)


def test_a_repository_that_is_gone_is_an_error():
    fetcher = ScriptedFetcher(in_order(SourceRefusedError("answered 404", status=404)))
    with pytest.raises(SourceRefusedError):
        Github(name="code/x", fetcher=fetcher, repositories=(REPOSITORY,)).read(NOW, None)
