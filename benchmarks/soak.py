"""`digestmail web` under 20,000 hostile requests: its memory must stay flat, and its log must not fill.

Four clients send made-up parameters, hosts and client addresses, sign-ups from many networks while the mail server is
down, bodies that are too large, too deep, cut off or never finished, and garbage. `python -m benchmarks.soak 100000`
sends 100,000 requests instead.
"""

from __future__ import annotations

import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote, urlencode

from benchmarks.figures import Figure, figure, tell
from benchmarks.web import CONFIG, fill
from digestmail.storage.database import Database

REQUESTS, CLIENTS, STEPS = 20_000, 4, 10
PAPERS = 2_000
MAIL = '\n[mail.smtp]\nhost = "127.0.0.1"\nport = 9\n'
PLAIN = (
    CONFIG.replace('base_url = "https://papers.example.org"\n', "")
    .replace("1000000", "600")
    .replace("[[sources]]", f"{MAIL}[[sources]]", 1)
)
PATHS = ("/", "/daily", "/daily/2020-01-09", "/daily/month/2020-01", "/daily/feed.atom", "/search.json", "/robots.txt")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Client:
    """Sends one hostile request after the other, each on its own connection."""

    def __init__(self, port: int, token: str, seed: int) -> None:
        """Draw from `seed`."""
        self._port = port
        self._token = token
        self._chance = random.Random(seed)
        self._open: list[socket.socket] = []
        self.statuses: Counter[str] = Counter()

    def send(self, count: int) -> None:
        """Send `count` requests."""
        kinds = (self._page, self._host, self._missing, self._search, self._sign_up, self._large, self._garbage)
        for _ in range(count):
            kind = self._chance.choices((*kinds, self._cut_off, self._stall), (30, 10, 15, 10, 10, 5, 8, 8, 4))[0]
            with suppress(OSError, HTTPException):
                kind()

    def close(self) -> None:
        """Close the connections that were left open."""
        for one in self._open:
            one.close()

    def _ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, target, body, {"X-Forwarded-For": self._address()} | fields)
            reply = connection.getresponse()
            reply.read()
            self.statuses[str(reply.status)] += 1
        finally:
            connection.close()

    def _word(self, longest: int = 60) -> str:
        return "".join(self._chance.choices("abcdefghij0123456789-é ", k=self._chance.randint(1, longest)))

    def _address(self) -> str:
        return f"2001:db8:{self._chance.randrange(65536):x}:{self._chance.randrange(65536):x}::1"

    def _page(self) -> None:
        query = urlencode({name: self._word() for name in ("page", "x", self._word(9))})
        self._ask("GET", f"{self._chance.choice(PATHS)}?{query}")

    def _host(self) -> None:
        self._ask("GET", self._chance.choice(PATHS), Host=f"{self._chance.randrange(10**9)}.example.org")

    def _missing(self) -> None:
        self._ask("GET", f"/{self._chance.choice(('', 'daily/', 'papers/', 'unsubscribe/'))}{quote(self._word())}")

    def _search(self) -> None:
        self._ask("GET", f"/search?{urlencode({'q': self._word(), 'topic': self._word(), 'from': self._word()})}")

    def _sign_up(self) -> None:
        number = self._chance.randrange(10**9)
        fields = {"address": f"{number}@{number % 999}.example.org", "digest": "daily", "token": self._token}
        self._ask("POST", "/subscribe", urlencode(fields).encode(), Content_Type=FORM["Content-Type"])

    def _large(self) -> None:
        body = self._chance.choice((b"[" * 400_000, b"x" * 1_500_000, b"a=1&" * 20_000))
        target = self._chance.choice(
            ("/api/v1/subscribers", "/api/v1/events/generic", "/subscribe", "/unsubscribe/x.y")
        )
        self._ask("POST", target, body, Content_Type=self._chance.choice(("application/json", FORM["Content-Type"])))

    def _garbage(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=60) as raw:
            raw.sendall(self._chance.randbytes(self._chance.randint(1, 400)) + b"\r\n\r\n")
            self.statuses[raw.recv(100).decode("latin-1")[9:12] or "closed"] += 1

    def _cut_off(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=60) as raw:
            raw.sendall(b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" + b"a=1&" * 500)
            self.statuses["cut off"] += 1

    def _stall(self) -> None:
        raw = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        raw.sendall(
            self._chance.choice((b"GET / HT", b"POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"))
        )
        self._open.append(raw)
        if len(self._open) > 100:
            self._open.pop(0).close()
        self.statuses["stalled"] += 1


def resident(process: int) -> float:
    """Return the resident memory of a process, in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) / 1000


def measured(directory: Path, requests: int) -> list[Figure]:
    """Serve from `directory` in a separate process, and attack it."""
    database = Database.open(f"sqlite:///{directory / 'digestmail.db'}", base=Path())
    database.upgrade()
    fill(database, 0, PAPERS)
    database.close()
    (directory / "config.toml").write_text(PLAIN)
    command = [sys.executable, "-m", "digestmail", "web", "--config", str(directory / "config.toml"), "--port", "0"]
    log = directory / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout
            port = int(process.stdout.readline().rsplit(":", 1)[1].strip(" /\n"))
            memory, clients = attack(port, process.pid, requests)
        finally:
            process.terminate()
            process.wait(30)
    statuses = sum((client.statuses for client in clients), Counter[str]())
    sys.stderr.write(f"RSS in MB: {', '.join(f'{one:.1f}' for one in memory)}\n{dict(statuses)}\n")
    lines = log.read_text().splitlines()
    sys.stderr.write("".join(f"log: {line[:200]}\n" for line in lines[:5]))
    return [
        figure("resident memory at the start", memory[0], "MB", "<=", 200),
        figure(f"resident memory after {requests:,} requests", memory[-1], "MB", "<=", 300),
        figure("growth over the second half", memory[-1] - memory[len(memory) // 2], "MB", "<=", 10),
        figure("responses with status 500", statuses["500"], "responses", "<=", 0),
        figure("lines in the log", len(lines), "lines", "<=", 20),
    ]


def attack(port: int, process: int, requests: int) -> tuple[list[float], list[Client]]:
    """Send `requests` requests; return the memory before and after each step."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/subscribe")
    found = re.search(r'name="token" value="([^"]+)"', connection.getresponse().read().decode())
    connection.close()
    assert found
    time.sleep(2.5)  # a form that is sent more quickly is refused
    clients = [Client(port, found[1], seed) for seed in range(CLIENTS)]
    memory = [resident(process)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(STEPS):
            list(pool.map(lambda client: client.send(requests // CLIENTS // STEPS), clients))
            memory.append(resident(process))
    for client in clients:
        client.close()
    return memory, clients


def main() -> None:
    directory = Path(tempfile.mkdtemp(prefix="digestmail-soak-"))
    try:
        tell(measured(directory, int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
