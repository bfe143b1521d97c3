"""Edit the configuration as visudo does: a copy is edited, checked, and only then put in the place of the file."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from digestmail.config.load import load
from digestmail.errors import ConfigError, DigestmailError

_EDITORS: Final = ("sensible-editor", "editor", "nano", "vi")
"""Which of them there is, if neither VISUAL nor EDITOR is set."""


def edit_file(path: Path) -> None:
    """Have the operator edit the file at `path`. Raises DigestmailError if it stays as it was, though it was edited.

    The copy is in the same directory, because relative paths begin there.
    """
    before = _read(path)
    copy = _copy_of(path, before)
    keep = False
    try:
        while True:
            _run_editor(copy)
            if copy.read_bytes() == before:
                sys.stdout.write(f"{path} is unchanged\n")
                return
            problems = _problems(copy, path)
            if not problems:
                break
            sys.stderr.write("".join(f"{problem}\n" for problem in problems))
            if not _asks_again():
                keep = not sys.stdin.isatty()
                raise DigestmailError(f"{path} was not changed" + (f"; your version is in {copy}" if keep else ""))
        if _read(path) != before:
            keep = True
            raise DigestmailError(f"{path} was changed by someone else meanwhile; your version is in {copy}")
        copy.replace(path)
    finally:
        if not keep:
            with suppress(OSError):
                copy.unlink(missing_ok=True)
    sys.stdout.write(
        f"{path} is valid and saved; `digestmail up` and `worker` take it up on SIGHUP (systemctl reload digestmail)\n"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DigestmailError(f"{path} cannot be read: {error.strerror}") from error


def _copy_of(path: Path, content: bytes) -> Path:
    """Return a new file beside `path` with `content`, and the same owner and mode. Raises DigestmailError."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        status = path.stat()
        with suppress(PermissionError):  # only root may give a file away
            os.chown(name, status.st_uid, status.st_gid)
        shutil.copymode(path, name)
    except OSError as error:
        raise DigestmailError(
            f"{path.parent} cannot be written: {error.strerror}; edit the configuration as the user who owns it"
        ) from error
    return Path(name)


def _run_editor(file: Path) -> None:
    """Run the editor on `file`. Raises DigestmailError if there is none, or it fails."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    found = next(filter(shutil.which, _EDITORS), None)
    try:
        command = shlex.split(named) if named else [found] if found else []
    except ValueError as error:
        raise DigestmailError(f"VISUAL or EDITOR is not a command: {error}") from error
    if not command:
        raise DigestmailError("there is no editor: set VISUAL or EDITOR")
    try:
        code = subprocess.run([*command, str(file)], check=False).returncode  # noqa: S603 - the operator's own editor
    except OSError as error:
        raise DigestmailError(f"the editor {command[0]} cannot be run: {error.strerror}") from error
    if code:
        raise DigestmailError(f"the editor {command[0]} ended with code {code}, so nothing was changed")


def _problems(copy: Path, path: Path) -> tuple[str, ...]:
    """Return what is wrong with the edited copy, in the name of the file that it replaces."""
    try:
        load(copy)
    except ConfigError as error:
        return tuple(problem.replace(str(copy), str(path)) for problem in error.problems)
    return ()


def _asks_again() -> bool:
    """Ask whether to edit again; without a terminal, do not."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("The configuration is not valid. Edit again, or discard your changes? [E/d] ")
    sys.stderr.flush()
    return not sys.stdin.readline().strip().lower().startswith("d")
