from __future__ import annotations

import errno
import mailbox
import os
from pathlib import Path

import pytest
from sending import session

from digestmail.errors import TransportError
from digestmail.model.deliveries import Envelope
from digestmail.transports.maildir import MaildirTransport

from .contract import SENDER, Arrived, Stage, TransportContract, envelope, letter


def stored(path: Path) -> list[Path]:
    return sorted(path.glob("new/*")) + sorted(path.glob("cur/*"))


def as_arrived(content: bytes) -> Arrived:
    return_path, delivered_to, message = content.split(b"\n", 2)
    assert return_path.startswith(b"Return-Path: <")
    assert b"\r" not in message
    return Arrived(
        sender=return_path.removeprefix(b"Return-Path: <").removesuffix(b">").decode(),
        recipient=delivered_to.removeprefix(b"Delivered-To: ").decode(),
        message=message.replace(b"\n", b"\r\n"),
    )


def deliver(path: Path, name: str = "one", recipient: str = "reader@example.org") -> str:
    with session(MaildirTransport(path)) as opened:
        return opened.send(envelope(recipient), letter(name)).text


class TestMaildirTransport(TransportContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        path = tmp_path / "deep" / "mail"
        return Stage(MaildirTransport(path), lambda: [as_arrived(file.read_bytes()) for file in stored(path)])


def test_it_touches_nothing_before_it_is_opened(tmp_path: Path) -> None:
    MaildirTransport(tmp_path / "mail")
    assert list(tmp_path.iterdir()) == []


def test_other_programs_can_read_what_it_wrote(tmp_path: Path) -> None:
    deliver(tmp_path / "mail")
    (message,) = mailbox.Maildir(tmp_path / "mail", create=False)
    assert message["Subject"] == "Papers"
    assert message["Return-Path"] == f"<{SENDER}>"
    assert message["Delivered-To"] == "reader@example.org"


def test_it_keeps_mail_from_other_users(tmp_path: Path) -> None:
    deliver(tmp_path / "mail")
    (file,) = stored(tmp_path / "mail")
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "mail" / "new").stat().st_mode & 0o777 == 0o700


def test_the_same_delivery_leaves_one_file(tmp_path: Path) -> None:
    deliver(tmp_path)
    assert "already" in deliver(tmp_path)
    assert len(stored(tmp_path)) == 1


def test_the_same_delivery_within_one_session_leaves_one_file(tmp_path: Path) -> None:
    with session(MaildirTransport(tmp_path)) as opened:
        opened.send(envelope(), letter("one"))
        (tmp_path / "new" / stored(tmp_path)[0].name).rename(tmp_path / "cur" / "read:2,S")
        assert "already" in opened.send(envelope(), letter("one")).text
    assert len(stored(tmp_path)) == 1


@pytest.mark.parametrize("flags", [":2,", ":2,S", ":2,FRS", ""])
def test_a_mail_that_was_read_in_the_meantime_counts_as_delivered(tmp_path: Path, flags: str) -> None:
    deliver(tmp_path)
    (file,) = stored(tmp_path)
    file.rename(tmp_path / "cur" / f"{file.name}{flags}")
    assert "already" in deliver(tmp_path)
    assert len(stored(tmp_path)) == 1


def test_deliveries_to_two_people_are_two_files(tmp_path: Path) -> None:
    deliver(tmp_path, recipient="a@example.org")
    deliver(tmp_path, recipient="b@example.org")
    assert len(stored(tmp_path)) == 2


def test_what_a_crash_left_half_written_is_written_anew(tmp_path: Path) -> None:
    deliver(tmp_path)
    (file,) = stored(tmp_path)
    file.unlink()
    (tmp_path / "tmp" / file.name).write_bytes(b"half a mes" * 100)
    deliver(tmp_path)
    assert as_arrived(file.read_bytes()).message == letter("one")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_message_without_message_id_is_refused(tmp_path: Path) -> None:
    with session(MaildirTransport(tmp_path)) as opened, pytest.raises(ValueError, match="no Message-ID"):
        opened.send(envelope(), b"Subject: x\r\n\r\nMessage-ID: <not-a-header@example.org>\r\n")
    assert stored(tmp_path) == []


def test_an_international_recipient_is_written_as_utf8(tmp_path: Path) -> None:
    with session(MaildirTransport(tmp_path)) as opened:
        opened.send(Envelope(sender="", recipient="jürgen@example.org"), letter("one"))
    assert "Delivered-To: jürgen@example.org\n".encode() in stored(tmp_path)[0].read_bytes()


def test_a_file_where_the_mailbox_should_be_is_nobodys_address_fault(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("")
    with (
        pytest.raises(TransportError, match="cannot be opened") as caught,
        session(MaildirTransport(tmp_path / "mail")),
    ):
        pass
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_or_read_only_disk_is_nobodys_address_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with session(MaildirTransport(tmp_path)) as opened:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(TransportError, match="took no message") as caught:
            opened.send(envelope(), letter("one"))
    assert isinstance(caught.value.__cause__, OSError)
    assert stored(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []
