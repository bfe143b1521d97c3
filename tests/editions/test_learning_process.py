"""Learning in a process of its own gives the same models, can be stopped, and never takes this process down."""

from __future__ import annotations

import sys

import corpus
import pytest
from corpus import LAW, OPTICS

from digestmail.editions import learning_process
from digestmail.editions.learning_process import LearningError, Material, learn_here, learn_in_child
from digestmail.selection.learning import FEWEST_PAPERS

ROWS = [(title, abstract, ()) for title, abstract in corpus.papers(FEWEST_PAPERS)]
ENOUGH = Material(papers=ROWS, topics=[OPTICS, LAW])
TOO_FEW = Material(papers=ROWS[:9], topics=[OPTICS])


def test_the_child_learns_the_same_as_this_process():
    assert learn_in_child(ENOUGH) == learn_here(ENOUGH)


def test_what_goes_wrong_in_the_child_is_told_here():
    with pytest.raises(
        LearningError, match=f"ValueError: topics are learned from at least {FEWEST_PAPERS} papers, not 9"
    ):
        learn_in_child(TOO_FEW)


def test_modules_in_the_current_directory_are_not_loaded(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    assert learn_in_child(ENOUGH) is not None


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Return what has another program run in place of Python."""

    def run(script: str) -> None:
        path = tmp_path / "program"
        path.write_text(f"#!{sys.executable}\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setattr(learning_process.sys, "executable", str(path))

    return run


def test_a_child_that_hangs_is_ended_when_the_run_is_stopped(program):
    program("import sys, threading; sys.stdin.buffer.read(); threading.Event().wait()")
    assert learn_in_child(TOO_FEW, lambda: True) is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "its process was ended by signal 9"),
        ("raise SystemExit(3)", "its process ended with code 3"),
        ("raise SystemExit('no numpy here')", "no numpy here"),
        ("print('hello')", "its process wrote something else than models"),
    ],
)
def test_a_child_that_dies_is_an_error_that_says_how(program, script, said):
    program(f"import sys; sys.stdin.buffer.read(); {script}")
    with pytest.raises(LearningError, match=said):
        learn_in_child(TOO_FEW)
