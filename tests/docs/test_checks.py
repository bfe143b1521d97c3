"""Git hooks, CI and `make check` run the same checks."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import yaml

from digestmail import __version__

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def prerequisites(target: str) -> list[str]:
    """Return the dependencies of a Makefile target."""
    return re.search(rf"^{target}:([^#\n]*)", MAKEFILE, re.MULTILINE)[1].split()


def hooks(stage: str) -> set[str]:
    """Return the targets that the git hooks of one stage run."""
    configured = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    found = [hook for repository in configured["repos"] for hook in repository["hooks"] if stage in hook["stages"]]
    return {hook["entry"].removeprefix("make ") for hook in found}


def test_a_commit_is_held_to_every_check_but_the_slow_tests():
    assert hooks("pre-commit") == {*prerequisites("check"), "unit"} - {"test"}


def test_a_push_is_held_to_all_that_ci_runs():
    assert hooks("pre-push") == {"check"}
    assert re.search(r"^make check$", (ROOT / ".ci/run").read_text("utf-8"), re.MULTILINE)


def test_the_version_is_written_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert "version" not in project
    assert project["dynamic"] == ["version"]
    assert metadata.version("digestmail") == __version__, "`make demo` installs the package anew"
