"""Configures logging, for every command in the same way."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from digestmail.logs.formats import JsonFormatter, RunFilter, TextFormatter
from digestmail.logs.handlers import PrivateFileHandler, StandardErrorHandler

MAIL_LOG: Final = "digestmail.mail"
"""The logger with one line for each attempt to send an email."""
_ACCESS_LOG: Final = "digestmail.web.access"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How to log."""

    json: bool = False
    level: int | None = None
    """The lowest level that is written (logging.INFO); None: as the command likes."""
    mail_log: Path | None = None
    """The file of the mail log, if that is not to be mixed with the rest."""


def set_up_logging(settings: LogSettings, *, level: int, quiet: bool = False) -> None:
    """Write what is logged as `settings` say, instead of as before. Without a level there, `level` counts.

    With `quiet`, nothing below WARNING is written, except to a mail log.
    """
    wanted = level if settings.level is None else settings.level
    formatter = JsonFormatter() if settings.json else TextFormatter()
    root, mail = logging.getLogger(), logging.getLogger(MAIL_LOG)
    _replace(root, _prepared(StandardErrorHandler(), formatter))
    root.setLevel(max(wanted, logging.WARNING) if quiet else wanted)
    # [web] access_log decides whether there are any.
    logging.getLogger(_ACCESS_LOG).setLevel(logging.WARNING if quiet else logging.INFO)
    if settings.mail_log is None:
        _replace(mail)
        mail.setLevel(logging.NOTSET)
    else:
        _replace(mail, _prepared(PrivateFileHandler(settings.mail_log), formatter))
        mail.setLevel(logging.INFO)
    mail.propagate = settings.mail_log is None


def _prepared(handler: logging.Handler, formatter: logging.Formatter) -> logging.Handler:
    handler.setFormatter(formatter)
    handler.addFilter(RunFilter())
    return handler


def _replace(logger: logging.Logger, *handlers: logging.Handler) -> None:
    """Give a logger these handlers instead of those that it got here before."""
    before = [each for each in logger.handlers if isinstance(each, StandardErrorHandler | PrivateFileHandler)]
    for each in handlers:
        logger.addHandler(each)
    for each in before:
        logger.removeHandler(each)
        each.close()
