"""`digestmail worker` says what it needs."""

from __future__ import annotations

import sys

import pytest
from clirun import digestmail
from uprun import SOURCE, configure

POSTGRESQL = 'database = "postgresql://digestmail@127.0.0.1:1/digestmail"'


def test_with_sqlite_it_names_the_command_for_one_machine(tmp_path):
    configure(tmp_path, SOURCE.format("http://127.0.0.1:1"))
    said = digestmail(tmp_path, "worker", status=2)
    assert "SQLite" in said
    assert "`digestmail up`" in said
    assert not list(tmp_path.glob("*.db")), "nothing is created"


def test_without_the_extra_it_names_what_to_install(tmp_path, monkeypatch):
    configure(tmp_path, SOURCE.format("http://127.0.0.1:1"), top=POSTGRESQL)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "procrastinate" else name)
    assert "pip install 'digestmail[cluster]'" in digestmail(tmp_path, "worker", status=2)


@pytest.mark.parametrize("kind", ["tick", "everything"])
def test_an_unknown_kind_of_job_is_an_error_that_names_the_others(tmp_path, kind):
    configure(tmp_path, SOURCE.format("http://127.0.0.1:1"), top=POSTGRESQL)
    said = digestmail(tmp_path, "worker", "--only", kind, status=2)
    assert "read, train, publish, outputs, deliver" in " ".join(said.replace("│", " ").split())


def test_other_commands_do_not_import_the_library(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "procrastinate" or "digestmail.cluster" in name]:
        monkeypatch.delitem(sys.modules, name)
    configure(tmp_path, SOURCE.format("http://127.0.0.1:1"))
    digestmail(tmp_path, "publish", "--quiet")
    digestmail(tmp_path, "deliver", "--quiet")
    assert not [name for name in sys.modules if name.startswith(("procrastinate", "digestmail.cluster"))]
