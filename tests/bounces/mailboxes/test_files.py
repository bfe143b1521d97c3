"""Maildir and mbox."""

from __future__ import annotations

import mailbox

import pytest

from digestmail.bounces.mailboxes.base import MailboxError
from digestmail.bounces.mailboxes.maildir import MaildirMailbox
from digestmail.bounces.mailboxes.mbox import MboxMailbox
from digestmail.bounces.mailboxes.quarantine import QuarantineFolder


@pytest.fixture
def maildir(tmp_path):
    box = mailbox.Maildir(tmp_path / "mail")
    for number in range(3):
        box.add(f"Subject: {number}\n\nbody\n".encode())
    return tmp_path / "mail"


def subjects(mails) -> list[bytes]:
    return sorted(mail.raw.splitlines()[0] for mail in mails)


def test_done_messages_move_to_cur_as_seen_and_are_not_read_again(maildir):
    box = MaildirMailbox(maildir, max_bytes=1000)
    first, *rest = box.messages()
    box.mark_done(first)

    assert subjects(box.messages()) == subjects(rest)
    (moved,) = (maildir / "cur").iterdir()
    assert moved.name.endswith(":2,S")
    for mail in rest:
        box.mark_done(mail)
    assert list(box.messages()) == []
    assert len(mailbox.Maildir(maildir, create=False)) == 3, "nothing is deleted"


def test_unseen_messages_in_cur_are_read_and_keep_their_flags(maildir):
    for file in list((maildir / "new").iterdir()):
        file.rename(maildir / "cur" / f"{file.name}:2,F")
    box = MaildirMailbox(maildir, max_bytes=1000)
    mails = list(box.messages())
    box.mark_done(mails[0])

    assert len(mails) == 3
    assert [file.name.partition(":2,")[2] for file in (maildir / "cur").iterdir()].count("FS") == 1
    assert len(list(box.messages())) == 2


def test_two_readers_do_not_disturb_each_other(maildir):
    one, other = MaildirMailbox(maildir, max_bytes=1000), MaildirMailbox(maildir, max_bytes=1000)
    mine, theirs = one.messages(), other.messages()
    first = next(mine)
    same = next(theirs)
    one.mark_done(first)
    other.mark_done(same)

    for mail in list(mine):
        one.mark_done(mail)
    assert list(theirs) == []


def test_no_more_of_a_mail_is_read_than_was_allowed(maildir, tmp_path):
    assert {len(mail.raw) for mail in MaildirMailbox(maildir, max_bytes=5).messages()} == {5}
    (tmp_path / "mbox").write_bytes(b"From x\nSubject: long\n\n" + b"x" * 1000)
    assert [len(mail.raw) for mail in MboxMailbox(tmp_path / "mbox", max_bytes=50).messages()] == [50]


def test_an_mbox_is_read_completely_and_never_changed(tmp_path):
    path = tmp_path / "mbox"
    path.write_bytes(b"From a Thu Apr  2 2026\nSubject: 0\n\nbody\n\nFrom b Thu Apr  2 2026\nSubject: 1\n\n>From x\n")
    before = path.read_bytes()
    box = MboxMailbox(path, max_bytes=1000)

    mails = list(box.messages())
    for mail in mails:
        box.mark_done(mail)
    assert subjects(mails) == [b"Subject: 0", b"Subject: 1"]
    assert path.read_bytes() == before
    assert subjects(box.messages()) == subjects(mails)


@pytest.mark.parametrize("kind", [MaildirMailbox, MboxMailbox])
def test_a_mailbox_that_is_not_there_is_a_clear_error(tmp_path, kind):
    with pytest.raises(MailboxError, match=r"nowhere (is not a Maildir|does not exist)"):
        list(kind(tmp_path / "nowhere", max_bytes=1000).messages())


@pytest.mark.parametrize("kind", [MaildirMailbox, MboxMailbox])
def test_a_mailbox_that_cannot_be_looked_at_is_a_clear_error(tmp_path, kind):
    with pytest.raises(MailboxError, match="File name too long"):
        list(kind(tmp_path / ("x" * 300), max_bytes=1000).messages())


def test_an_empty_mbox_is_empty(tmp_path):
    (tmp_path / "mbox").touch()
    assert list(MboxMailbox(tmp_path / "mbox", max_bytes=1000).messages()) == []


DATED = [
    b"From MAILER-DAEMON Sat Nov 28 02:00:01 2026\n",
    b"From MAILER-DAEMON  Sat Nov  7 02:00 2026\n",
    b"From - Sat Nov 28 02:00:01 2026\n",
    b"From bounce+a=b@mx.example Sat, 28 Nov 2026 02:00:01 +0000\n",
    b'From "a b"@mx.example Sat Nov 28 02:00:01 CET 2026 remote from mx\n',
]


