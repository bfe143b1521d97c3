"""Where the configuration is looked for, and where what digestmail writes goes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from digestmail.config.environment import CONFIG_VARIABLE
from digestmail.config.outputs import FilesTable
from digestmail.config.settings import Config

DEFAULT_PATH = Path("config.toml")
SYSTEM_PATH = Path("/etc/digestmail/config.toml")
SYSTEM_DATA = Path("/var/lib/digestmail")
ETC = Path("/etc")
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPlace:
    """A place where the configuration may be."""

    path: Path
    reason: str
    """What names it: an option, a variable, or the list of usual places."""
    is_named: bool = False
    """Whether the operator named it, so that no other place counts."""


def config_places(given: Path | None, environment: Mapping[str, str] = os.environ) -> Iterator[ConfigPlace]:
    """Yield the places that count, in this order; only one if the operator named it.

    The user's directory is that of the XDG Base Directory Specification, which ignores relative paths.
    """
    if given is not None:
        yield ConfigPlace(path=given, reason="--config", is_named=True)
        return
    if named := environment.get(CONFIG_VARIABLE):
        yield ConfigPlace(path=Path(named), reason=f"${CONFIG_VARIABLE}", is_named=True)
        return
    yield ConfigPlace(path=DEFAULT_PATH, reason="the current directory")
    home = environment.get("HOME", "")
    directories = [environment.get("XDG_CONFIG_HOME", ""), f"{home}/.config" if home else ""]
    if user := next((each for each in directories if each.startswith("/")), None):
        yield ConfigPlace(path=Path(user) / "digestmail" / "config.toml", reason="your own configuration")
    yield ConfigPlace(path=SYSTEM_PATH, reason="this machine's configuration")


def find_config(given: Path | None, environment: Mapping[str, str] = os.environ) -> ConfigPlace | None:
    """Return the first place that has a file, or that the operator named; None if there is none."""
    return next((place for place in config_places(given, environment) if place.is_named or _is_there(place.path)), None)


def find_path(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the configuration is: as given, else `DIGESTMAIL_CONFIG`, else the first usual place with a file.

    ./config.toml if there is none.
    """
    found = find_config(given, environment)
    return DEFAULT_PATH if found is None else found.path


def new_path(given: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where a new configuration goes: where the operator names it, else the current directory."""
    return next(config_places(given, environment)).path


def _is_there(path: Path) -> bool:
    """Return whether there is a file, also if this user may not see it: the others would be the wrong one."""
    try:
        return path.exists()
    except OSError:
        return True


def with_data_dir(config: Config, base: Path) -> Config:
    """Return `config` with the places that digestmail writes to below `data_dir`, unless they are absolute.

    These are the database, the epoch file, the Maildir for emails, the mailbox for bounces, the mail log and folders of
    outputs. `base` is the directory of the configuration, where a relative `data_dir` begins. The default is the
    directory of the configuration, unless that is below /etc, where nothing is written (Filesystem Hierarchy Standard,
    section 3.7).
    """
    data_dir = config.data_dir
    if data_dir is None and ETC in (base.absolute(), *base.absolute().parents):
        data_dir = SYSTEM_DATA
    if data_dir is None:
        return config
    data = (base / data_dir).absolute()
    mail = config.mail.model_copy(
        update={"maildir": config.mail.maildir.model_copy(update={"path": data / config.mail.maildir.path})}
    )
    changed: dict[str, object] = {"database": _below(config.database, data), "epoch_file": data / config.epoch_file}
    if config.bounces.model_fields_set:  # an absent table means that no mailbox is read
        changed["bounces"] = config.bounces.model_copy(update={"path": data / config.bounces.path})
    changed["outputs"] = tuple(
        table.model_copy(update={"path": data / table.path}) if isinstance(table, FilesTable) else table
        for table in config.outputs
    )
    if config.logs.mail_log is not None:
        changed["logs"] = config.logs.model_copy(update={"mail_log": data / config.logs.mail_log})
    return config.model_copy(update=changed | {"data_dir": data, "mail": mail})


def _below(database: str, data: Path) -> str:
    """Return the address of a database; a SQLite file is in `data` if its path is relative."""
    path = database.removeprefix(_SQLITE)
    return database if path in {database, ""} or path.startswith("/") else f"{_SQLITE}{data / path}"
