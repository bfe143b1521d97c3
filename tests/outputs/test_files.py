"""Folders of editions: written completely or not at all, the same again the next time, and safe to publish."""

from __future__ import annotations

import os
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from output_receiving import message

from digestmail.errors import OutputError, RenderError
from digestmail.mail.templates import Templates
from digestmail.model.editions import Slot
from digestmail.outputs import files
from digestmail.outputs.files import Files, write_atomically
from digestmail.outputs.pages import PageFormat, PageRenderer

PAGES = PageRenderer(Templates(), looks={}, titles={"daily": "Trending papers"}, base_url=None)


def folder(path: Path, form: PageFormat = PageFormat.HTML) -> Files:
    return Files(PAGES, path=path / "site", form=form, timeout=5.0)


def contents(path: Path) -> dict[str, str]:
    """Return every file below `path` but the lock."""
    found = (one for one in sorted(path.rglob("*")) if one.is_file() and one.name != ".digestmail.lock")
    return {str(one.relative_to(path)): one.read_text("utf-8") for one in found}


def slot(day: int, time: str = "") -> Slot:
    key = f"2026-04-{day:02}" + (f"T{time}" if time else "")
    return Slot(at=datetime(2026, 4, day, 6, 0, tzinfo=UTC), key=key, day=date(2026, 4, day))


def test_each_edition_is_a_page_and_the_index_lists_them(tmp_path):
    for day in (2, 3):
        folder(tmp_path).send(message("A Cache", slot=slot(day)))

    found = contents(tmp_path / "site")
    assert set(found) == {".nojekyll", "daily/2026-04-02.html", "daily/2026-04-03.html", "index.html"}
    assert "A Cache" in found["daily/2026-04-02.html"]
    assert found["index.html"].index("daily/2026-04-03.html") < found["index.html"].index("daily/2026-04-02.html")


def test_writing_an_edition_again_gives_the_same_folder(tmp_path):
    folder(tmp_path).send(message("A Cache"))
    before = contents(tmp_path)
    folder(tmp_path).send(message("A Cache"))

    assert contents(tmp_path) == before


def test_markdown_has_an_index_too(tmp_path):
    folder(tmp_path, PageFormat.MARKDOWN).send(message("A *Cache*"))

    found = contents(tmp_path / "site")
    assert set(found) == {"daily/2026-04-02.md", "index.md"}
    assert r"A \*Cache\*" in found["daily/2026-04-02.md"]


def test_the_name_of_a_file_has_no_colon(tmp_path):
    folder(tmp_path).send(message("A", slot=slot(2, "07:30")))

    found = contents(tmp_path / "site")
    assert "daily/2026-04-02T0730.html" in found
    assert "07:30" in found["index.html"]


@pytest.mark.parametrize("digest", ["../up", "a/b", "", ".hidden", "daily@weekly", "C:"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, digest):
    with pytest.raises(OutputError, match="no file can be named") as raised:
        folder(tmp_path).send(message("A", digest=digest))
    assert raised.value.permanent
    assert [name for name in contents(tmp_path) if name.endswith(".html")] == []


def test_an_index_lists_editions_of_a_lost_database_and_nothing_else(tmp_path):
    site = tmp_path / "site"
    (site / "daily").mkdir(parents=True)
    (site / "daily/2025-01-01.html").write_text("older")
    (site / "daily/2025-99-99.html").write_text("no date")
    (site / "daily/about.html").write_text("not ours")
    (site / "Other").mkdir()
    (site / "Other/2025-01-01.html").write_text("not ours")
    folder(tmp_path).send(message("A"))

    index = contents(site)["index.html"]
    assert "daily/2025-01-01.html" in index
    assert not {"2025-99", "about", "Other"} & set(index.replace('"', " ").replace("/", " ").split())
    assert (site / "daily/about.html").read_text() == "not ours"


def test_a_crash_while_writing_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    place = tmp_path / "page.html"
    write_atomically(place, "old")

    def crash(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", crash)
    with pytest.raises(OSError, match="No space"):
        write_atomically(place, "new")
    assert contents(tmp_path) == {"page.html": "old"}


def test_a_full_disk_is_a_failure_that_is_tried_again(tmp_path, monkeypatch):
    def full(_place: Path, _text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomically", full)
    with pytest.raises(OutputError, match="No space left") as raised:
        folder(tmp_path).send(message("A"))
    assert not raised.value.permanent


def test_a_file_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    done: list[str] = []
    monkeypatch.setattr(files.os, "fsync", lambda _: done.append("sync"))
    replaced = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (done.append("rename"), replaced(self, to))[1])
    write_atomically(tmp_path / "x", "text")

    assert done == ["sync", "rename", "sync"]


def test_a_file_in_the_way_is_a_problem_before_anything_is_sent(tmp_path):
    (tmp_path / "site").write_text("a file")

    assert folder(tmp_path).problems() == (f"{tmp_path / 'site'} is not a folder",)
    with pytest.raises(OutputError):
        folder(tmp_path).send(message("A"))


def test_a_folder_that_does_not_exist_yet_is_no_problem(tmp_path):
    assert folder(tmp_path / "a" / "b").problems() == ()


def test_a_test_is_a_page_that_the_index_does_not_list(tmp_path):
    assert folder(tmp_path).send(message("A", test=True)).endswith("test.html")
    assert set(contents(tmp_path / "site")) == {"test.html"}


def test_a_broken_template_is_a_failure_that_names_it(tmp_path, monkeypatch):
    def broken(*_: object) -> str:
        raise RenderError("output/edition.html, line 3: oops")

    monkeypatch.setattr(PageRenderer, "edition", broken)
    with pytest.raises(OutputError, match="line 3"):
        folder(tmp_path).send(message("A"))


def test_pages_get_the_mode_that_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        folder(tmp_path).send(message("A"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "site/index.html").stat().st_mode) == 0o644
