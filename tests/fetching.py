"""A network that answers from a script, for the tests of sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from digestmail.model.papers import Validators
from digestmail.sources.base import NO_HEADERS, Answer


@dataclass(frozen=True)
class Request:
    """One call of `fetch`."""

    url: str
    accept: str
    min_interval: float
    conditional: bool
    retry_empty: bool
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.url).query).items()}


@dataclass
class ScriptedFetcher:
    """Responds to each request according to `script`: bytes, None for "304 Not Modified", or an error to raise."""

    script: Callable[[Request], bytes | Exception | None]
    content_type: str = ""
    redirected_to: str | None = None
    requests: list[Request] = field(default_factory=list)

    def fetch(
        self,
        url: str,
        *,
        accept: str,
        min_interval: float = 1.0,
        conditional: bool = True,
        retry_empty: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        request = Request(url, accept, min_interval, conditional, retry_empty, headers)
        self.requests.append(request)
        outcome = self.script(request)
        if isinstance(outcome, Exception):
            raise outcome
        validators = Validators(etag=f'"{len(self.requests)}"')
        return Answer(
            url=url,
            body=outcome,
            validators=validators,
            content_type=self.content_type,
            redirected_to=self.redirected_to,
        )


def in_order(*outcomes: bytes | Exception | None) -> Callable[[Request], bytes | Exception | None]:
    """Return a script that gives one outcome after the other."""
    rest = iter(outcomes)
    return lambda _request: next(rest)
