"""The CI recipes of docs/scheduled-ci.md, run by a shell: jobs keep their memory, and stop when it is not safe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fakes import THURSDAY

PAGE = (Path(__file__).resolve().parents[2] / "docs/scheduled-ci.md").read_text("utf-8")
GITHUB, GITLAB = map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
(TOML,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
STEPS = GITHUB["jobs"]["digest"]["steps"]
LONG = os.environ.get("DIGESTMAIL_TEST_LONG") == "1"
"""Both recipes do the same; the second one is tried with `make long`."""


class Service:
    """A CI service on this machine: a fresh folder for each job, secrets, and what jobs stored."""

    def __init__(self, path: Path, feed: str) -> None:
        self.path = path
        self.stored = path / "stored.enc"
        self.jobs = 0
        self.config = TOML.replace('kind = "huggingface"', f'kind = "feed"\nurl = "{feed}"').replace(
            "[mail.smtp]", '[network]\nallow_private_hosts = ["127.0.0.1", "localhost"]\n[mail.smtp]'
        )
        tools = path / "tools"
        tools.mkdir()
        (tools / "digestmail").write_text(
            "#!/bin/bash\n"
            f'case "$1" in collect|publish) set -- "$@" --now {THURSDAY.isoformat()};; esac\n'
            'exec "$PYTHON" -m digestmail "$@"\n'
        )
        (tools / "pip").write_text("#!/bin/sh\n")
        (tools / "curl").write_text(
            "#!/bin/bash\n"
            'if [[ "$*" == *--upload-file* ]]; then cp state.enc "$STORED"; exit; fi\n'
            'if [ -e "$STORED" ]; then cp "$STORED" state.enc; printf 200; else printf 404; fi\n'
        )
        (tools / "gh").write_text(
            "#!/bin/bash\n"
            'if [[ "$2" == *zip ]]; then cd "$(dirname "$STORED")" && cp "$STORED" state.enc && '
            '"$PYTHON" -m zipfile -c x.zip state.enc && cat x.zip; elif [ -e "$STORED" ]; then echo 7; fi\n'
        )
        for tool in ("digestmail", "pip", "curl", "gh"):
            (tools / tool).chmod(0o755)

    def script(self, service: str, start: str, *, dies: bool) -> str:
        """Return a job as one script; uploading is copying. `dies` ends it after the first upload."""
        if service == "gitlab":
            lines = "\n".join(GITLAB["pages"]["script"])
            return lines.replace("- store", "store").replace("sent=0;", "exit 9; sent=0;" if dies else "sent=0;")
        parts = []
        for step in STEPS:
            if step.get("uses", "").startswith("actions/upload-artifact"):
                parts.append('cp state.enc "$STORED"')
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
    if missing := [tool for tool in ("bash", "openssl", "tar", "unzip") if shutil.which(tool) is None]:
        pytest.skip(f"{', '.join(missing)} is not installed")
    day = f"{THURSDAY:%a, %d %b %Y} 05:00:00 GMT"
    item = f"<item><title>A paper</title><link>https://a.example.org/1</link><pubDate>{day}</pubDate></item>"
    feed = f"<?xml version='1.0'?><rss version='2.0'><channel><title>F</title>{item}</channel></rss>"
    httpserver.expect_request("/feed").respond_with_data(feed, content_type="application/rss+xml")
    return Service(tmp_path, httpserver.url_for("/feed"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["github", "gitlab"] if LONG else ["github"])
def test_a_job_keeps_its_memory_and_refuses_to_go_on_after_one_that_died(service, name):
    """The recipe, run by a shell."""
    assert service.run(name).returncode != 0, "there is no state"

    first = service.run(name, "first")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "published, 1 of 1 paper" in first.stdout
    assert list((service.path / "job2/public/daily").iterdir())
    assert b"A paper" not in service.stored.read_bytes()

    died = service.run(name, dies=True)
    assert died.returncode == 9
    assert "already-published" in died.stdout
    stopped = service.run(name)
    assert stopped.returncode != 0
    assert "died while it was sending" in stopped.stdout + stopped.stderr
    assert "publish " not in stopped.stdout
    adopted = service.run(name, "adopt")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert "outputs" not in adopted.stdout
