"""An idle `digestmail run` after ten years against one on the first day: CPU seconds and peak memory of the process.

Both databases end with the same real runs, which collect, publish and deliver to a Maildir. The old one had the rows of
ten years before. Then, in turn: an idle run on each, `python -c pass` and `import typer`.
DIGESTMAIL_BENCH_DELIVERIES says how many past deliveries there are (a million). DIGESTMAIL_BENCH_URL is the URL of an
empty PostgreSQL server, as `postgresql://user@host/`: its databases `few` and `many` are replaced.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, figure, tell

ROUNDS = 9
DELIVERIES = int(os.environ.get("DIGESTMAIL_BENCH_DELIVERIES", "1000000"))
HIDDEN = ("DIGESTMAIL_", "PYTHONDONTWRITEBYTECODE")
"""Variables that digestmail reports as unknown, and one that would have every process compile all modules."""
SERVER = os.environ.get("DIGESTMAIL_BENCH_URL", "")


@dataclass
class Spent:
    """What the processes of one kind took."""

    cpu: list[float] = field(default_factory=list)
    """User and system seconds."""
    wall: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    """Peak RSS in MB."""

    def run(self, *command: str) -> None:
        """Run a process, and add what it took. Raises RuntimeError if it fails."""
        began = time.perf_counter()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}")
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.wall.append(time.perf_counter() - began)
        self.memory.append(usage.ru_maxrss / 1024)


def prepare(directory: Path, name: str, port: int, deliveries: int) -> None:
    """Make a database with the rows of a past, if any, and with what a few runs leave behind."""
    from benchmarks.past import Size, add_past
    from benchmarks.soak_serve import CONFIG, WORDS, add_subscribers
    from digestmail.app import App
    from digestmail.clock import SystemClock
    from digestmail.config.load import load

    directory.mkdir()
    url = f"{SERVER}{name}" if SERVER else "sqlite:///digestmail.db"
    if SERVER:
        recreate(name)
    path = directory / "config.toml"
    path.write_text(f'database = "{url}"\n' + CONFIG.format(port=port, one=WORDS[7], two=WORDS[8]))
    with App(load(path, None), directory, SystemClock()) as app:
        if deliveries:
            add_past(app.database, app.clock.now(), Size.of(deliveries))
        add_subscribers(app, app.clock.now())
        for _ in range(3):
            app.run()


def serve(directory: Path) -> None:
    """Prepare both databases, say so, and serve their sources until standard input is closed."""
    from benchmarks.soak_serve import ManualClock, sources

    with sources(ManualClock(datetime.now(UTC))) as port:
        for name, deliveries in (("few", 0), ("many", DELIVERIES)):
            prepare(directory / name, name, port, deliveries)
        print("ready", flush=True)
        sys.stdin.read()


def recreate(name: str) -> None:
    """Replace a database of the PostgreSQL server by an empty one."""
    import psycopg

    with psycopg.connect(f"{SERVER}postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')


def measure(directory: Path) -> list[Figure]:
    """Have both databases built, and measure in turn."""
    spent = {name: Spent() for name in ("few", "many", "pass", "typer")}
    # In another process, because the peak RSS of a process begins with that of the one which started it.
    command = [sys.executable, "-m", "benchmarks.idle", str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise RuntimeError("the databases were not built")
        for _ in range(ROUNDS):
            for name in ("few", "many"):
                config = str(directory / name / "config.toml")
                spent[name].run(sys.executable, "-m", "digestmail", "run", "--config", config)
            spent["pass"].run(sys.executable, "-c", "pass")
            spent["typer"].run(sys.executable, "-c", "import typer")
        server.stdin.close()
    return figures(spent)


def figures(spent: dict[str, Spent]) -> list[Figure]:
    """Return the medians, without the first round."""
    cpu = {name: statistics.median(one.cpu[1:]) for name, one in spent.items()}
    memory = {name: max(one.memory[1:]) for name, one in spent.items()}
    wall = {name: statistics.median(one.wall[1:]) for name, one in spent.items()}
    return [
        figure("idle run after ten years: CPU", cpu["many"], "s", "<=", 0.5),
        Figure("idle run against import typer: CPU", round(cpu["many"] / cpu["typer"], 1), "times", "-", holds=True),
        Figure("idle run on the first day: CPU", round(cpu["few"], 3), "s", "-", holds=True),
        Figure("python -c pass: CPU", round(cpu["pass"], 3), "s", "-", holds=True),
        Figure("import typer: CPU", round(cpu["typer"], 3), "s", "-", holds=True),
        figure("CPU after ten years against the first day", cpu["many"] / cpu["few"], "times", "<=", 1.1),
        figure("peak memory after ten years against the first day", memory["many"] / memory["few"], "times", "<=", 1.1),
        Figure("idle run after ten years: peak memory", round(memory["many"], 1), "MB", "-", holds=True),
        Figure("idle run on the first day: peak memory", round(memory["few"], 1), "MB", "-", holds=True),
        Figure("idle run after ten years: wall time", round(wall["many"], 2), "s", "-", holds=True),
        Figure("idle run on the first day: wall time", round(wall["few"], 2), "s", "-", holds=True),
    ]


def main() -> None:
    """Measure all."""
    directory = Path(tempfile.mkdtemp(prefix=".bench-idle-", dir=Path.cwd()))
    try:
        tell(measure(directory))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]))
    else:
        main()
