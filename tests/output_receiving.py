"""Receivers of outputs on loopback: a webhook that verifies signatures, and messages to send to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from unittest import mock

from editions import edition, entry, section
from fakes import THURSDAY, FakeClock
from pytest_httpserver import HTTPServer
from standardwebhooks import webhooks
from werkzeug import Request, Response

from digestmail.model.editions import Edition
from digestmail.model.papers import Signals
from digestmail.model.selection import TopicMatch
from digestmail.outputs.base import OutputMessage
from digestmail.outputs.requests import HttpSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "0123456789abcdef"
OTHER_SECRET = "whsec_" + "b2xkLXNlY3JldC1tYWRlLXVwLWZvci10ZXN0cw"


def published(*titles: str, **fields: Any) -> Edition:
    """Return an edition of Thursday with these papers under one topic."""
    match = TopicMatch(topic="Caches", strength=1.0, keywords=("cache",))
    papers = [entry(n, title, signals=Signals(upvotes=9 - n), match=match) for n, title in enumerate(titles, 1)]
    return edition((section(papers, "Caches"),), **{"topics": ("Caches",), **fields})


def message(*titles: str, sent_at: datetime = THURSDAY, test: bool = False, **fields: Any) -> OutputMessage:
    """Return an edition on its way."""
    return OutputMessage(edition=published(*titles, **fields), token=TOKEN, sent_at=sent_at, test=test)


def http_settings(clock: FakeClock | None = None) -> HttpSettings:
    """Return what requests have in common."""
    return HttpSettings(clock=clock or FakeClock(), user_agent="digestmail/0 (+digest@example.org)")


@dataclass
class Receiver:
    """A receiver as the documentation of Standard Webhooks shows it: it verifies, and knows messages by their id."""

    answers: list[Response] = field(default_factory=list)
    """For the next requests; then 204."""
    secret: str = SECRET
    now: datetime = THURSDAY
    accepted: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    requests: int = 0

    def receive(self, request: Request) -> Response:
        self.requests += 1
        with at_time(self.now):
            payload = webhooks.Webhook(self.secret).verify(request.get_data(), dict(request.headers))
        self.ids.append(request.headers["webhook-id"])
        if self.answers:
            return self.answers.pop(0)
        if request.headers["webhook-id"] not in self.ids[:-1] or not self.accepted:
            self.accepted.append(payload)
        return Response(status=204)

    def listen(self, server: HTTPServer, path: str = "/hook") -> str:
        """Listen at `path`; return its address."""
        server.expect_request(path, method="POST").respond_with_handler(self.receive)
        return str(server.url_for(path))


@contextmanager
def at_time(now: datetime) -> Iterator[None]:
    """Let the receiver's library believe that it is `now`."""

    then = mock.Mock(wraps=datetime)
    then.now.side_effect = now.astimezone
    with mock.patch.object(webhooks, "datetime", then):
        yield


def as_json(response_body: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(response_body), status=status, mimetype="application/json", headers=named)
