"""Files and folders of the configuration that have to be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from digestmail.config.settings import Config
from digestmail.storage.places import place_problem


def place_problems(config: Config, base: Path) -> Iterator[str]:
    """Name files and folders that this user cannot write, before a run has to. Relative paths begin at `base`."""
    places = {"epoch_file": base / config.epoch_file}
    if config.mail.transport == "maildir":
        folder = base / config.mail.maildir.path
        while not folder.exists():  # it is made when it is needed
            folder = folder.parent
        places["mail.maildir.path"] = folder / "new"
    for key, path in places.items():
        if not path.is_dir() and (problem := place_problem(path, key)):
            yield f"{key}: {problem}"
