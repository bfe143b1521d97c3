"""Runs the program in this process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

import pytest

from digestmail.cli.main import main


def digestmail(site: Path, *words: str, status: int = 0) -> str:
    """Run the program in this process, with `site` as the working directory; return its output."""
    said = io.StringIO()
    argv, here = sys.argv, Path.cwd()
    os.chdir(site)
    sys.argv = ["digestmail", *words]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as left:
            main()
    finally:
        sys.argv = argv
        os.chdir(here)
    assert (left.value.code or 0) == status, said.getvalue()
    return said.getvalue()
