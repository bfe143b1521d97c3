"""Every table that a spreadsheet writes is read, whatever ends its cells and however it is encoded."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

import pytest

from digestmail.subscribers.csv_dialect import column_name, open_table, rows

TABLE = "address,digest,consent_source\r\nada@example.org,daily,Anmeldung Köln – “Büro”\r\n"
READ = [["address", "digest", "consent_source"], ["ada@example.org", "daily", "Anmeldung Köln – “Büro”"]]


@pytest.fixture
def read(tmp_path: Path):
    def read(octets: bytes, encoding: str | None = None) -> list[list[str] | str]:
        path = tmp_path / "people.csv"
        path.write_bytes(octets)
        with open_table(path, encoding) as file:
            return [cells for _, cells in rows(file)]

    return read


@pytest.mark.parametrize(
    "octets",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("cp1252"),
        TABLE.encode("utf-16"),
        TABLE.encode("utf-16-le"),
        TABLE.encode("utf-16-be"),
        codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"),
        TABLE.encode("utf-32"),
        TABLE.replace("\r\n", "\n").encode(),
        TABLE.replace("\r\n", "\r").encode("cp1252"),
    ],
)
def test_every_encoding_a_spreadsheet_writes_is_read(read, octets):
    assert read(octets) == READ


def test_an_encoding_can_be_named(read):
    assert read(TABLE.replace("“Büro”", "Büro").replace("–", "-").encode("mac-roman"), "mac-roman")[1][2].endswith(
        "Büro"
    )
    with pytest.raises(LookupError):
        read(b"", "no-such-encoding")


def test_one_line_of_another_encoding_spoils_no_other(read):
    octets = "address,digest\nzoë@example.org,daily\n".encode() + "jürgen@example.org,daily\n".encode("cp1252")
    assert [row[0] for row in read(octets)] == ["address", "zoë@example.org", "jürgen@example.org"]


def test_an_octet_that_no_encoding_has_stays_visible_as_one(read):
    assert read(b"address,digest\na\x81@example.org,daily\n")[1][0] == "a\udc81@example.org"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_header_shows_what_ends_the_cells(delimiter, quote):
    lines = [
        delimiter.join(f"{quote}{name}{quote}" for name in ("Email", "digest", "topics")),
        delimiter.join(["ada@example.org", "daily", '"A; B, C"']),
    ]
    assert [cells for _, cells in rows(io.StringIO("\r\n".join(lines), newline=""))] == [
        ["Email", "digest", "topics"],
        ["ada@example.org", "daily", "A; B, C"],
    ]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_a_line_that_names_the_separator_is_obeyed_and_lines_are_counted_as_an_editor_does(first):
    found = list(rows(io.StringIO(f"{first}\r\naddress;digest\r\nada@example.org;daily\r\n", newline="")))
    assert found == [(2, ["address", "digest"]), (3, ["ada@example.org", "daily"])]


@pytest.mark.parametrize("first", ['sep="', "sep=\r", "sep=a", "sep=é", "sep=", "sep=;;"])
def test_a_line_that_names_no_usable_separator_is_the_header(first):
    line, cells = next(rows(io.StringIO(f"{first}\r\naddress,digest\r\n", newline="")))
    assert line == 1
    assert cells != ["address", "digest"]


def test_a_file_without_lines_has_no_rows():
    assert list(rows([])) == []


@pytest.mark.parametrize(
    "cell", ["address", "Address", " ADDRESS ", "\ufeffaddress", "Email", "E-Mail", "email  address"]
)
def test_names_of_columns_are_read_as_people_write_them(cell):
    assert column_name(cell) == "address"
