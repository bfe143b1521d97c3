from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import bibtexparser
import pytest
from bibtexparser.middlewares import SeparateCoAuthors, SplitNameParts
from fakes import paper
from hypothesis import given, settings
from hypothesis import strategies as st
from pybtex.database import parse_string

from digestmail.model.papers import Paper, PaperId
from digestmail.papers.citations.formats import CitationFormat, cite

NAMES = (
    "Ada Example",
    "Kimi Team",
    "Jan van der Sample",
    "Luc Van Sample",
    "Sammy Sample Jr.",
    "José Ortega y Sample",
    "And Sample",
    "and Jane Doe",
    "Doe and Sons",
    "OpenAI",
    "AT&T Labs",
)


def bibtex(*papers: Paper) -> str:
    return cite(papers, CitationFormat.BIBTEX)


def field(name: str, **fields) -> str:
    (line,) = [line for line in bibtex(paper(1, **fields)).splitlines() if line.startswith(f"  {name} = ")]
    return line.removeprefix(f"  {name} = {{").removesuffix("},")


def is_balanced(text: str) -> bool:
    """Return whether braces are balanced as BibTeX counts them: a backslash before one means nothing."""
    depth = 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


def test_an_arxiv_paper_is_cited_as_arxiv_recommends():
    published = datetime(2026, 4, 1, tzinfo=UTC)
    of = paper(1, title="A Title", authors=NAMES[:2], categories=("cs.LG", "cs.CL"), published_at=published)
    assert bibtex(of) == (
        "@misc{arxiv-2604.00001,\n"
        "  title = {A {Title}},\n"
        "  author = {Example, Ada and {Kimi Team}},\n"
        "  year = {2026},\n"
        "  eprint = {2604.00001},\n"
        "  archivePrefix = {arXiv},\n"
        "  primaryClass = {cs.LG},\n"
        "  url = {https://arxiv.org/abs/2604.00001},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Attention for all", "Attention for all"),
        ("Depth on Demand", "Depth on {Demand}"),
        ("BERT: Pre-training of Deep Models", "{BERT}: {Pre-training} of {Deep} {Models}"),
        ("iPhone photos and mRNA", "{iPhone} photos and {mRNA}"),
        ("A “Small” GPT-4?", "A “{Small}” {GPT-4}?"),
        ("Ünder Övergang", "Ünder {Övergang}"),
        ("50% of $x_1$ & #Tag", r"50\% of \$x\_1\$ \& \#{Tag}"),
        ("AT&T in C#", r"{AT\&T} in {C}\#"),
        ("a~b a^b a\\b", r"a\textasciitilde{}b a\textasciicircum{}b a\textbackslash{}b"),
        ("the {X} set", r"the \{{X}\} set"),
        ("the {X set", r"the \textbraceleft{}{X} set"),
        ("the X} set", r"the {X}\textbraceright{} set"),
        ("}{", r"\textbraceright{}\textbraceleft{}"),
        ("Read the <think> Output", "Read the <think> {Output}"),
        ("two\nlines\x00", "two lines"),
        ("", "Untitled"),
    ],
)
def test_capitals_are_kept_word_by_word_and_tex_s_signs_are_escaped(title, written):
    assert field("title", title=title or " ") == written
    assert is_balanced(written)


def test_names_are_written_so_that_bibtex_splits_them_rightly():
    assert field("author", authors=NAMES) == (
        "Example, Ada and {Kimi Team} and van der Sample, Jan and Van Sample, Luc and Sample, Jr., Sammy and "
        r"{Ortega y Sample}, José and Sample, {And} and Doe, Jane and {Doe and Sons} and {OpenAI} and {AT\&T Labs}"
    )
    assert field("author", authors=("Ada Example", "et al.")) == "Example, Ada and others"
    assert "author" not in bibtex(paper(1))
    assert "author" not in bibtex(paper(1, authors=("et al.",)))


def test_identifiers_and_addresses_are_not_escaped():
    named = replace(paper(1), id=PaperId("doi:10.1000/x_y{z"), link="https://example.org/a_b?c=d&e=%20#f {g}")
    assert "  doi = {10.1000/x_y%7Bz},\n" in bibtex(named)
    assert "  url = {https://example.org/a_b?c=d&e=%20#f%20%7Bg%7D},\n" in bibtex(named)


def test_the_doi_of_the_published_version_is_named_beside_the_arxiv_number():
    found = bibtex(paper(1, aliases=(PaperId("doi:10.1000/1"), PaperId("url:https://example.org/"))))
    assert "eprint = {2604.00001}" in found
    assert "doi = {10.1000/1}" in found


def test_pybtex_reads_every_name_as_meant():
    people = parse_string(bibtex(paper(1, authors=NAMES)), "bibtex").entries["arxiv-2604.00001"].persons["author"]
    assert [(one.first_names, one.prelast_names, one.last_names, one.lineage_names) for one in people] == [
        (["Ada"], [], ["Example"], []),
        ([], [], ["{Kimi Team}"], []),
        (["Jan"], ["van", "der"], ["Sample"], []),
        (["Luc"], [], ["Van", "Sample"], []),
        (["Sammy"], [], ["Sample"], ["Jr."]),
        (["José"], [], ["{Ortega y Sample}"], []),
        (["{And}"], [], ["Sample"], []),
        (["Jane"], [], ["Doe"], []),
        ([], [], ["{Doe and Sons}"], []),
        ([], [], ["{OpenAI}"], []),
        ([], [], [r"{AT\&T Labs}"], []),
    ]


def test_bibtexparser_reads_every_name_as_meant():
    library = bibtexparser.parse_string(
        bibtex(paper(1, authors=NAMES)), append_middleware=[SeparateCoAuthors(), SplitNameParts()]
    )
    assert library.failed_blocks == []
    people = library.entries[0]["author"]
    assert [(one.first, one.von, one.last, one.jr) for one in people][2:5] == [
        (["Jan"], ["van", "der"], ["Sample"], []),
        (["Luc"], [], ["Van", "Sample"], []),
        (["Sammy"], [], ["Sample"], ["Jr."]),
    ]
    assert len(people) == len(NAMES)


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.text(st.sampled_from("aB{}\\ ,and&~^\u00e9"), max_size=20), max_size=3))
def test_an_entry_stays_one_entry_whatever_the_words(title, authors):
    text = bibtex(paper(1, title=title or "x", authors=tuple(authors)), paper(2))
    assert is_balanced(text)
    library = bibtexparser.parse_string(text)
    assert library.failed_blocks == []
    assert [entry.key for entry in library.entries] == ["arxiv-2604.00001", "arxiv-2604.00002"]
    assert list(parse_string(text, "bibtex").entries) == ["arxiv-2604.00001", "arxiv-2604.00002"]
