"""Files that the configuration names: what is wrong with one that cannot be read."""

from __future__ import annotations

from pathlib import Path


def file_fault(error: OSError | ValueError, file: Path, base: Path) -> str:
    """Return why the file named `file` cannot be used, with the folder it was looked for in.

    `base` is the folder of the configuration, where relative paths begin. ValueErrors are about its contents.
    """
    path = (base / file).absolute()
    if isinstance(error, FileNotFoundError):
        from_here = "" if file.is_absolute() else "; relative paths begin at the folder of the configuration"
        return f"there is no file {file.name} in {path.parent}{from_here}"
    if isinstance(error, IsADirectoryError):
        return f"{path} is a directory, not a file"
    if isinstance(error, PermissionError):
        return f"this user may not read {path}: check its owner, its mode and those of {path.parent}"
    if isinstance(error, UnicodeDecodeError):
        return f"{path} is not UTF-8 text"
    if isinstance(error, OSError) and error.strerror:
        return f"{path} cannot be read: {error.strerror}"
    return str(error)
