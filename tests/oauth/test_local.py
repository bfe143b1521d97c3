"""Tokens from a file and from a program."""

from __future__ import annotations

import sys

import pytest
from fakes import FakeClock

from digestmail.errors import TransportError
from digestmail.oauth.local import CommandTokens, FileTokens, run_program


def script(tmp_path, text: str) -> tuple[str, ...]:
    (tmp_path / "token.py").write_text(text)
    return sys.executable, "-I", str(tmp_path / "token.py")


def counting(tmp_path, text: str = "print(f'token-{runs}')") -> tuple[str, ...]:
    return script(
        tmp_path,
        f"from pathlib import Path\nlog = Path({str(tmp_path / 'log')!r})\n"
        "runs = len(log.read_text()) + 1 if log.exists() else 1\nlog.write_text('x' * runs)\n" + text,
    )


def test_a_program_runs_once_in_five_minutes(tmp_path):
    clock = FakeClock()
    tokens = CommandTokens(counting(tmp_path), clock)
    assert [tokens.get(), tokens.get()] == ["token-1", "token-1"]
    clock.sleep(301)
    assert tokens.get() == "token-2"


def test_a_refused_token_makes_the_program_run_once_more(tmp_path):
    tokens = CommandTokens(counting(tmp_path), FakeClock())
    assert tokens.get() == "token-1"
    assert tokens.renew("token-1") == "token-2"
    assert tokens.renew("token-1") == "token-2", "another connection was refused with the same token"
    assert tokens.get() == "token-2"


def test_a_program_that_prints_the_same_token_again_has_no_other(tmp_path):
    tokens = CommandTokens(counting(tmp_path, "print('same')"), FakeClock())
    assert tokens.get() == "same"
    assert tokens.renew("same") is None
    assert (tmp_path / "log").read_text() == "xx"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "printed nothing"),
        ("print('two words')", "printed something other than a token"),
        ("print('one'); print('two')", "printed something other than a token"),
        ("import sys; sys.exit('not logged in\\x1b[2J')", "status 1: not logged in"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "status -15"),
    ],
)
def test_a_program_that_prints_no_token_is_an_error(tmp_path, text, problem):
    with pytest.raises(TransportError, match=problem) as caught:
        CommandTokens(script(tmp_path, text), FakeClock()).get()
    assert str(caught.value).isprintable()
    assert "two" not in str(caught.value)


def test_a_program_that_is_not_there_is_an_error():
    with pytest.raises(TransportError, match="token_command nothing-here cannot be started: No such file"):
        CommandTokens(("/nothing-here",), FakeClock()).get()


def test_a_program_that_takes_too_long_is_ended_with_what_it_started(tmp_path):
    text = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with pytest.raises(TransportError, match=r"took longer than 0\.3 seconds and was ended"):
        run_program(script(tmp_path, text), 0.3)


def test_no_shell_reads_the_words(tmp_path):
    assert run_program((*script(tmp_path, "import sys; print(sys.argv[1])"), "$HOME;id"), 30.0) == "$HOME;id"


def test_what_a_program_leaves_running_is_not_waited_for(tmp_path):
    text = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE)\n"
        "import os; os.set_blocking(1, True); print('token'); sys.stdout.flush(); os._exit(0)\n"
    )
    assert run_program(script(tmp_path, text), 30.0) == "token"


@pytest.mark.parametrize(("content", "problem"), [("\n", "no access token"), ("a\nb\n", "more than one")])
def test_a_file_without_one_token_is_an_error(tmp_path, content, problem):
    (tmp_path / "token").write_text(content)
    with pytest.raises(TransportError, match=problem):
        FileTokens(tmp_path / "token").get()


def test_a_file_is_read_again_when_its_token_was_refused(tmp_path):
    tokens = FileTokens(tmp_path / "token")
    with pytest.raises(TransportError, match="cannot be read"):
        tokens.get()
    (tmp_path / "token").write_text("one\n")
    assert tokens.get() == "one"
    assert tokens.renew("one") is None
    (tmp_path / "token").write_text("two\n")
    assert tokens.renew("one") == "two"
