"""A test site: pages and a mail server on loopback, with a clock that only moves on request."""

from __future__ import annotations

import mailbox
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import uvicorn
from fakes import FakeClock
from serving import PageServer, serving
from sqlalchemy import select

from digestmail.app import App
from digestmail.config.load import load
from digestmail.demo.receiver import receiving
from digestmail.storage.schema import notices
from digestmail.web.app import BUSY_SECONDS, create_app

CONFIG = """
base_url = "{base_url}"
database = "{database}"
[mail]
sender = "Trending papers <digest@example.org>"
[mail.smtp]
host = "{host}"
port = {port}
[[sources]]
name = "hf"
kind = "huggingface"
[[topics]]
name = "Agents"
keywords = ["agent"]
[[topics]]
name = "Vision"
keywords = ["image"]
[[digests]]
name = "daily"
title = "Trending papers"
byline = "by AK and the research community"
schedule = "0 7 * * *"
sources = ["hf"]
topics = ["Agents", "Vision"]
[[digests]]
name = "weekly"
title = "The week"
schedule = "0 7 * * 4"
sources = ["hf"]
"""


@dataclass(frozen=True)
class Answer:
    """A server's response."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Site:
    """The site, as seen by a browser without cookies and by a mail reader."""

    app: App
    clock: FakeClock
    base_url: str
    port: int
    box: mailbox.Maildir
    server: PageServer

    def ask(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for a path or an address of ours."""
        url = urlsplit(target)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, url.path, body, dict(headers or {}))
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.headers.items()), reply.read().decode())
        finally:
            connection.close()

    def get(self, target: str) -> Answer:
        return self.ask("GET", target)

    def post(self, target: str, fields: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Answer:
        body = urlencode(fields, doseq=True).encode()
        return self.ask("POST", target, body, {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})})

    def fill_in(self, target: str, action: str | None = None, **fields: object) -> Answer:
        """Open the page at `target`, wait as a person does, and send its form."""
        token = re.search(r'name="token" value="([^"]+)"', self.get(target).body)
        assert token, target
        self.clock.sleep(5)
        return self.post(action or target, {"token": token[1], **fields})

    def mails(self) -> list[EmailMessage]:
        """Return every mail that arrived, the oldest first."""
        # The Maildir's counter is part of the name, because the clock here does not distinguish messages.
        names = sorted(self.box.keys(), key=lambda name: int(re.search(r"Q(\d+)", name)[1]))
        return [message_from_bytes(self.box.get_bytes(name), policy=policy.default) for name in names]

    def wait_for_mails(self, count: int) -> list[EmailMessage]:
        """Return the mails when there are `count`: they are sent behind the answer."""
        for _ in range(2000):
            if len(self.box.keys()) >= count:
                return self.mails()
            time.sleep(0.005)
        raise AssertionError(f"{len(self.box.keys())} mails came, not {count}")

    def settle(self) -> None:
        """Return when no work is left behind an answer: no notice is due, or held for the length of a lease."""
        for _ in range(2000):
            if not self.server.is_busy() and not self._has_notices():
                return
            time.sleep(0.005)
        raise AssertionError("a mail that arrived was not written down as sent")

    def _has_notices(self) -> bool:
        soon = notices.c.due_at <= self.clock.now() + timedelta(hours=1)
        with self.app.database.connect() as connection:
            return bool(connection.execute(select(notices.c.id).where(soon)).all())

    def later(self, seconds: float) -> None:
        """Let time pass, but not while a notice is being sent: its lease would end, and it would go out twice."""
        self.settle()
        self.clock.sleep(seconds)


def links(mail: EmailMessage) -> list[str]:
    """Return every link of a mail: those of its text, its HTML and its headers."""
    texts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    texts += [str(mail[name] or "") for name in ("List-Unsubscribe", "List-Archive")]
    found = {
        link.rstrip(".,)").replace("&amp;", "&") for text in texts for link in re.findall(r"https?://[^\s\"'<>]+", text)
    }
    return sorted(found)


def link(mail: EmailMessage, kind: str) -> str:
    """Return the mail's link to `/kind/TOKEN`."""
    (found,) = {one for one in links(mail) if f"/{kind}/" in one}
    return found


@contextmanager
def opened(
    directory: Path,
    database_url: str,
    base_url: str | None = None,
    *,
    busy_seconds: float = BUSY_SECONDS,
    settings: str = "[web]\nfeedback = true\n",
) -> Iterator[Site]:
    """Serve a site on `database_url` with its mailbox in `directory`; `base_url` is the public URL of a proxy.

    `settings` are further tables of the configuration.
    """
    clock = FakeClock()
    with socket.create_server(("127.0.0.1", 0)) as listener, receiving(directory / "box") as (host, mail_port):
        port = listener.getsockname()[1]
        base_url = base_url or f"http://127.0.0.1:{port}"
        text = CONFIG.format(base_url=base_url, database=database_url, host=host, port=mail_port) + settings
        (directory / "config.toml").write_text(text, "utf-8")
        with App(load(directory / "config.toml", None), directory, clock, wall_clock=clock) as app:
            web = create_app(app, busy_seconds=busy_seconds)
            pages = uvicorn.Config(web, log_level="warning", access_log=False, proxy_headers=False, lifespan="off")
            with serving(pages, [listener]) as server:
                box = mailbox.Maildir(directory / "box", factory=None)
                yield Site(app=app, clock=clock, base_url=base_url, port=port, box=box, server=server)
