"""The programs that fork processes to kill, as a test sees them; see `forking`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from forking import Job


@dataclass(frozen=True)
class Program:
    """The program, as a test sees it."""

    process: subprocess.Popen[str]

    def run(self, jobs: Sequence[Job]) -> list[int]:
        """Return how each job ended. What a job writes to standard error is the test's own."""
        self.process.stdin.write(json.dumps(jobs) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def program(path: Path) -> Iterator[Program]:
    """Start the program at `path`, which calls `serve`; end it afterwards."""
    with subprocess.Popen([sys.executable, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Program(process)
        process.stdin.close()
