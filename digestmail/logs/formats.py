"""Log records as lines: `key=value` text for people, JSON for programs. One record is one line, whatever it quotes."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any, Final

from digestmail.logs.runs import current_run

_BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that end a line or control a terminal: what a server or feed sends may not forge a line."""


class RunFilter(logging.Filter):
    """Adds the number of the run to each record, and leaves out what other libraries say below WARNING."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record. Called in the thread that logs, where the run is known."""
        record.run = current_run()
        return record.levelno >= logging.WARNING or record.name.partition(".")[0] == "digestmail"


class TextFormatter(logging.Formatter):
    """`2026-04-02T07:00:01.123+02:00 level=INFO log=digestmail.up run=17 the message`, in local time.

    The traceback of a bug follows on lines of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's interface
        """Return the line without a traceback."""
        at = datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")
        run = getattr(record, "run", None)
        place = f"log={record.name}" if run is None else f"log={record.name} run={run}"
        return f"{at} level={record.levelname} {place} {_BREAKS.sub(_escape, record.message)}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (RFC 3339, UTC), `level`, `log`, `message`; `run` and `exception` if there is one.

    A record may bring more keys, as a dict in its attribute `fields`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, in ASCII."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "log": record.name,
            "message": record.getMessage(),
        }
        if (run := getattr(record, "run", None)) is not None:
            values["run"] = run
        values |= getattr(record, "fields", {})
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(values, default=str)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
