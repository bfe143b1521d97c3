"""Runs the program in this process."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from pathlib import Path

import pytest

from digestmail.cli.main import main
from digestmail.logs.handlers import PrivateFileHandler, StandardErrorHandler
from digestmail.logs.setup import MAIL_LOG


def undo_logging(root: logging.Logger, level: int) -> None:
    """Remove what the program set up, which is meant for a process that ends."""
    for logger in (root, logging.getLogger(MAIL_LOG)):
        for handler in [
            each for each in logger.handlers if isinstance(each, StandardErrorHandler | PrivateFileHandler)
        ]:
            logger.removeHandler(handler)
            handler.close()
    root.setLevel(level)
    mail = logging.getLogger(MAIL_LOG)
    mail.propagate = True
    mail.setLevel(logging.NOTSET)


def digestmail(site: Path, *words: str, status: int = 0) -> str:
    """Run the program in this process, with `site` as the working directory; return its output."""
    said = io.StringIO()
    argv, here = sys.argv, Path.cwd()
    root = logging.getLogger()
    level = root.level
    os.chdir(site)
    sys.argv = ["digestmail", *words]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as left:
            main()
    finally:
        undo_logging(root, level)
        sys.argv = argv
        os.chdir(here)
    assert (left.value.code or 0) == status, said.getvalue()
    return said.getvalue()
