"""The wheel works by itself: built, installed into a fresh environment, far from the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_brings_its_templates_and_runs_the_demo(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", "demo-out", "__pycache__", "*.db")
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, source],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    # The dependencies are lent from the environment that runs the tests; digestmail itself must come from the wheel.
    lent = next((tmp_path / "venv" / "lib").glob("python3*/site-packages")) / "lent.pth"
    lent.write_text(f"import sys; sys.path.append({sysconfig.get_paths()['purelib']!r})\n", "utf-8")
    where = subprocess.run(
        [python, "-c", "import digestmail; print(digestmail.__file__)"],
        check=True, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert str(tmp_path / "venv") in where.stdout
    answer = subprocess.run(
        [tmp_path / "venv" / "bin" / "digestmail", "demo", "--output", tmp_path / "out"],
        check=False, capture_output=True, text=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    page = (tmp_path / "out" / "mail.html").read_text("utf-8")
    assert "<h1" in page
    assert "1 sent" in answer.stdout
