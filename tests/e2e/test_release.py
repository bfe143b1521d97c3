"""The audit and the SBOM of a release, with a package index and an advisory service on loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from digestmail import __version__

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)[^\n]*\n((?: +--hash=sha256:\w+[^\n]*\n)+)", re.MULTILINE)
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PINS = {name: (version, tuple(re.findall(r"sha256:(\w+)", hashes))) for name, version, hashes in PIN.findall(LOCK)}
ADVISORY = "TEST-2026-1"
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def of_index(request: Request) -> Response:
    """Answer as a package index that has the pinned versions and nothing else (PEP 691 and 658)."""
    if request.path.endswith(".metadata"):
        name, version = request.path.split("/")[-1].split("-")[:2]
        return Response(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    name = request.path.strip("/").split("/")[-1]
    if name not in PINS:
        return Response(status=404)
    version, hashes = PINS[name]
    files = [
        {
            "filename": (wheel := f"{name.replace('-', '_')}-{version}-{number}-py3-none-any.whl"),
            "url": f"{request.host_url}files/{wheel}",
            "hashes": {"sha256": digest},
            "core-metadata": True,
        }
        for number, digest in enumerate(hashes)
    ]
    answer = {"meta": {"api-version": "1.1"}, "name": name, "files": files}
    return Response(json.dumps(answer), mimetype="application/vnd.pypi.simple.v1+json")


def of_advisories(affected: str, asked: set[tuple[str, str]]):
    """Return an advisory service (the API of osv.dev) that knows one vulnerability, of the package `affected`."""

    def answer(request: Request) -> Response:
        if request.path.endswith(f"/vulns/{ADVISORY}"):
            events = [{"introduced": "0"}]
            package = {"ecosystem": "PyPI", "name": affected}
            found = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
            body = {"id": ADVISORY, "modified": "2026-01-01T00:00:00Z", "summary": "a hole", "affected": found}
            return Response(json.dumps(body), mimetype="application/json")
        queries = request.get_json()["queries"]
        asked.update((one["package"]["name"], one["version"]) for one in queries)
        hit = {"vulns": [{"id": ADVISORY, "modified": "2026-01-01T00:00:00Z"}]}
        results = [hit if one["package"]["name"] == affected else {} for one in queries]
        return Response(json.dumps({"results": results}), mimetype="application/json")

    return answer


@pytest.fixture
def make(tmp_path, httpserver: HTTPServer):
    """Return what runs a target of the Makefile in this environment, against the index on loopback."""
    httpserver.expect_request(re.compile(r"/(simple|files)/.*")).respond_with_handler(of_index)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "MAKE", "MFLAGS"))}
    environment |= {
        "UV_DEFAULT_INDEX": httpserver.url_for("/simple/"),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_HTTP_RETRIES": "0",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        ready = [argument for name in (".dev", ".runtime") for argument in ("-o", f"{sys.prefix}/{name}")]
        own = [f"VENV={sys.prefix}", f"PINNED={tmp_path / 'pinned'}"]
        command = ["make", "-C", str(ROOT), "--no-print-directory", *ready, *own, *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)

    return run


@needs_make
def test_the_sbom_names_every_pin_with_its_hashes_and_the_version_that_is_released(make, tmp_path):
    assert len(PINS) == len(re.findall(r"^[^\s#]+==", LOCK, re.MULTILINE))
    done = make("sbom", f"SBOM={tmp_path / 'sbom.json'}")
    assert done.returncode == 0, done.stderr
    sbom = json.loads((tmp_path / "sbom.json").read_text("utf-8"))
    assert (sbom["bomFormat"], sbom["specVersion"], sbom["version"]) == ("CycloneDX", "1.5", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", sbom["serialNumber"])
    root = sbom["metadata"]["component"]
    assert (root["name"], root["version"]) == ("digestmail", __version__)
    found = {
        one["name"]: (
            one["version"],
            tuple(sorted(hashed["content"] for file in one["externalReferences"] for hashed in file["hashes"])),
        )
        for one in sbom["components"]
    }
    assert found == {name: (version, tuple(sorted(hashes))) for name, (version, hashes) in PINS.items()}
    assert all(one["type"] == "library" for one in sbom["components"])
    purls = {one["purl"].partition("?")[0] for one in sbom["components"]}  # "?" and the index, if it is not the default
    assert purls == {f"pkg:pypi/{name}@{PINS[name][0]}" for name in PINS}
    references = {root["bom-ref"], *(one["bom-ref"] for one in sbom["components"])}
    assert len(references) == len(PINS) + 1
    assert {one["ref"] for one in sbom["dependencies"]} == references


@needs_make
def test_the_audit_asks_for_every_pin_and_fails_for_one_that_is_vulnerable(make, httpserver):
    asked: set[tuple[str, str]] = set()
    for place, affected in (("/clean/", "none"), ("/hole/", "jinja2")):
        handler = of_advisories(affected, asked)
        httpserver.expect_request(re.compile(rf"{place}v1/.*")).respond_with_handler(handler)
    options = "AUDIT_OPTIONS=--service-url"
    clean = make("audit", f"{options} {httpserver.url_for('/clean/')}")
    assert clean.returncode == 0, clean.stderr
    assert asked == {(name, version) for name, (version, _) in PINS.items()}
    hole = make("audit", f"{options} {httpserver.url_for('/hole/')}")
    assert hole.returncode != 0
    assert ADVISORY in hole.stdout
    assert "jinja2" in hole.stdout
    assert "a locked dependency has a known vulnerability" in hole.stderr


@needs_make
def test_an_audit_that_cannot_ask_fails_and_says_how_to_leave_it_out(make):
    unreachable = "AUDIT_OPTIONS=--service-url http://127.0.0.1:1/"
    done = make("audit", unreachable)
    assert done.returncode != 0
    assert "NOTHING WAS AUDITED" in done.stderr
    assert "AUDIT=no" in done.stderr
    left_out = make("audit", unreachable, "AUDIT=no")
    assert left_out.returncode == 0
    assert "WARNING: the dependencies are NOT audited" in left_out.stderr


@needs_make
def test_a_release_audits_first_and_writes_the_sbom_after_the_distributions_are_checked(make):
    steps = make("--dry-run", "release").stdout
    order = [
        "uv audit",
        "uv build",
        "twine check",
        "pip check",
        "digestmail demo",
        f"dist/digestmail-{__version__}.cdx.json",
    ]
    places = [steps.index(step) if step in steps else -1 for step in order]
    assert -1 not in places, steps
    assert places == sorted(places)


def test_no_lock_file_names_a_package_index():
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert not re.search(r"https?://|file:|--(extra-)?index|--find-links", (ROOT / name).read_text("utf-8")), name
