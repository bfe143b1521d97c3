"""`kind = "files"`: a folder with one Markdown file or page for each edition, and a list of them.

Each file is written beside its place, synced and renamed, so that a reader or a crash never meets half a file. Writing
the same edition again gives the same folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final
from uuid import uuid4

from filelock import FileLock, Timeout

from digestmail.errors import DigestmailError, OutputError
from digestmail.outputs.base import OutputMessage
from digestmail.outputs.pages import INDEX, PageFormat, PageLink, PageRenderer

_LOCK: Final = ".digestmail.lock"
_FOLDER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""The names that digests may have (`config.values.Name`)."""
_SLOT: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d)(\d\d))?")
_NO_JEKYLL: Final = ".nojekyll"
"""Tells GitHub Pages to publish files as they are."""


class Files:
    """A folder of editions."""

    repeatable = True

    def __init__(self, pages: PageRenderer, *, path: Path, form: PageFormat, timeout: float) -> None:
        """Write into `path`, which is created when it is needed."""
        self.timeout = timeout
        self._pages = pages
        self._path = path
        self._form = form

    def send(self, message: OutputMessage) -> str:
        """Write an edition and the list; return the path of the file. Raises OutputError."""
        edition = message.edition
        name = f"test{self._form.extension}" if message.test else self._file(edition.digest, edition.slot.key)
        place = self._path / name
        try:
            text = self._pages.edition(edition, self._form)
            self._path.mkdir(parents=True, exist_ok=True)
            with FileLock(self._path / _LOCK, timeout=self.timeout, mode=0o644):
                place.parent.mkdir(exist_ok=True)
                write_atomically(place, text)
                if not message.test:
                    self._write_list()
        except Timeout as error:
            raise OutputError(f"{self._path}: another process is writing there") from error
        except DigestmailError as error:  # of a template
            raise OutputError(str(error)) from error
        except OSError as error:
            raise OutputError(f"{error.filename or self._path}: {error.strerror or error}") from error
        return str(place)

    def problems(self) -> tuple[str, ...]:
        """Return why the folder cannot be written to."""
        folder = self._path
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            return (f"{folder} is not a folder",)
        if not os.access(folder, os.W_OK | os.X_OK):
            return (f"this user may not write to {folder}",)
        return ()

    def _file(self, digest: str, slot: str) -> str:
        """Return the name of an edition's file: `daily/2026-04-02.html`; with the time as in `2026-04-02T0700`.

        Windows and artifacts of GitHub Actions allow no colon.
        """
        key = slot.replace(":", "")
        if not _FOLDER.fullmatch(digest) or not _SLOT.fullmatch(key):
            raise OutputError(f"no file can be named after the edition {digest} {slot}", permanent=True)
        return f"{digest}/{key}{self._form.extension}"

    def _write_list(self) -> None:
        """Write the list of the editions that the folder contains."""
        listed = self._pages.index(tuple(self._links()), self._form)
        write_atomically(self._path / f"{INDEX}{self._form.extension}", listed)
        if self._form is PageFormat.HTML:
            (self._path / _NO_JEKYLL).touch()

    def _links(self) -> Iterator[PageLink]:
        for file in sorted(self._path.glob(f"*/*{self._form.extension}")):
            found = _SLOT.fullmatch(file.stem)
            if not found or not _FOLDER.fullmatch(file.parent.name):
                continue  # not ours
            with suppress(ValueError):
                yield PageLink(
                    digest=file.parent.name,
                    day=date.fromisoformat(found[1]),
                    time=f"{found[2]}:{found[3]}" if found[2] else "",
                    path=f"{file.parent.name}/{file.name}",
                )


def write_atomically(place: Path, text: str) -> None:
    """Write a file so that after a crash it has either its old or its new content. Raises OSError."""
    temporary = place.with_name(f".{place.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
        _sync_folder(place.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable; Windows cannot, and does not need it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
