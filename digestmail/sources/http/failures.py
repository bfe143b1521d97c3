"""From what went wrong in an HTTP exchange to the errors of sources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpcore2

from digestmail.errors import SourceError, SourceRefusedError, SourceUnavailableError, SourceUnreadableError
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.http.ssrf import Target

_TRANSIENT = frozenset({500, 502, 504})


class TransientError(SourceUnavailableError):
    """A failure that may be over a second later, within the same fetch."""


@contextmanager
def translated_errors(target: Target, proxy: ProxyServer | None, timeout: float) -> Iterator[None]:
    """Turn the errors of the HTTP library into those of sources. `timeout` is in seconds, for the message."""
    try:
        yield
    except httpcore2.TimeoutException as error:
        raise TransientError(f"{target.shown} did not answer in {timeout:g} seconds") from error
    except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
        way = f" through the proxy {proxy.shown}" if proxy else ""
        raise TransientError(f"{target.shown} cannot be reached{way}: {error}") from error
    except httpcore2.ProxyError as error:
        if proxy is None:
            raise
        raise proxy_failure(proxy, str(error), target) from error
    except httpcore2.LocalProtocolError as error:
        # Its text may quote a header, and that a password.
        raise SourceRefusedError(f"{target.shown}: the request is not HTTP; look at headers of this source") from error


def proxy_failure(proxy: ProxyServer, answer: str, target: Target | None = None) -> SourceUnavailableError:
    """Return the error for a proxy that did not pass on a request. `answer` is its status and reason."""
    if answer.startswith("407"):
        why = "refused the login" if proxy.login else "wants a login"
        advice = "set proxy_username and proxy_password_file in [network]"
        return SourceUnavailableError(f"the proxy {proxy.shown} {why} (407): {advice}", status=407)
    where = f" for {target.shown}" if target else ""
    return SourceUnavailableError(f"the proxy {proxy.shown} answered {answer.strip()[:100]}{where}")


def status_failure(status: int, target: Target, hint: str = "") -> SourceError:
    """Return the error for a status (RFC 9110 section 15) that is neither success, nor redirect, nor throttling."""
    message = f"{target.shown} answered {status}{hint}"
    if status in _TRANSIENT:
        return TransientError(message, status=status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SourceUnavailableError(message, status=status)
    if status >= HTTPStatus.BAD_REQUEST:
        return SourceRefusedError(message, status=status)
    return SourceUnreadableError(message, status=status)
