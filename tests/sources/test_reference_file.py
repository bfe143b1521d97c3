"""BibTeX and RIS files: what programs write, what people break, and what strangers make up to be expensive."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from digestmail.errors import SourceUnreadableError
from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.model.personal import KnownPaper
from digestmail.papers.citations.formats import CitationFormat, cite
from digestmail.sources.reference_file import MOST_BYTES, ReferenceFile, read_references

BIBTEX = r"""% exported by a program
@string{lab = "A Lab"}
@comment{jabref-meta: x}
@preamble{"\newcommand{\x}{y}"}
@Article{one,
  Title    = {The {BERT} of {\"U}bersetzung: {CO}$_2$ \& \emph{more}},
  Abstract = "We study {100\%} of it -- at last.",
  year     = 2020,
}
@inproceedings(two, title = "Quoted {"}title{"}", booktitle = lab)
@misc{three, title = lab # { of } # "Strings", date = {2021-05-01}}
@online{four, title = {Main}, subtitle = {And its subtitle}}
@article{, title = {Without a key}}
@article{five, title = {First of two}, title = {Second of two}}
@article{one, title = {The same key}}
"""
RIS = """1.
Provider: Example
TY  - JOUR
AU  - Example, Ada
TI  - A title that
is wrapped
T2  - A journal
PY  - 2020/03//
AB  - <jats:p>An abstract &lt; two.</jats:p>
N2  - Not this one
ER  -

Link: not a record
C1  - Database
2.
TY  -CHAP
T1  - Old tag
N2  - Old abstract
ER
TY  - JOUR
TI  - Without an end
TY  - JOUR
BT  - A whole book
"""


def titles(content: bytes | str) -> list[str]:
    return [paper.title for paper in read(content).papers]


def read(content: bytes | str) -> ReferenceFile:
    return read_references(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize("sign", [r"\_", r"{\_}", r"\\_", r"\textunderscore ", r"\textunderscore{}", "_"])
def test_a_sign_of_tex_in_a_doi_is_that_sign(sign):
    found = read(f"@article{{a, title = {{One}}, doi = {{10.5555/978-3{sign}7}}}}")
    assert found.ids == (("doi:10.5555/978-3_7",),)


def test_bibtex_is_read_as_programs_write_it():
    found = read(BIBTEX)
    assert found.papers == (
        KnownPaper(title="The BERT of Übersetzung: CO₂ & more", abstract="We study 100% of it -- at last."),
        KnownPaper(title='Quoted "title"'),
        KnownPaper(title="A Lab of Strings"),
        KnownPaper(title="Main: And its subtitle"),
        KnownPaper(title="Without a key"),
        KnownPaper(title="First of two"),
        KnownPaper(title="The same key"),
    )
    assert (found.broken, found.over) == (0, 0)


def test_ris_is_read_as_programs_write_it():
    found = read(RIS)
    assert found.papers == (
        KnownPaper(title="A title that is wrapped", abstract="An abstract < two."),
        KnownPaper(title="Old tag", abstract="Old abstract"),
        KnownPaper(title="Without an end"),
        KnownPaper(title="A whole book"),
    )
    assert (found.broken, found.over) == (0, 0)


@pytest.mark.parametrize(
    "broken",
    [
        "@article{a, title = {Never closed, year = 2020",
        '@article{a, title = "Never closed, year = 2020}',
        "@article{a title = {No comma}}",
        "@article{a, title = {No comma} author = {Ann Lee}}",
        "@article{a, title {No equals sign}}",
        "@article{a, author = {No title}}",
        "@article{a, title = {}}",
        "@article{a, title = {{ }}}",
        "@article{a",
        "@article{a}",
    ],
)
def test_a_broken_bibtex_entry_is_counted_and_stops_no_other(broken):
    entry = "@article{{{0}, title = {{{0}}}}}\n"
    found = read(f"{entry.format('Before')}{broken}\n\n{entry.format('After')}")
    assert [paper.title for paper in found.papers] == ["Before", "After"]
    assert found.broken == 1


@pytest.mark.parametrize(
    "broken",
    ["TY  - JOUR\nER  -\n", "TY  - JOUR\nTI  -\nER  -\n", "TY  - JOUR\nAU  - Example, Ada\n", "TY  -\nTI -\n"],
)
def test_a_broken_ris_record_is_counted_and_stops_no_other(broken):
    record = "TY  - JOUR\nTI  - {}\nER  -\n"
    found = read(f"{record.format('Before')}{broken}{record.format('After')}")
    assert [paper.title for paper in found.papers] == ["Before", "After"]
    assert found.broken == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("text", ["@article{a,\n title = {Über Größe}}\n", "TY  - JOUR\nTI  - Über Größe\nER  - \n"])
def test_every_common_encoding_and_line_end_is_read(text, encoding, end):
    assert titles(text.replace("\n", end).encode(encoding)) == ["Über Größe"]


PAPERS = [
    Paper(
        id=PaperId(f"arxiv:2604.{number:05}"),
        title=title,
        abstract="An abstract & more: 100 % of $5, a_b, 50 #tags.",
        origin=Origin.FEED,
        link="https://arxiv.org/abs/2604.00001",
        authors=("Ada Example",),
        published_at=datetime(2026, 4, 2, tzinfo=UTC),
    )
    for number, title in enumerate(
        [
            "Plain",
            "GPT-4o & RAG: 100% of $5 in a_b #1",
            "Über Größe, naïve",
            "日本語の論文",
            "An “unquoted” title",
            "A @misc{x",
        ]
    )
]


@pytest.mark.parametrize("form", [CitationFormat.BIBTEX, CitationFormat.RIS])
def test_what_this_program_cites_is_read_again(form):
    found = read(cite(PAPERS, form))
    assert (len(found.papers), found.broken) == (len(PAPERS), 0)
    bare = str.maketrans("", "", "{}")
    assert [one.title.translate(bare) for one in found.papers] == [one.title.translate(bare) for one in PAPERS]
    if form is CitationFormat.RIS:
        assert {one.abstract for one in found.papers} == {PAPERS[0].abstract}


def test_the_newest_papers_are_kept_when_there_are_too_many():
    years = [2000 + number % 25 for number in range(600)]
    found = read("\n".join(f"@misc{{a{at}, title = {{Paper {at}}}, year = {year}}}" for at, year in enumerate(years)))
    assert (len(found.papers), found.broken, found.over) == (500, 0, 100)
    kept = [years[int(paper.title.split()[1])] for paper in found.papers]
    assert min(kept) >= sorted(years)[99]


def test_long_texts_are_cut():
    (paper,) = read(f"@misc{{a, title = {{{'word ' * 500}}}, abstract = {{{'word ' * 3_000}}}}}").papers
    assert len(paper.title) <= 500
    assert len(paper.abstract) <= 2_000
    assert paper.abstract.endswith("word …")


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"title,abstract\na,b\n", b"<html>a@b.c {</html>", b"%PDF-1.7\n@\xff\xfe"]
)
def test_other_files_are_refused(content):
    with pytest.raises(SourceUnreadableError, match="neither BibTeX nor RIS"):
        read_references(content)


def test_a_file_that_is_too_large_is_refused_before_it_is_read():
    with pytest.raises(SourceUnreadableError, match="more than 1,000,000 bytes"):
        read_references(b"@" * (MOST_BYTES + 1))
    assert titles(b"@misc{a, title = {A}}".ljust(MOST_BYTES)) == ["A"]


def filled(text: str, end: str = "") -> bytes:
    return (text * (MOST_BYTES // len(text)))[: MOST_BYTES - len(end)].encode() + end.encode()


def test_an_expensive_file_is_read_in_part():
    """The splitter needs memory for each block, so what comes after the first 5,000 is not given to it."""
    found = read_references(filled("@a{b,title={c}}\n"))
    assert (len(found.papers), found.broken, found.over) == (500, 0, 4_500)
    assert read_references(filled("@a{")).broken == 5_000
    assert read_references(filled("TY  -\n")).broken == 5_000


def test_a_string_is_not_copied_into_every_field():
    """It would take a thousand times the memory of the file."""
    head, fields = (
        f'@string{{s = "{"x" * 300_000}"}}\n@misc{{a, title = s',
        "".join(f", f{at} = s" for at in range(9_000)),
    )
    (paper,) = read(f"{head}{fields}}}").papers
    assert paper.title == "x" * 498 + " …"
    (joined,) = read(f'@string{{s = "{"y" * 900}"}}\n@misc{{a, title = {"s # " * 200_000} s}}').papers
    assert len(joined.title) <= 500


def test_nothing_of_a_file_is_logged(caplog):
    with caplog.at_level(logging.DEBUG):
        read(BIBTEX + "@article{private, title = {Never closed\n@article{x, title = {y}}")
    assert caplog.text == ""
