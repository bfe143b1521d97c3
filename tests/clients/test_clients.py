"""What the golden mails ask of mail programs, held against the support tables of npm's `caniemail`.

The baseline lists each feature in use with the programs that lack it. A pair that is not in it fails; one that is gone
is to be taken out. `pytest --regenerate` writes the baseline anew: read the difference.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from announcements import EXAMPLE, rendered
from editions import GOLDEN_EDITIONS

from digestmail.mail.render import Renderer
from digestmail.model.deliveries import NoticeKind

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.json"
VERSION = "2.0.2"
OLDEST_NODE = 20


@pytest.fixture(scope="session")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the audit script beside an installed `caniemail`; skip loudly where that cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm or node is not on this machine: support in mail programs was not checked")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {version.strip()} is too old for caniemail: support in mail programs was not checked")
    directory = tmp_path_factory.mktemp("caniemail")
    install = [npm, "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", f"caniemail@{VERSION}"]
    done = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"caniemail {VERSION} could not be installed: support in mail programs was not checked")
    shutil.copy(HERE / "audit.mjs", directory)
    return directory / "audit.mjs"


def mails() -> dict[str, str]:
    """Return the HTML of every golden edition, of every notice and of an announcement."""
    renderer = Renderer()
    found = {
        name: renderer.render(of, of.sections, base_url="https://d.example.org", language=language, look=look).html
        for name, (of, look, language) in GOLDEN_EDITIONS.items()
    }
    for kind in NoticeKind:
        found[kind] = renderer.notice(kind, title="Trending papers", action_url="https://d.example.org/x").html
    found["announcement"] = rendered(EXAMPLE).html
    return found


def pairs(audited: dict[str, Any]) -> set[tuple[str, str]]:
    """Return (feature, program without it). An untested program counts as one more feature."""
    everything = {**audited["lacking"], "untested": audited["untested"]}
    return {(feature, client) for feature, clients in everything.items() for client in clients}


def test_no_mail_program_lacks_more_than_it_did(audit: Path, request: pytest.FixtureRequest):
    done = subprocess.run(
        ["node", audit.name], cwd=audit.parent, input=json.dumps(mails()), capture_output=True, text=True, timeout=300,
        check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    if request.config.getoption("--regenerate"):
        BASELINE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    known = json.loads(BASELINE.read_text("utf-8"))

    assert pairs(found) - pairs(known) == set(), "new: these mail programs lack what the templates now use"
    assert pairs(known) - pairs(found) == set(), "better than the baseline says: take these out of it"
