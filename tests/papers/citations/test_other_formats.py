from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import rispy
from fakes import paper
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.model.papers import PaperId
from digestmail.papers.citations.formats import CitationFormat, cite

PAPER = paper(
    1,
    title="Read the <think> Output",
    authors=("Jan van der Sample", "Sammy Sample Jr.", "Acme, Inc.", "OpenAI"),
    categories=("cs.LG",),
    published_at=datetime(2026, 4, 1, tzinfo=UTC),
    keywords=("depth", "layers"),
    aliases=(PaperId("doi:10.1000/x_y"),),
)


def test_a_ris_record_holds_what_zotero_and_endnote_import():
    assert cite([PAPER], CitationFormat.RIS) == (
        "TY  - UNPB\r\n"
        "ID  - arxiv-2604.00001\r\n"
        "TI  - Read the <think> Output\r\n"
        "AU  - van der Sample, Jan\r\n"
        "AU  - Sample, Sammy, Jr.\r\n"
        "AU  - Acme Inc.,\r\n"
        "AU  - OpenAI\r\n"
        "PY  - 2026\r\n"
        "DA  - 2026/04/01/\r\n"
        "M3  - Preprint\r\n"
        "DB  - arXiv\r\n"
        "AN  - arXiv:2604.00001\r\n"
        "DO  - 10.1000/x_y\r\n"
        "UR  - https://arxiv.org/abs/2604.00001\r\n"
        "AB  - We study something.\r\n"
        "KW  - depth\r\n"
        "KW  - layers\r\n"
        "ER  - \r\n"
    )


@pytest.mark.parametrize(
    ("paper_id", "ris", "csl"), [("doi:10.1000/1", "GEN", "document"), ("url:https://example.org/1", "ELEC", "webpage")]
)
def test_what_is_no_preprint_is_not_called_one(paper_id, ris, csl):
    named = replace(PAPER, id=PaperId(paper_id), aliases=())
    assert cite([named], CitationFormat.RIS).startswith(f"TY  - {ris}\r\n")
    (item,) = json.loads(cite([named], CitationFormat.CSL_JSON))
    assert item["type"] == csl
    assert "genre" not in item


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=3), st.text(max_size=60))
def test_a_ris_record_stays_one_record_whatever_the_words(title, authors, abstract):
    of = paper(1, title=title or "x", authors=tuple(authors), abstract=abstract)
    found = rispy.loads(cite([of, paper(2)], CitationFormat.RIS))
    assert [one["id"] for one in found] == ["arxiv-2604.00001", "arxiv-2604.00002"]


def test_a_csl_item_holds_what_is_known():
    (item,) = json.loads(cite([PAPER], CitationFormat.CSL_JSON))
    assert item == {
        "id": "arxiv-2604.00001",
        "citation-key": "arxiv-2604.00001",
        "type": "article",
        "title": "Read the <think> Output",
        "author": [
            {"family": "Sample", "given": "Jan", "non-dropping-particle": "van der"},
            {"family": "Sample", "given": "Sammy", "suffix": "Jr."},
            {"literal": "Acme, Inc."},
            {"literal": "OpenAI"},
        ],
        "issued": {"date-parts": [[2026, 4, 1]]},
        "genre": "Preprint",
        "publisher": "arXiv",
        "number": "arXiv:2604.00001",
        "DOI": "10.1000/x_y",
        "URL": "https://arxiv.org/abs/2604.00001",
        "abstract": "We study something.",
        "keyword": "depth, layers",
    }


@pytest.mark.parametrize("wanted", CitationFormat)
def test_a_paper_that_comes_twice_is_cited_once(wanted):
    assert cite([PAPER, paper(2), PAPER], wanted) == cite([PAPER, paper(2)], wanted)
    assert cite([], wanted).strip() in {"", "[]"}
