"""The run that a log line belongs to, so that all its lines can be found by one number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import ParamSpec

_Arguments = ParamSpec("_Arguments")


@dataclass
class _Scope:
    """What runs in one scope has one number; it is known only after the run was recorded."""

    number: int | None = None


_scope: ContextVar[_Scope | None] = ContextVar("digestmail_run", default=None)


@contextmanager
def run_scope() -> Iterator[None]:
    """Let the log lines of this block belong to one run: from `name_run` on, they carry its number.

    The number holds until the end of the block, so that the report of a run, and the error that ended it, have it too.
    """
    token = _scope.set(_Scope())
    try:
        yield
    finally:
        _scope.reset(token)


def name_run(number: int) -> None:
    """Say that what happens in this scope from now on is the run `number` of the table `runs`."""
    scope = _scope.get()
    if scope is not None:
        scope.number = number


def current_run() -> int | None:
    """Return the number of the run in progress here; None outside of runs."""
    scope = _scope.get()
    return None if scope is None else scope.number


def in_same_run(work: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Return `work` for another thread, whose log lines then belong to the run in which this function was called.

    Threads begin with an empty context (https://docs.python.org/3.11/library/contextvars.html#contextvars.copy_context).
    """
    context = copy_context()

    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        context.run(work, *args, **kwargs)

    return run
