"""What `digestmail check` notes about files: messages in quarantine, and private files that others can read."""

from __future__ import annotations

import shlex
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from digestmail.config.field_errors import rows_of
from digestmail.config.places import DEFAULT_PATH
from digestmail.errors import DigestmailError
from digestmail.wiring.bounces import count_quarantined

if TYPE_CHECKING:
    from digestmail.app import App
    from digestmail.config.settings import Config

_PUBLIC_FILES: Final = frozenset({"ca_file", "epoch_file"})
"""Keys that name files without secrets. Every other key that ends with `_file` names a secret."""
_SECRET_KEYS: Final = frozenset(
    {
        "password",
        "proxy_password",
        "admin_token",
        "metrics_token",
        "webhook_secret",
        "api_key",
        "zotero_key",
        "client_secret",
        "secret",
        "semantic_scholar_key",
        "openalex_key",
    }
)


def notes(app: App, *, connect: bool) -> Iterator[str]:
    """Name the messages in quarantine, and the files that other users of this machine can read."""
    yield from _quarantined(app, connect=connect)
    for path, what in _private_paths(app):
        if is_readable_by_others(path):
            recursive = "-R " if path.is_dir() else ""
            yield (
                f"{path} ({what}) can be read by every user of this machine: "
                f"chmod {recursive}o= {shlex.quote(str(path))}"
            )


def is_readable_by_others(path: Path) -> bool:
    """Return whether a path exists and its mode, and the modes of all directories above it, let every user read it."""
    try:
        path = path.resolve()
        if not path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            return False
        return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
    except OSError:
        return False


def _quarantined(app: App, *, connect: bool) -> Iterator[str]:
    if not app.config.bounces.model_fields_set:
        return
    try:
        place, count = count_quarantined(app.config, app.base, app.database, app.wall_clock, connect=connect)
    except DigestmailError as error:
        yield f"bounces: {error}"
        return
    if count:
        yield f"messages that could not be processed: {count}; look at them in {place}, then delete them"


def _private_paths(app: App) -> Iterator[tuple[Path, str]]:
    """Yield what should be readable by its owner only, and what it is."""
    config, base = app.config, app.base
    yield from ((path, "database") for path in app.database.files())
    yield base / config.epoch_file, "epoch_file"
    if _contains_secret(base / DEFAULT_PATH):
        yield base / DEFAULT_PATH, "configuration with secrets"
    yield from ((base / path, key) for key, path in secret_files(config))
    if config.logs.mail_log is not None:
        yield base / config.logs.mail_log, "logs.mail_log"
    if config.mail.transport == "maildir":
        yield base / config.mail.maildir.path, "mail.maildir"
    if config.bounces.model_fields_set and config.bounces.kind in {"maildir", "mbox"}:
        yield base / config.bounces.path, "bounces.path"


def secret_files(config: Config) -> Iterator[tuple[str, Path]]:
    """Yield the key path and the file of every secret that a configuration reads from a file."""
    yield from _secret_files(config, "")


def _secret_files(table: BaseModel, prefix: str) -> Iterator[tuple[str, Path]]:
    for name in type(table).model_fields:
        value, key = getattr(table, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _secret_files(value, f"{key}.")
        elif isinstance(value, Path) and name.endswith("_file") and name not in _PUBLIC_FILES:
            yield key, value
        elif isinstance(value, dict):
            yield from ((f"{key}.{each}", path) for each, path in value.items() if isinstance(path, Path))
        elif isinstance(value, list | tuple):
            for each in value:
                if isinstance(each, BaseModel):
                    yield from _secret_files(each, f"{key}.{getattr(each, 'name', '?')}.")


def _contains_secret(path: Path) -> bool:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False
    # The addresses of Apprise contain secrets, unlike those of sources.
    return _has_secret_key(raw) or any(table.get("urls") for table in rows_of(raw, "outputs"))


def _has_secret_key(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_secret_key, value))
    if not isinstance(value, dict):
        return False
    return any(bool(inner) if key in _SECRET_KEYS else _has_secret_key(inner) for key, inner in value.items())
