"""An emulator of a chat endpoint, with faults and hostile replies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response

SENTENCE = "The method finds rivers in satellite images with 12 times fewer labels."
POINTS = (
    "Rivers are hard to find in satellite images with few labels.",
    "The method compares satellite images of many seasons.",
    "It needs 12 times fewer labels than earlier work.",
)
ABSTRACT = (
    "Rivers are hard to find in satellite images. We present a method that compares images of many seasons. "
    "It needs 12 times fewer labels than earlier work, and results show that it also finds lakes."
)


def answer(text: Any, *, finish: str | None = "stop", tokens: int | None = 300, **message: Any) -> dict[str, Any]:
    """Return an answer with the content `text`."""
    usage = {} if tokens is None else {"usage": {"total_tokens": tokens}}
    return {"choices": [{"index": 0, "message": {"content": text} | message, "finish_reason": finish}]} | usage


def summary(sentence: str = SENTENCE, *points: str) -> str:
    """Return a summary as a model writes it."""
    return json.dumps({"sentence": sentence, "points": list(points or POINTS)}, ensure_ascii=False)


class ChatServer:
    """Answers `POST /v1/chat/completions` of an HTTP server with what `reply` returns for each request."""

    def __init__(self, httpserver: Any) -> None:
        self.requests: list[Request] = []
        self.reply: Callable[[dict[str, Any]], Any] = lambda _: summary()
        httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._answer)

    @property
    def materials(self) -> list[dict[str, str]]:
        """The titles and abstracts that were sent."""
        return [json.loads(request.get_json()["messages"][1]["content"]) for request in self.requests]

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        reply = self.reply(request.get_json())
        if isinstance(reply, Response):
            return reply
        return Response(json.dumps(answer(reply) if isinstance(reply, str) else reply), content_type="application/json")
