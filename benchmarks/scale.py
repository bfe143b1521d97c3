"""A million subscribers: publishing and delivering at flat memory, rows a second, and octets a delivery on disk.

DIGESTMAIL_BENCH_PEOPLE says how many there are (a million, which costs five minutes). Publishing and delivering each
run in a process of their own, whose peak memory is taken.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.figures import Figure, figure, tell
from benchmarks.mailing import Mailing
from benchmarks.sink import sink

PEOPLE = int(os.environ.get("DIGESTMAIL_BENCH_PEOPLE", "1000000"))
URL = "sqlite:///bench.db"


def publishing(directory: Path, people: int) -> dict[str, float]:
    """Publish to everyone; return the seconds it took."""
    mailing = Mailing(URL, directory, people, fill=False)
    began = time.perf_counter()
    mailing.publish()
    return {"seconds": time.perf_counter() - began}


def delivering(directory: Path, people: int) -> dict[str, float]:
    """Deliver to everyone; return the seconds it took and how many were sent."""
    mailing = Mailing(URL, directory, people, fill=False)
    with sink() as port:
        began = time.perf_counter()
        report = mailing.deliver(port, sessions=16, size=20_000)
    return {"seconds": time.perf_counter() - began, "sent": report.sent}


def in_a_process(step: str, directory: Path, people: int) -> dict[str, float]:
    """Run a step in a separate process; return its result and its peak memory in megabytes."""
    command = [sys.executable, "-m", "benchmarks.scale", step, str(directory), str(people)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(output)
    return found


def size(directory: Path) -> int:
    """Return the octets of the database file, its log folded back."""
    with closing(sqlite3.connect(directory / "bench.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages, page = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages) * int(page)


def by_table(directory: Path) -> dict[str, int]:
    """Return the octets of each table and index of deliveries; nothing where SQLite was built without dbstat."""
    with closing(sqlite3.connect(directory / "bench.db")) as connection:
        try:
            rows = connection.execute(
                "SELECT s.name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name"
                " WHERE m.tbl_name = 'deliveries' GROUP BY s.name"
            ).fetchall()
        except sqlite3.OperationalError:
            return {}
    return dict(rows)


def disk(directory: Path, people: int, title: str, before: int) -> list[Figure]:
    """Return the size of a delivery on disk: by the growth of the file, and by table."""
    grown = (size(directory) - before) / people
    return [figure(f"{title}: a delivery on disk", grown, "bytes", "<=", 120)] + [
        Figure(f"{title}: of it {name}", round(octets / people, 1), "bytes", "-", holds=True)
        for name, octets in by_table(directory).items()
    ]


def measure(directory: Path) -> list[Figure]:
    """Publish, deliver, and look at the disk after each."""
    Mailing(URL, directory, PEOPLE).database.close()
    before = size(directory)
    found = in_a_process("publishing", directory, PEOPLE)
    figures = [
        figure(f"publishing {PEOPLE:,}: rows a second", PEOPLE / found["seconds"], "rows/s", ">=", 100_000),
        figure("publishing: peak memory", found["megabytes"], "MB", "<=", 300),
        *disk(directory, PEOPLE, "published", before),
    ]
    found = in_a_process("delivering", directory, PEOPLE)
    assert found["sent"] == PEOPLE, found
    rate = round(PEOPLE / found["seconds"], 1)
    return [
        *figures,
        Figure(f"delivering {PEOPLE:,}: messages a second", rate, "messages/s", "-", holds=True),
        figure("delivering: peak memory", found["megabytes"], "MB", "<=", 300),
        *disk(directory, PEOPLE, "delivered", before),
    ]


def peak_memory() -> float:
    """Return the most memory this process ever held, in megabytes.

    By VmHWM where there is one: what getrusage says begins with the peak of the process this one was started by.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure all."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        tell(measure(Path(name)))


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        step = {"publishing": publishing, "delivering": delivering}[sys.argv[1]]
        found = step(Path(sys.argv[2]), int(sys.argv[3]))
        print(json.dumps(found | {"megabytes": peak_memory()}))
