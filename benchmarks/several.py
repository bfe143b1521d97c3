"""Several workers on one outbox, each a process: what one machine's cores deliver together."""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import clients
from benchmarks.clients import Load
from benchmarks.mailing import Mailing
from digestmail.mail.dkim import Signer


class SeveralWorkers:
    """digestmail as a client: `count` processes that wait for a load, deliver it together, and say what it took."""

    def __init__(self, mailing: Mailing, url: str, directory: Path, count: int, pem: bytes | None = None) -> None:
        """Start the processes, which sign with the key `pem` if there is one. `mailing` is published already."""
        self._mailing = mailing
        self.cpu: dict[Load, list[float]] = defaultdict(list)
        context = multiprocessing.get_context("spawn")
        self._ends: list[Connection] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, url, directory, mailing.people, pem), daemon=True)
            process.start()
            self._ends.append(ours)
            self._processes.append(process)
        for end in self._ends:
            assert end.recv() == "ready"

    def __call__(self, load: Load) -> float:
        """Send `load.count` messages over `load.sessions` connections, divided between the workers."""
        self._mailing.requeue(load.count)
        done: list[tuple[int, float]] = []

        def work() -> None:
            for end in self._ends:
                end.send(replace(load, sessions=load.sessions // len(self._ends)))
            done.extend(end.recv() for end in self._ends)

        rate = clients.rate(load.count, work)
        assert sum(sent for sent, _ in done) == load.count, (done, load)
        self.cpu[load].append(sum(seconds for _, seconds in done) / load.count * 1000)
        return rate

    def close(self) -> None:
        """End the processes."""
        for end, process in zip(self._ends, self._processes, strict=True):
            end.send(None)
            process.join()


def _work(end: Connection, url: str, directory: Path, people: int, pem: bytes | None) -> None:
    mailing = Mailing(url, directory, people, fill=False)
    signers = [Signer(domain="example.org", selector="one", pem=pem)] if pem is not None else []
    end.send("ready")
    while (load := end.recv()) is not None:
        began = time.process_time()
        report = mailing.deliver(load.port, sessions=load.sessions, size=load.size, signers=signers)
        end.send((report.sent, time.process_time() - began))
