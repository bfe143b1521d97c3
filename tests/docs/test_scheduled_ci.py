"""The CI recipes are YAML that the services understand, and every command in them exists."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from digestmail.cli.main import app
from digestmail.config.load import load

PAGE = (Path(__file__).resolve().parents[2] / "docs/scheduled-ci.md").read_text("utf-8")
GITHUB, GITLAB = (
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
(TOML,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
STEPS: list[dict[str, Any]] = GITHUB["jobs"]["digest"]["steps"]
SCRIPTS = {
    "github": "\n".join(step["run"] for step in STEPS if "run" in step),
    "gitlab": "\n".join([*GITLAB["pages"]["before_script"], *GITLAB["pages"]["script"]]),
}


def place(name: str) -> int:
    """Return where a step of the workflow is."""
    return [step.get("name") for step in STEPS].index(name)


def test_the_configuration_loads(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/smtp-password").write_text("made-up")
    (tmp_path / "config.toml").write_text(TOML, "utf-8")
    config = load(tmp_path / "config.toml", None)

    assert config.outputs[0].kind == "files"
    assert tomllib.loads(TOML)["database"] == "sqlite:///state/digestmail.db"


@pytest.mark.parametrize("service", SCRIPTS)
def test_every_command_exists(service):
    known = {name: getattr(one, "commands", {}) for name, one in vars(typer.main.get_command(app))["commands"].items()}
    found = re.findall(r"^ *(?:sent=0; )?digestmail ([a-z]+)(?: ([a-z]+)\b(?!/))?", SCRIPTS[service], re.MULTILINE)

    assert {"collect", "publish", "deliver", "backup", "deliveries"} <= {name for name, _ in found}
    for name, inner in found:
        assert not known[name] or inner in known[name], (name, inner)


@pytest.mark.parametrize("service", SCRIPTS)
def test_every_script_is_read_by_a_shell(service):
    shell = shutil.which("bash")
    assert shell
    done = subprocess.run([shell, "-n"], input=SCRIPTS[service], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_workflow_has_what_github_needs():
    # YAML 1.1 reads `on` as true (https://yaml.org/type/bool.html); GitHub does not.
    triggers = GITHUB[True]
    for one in triggers["schedule"]:
        minute = one["cron"].split()[0]
        assert len(one["cron"].split()) == 5
        assert minute not in {"0", "30", "*"}, "schedules at the full hour are late"
    assert GITHUB["concurrency"] == {"group": "digest", "cancel-in-progress": False}
    assert GITHUB["permissions"].items() >= {"actions": "read", "pages": "write", "id-token": "write"}.items()
    for step in STEPS:
        assert ("run" in step) != ("uses" in step), step
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))
    for used in re.findall(r"steps\.(\w+)\.", str(STEPS)):
        assert used in {step.get("id") for step in STEPS}
    for name in re.findall(r"inputs\.(\w+)", str(GITHUB)):
        assert name in triggers["workflow_dispatch"]["inputs"]
    for name in re.findall(r"secrets\.(\w+)", str(GITHUB)):
        assert f"`{name}`" in PAGE


def test_the_state_is_stored_before_and_after_sending():
    order = ["Fetch the state", "Collect and publish", "Store the state before sending", "Send"]
    order += ["Pack the state after sending", "Store the state after sending"]

    assert [place(name) for name in order] == sorted(place(name) for name in order)
    assert STEPS[place("Send")]["continue-on-error"] is True
    # An upload that overwrites deletes first: if it then fails, the state of the job before would be the newest one.
    before, after = (STEPS[place(f"Store the state {when} sending")]["with"] for when in ("before", "after"))
    assert before["name"] != after["name"]
    assert not any("overwrite" in one for one in (before, after))
    assert all(one["name"].startswith("digestmail-state") for one in (before, after))
    assert 'startswith("digestmail-state")' in SCRIPTS["github"]
    script = SCRIPTS["gitlab"]
    assert script.index("store sending") < script.index("digestmail deliver ||") < script.index("store done")
    assert GITLAB["pages"]["resource_group"]


def test_nothing_that_is_uploaded_contains_a_secret_or_is_not_encrypted():
    uploads = [step["with"]["path"] for step in STEPS if "upload" in step.get("uses", "")]

    assert set(uploads) == {"state.enc", "public"}
    assert GITLAB["pages"]["artifacts"]["paths"] == ["public"]
    assert all("openssl enc -aes-256-cbc" in script for script in SCRIPTS.values())
    assert not re.search(r"tar -c[^|]*secrets", "".join(SCRIPTS.values()))
