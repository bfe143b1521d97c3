"""The steps to install and to back up work in their order: the user of the services may write where it has to."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from digestmail.config.places import SYSTEM_DATA, SYSTEM_PATH

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"
AS_USER = ["sudo", "-u", "digestmail", "digestmail"]


def steps(heading: str) -> list[list[str]]:
    """Return the words of each command of root under a heading."""
    section = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [shlex.split(line, comments=True) for line in re.findall(r"^# (.+)$", section, re.MULTILINE)]


def own_folders(found: list[list[str]]) -> set[str]:
    """Return the folders that commands give to the user of the services."""
    given = [words for words in found if words[:2] == ["install", "-d"] and words[4:8:2] == ["-o", "-g"]]
    return {word for words in given if words[5] == words[7] == "digestmail" for word in words[8:]}


@pytest.mark.parametrize("heading", ["Install", "Back up"])
def test_only_the_user_of_the_services_runs_the_program(heading):
    used = [words for words in steps(heading) if "digestmail" in {words[0], *words[3:4]}]
    assert used
    assert all(words[:4] == AS_USER for words in used)


def test_the_user_and_its_folders_are_there_before_the_program_writes():
    found = steps("Install")
    (init,) = (index for index, words in enumerate(found) if words[:5] == [*AS_USER, "init"])
    assert found[0][0] == "useradd"
    assert own_folders(found[:init]) == {str(SYSTEM_DATA), str(SYSTEM_PATH.parent)}
    assert found[init][5:] == ["--config", str(SYSTEM_PATH)]
    after = [words[0] for words in found[init + 1 :]]
    assert after == ["chown", "chmod", "sudo"], "the configuration is for reading before anything else runs"


def test_a_backup_goes_into_a_folder_of_the_user():
    *before, last = steps("Back up")
    assert last[:5] == [*AS_USER, "backup"]
    assert str(Path(last[5]).parent) in own_folders(before)


@pytest.mark.parametrize("unit", sorted((ROOT / "deploy" / "systemd").glob("*.service")), ids=lambda unit: unit.name)
def test_the_services_run_as_this_user_with_this_folder(unit):
    lines = unit.read_text("utf-8").splitlines()
    assert {"User=digestmail", f"StateDirectory={SYSTEM_DATA.name}", "StateDirectoryMode=0700"} <= set(lines)
