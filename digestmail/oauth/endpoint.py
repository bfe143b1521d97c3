"""The HTTP client of token endpoints: forms out, JSON in."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from digestmail.clock import Clock
from digestmail.errors import SourceError
from digestmail.oauth.answers import OAuthError, failure
from digestmail.sources.http.body import ACCEPTED_CODINGS
from digestmail.sources.http.connections import Connections
from digestmail.sources.http.failures import translated_errors
from digestmail.sources.http.network import Budget
from digestmail.sources.http.proxies import Proxies
from digestmail.sources.http.request import request_url
from digestmail.sources.http.response import body_of, header_values
from digestmail.sources.http.ssrf import Target, parse_target

_MOST_BYTES: Final = 256 * 1024


class OAuthEndpoint:
    """Sends requests to the endpoints of an authorization server (RFC 6749 section 3.2)."""

    def __init__(self, *, clock: Clock, user_agent: str, proxies: Proxies, timeout: float, login_command: str) -> None:
        """Store the settings. `timeout` is in seconds, for one request. Errors name `login_command` if it helps."""
        self._clock = clock
        self._user_agent = user_agent
        self._proxies = proxies
        self._timeout = timeout
        self._login_command = login_command

    def post(self, url: str, form: Mapping[str, str]) -> bytes:
        """Send a form; return the body of a successful response.

        The operator configured `url`, so it may be private. Redirects are not followed, because they would carry the
        secret elsewhere. Raises OAuthError, which contains no secret of the form; its `error` is empty if the server
        could not be reached or did not answer as RFC 6749 section 5.2 says.
        """
        target = parse_target(url)
        proxy = self._proxies.of(target)
        budget = Budget(self._clock)
        connections = Connections(budget, self._user_agent)
        connections.allow(None)
        body = urlencode(form).encode()
        budget.start(self._timeout)
        try:
            with (
                translated_errors(target, proxy, self._timeout),
                connections.pool(proxy).stream(
                    "POST",
                    request_url(target, proxy),
                    headers=self._headers(target, len(body)),
                    content=body,
                    extensions={"sni_hostname": target.host},
                ) as response,
            ):
                content = body_of(response, header_values(response), target, _MOST_BYTES)
        except SourceError as error:
            raise OAuthError(f"no access token: {error}") from error
        finally:
            connections.close()
        if response.status != HTTPStatus.OK:
            raise self._failure(response.status, content, target.shown, form)
        return content

    def _headers(self, target: Target, length: int) -> list[tuple[bytes, bytes]]:
        headers = {
            "Host": target.authority,
            "User-Agent": self._user_agent,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_CODINGS,
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(length),
        }
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]

    def _failure(self, status: int, content: bytes, where: str, form: Mapping[str, str]) -> OAuthError:
        error = failure(status, content, where, self._login_command)
        text = str(error)
        for name in ("client_secret", "refresh_token", "device_code", "code", "code_verifier"):
            if value := form.get(name):
                text = text.replace(value, "***")
        return OAuthError(text, error=error.error)
