"""The HTTP client of token endpoints: forms out, JSON in."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from digestmail.errors import SourceError
from digestmail.oauth.answers import OAuthError, failure
from digestmail.sources.http.exchange import HttpExchange, HttpResponse
from digestmail.sources.http.ssrf import parse_target

_SECRETS: Final = ("client_secret", "refresh_token", "device_code", "code", "code_verifier")


class OAuthEndpoint:
    """Sends requests to the endpoints of an authorization server (RFC 6749 section 3.2)."""

    def __init__(self, exchange: HttpExchange, *, login_command: str) -> None:
        """Send by `exchange`. Errors name `login_command` if it helps."""
        self._exchange = exchange
        self._login_command = login_command

    def post(self, url: str, form: Mapping[str, str]) -> bytes:
        """Send a form; return the body of a successful response.

        Raises OAuthError, which contains no secret of the form; its `error` is empty if the server could not be
        reached or did not answer as RFC 6749 section 5.2 says.
        """
        try:
            response = self._exchange.send("POST", url, form=urlencode(form).encode(), accept="application/json")
        except SourceError as error:
            raise OAuthError(f"no access token: {error}") from error
        if response.status != HTTPStatus.OK:
            raise self._failure(response, parse_target(url).shown, form)
        return response.body

    def _failure(self, response: HttpResponse, where: str, form: Mapping[str, str]) -> OAuthError:
        error = failure(response.status, response.body, where, self._login_command)
        text = str(error)
        for name in _SECRETS:
            if value := form.get(name):
                text = text.replace(value, "***")
        return OAuthError(text, error=error.error)
