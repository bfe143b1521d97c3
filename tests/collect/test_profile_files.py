"""The reading lists of the configuration follow it, and their files are read again when they change."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from fakes import THURSDAY
from outbox import people
from sqlalchemy import event
from websites import open_app

from digestmail.collect import profile_files
from digestmail.config.profile import ProfileTable
from digestmail.errors import SourceUnreadableError
from digestmail.model.personal import KnownPaper, ReadingListKind
from digestmail.status import check as checking
from digestmail.storage import profiles, reading_lists

HOUR = timedelta(hours=1)
FILE = (ReadingListKind.FILE, "library.bib")
ORCID = (ReadingListKind.ORCID, "0000-0002-1825-0097")
FIRST, SECOND = "@misc{a, title = {First}}\n", "TY  - JOUR\nTI  - Second\nER  - \n"


def refresh(database, tmp_path, *wanted, hours=0):
    profile_files.refresh(database, wanted, tmp_path, THURSDAY + hours * HOUR)
    with database.connect() as connection:
        return reading_lists.of(connection, None), [one.title for one in profiles.common_papers(connection)]


def test_a_file_is_read_and_read_again_when_it_changes(database, tmp_path):
    library = tmp_path / "library.bib"
    library.write_text(FIRST)
    (stored,), titles = refresh(database, tmp_path, FILE)
    assert (stored.reference, stored.papers, stored.read_at, titles) == ("library.bib", 1, THURSDAY, ["First"])
    library.write_text(SECOND)
    os.utime(library, (0, 0))
    (stored,), titles = refresh(database, tmp_path, FILE, hours=1)
    assert (stored.read_at, titles) == (THURSDAY + HOUR, ["Second"])


def test_an_unchanged_file_writes_nothing(database, tmp_path):
    (tmp_path / "library.bib").write_text(FIRST)
    refresh(database, tmp_path, FILE)
    written = []
    with database.connect() as connection:
        engine = connection.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note_writes(_connection, _cursor, statement, *_rest):
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    refresh(database, tmp_path, FILE, hours=1)
    assert written == []
    (tmp_path / "library.bib").write_text(SECOND)
    refresh(database, tmp_path, FILE, hours=1)
    assert written


def test_a_file_that_cannot_be_read_keeps_its_papers_and_stops_nothing(database, tmp_path, caplog):
    library = tmp_path / "library.bib"
    library.write_text(FIRST)
    refresh(database, tmp_path, FILE)
    for hours, break_it in enumerate((lambda: library.write_text("not a library"), library.unlink, library.mkdir), 1):
        break_it()
        other = (ReadingListKind.FILE, "other.ris")
        (tmp_path / "other.ris").write_text(SECOND)
        (stored, _), titles = refresh(database, tmp_path, FILE, other, hours=hours)
        assert stored.problem
        assert (stored.read_at, stored.tried_at) == (THURSDAY, THURSDAY + hours * HOUR)
        assert titles == ["First", "Second"]
        assert "profile.files" in caplog.text
    library.rmdir()
    library.write_text(FIRST)
    (stored, _), _ = refresh(database, tmp_path, FILE, other, hours=9)
    assert (stored.problem, stored.read_at) == (None, THURSDAY + 9 * HOUR)


def test_lists_that_are_no_longer_wanted_are_removed_and_those_of_readers_stay(database, tmp_path):
    (tmp_path / "library.bib").write_text(FIRST)
    with database.begin() as connection:
        (reader,) = people(connection, 1)
        reading_lists.add(connection, reader, *ORCID, [KnownPaper(title="Mine")], THURSDAY)
    lists, _ = refresh(database, tmp_path, FILE, ORCID)
    assert [(one.kind, one.reference) for one in lists] == [FILE, ORCID]
    assert refresh(database, tmp_path) == ((), [])
    with database.connect() as connection:
        assert len(reading_lists.of(connection, reader)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"@misc{a, author = {Ada Example}}", "contains no entry with a title"),
        (b"", "neither BibTeX nor RIS"),
        (b"@".ljust(profile_files.MOST_BYTES + 1), "more than 20,000,000 bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_a_sentence(tmp_path, content, said):
    (tmp_path / "a.bib").write_bytes(content)
    with pytest.raises(SourceUnreadableError, match=said):
        profile_files.read_file(tmp_path / "a.bib")


def test_neither_a_pipe_nor_a_device_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.bib")
    (tmp_path / "zero.bib").symlink_to("/dev/zero")
    for name in ("pipe.bib", "zero.bib"):
        with pytest.raises(SourceUnreadableError, match="is not a regular file"):
            profile_files.read_file(tmp_path / name)
    with pytest.raises(SourceUnreadableError, match="cannot be read: Is a directory"):
        profile_files.read_file(tmp_path)


def test_a_file_of_the_operator_may_be_larger_than_one_of_a_reader(tmp_path):
    (tmp_path / "a.bib").write_bytes(FIRST.encode().ljust(2_000_000))
    assert len(profile_files.read_file(tmp_path / "a.bib").papers) == 1


def test_check_names_files_that_cannot_be_read_and_collect_reads_the_others(sqlite, tmp_path):
    (tmp_path / "good.bib").write_text(FIRST + "@misc{b}\n")
    (tmp_path / "bad.bib").write_text("nothing")
    table = ProfileTable(files=("good.bib", "bad.bib", "absent.ris"))
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        app.base = tmp_path
        app.config = app.config.model_copy(update={"profile": table, "sources": ()})
        report = checking.check(app, connect=False)
        neither = "is neither BibTeX nor RIS: export your library in one of these formats"
        assert [one for one in report.problems if "profile" in one] == [
            f"profile.files: {tmp_path / 'bad.bib'} {neither}",
            f"profile.files: {tmp_path / 'absent.ris'} cannot be read: No such file or directory",
        ]
        assert [one for one in report.notes if "profile" in one] == [
            f"profile.files: {tmp_path / 'good.bib'}: 1 entry could not be read"
        ]
        app.collect()
        with app.database.connect() as connection:
            assert profiles.common_papers(connection) == (KnownPaper(title="First"),)
        app.config = app.config.model_copy(update={"profile": None})
        app.collect()
        with app.database.connect() as connection:
            assert reading_lists.of(connection, None) == ()