@pytest.mark.parametrize("line", DATED)
def test_a_from_line_with_any_date_format_starts_a_message(tmp_path, line):
    path = tmp_path / "mbox"
    path.write_bytes(line + b"Subject: 0\n\nbody\n\n" + line + b"Subject: 1\n\nbody\n")

    assert [mail.raw for mail in MboxMailbox(path, max_bytes=1000).messages()] == [
        b"Subject: 0\n\nbody\n\n",
        b"Subject: 1\n\nbody\n",
    ]


@pytest.mark.parametrize(
    "said", [b"From our records this failed:\n", b"From Monday on\n", b"From 2026 to Sat\n", b"From \n"]
)
def test_a_sentence_that_starts_with_from_is_part_of_its_message(tmp_path, said):
    path = tmp_path / "mbox"
    path.write_bytes(DATED[0] + b"Subject: 0\n\n" + said + b"<reader@example.net>: 550 5.1.1 no\n")

    (mail,) = MboxMailbox(path, max_bytes=1000).messages()
    assert mail.raw.endswith(said + b"<reader@example.net>: 550 5.1.1 no\n")


def test_a_from_line_after_a_truncated_message_starts_the_next(tmp_path):
    path = tmp_path / "mbox"
    path.write_bytes(DATED[0] + b"Subject: 0\n\nthe disk was full\n" + DATED[0] + b"Subject: 1\n\n")

    assert subjects(MboxMailbox(path, max_bytes=1000).messages()) == [b"Subject: 0", b"Subject: 1"]


def test_an_unreadable_message_of_a_maildir_moves_to_its_quarantine_folder(maildir):
    box = MaildirMailbox(maildir, max_bytes=1000)
    first, *rest = box.messages()
    assert box.count_quarantined() == 0
    assert box.quarantine(first)

    assert subjects(box.messages()) == subjects(rest)
    assert box.count_quarantined() == 1
    (moved,) = mailbox.Maildir(maildir, create=False).get_folder("quarantine")
    assert moved.as_bytes().startswith(first.raw.splitlines()[0])
    assert (maildir / ".quarantine").stat().st_mode & 0o777 == 0o700


def test_an_unreadable_message_of_an_mbox_is_copied_once_and_the_mbox_is_not_changed(tmp_path):
    path = tmp_path / "mbox"
    path.write_bytes(DATED[0] + b"Subject: 0\n\nbody\n")
    before = path.read_bytes()
    box = MboxMailbox(path, max_bytes=1000)

    assert [box.quarantine(message) for _ in range(2) for message in box.messages()] == [True, False]
    assert box.count_quarantined() == 1
    assert path.read_bytes() == before
    (copied,) = (tmp_path / "mbox.quarantine" / "new").iterdir()
    assert copied.read_bytes() == b"Subject: 0\n\nbody\n"
    assert copied.stat().st_mode & 0o777 == 0o600


def test_a_message_that_is_too_large_has_a_problem_and_the_next_one_is_read(tmp_path):
    for name, body in (("1", b"x" * 200), ("2", b"y")):
        for folder in ("new", "cur"):
            (tmp_path / "mail" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "mail" / "new" / name).write_bytes(b"Subject: x\n\n" + body)
    path = tmp_path / "mbox"
    path.write_bytes(DATED[0] + b"Subject: x\n\n" + b"x" * 200 + b"\n" + DATED[0] + b"Subject: x\n\ny")

    for box in (MaildirMailbox(tmp_path / "mail", max_bytes=100), MboxMailbox(path, max_bytes=100)):
        assert [message.problem for message in box.messages()] == [
            "it is larger than 100 bytes (bounces.max_bytes)",
            "",
        ]


def test_a_file_that_cannot_be_opened_has_a_problem_and_the_others_are_read(maildir, monkeypatch):
    broken = min((maildir / "new").iterdir(), key=lambda file: file.name)
    opened = type(broken).open

    def fail(self, *arguments):
        if self == broken:
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments)

    monkeypatch.setattr(type(broken), "open", fail)
    problems = [message.problem for message in MaildirMailbox(maildir, max_bytes=1000).messages()]
    assert problems == ["the file cannot be read: Permission denied", "", ""]


def test_a_quarantine_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MailboxError, match=r"file/quarantine: File exists"):
        QuarantineFolder(tmp_path / "file" / "quarantine").add(b"x")
