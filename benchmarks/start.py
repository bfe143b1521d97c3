"""How long `digestmail --help` takes against `python -c "import typer"`, whole processes, in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.figures import Figure, figure, tell

ROUNDS = 25


def seconds(*command: str) -> float:
    """Return the wall time of a process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(sys.executable, "-m", "digestmail", "--help"))
        theirs.append(seconds(sys.executable, "-c", "import typer"))
    tell(
        [
            figure(
                "--help against importing typer",
                statistics.median(ours) / statistics.median(theirs),
                "times",
                "<=",
                1.5,
            ),
            Figure("--help", round(statistics.median(ours), 3), "s", "-", holds=True),
        ]
    )


if __name__ == "__main__":
    main()
