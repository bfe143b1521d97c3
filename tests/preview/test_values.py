"""The pure parts of the preview."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outbox import edition

from digestmail.cli.preview_modes import has_screen
from digestmail.preview.color_scheme import with_color_scheme
from digestmail.preview.file_watch import fingerprint
from digestmail.preview.options import ColorScheme, Frame, PreviewOptions, Tab, parse_options
from digestmail.preview.views import notes_on

MAIL = (
    '<html><head><meta name="color-scheme" content="light dark"><style>:root{color-scheme:light dark}'
    "@media (prefers-color-scheme: dark){p{color:red}}@media (prefers-color-scheme:light){p{color:blue}}</style></head>"
    "<body><p>prefers-color-scheme: dark</p></body></html>"
)
NAMES = st.text(st.characters(exclude_categories=("Cs",))).map(str.strip)


@given(
    st.builds(
        PreviewOptions,
        digest=NAMES,
        edition=NAMES,
        reader=NAMES,
        tab=st.sampled_from(Tab),
        frame=st.sampled_from(Frame),
        palette=st.sampled_from(ColorScheme),
        images=st.booleans(),
    )
)
def test_options_survive_a_round_trip_through_a_link(asked: PreviewOptions):
    assert parse_options(dict(parse_qsl(asked.query()))) == asked


@given(st.dictionaries(st.sampled_from(["tab", "frame", "palette", "images", "reader"]), st.text()))
def test_any_query_asks_for_something(query):
    assert parse_options(query).tab in Tab


def test_a_palette_resolves_media_queries_and_leaves_the_text_alone():
    dark, light = with_color_scheme(MAIL, ColorScheme.DARK), with_color_scheme(MAIL, ColorScheme.LIGHT)

    assert "@media (min-width:0){p{color:red}}@media (max-width:0){p{color:blue}}" in dark
    assert "@media (max-width:0){p{color:red}}@media (min-width:0){p{color:blue}}" in light
    assert 'content="dark"' in dark
    assert ":root{color-scheme:light}" in light
    assert "<p>prefers-color-scheme: dark</p>" in dark
    assert "invert(1)" in with_color_scheme(MAIL, ColorScheme.INVERTED)


def test_a_page_without_a_head_is_painted_too():
    assert with_color_scheme("<p>x</p>", ColorScheme.INVERTED).endswith("<p>x</p>")


@pytest.mark.parametrize("change", ["write", "touch", "add", "remove"])
def test_any_change_of_a_file_changes_the_fingerprint(tmp_path, change):
    inner = tmp_path / "inner"
    inner.mkdir()
    file = inner / "a.txt"
    file.write_text("one")
    paths = (tmp_path, tmp_path / "absent.toml")
    before = fingerprint(paths)
    assert fingerprint(paths) == before

    if change == "write":
        file.write_text("other")
    elif change == "touch":
        os.utime(file, ns=(1, 1))
    elif change == "add":
        (tmp_path / "absent.toml").touch()
    else:
        file.unlink()

    assert fingerprint(paths) != before


def test_an_edition_without_papers_that_is_not_sent_says_so():
    empty = edition(reason="no paper is new")
    (sent,) = notes_on(empty, None, is_skipped=False)
    assert sent == "This edition has no papers: no paper is new."
    assert notes_on(empty, None, is_skipped=True) == (f'{sent} It is not sent: on_empty = "skip".',)
    assert notes_on(edition(reason=""), None, is_skipped=True) == ()


@pytest.mark.parametrize(
    ("environment", "platform", "shown"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_a_page_is_opened_where_a_browser_has_a_screen(environment, platform, shown):
    assert has_screen(environment, platform) == shown
