from __future__ import annotations

import pytest
from unit_selection import TESTS, imports_service


@pytest.mark.parametrize("line", ["import socket", "from subprocess import run", "from digestmail.demo.stage import x"])
def test_a_module_that_opens_sockets_or_starts_programs_needs_a_service(tmp_path, line):
    (tmp_path / "test_made_up.py").write_text(f"def test():\n    {line}\n", "utf-8")

    assert imports_service(tmp_path / "test_made_up.py")


@pytest.mark.parametrize("line", ["import asyncio_like", "from digestmail import demonstration", "import stage"])
def test_other_imports_need_none(tmp_path, line):
    (tmp_path / "test_made_up.py").write_text(f"{line}\n", "utf-8")

    assert not imports_service(tmp_path / "test_made_up.py")


def test_what_a_helper_of_the_tests_imports_counts_too(tmp_path):
    (tmp_path / "test_made_up.py").write_text("from .scripted import scripted\n", "utf-8")

    assert imports_service(tmp_path / "test_made_up.py")
    assert not imports_service(TESTS / "schedule" / "test_cron.py")
