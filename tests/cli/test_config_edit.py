"""`digestmail config edit`: an editor, and a check before the file is replaced."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from clirun import digestmail

from digestmail.cli import config_edit
from digestmail.config.load import load

CONFIG = """
[mail]
sender = "digest@example.org"
[mail.smtp]
host = "smtp.example.org"
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["hf"]
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    for name in ("DIGESTMAIL_CONFIG", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    return tmp_path


def editor(site: Path, monkeypatch: pytest.MonkeyPatch, code: str, variable: str = "VISUAL") -> None:
    """Have `code` edit `file`, a path."""
    (site / "my editor.py").write_text(f"import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\n{code}\n")
    monkeypatch.setenv(variable, f"{sys.executable} '{site / 'my editor.py'}'")


def others(site: Path) -> set[str]:
    return {path.name for path in site.iterdir()} - {"config.toml", "imap-password", "my editor.py"}


REPLACE = "file.write_text(file.read_text('utf-8').replace({!r}, {!r}), 'utf-8')"


@pytest.mark.parametrize("variable", ["VISUAL", "EDITOR"])
def test_a_valid_edit_replaces_the_file_and_keeps_its_mode(site, monkeypatch, variable):
    (site / "config.toml").chmod(0o640)
    editor(site, monkeypatch, REPLACE.format('title = "Papers"', 'title = "Findings"'), variable)
    assert "is valid and saved" in digestmail(site, "config", "edit")
    assert load(site / "config.toml").digests[0].title == "Findings"
    assert stat.S_IMODE((site / "config.toml").stat().st_mode) == 0o640
    assert not others(site)


def test_an_edit_that_is_not_valid_changes_nothing_and_is_kept_without_a_terminal(site, monkeypatch):
    editor(site, monkeypatch, REPLACE.format("[mail.smtp]", "[mail.smtp]\nprot = 1"))
    before = (site / "config.toml").read_bytes()
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        said = digestmail(site, "config", "edit", status=1)
    assert (site / "config.toml").read_bytes() == before
    (kept,) = others(site)
    assert "mail.smtp.prot: unknown key; did you mean 'port'?" in said
    assert f"was not changed; your version is in {site / kept}" in said


def test_an_unchanged_file_and_an_editor_that_fails_change_nothing(site, monkeypatch):
    before = (site / "config.toml").read_bytes()
    editor(site, monkeypatch, "")
    assert "is unchanged" in digestmail(site, "config", "edit")
    editor(site, monkeypatch, "file.write_text('')\nsys.exit(3)")
    assert "ended with code 3, so nothing was changed" in digestmail(site, "config", "edit", status=1)
    monkeypatch.setenv("VISUAL", "/nonexistent/editor")
    assert "cannot be run" in digestmail(site, "config", "edit", status=1)
    monkeypatch.setenv("VISUAL", "vi 'x")
    assert "is not a command" in digestmail(site, "config", "edit", status=1)
    assert (site / "config.toml").read_bytes() == before
    assert not others(site)


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(site, monkeypatch):
    other = site / "config.toml"
    code = f"pathlib.Path({str(other)!r}).write_text('# by someone else')\n"
    editor(site, monkeypatch, code + REPLACE.format('title = "Papers"', 'title = "Findings"'))
    said = digestmail(site, "config", "edit", status=1)
    assert "was changed by someone else meanwhile; your version is in" in said
    assert other.read_text() == "# by someone else"
    assert 'title = "Findings"' in (site / others(site).pop()).read_text("utf-8")


def test_a_link_stays_a_link(site, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "config.toml").symlink_to(site / "config.toml")
    editor(site, monkeypatch, REPLACE.format('title = "Papers"', 'title = "Findings"'))
    digestmail(elsewhere, "config", "edit")
    assert (elsewhere / "config.toml").is_symlink()
    assert load(site / "config.toml").digests[0].title == "Findings"


def test_a_file_that_is_not_valid_can_be_edited(site, monkeypatch):
    (site / "config.toml").write_text("this is [not TOML", "utf-8")
    editor(site, monkeypatch, f"file.write_text({CONFIG!r}, 'utf-8')")
    assert "is valid and saved" in digestmail(site, "config", "edit")


def test_without_an_editor_the_variables_are_named(site, monkeypatch):
    monkeypatch.setattr(config_edit, "_EDITORS", ())
    assert "there is no editor: set VISUAL or EDITOR" in digestmail(site, "config", "edit", status=1)
    assert not others(site)


def test_a_folder_that_cannot_be_written_is_said(site, monkeypatch):
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(config_edit.tempfile, "mkstemp", refuse)
    assert "edit the configuration as the user who owns it" in digestmail(site, "config", "edit", status=1)
