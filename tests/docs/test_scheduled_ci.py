"""The CI recipes are YAML that the services understand, and every command in them exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
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
    assert STEPS[place("Store the state after sending")]["with"]["overwrite"] is True
    script = SCRIPTS["gitlab"]
    assert script.index("store sending") < script.index("digestmail deliver ||") < script.index("store done")
    assert GITLAB["pages"]["resource_group"]


def test_nothing_that_is_uploaded_contains_a_secret_or_is_not_encrypted():
    uploads = [step["with"]["path"] for step in STEPS if "upload" in step.get("uses", "")]

    assert set(uploads) == {"state.gpg", "public"}
    assert GITLAB["pages"]["artifacts"]["paths"] == ["public"]
    assert all("--symmetric" in script for script in SCRIPTS.values())
    assert not re.search(r"tar -c[^|]*secrets", "".join(SCRIPTS.values()))


class Service:
    """A CI service on this machine: a fresh folder for each job, secrets, and what jobs stored."""

    def __init__(self, path: Path, feed: str) -> None:
        self.path = path
        self.stored = path / "stored.gpg"
        self.jobs = 0
        self.config = TOML.replace('kind = "huggingface"', f'kind = "feed"\nurl = "{feed}"').replace(
            "[mail.smtp]", '[network]\nallow_private_hosts = ["127.0.0.1", "localhost"]\n[mail.smtp]'
        )
        tools = path / "tools"
        tools.mkdir()
        (tools / "digestmail").symlink_to(Path(sys.executable).with_name("digestmail"))
        (tools / "pip").write_text("#!/bin/sh\n")
        (tools / "curl").write_text(
            "#!/bin/bash\n"
            'if [[ "$*" == *--upload-file* ]]; then cp state.gpg "$STORED"; exit; fi\n'
            'if [ -e "$STORED" ]; then cp "$STORED" state.gpg; printf 200; else printf 404; fi\n'
        )
        (tools / "gh").write_text(
            "#!/bin/bash\n"
            'if [[ "$2" == *zip ]]; then cd "$(dirname "$STORED")" && cp "$STORED" state.gpg && '
            '"$PYTHON" -m zipfile -c x.zip state.gpg && cat x.zip; elif [ -e "$STORED" ]; then echo 7; fi\n'
        )
        for tool in ("pip", "curl", "gh"):
            (tools / tool).chmod(0o755)

    def script(self, service: str, start: str, *, dies: bool) -> str:
        """Return a job as one script; uploading is copying. `dies` ends it after the first upload."""
        if service == "gitlab":
            lines = "\n".join(GITLAB["pages"]["script"])
            return lines.replace("- store", "store").replace("sent=0;", "exit 9; sent=0;" if dies else "sent=0;")
        parts = []
        for step in STEPS:
            if step.get("uses", "").startswith("actions/upload-artifact"):
                parts.append('cp state.gpg "$STORED"')
            if "run" in step and step.get("if", "").endswith("'adopt'"):
                parts += [step["run"]] if start == "adopt" else []
            elif "run" in step and "if" not in step:
                parts += ["exit 9"] if dies and step["name"] == "Send" else []
                parts.append(f"({step['run']})" + (" || true" if step.get("continue-on-error") else " || exit 1"))
        return "\n".join(parts)

    def run(self, service: str, start: str = "normal", *, dies: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a job in a fresh folder."""
        self.jobs += 1
        folder = self.path / f"job{self.jobs}"
        folder.mkdir()
        (folder / "config.toml").write_text(self.config, "utf-8")
        environment = {
            "PATH": f"{self.path / 'tools'}:{os.environ['PATH']}",
            "HOME": str(self.path),
            "GNUPGHOME": str(self.path / "gnupg"),
            "PYTHON": sys.executable,
            "STORED": str(self.stored),
            "STATE_KEY": "made-up-passphrase",
            "SMTP_PASSWORD": "made-up-password",
            "START": start,
            "GITHUB_REPOSITORY": "example/digest",
            "CI_JOB_TOKEN": "made-up",
            "STATE_URL": "http://localhost/state",
        }
        script = self.script(service, start, dies=dies)
        return subprocess.run(
            ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def service(httpserver, tmp_path) -> Service:
    if missing := [tool for tool in ("bash", "gpg", "tar", "unzip") if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(missing)} is not installed")
    now = f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT"  # the jobs run in processes of their own
    item = f"<item><title>A paper</title><link>https://a.example.org/1</link><pubDate>{now}</pubDate></item>"
    feed = f"<?xml version='1.0'?><rss version='2.0'><channel><title>F</title>{item}</channel></rss>"
    httpserver.expect_request("/feed").respond_with_data(feed, content_type="application/rss+xml")
    (tmp_path / "gnupg").mkdir(mode=0o700)
    return Service(tmp_path, httpserver.url_for("/feed"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_job_keeps_its_memory_and_refuses_to_go_on_after_one_that_died(service, name):
    """The recipe, run by a shell."""
    assert service.run(name).returncode != 0, "there is no state"

    first = service.run(name, "first")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "published, 1 of 1 paper" in first.stdout
    assert list((service.path / "job2/public/daily").iterdir())
    second = service.run(name)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "already-published" in second.stdout
    assert "outputs" not in second.stdout
    assert b"A paper" not in service.stored.read_bytes()

    assert service.run(name, dies=True).returncode == 9
    stopped = service.run(name)
    assert stopped.returncode != 0
    assert "died while it was sending" in stopped.stdout + stopped.stderr
    assert "deliver " not in stopped.stdout
    adopted = service.run(name, "adopt")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert service.run(name).returncode == 0
