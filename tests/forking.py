"""A program that stands ready, with everything imported, and forks processes that kill themselves at a named step.

It reads one JSON list of jobs a line; it answers with what became of each: an exit code, or minus the signal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

Job = dict[str, Any]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(real: Any, *, after: bool, turn: int) -> Any:
    """Return `real`, deadly the `turn`-th time."""
    seen = 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        seen += 1
        mine = seen == turn
        if mine and not after:
            die()
        result = real(*args, **kwargs)
        if mine and after:
            die()
        return result

    return call


def serve(work: Callable[[Job], None]) -> None:
    """Do the jobs of standard input, each in a fork, until it is closed."""
    for line in sys.stdin:
        pids = [_fork(work, job) for job in json.loads(line)]
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        sys.stdout.write(json.dumps(ends) + "\n")
        sys.stdout.flush()


def _fork(work: Callable[[Job], None], job: Job) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work(job)
    except BaseException:  # noqa: BLE001 - a fork that went on would be a second server
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
