from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fakes import paper
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.model.papers import PaperId
from digestmail.papers.citations.reference import WorkType, citation_key, reference

# What pandoc allows in a key without braces; BibTeX and biber allow more.
KEY = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")


def named(paper_id: str, **fields):
    return replace(paper(1), id=PaperId(paper_id), **fields)


@pytest.mark.parametrize(
    ("paper_id", "key"),
    [
        ("arxiv:2604.00001", "arxiv-2604.00001"),
        ("arxiv:hep-th/9901001", "arxiv-hep-th-9901001"),
        ("doi:10.1101/2026.04.02.123", "doi-10.1101-2026.04.02.123-[0-9a-f]{10}"),
        ("url:https://example.org/Über?a=b", "url-https-example.org-uber-a-b-[0-9a-f]{10}"),
        ("url:https://例え.example/", "url-https-.*-[0-9a-f]{10}"),
    ],
)
def test_a_key_is_made_from_the_id(paper_id, key):
    found = citation_key(named(paper_id))
    assert re.fullmatch(key.replace(".", r"\.").replace(r"\.*", ".*"), found)
    assert KEY.fullmatch(found)


def test_a_key_stays_when_everything_else_is_corrected():
    corrected = paper(1, title="Another Title", authors=("Zoë Étude",), aliases=(PaperId("doi:10.1000/1"),))
    assert citation_key(corrected) == citation_key(paper(1))


@settings(deadline=None)
@given(st.sets(st.text(max_size=80), min_size=2, max_size=6), st.sampled_from(["doi", "url", "arxiv"]))
def test_two_papers_never_share_a_key_and_every_key_is_one_for_pandoc(numbers, kind):
    keys = [citation_key(named(f"{kind}:{number}")) for number in numbers]
    assert len(set(keys)) == len(numbers)
    assert all(map(KEY.fullmatch, keys))


@pytest.mark.parametrize(
    ("paper_id", "link", "kind", "repository"),
    [
        ("arxiv:2604.00001", "https://arxiv.org/abs/2604.00001", WorkType.PREPRINT, "arXiv"),
        ("doi:10.1101/1", "https://www.biorxiv.org/content/10.1101/1", WorkType.PREPRINT, "bioRxiv"),
        ("doi:10.64898/1", "https://www.medrxiv.org/content/10.64898/1", WorkType.PREPRINT, "medRxiv"),
        ("doi:10.1101/1", "https://doi.org/10.1101/1", WorkType.PREPRINT, ""),
        ("doi:10.26434/1", "https://doi.org/10.26434/1", WorkType.PREPRINT, "ChemRxiv"),
        ("doi:10.1000/1", "https://example.org/1", WorkType.PUBLICATION, ""),
        ("url:https://example.org/1", "https://example.org/1", WorkType.WEB_PAGE, ""),
    ],
)
def test_the_id_says_what_a_paper_is(paper_id, link, kind, repository):
    found = reference(named(paper_id, link=link))
    assert (found.type, found.repository) == (kind, repository)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "", "ftp://example.org/"])
def test_only_web_addresses_are_cited(link):
    assert reference(replace(paper(1), link=link)).url == ""
