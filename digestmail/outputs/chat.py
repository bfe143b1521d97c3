"""`kind = "apprise"`: a short text to a chat, through the library Apprise (extra `digestmail[apprise]`).

https://github.com/caronc/apprise. Each URL is an output of its own here, because Apprise reports a failure at one of
several URLs as a failure of the call, and a repetition would reach those again that had accepted the message.
"""

from __future__ import annotations

import hashlib
import logging
import re
from importlib.util import find_spec
from typing import Any, Final

from digestmail.errors import OutputError, OutputUnknownError
from digestmail.outputs.base import Alert, OutputMessage
from digestmail.outputs.chat_text import MOST_BYTES, alert_text, chat_message
from digestmail.outputs.content import content_of

NOT_INSTALLED: Final = "Apprise is not installed: pip install 'digestmail[apprise]'"
_STATUS: Final = re.compile(r"error=(\d{3})")


def is_installed() -> bool:
    """Return whether the extra is installed, without importing it."""
    return find_spec("apprise") is not None


def fingerprint(url: str) -> str:
    """Return what tells one URL from another in the database and in messages. It does not show the URL."""
    return hashlib.sha256(f"digestmail.output\n{url}".encode()).hexdigest()[:12]


class Chat:
    """One Apprise URL with one destination."""

    repeatable = False
    """A chat shows a message twice that is sent twice."""

    def __init__(self, *, url: str, timeout: float, base_url: str | None) -> None:
        """`timeout` is in seconds, for a connection and for each response."""
        self.timeout = timeout
        self._url = url
        self._base_url = base_url

    def send(self, message: OutputMessage) -> str:
        """Send an edition; return the name of the service. Raises OutputError."""
        apprise, service = self._opened()
        title, body = chat_message(
            content_of(message.edition, self._base_url),
            body_limit=service.body_maxlen,
            title_limit=service.title_maxlen,
            test=message.test,
        )
        return self._notify(apprise, service, title, body)

    def send_alert(self, alert: Alert) -> str:
        """Send an alert; return the name of the service. Raises OutputError."""
        apprise, service = self._opened()
        limit = min(service.body_maxlen - len(alert.subject), MOST_BYTES)
        return self._notify(apprise, service, *alert_text(alert.subject, alert.lines, limit))

    def _notify(self, apprise: Any, service: Any, title: str, body: str) -> str:
        from apprise import AppriseResultStatus, NotifyFormat

        name = str(service.service_name)
        result = apprise.notify(title=title, body=body, body_format=NotifyFormat.TEXT, interpret_escapes=False)
        if result.status == AppriseResultStatus.SUCCESS:
            return name
        logged = " ".join(str(entry) for entry in result.logs())
        found = _STATUS.search(logged)
        status = int(found[1]) if found else None
        # The log may quote the URL, which is a secret.
        reason = f"answered {status}" if status else "did not accept the message, or cannot be reached"
        if result.status == AppriseResultStatus.TIMEOUT:
            raise OutputUnknownError(f"{name} did not answer in time: the message may have arrived")
        raise OutputError(f"{name} {reason}", status=status)

    def problems(self) -> tuple[str, ...]:
        """Return why the URL cannot be used, without showing it."""
        try:
            self._opened()
        except OutputError as error:
            return (str(error),)
        return ()

    def _opened(self) -> tuple[Any, Any]:
        """Return an `Apprise` with the service of the URL, and the service. Raises OutputError."""
        if not is_installed():
            raise OutputError(NOT_INSTALLED)
        from apprise import Apprise, AppriseAsset

        _keep_log_private()
        # Nothing is stored on the disk, and no plugin is loaded but Apprise's own.
        asset = AppriseAsset(app_id="digestmail", app_desc="digestmail", plugin_paths=[], secure_logging=True)
        service = Apprise.instantiate(self._url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise OutputError("Apprise does not know this URL, or a part of it is missing", permanent=True)
        if len(service) != 1:
            raise OutputError(
                f"the URL names {len(service)} destinations of {service.service_name}: write one URL for each",
                permanent=True,
            )
        service.socket_connect_timeout = service.socket_read_timeout = self.timeout
        apprise = Apprise(asset=asset)
        apprise.add(service)
        return apprise, service


def _keep_log_private() -> None:
    """Keep Apprise's log, which quotes parts of URLs, out of ours and off standard error."""
    log = logging.getLogger("apprise")
    log.propagate = False
    if not any(isinstance(handler, logging.NullHandler) for handler in log.handlers):
        log.addHandler(logging.NullHandler())
