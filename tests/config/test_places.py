from __future__ import annotations

from pathlib import Path

import pytest

from digestmail.config import places
from digestmail.config.load import load
from digestmail.config.places import config_places, find_config, find_path, new_path
from digestmail.errors import ConfigError

SMALL = """
{top}
[mail]
sender = "digest@example.org"
{more}
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["hf"]
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a directory with the places of a user and of the machine below it."""
    monkeypatch.setattr(places, "SYSTEM_PATH", tmp_path / "etc/digestmail/config.toml")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_what_the_operator_names_counts_alone(machine):
    make(machine / "here/config.toml")
    assert find_path(Path("a.toml"), {"DIGESTMAIL_CONFIG": "b.toml"}) == Path("a.toml")
    assert find_path(None, {"DIGESTMAIL_CONFIG": "b.toml"}) == Path("b.toml")
    assert find_path(None, {"DIGESTMAIL_CONFIG": ""}) == Path("config.toml")


def test_the_usual_places_count_in_order(machine):
    environment = {"HOME": str(machine / "home")}
    assert find_path(None, environment) == Path("config.toml"), "where a new one goes"
    system = make(machine / "etc/digestmail/config.toml")
    assert find_path(None, environment) == system
    user = make(machine / "home/.config/digestmail/config.toml")
    assert find_path(None, environment) == user
    other = make(machine / "xdg/digestmail/config.toml")
    assert find_path(None, environment | {"XDG_CONFIG_HOME": str(machine / "xdg")}) == other
    make(machine / "here/config.toml")
    assert find_path(None, environment) == Path("config.toml")
    assert find_config(None, environment).reason == "the current directory"


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"XDG_CONFIG_HOME": "relative"}, {"HOME": "relative"}])
def test_without_a_home_directory_the_user_has_no_place(machine, environment):
    assert [place.path for place in config_places(None, environment)] == [Path("config.toml"), places.SYSTEM_PATH]


def test_a_file_that_this_user_may_not_see_hides_the_others(machine, monkeypatch):
    user = make(machine / "home/.config/digestmail/config.toml")
    make(machine / "etc/digestmail/config.toml")

    def refuse(path: Path) -> bool:
        if path == user:
            raise PermissionError(13, "Permission denied")
        return path.is_file()

    monkeypatch.setattr(Path, "exists", refuse)
    assert find_path(None, {"HOME": str(machine / "home")}) == user


def test_a_new_configuration_goes_here_whatever_there_is_elsewhere(machine):
    make(machine / "etc/digestmail/config.toml")
    assert new_path(None, {}) == Path("config.toml")
    assert new_path(None, {"DIGESTMAIL_CONFIG": "/b.toml"}) == Path("/b.toml")


def test_an_absent_configuration_names_every_place(machine, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    with pytest.raises(ConfigError) as caught:
        load(find_path(None, {}))
    (said,) = caught.value.problems
    assert str(machine / "here/config.toml") in said
    assert "/home/someone/.config/digestmail/config.toml" in said
    assert str(places.SYSTEM_PATH) in said


# -- data_dir ----------------------------------------------------------------------------------------------------------


def loaded(directory: Path, top: str = "", more: str = ""):
    (directory / "config.toml").write_text(SMALL.format(top=top, more=more), "utf-8")
    return load(directory / "config.toml")


def test_what_digestmail_writes_is_below_data_dir(tmp_path):
    config = loaded(tmp_path, 'data_dir = "/var/lib/digestmail"', '[bounces]\npath = "bounces"')
    assert config.database == "sqlite:////var/lib/digestmail/digestmail.db"
    assert config.epoch_file == Path("/var/lib/digestmail/digestmail.epoch")
    assert config.mail.maildir.path == Path("/var/lib/digestmail/mail")
    assert config.bounces.path == Path("/var/lib/digestmail/bounces")


def test_the_folders_of_outputs_are_below_data_dir_too(tmp_path):
    tables = ['[[outputs]]\nname = "site"\nkind = "files"\npath = "public"']
    tables += ['[[outputs]]\nname = "web"\nkind = "files"\npath = "/srv/www"']
    config = loaded(tmp_path, 'data_dir = "/var/lib/digestmail"', "\n".join(tables))
    assert [table.path for table in config.outputs] == [Path("/var/lib/digestmail/public"), Path("/srv/www")]


def test_a_relative_data_dir_begins_at_the_configuration(tmp_path):
    config = loaded(tmp_path, 'data_dir = "state"')
    assert config.database == f"sqlite:///{tmp_path}/state/digestmail.db"
    assert config.epoch_file == tmp_path / "state/digestmail.epoch"


def test_absolute_paths_and_other_databases_stay_as_they_are(tmp_path):
    config = loaded(
        tmp_path,
        'data_dir = "/var/lib/digestmail"\ndatabase = "sqlite:////srv/d.db"\nepoch_file = "/srv/e"',
        '[mail.maildir]\npath = "/srv/mail"\n[bounces]\npath = "/srv/bounces"',
    )
    assert config.database == "sqlite:////srv/d.db"
    assert config.epoch_file == Path("/srv/e")
    assert config.mail.maildir.path == Path("/srv/mail")
    assert config.bounces.path == Path("/srv/bounces")
    assert loaded(tmp_path, 'data_dir = "x"\ndatabase = "postgresql://localhost/d"').database.startswith("postgresql:")


def test_an_absent_table_for_bounces_stays_absent(tmp_path):
    assert not loaded(tmp_path, 'data_dir = "/var/lib/digestmail"').bounces.model_fields_set


def test_without_data_dir_nothing_changes(tmp_path):
    assert loaded(tmp_path).database == "sqlite:///digestmail.db"


def test_the_environment_may_name_the_data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_DATA_DIR", "/data")
    assert loaded(tmp_path).epoch_file == Path("/data/digestmail.epoch")


def test_below_etc_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "ETC", tmp_path)
    (tmp_path / "digestmail").mkdir()
    config = loaded(tmp_path / "digestmail")
    assert config.database == "sqlite:////var/lib/digestmail/digestmail.db"
    assert config.epoch_file == Path("/var/lib/digestmail/digestmail.epoch")
    assert loaded(tmp_path / "digestmail", 'data_dir = "."').epoch_file == tmp_path / "digestmail/digestmail.epoch"
