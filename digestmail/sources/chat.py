"""The client of an OpenAI-compatible chat endpoint: two messages in, one text out. No tools, no streaming.

`POST {url}/chat/completions` is served by OpenAI (https://platform.openai.com/docs/api-reference/chat/create), Ollama,
llama.cpp, vLLM and LM Studio. They differ in what they take:

- `response_format` with a JSON schema: most; DeepSeek takes only other formats, LM Studio no other.
- `max_tokens`: all but OpenAI's reasoning models, which want `max_completion_tokens`, and refuse any `temperature`.

So each is left out, or renamed, once the endpoint refuses a request with a message that names it.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final, Self

from digestmail.clock import Clock
from digestmail.errors import SourceError
from digestmail.model.summaries import ChatAnswer
from digestmail.sources.http.host_limits import HostLimits
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.json_endpoint import JsonEndpoint, said, unreadable

_TEMPERATURE: Final = 0.2
_ABOUT_PARAMETERS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_NAMES: Final = {
    "max_completion_tokens": ("max_completion_tokens",),
    "max_tokens": ("max_tokens",),
    "temperature": ("temperature",),
    "response_format": ("response_format", "json_schema", "json schema", "structured output", "grammar"),
}
"""What messages call the parameters that an endpoint may refuse."""
_MOST_TOKENS: Final = 10_000_000
_LONGEST_REASON: Final = 200


class ChatEndpoint:
    """A chat endpoint, one request at a time. Close it, or use it in a `with` statement."""

    def __init__(  # noqa: PLR0913 - keyword-only, each a limit or a collaborator
        self,
        *,
        url: str,
        model: str,
        api_key: str | None,
        timeout: float,
        max_body_bytes: int,
        max_tokens: int,
        schema: dict[str, Any],
        clock: Clock,
        host_limits: HostLimits,
        user_agent: str,
        proxy: ProxyServer | None = None,
    ) -> None:
        """Connect to nothing yet. Answers follow the JSON `schema` if the endpoint can make them do so.

        An answer has `max_tokens` at most, as far as the endpoint obeys. The rest is as for `JsonEndpoint`.
        """
        self.model = model
        self.max_tokens = max_tokens
        self._timeout = timeout
        self._options: dict[str, Any] = {
            "temperature": _TEMPERATURE,
            "max_tokens": max_tokens,
            "response_format": _format(schema),
        }
        self._endpoint = JsonEndpoint(
            table="summaries",
            address=f"{url.rstrip('/')}/chat/completions",
            api_key=api_key,
            timeout=timeout,
            max_body_bytes=max_body_bytes,
            clock=clock,
            host_limits=host_limits,
            user_agent=user_agent,
            proxy=proxy,
        )

    def __enter__(self) -> Self:
        """Return the endpoint itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._endpoint.close()

    def ask(self, instructions: str, material: str, *, timeout: float) -> ChatAnswer:
        """Return the answer to a system message and a user message, within `timeout` seconds for each request.

        Raises SourceError as `JsonEndpoint.post`, unreadable if there is no text in the answer.
        """
        messages = [{"role": "system", "content": instructions}, {"role": "user", "content": material}]
        content = self._post({"model": self.model, "messages": messages}, min(timeout, self._timeout))
        try:
            return parse_answer(content)
        except ValueError as error:
            raise unreadable(self._endpoint.target, error) from error

    def _post(self, request: dict[str, Any], timeout: float) -> bytes:
        while True:
            try:
                return self._endpoint.post(request | self._options, timeout=timeout)
            except SourceError as error:
                if error.status not in _ABOUT_PARAMETERS or not self._give_up_parameter(str(error).lower()):
                    raise

    def _give_up_parameter(self, message: str) -> bool:
        """Leave out the parameter that a message names, and return whether there is one. Each is given up once."""
        for name in tuple(self._options):
            if any(word in message for word in _NAMES[name]):
                value = self._options.pop(name)
                if name == "max_tokens" and "max_completion_tokens" in message:
                    self._options["max_completion_tokens"] = value
                return True
        return False


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def parse_answer(content: bytes) -> ChatAnswer:
    """Return the text of an answer. Raises ValueError, a phrase that says what is wrong.

    An answer is `{"choices": [{"message": {"content": "..."}, "finish_reason": "stop"}], "usage": {...}}`. Some servers
    send the content in parts, and some report errors with the status 200.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("no JSON") from error
    choices = found.get("choices") if isinstance(found, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        if reason := _one_line(said(found)):
            raise ValueError(f"an error: {reason}")
        raise ValueError("JSON without `choices`: is this the address of an OpenAI-compatible API?")
    message = choices[0].get("message")
    message = message if isinstance(message, dict) else {}
    ended = choices[0].get("finish_reason")
    if ended == "content_filter" or (message.get("refusal") and isinstance(message["refusal"], str)):
        raise ValueError("a refusal of the model")
    text = _text(message.get("content"))
    if not text.strip():
        raise ValueError("no text" + (f" (finish_reason {_one_line(ended)})" if isinstance(ended, str) else ""))
    return ChatAnswer(text=text, complete=ended != "length", tokens=_tokens(found.get("usage")))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type", "text") == "text"]
    return "".join(text for text in texts if isinstance(text, str))


def _tokens(usage: Any) -> int | None:
    counts = usage if isinstance(usage, dict) else {}
    total = _count(counts.get("total_tokens"))
    prompt, answer = _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens"))
    return prompt + answer if total is None and prompt is not None and answer is not None else total


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None


def _one_line(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text[:_LONGEST_REASON]).strip()
