"""Private files: created for their owner only, and named by `check` if others can read them."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fakes import THURSDAY, FakeClock
from websites import open_app

from digestmail.bounces.mailboxes.quarantine import QuarantineFolder
from digestmail.config.bounces import BouncesTable
from digestmail.config.mail import MaildirTable
from digestmail.delivery.epoch import EpochFile
from digestmail.status import files
from digestmail.storage.database import Database
from digestmail.transports.maildir import MaildirTransport


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(*paths: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in paths}


@pytest.mark.usefixtures("umask")
def test_the_database_and_the_files_beside_it_are_for_their_owner_only(tmp_path):
    database = Database.open("sqlite:///new.db", base=tmp_path)
    database.upgrade()
    with database.lock("deliver") as held:
        assert held
        assert modes(*tmp_path.iterdir()) == {0o600}
    assert {path.name for path in database.files()} <= {path.name for path in tmp_path.iterdir()}
    database.close()


def test_the_mode_of_a_database_that_exists_does_not_change(tmp_path):
    (tmp_path / "old.db").touch(mode=0o640)
    database = Database.open("sqlite:///old.db", base=tmp_path)
    database.upgrade()
    assert modes(*tmp_path.glob("old.db*")) == {0o640}
    database.close()


@pytest.mark.usefixtures("umask")
def test_the_epoch_file_is_for_its_owner_only(tmp_path):
    EpochFile(tmp_path / "epoch", "secret").note(1)
    assert modes(tmp_path / "epoch") == {0o600}


@pytest.mark.usefixtures("umask")
def test_mailboxes_are_for_their_owner_only(tmp_path):
    async def connect() -> None:
        async with MaildirTransport(tmp_path / "mail").connect():
            pass

    asyncio.run(connect())
    assert modes(tmp_path / "mail", *(tmp_path / "mail").iterdir()) == {0o700}
    QuarantineFolder(tmp_path / "bounces" / ".quarantine").add(b"x")
    directories = [tmp_path / "bounces", tmp_path / "bounces" / ".quarantine"]
    assert modes(*directories, *(directories[1] / name for name in ("new", "cur", "tmp"))) == {0o700}
    assert modes(*(directories[1] / "new").iterdir()) == {0o600}


@pytest.fixture
def public():
    """Return a directory that every user can enter; pytest's own are private."""
    with TemporaryDirectory() as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path


@pytest.fixture
def app(public):
    with open_app(f"sqlite:///{public / 'test.db'}") as app:
        app.wall_clock = FakeClock(THURSDAY)
        app.base = public
        app.database.ping()
        yield app


def notes(app) -> list[str]:
    return list(files.notes(app, connect=False))


def test_nothing_is_noted_about_files_that_digestmail_creates(app, public):
    EpochFile(public / app.config.epoch_file, "secret").note(1)
    assert notes(app) == []


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o606])
def test_files_that_others_can_read_are_named_with_the_command(app, public, mode):
    for name in ("test.db", "digestmail.epoch", "my password"):
        (public / name).touch()
        (public / name).chmod(mode)
    mail = app.config.mail
    smtp = mail.smtp.model_copy(update={"password_file": Path("my password")})
    app.config = app.config.model_copy(update={"mail": mail.model_copy(update={"smtp": smtp})})

    assert notes(app) == [
        f"{public}/test.db (database) can be read by every user of this machine: chmod o= {public}/test.db",
        (
            f"{public}/digestmail.epoch (epoch_file) can be read by every user of this machine: "
            f"chmod o= {public}/digestmail.epoch"
        ),
        (
            f"{public}/my password (mail.smtp.password_file) can be read by every user of this machine: "
            f"chmod o= '{public}/my password'"
        ),
    ]
    public.chmod(0o750)
    assert notes(app) == [], "the directory protects them"


def test_a_mailbox_that_others_can_read_is_named(app, public):
    (public / "mail").mkdir()
    (public / "mail").chmod(0o755)
    mail = app.config.mail.model_copy(update={"transport": "maildir", "maildir": MaildirTable(path=Path("mail"))})
    app.config = app.config.model_copy(update={"mail": mail})
    (note,) = notes(app)
    assert note.endswith(f"chmod -R o= {public}/mail")


def test_a_configuration_is_named_only_if_it_contains_a_secret(app, public):
    file = public / "config.toml"
    for content, found in (('password_file = "x"', 0), ("[mail.smtp]\npassword = 'x'", 1), ("= not TOML", 0)):
        file.write_text(content)
        file.chmod(0o644)
        assert len(notes(app)) == found, content


def test_messages_in_quarantine_are_noted(app, public):
    for kind, folder in (("maildir", "b/.quarantine"), ("mbox", "b.quarantine"), ("listen", "b/.quarantine")):
        app.config = app.config.model_copy(update={"bounces": BouncesTable(kind=kind, path=Path("b"))})
        assert notes(app) == []
        QuarantineFolder(public / folder).add(b"x")
        (note,) = notes(app)
        assert note.startswith(f"messages that could not be processed: 1; look at them in {public / folder}, ")
        shutil.rmtree(public / folder)


def test_an_imap_server_is_asked_only_on_request(app):
    table = BouncesTable(kind="imap", host="127.0.0.1", port=1, timeout=1.0, username="x")
    app.config = app.config.model_copy(update={"bounces": table})
    assert notes(app) == []
    (note,) = files.notes(app, connect=True)
    assert note.startswith("bounces: 127.0.0.1: ")
