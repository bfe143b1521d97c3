"""What people write to name a reading list, as an identifier or a link."""

from __future__ import annotations

import pytest

from digestmail.errors import SubscriptionError
from digestmail.papers.library_ids import MOST_IDS, arxiv_author, arxiv_ids, orcid, zotero_library


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("2604.00001", "2604.00001"),
        ("  2604.00001v3,\n\nhttps://arxiv.org/pdf/2604.00002v1.pdf ; 2604.00001 ", "2604.00001 2604.00002"),
        ("arXiv: 2604.00001 arXiv:2604.00002", "2604.00001 2604.00002"),
        ("https://huggingface.co/papers/2604.00003 10.48550/arXiv.2604.00004", "2604.00003 2604.00004"),
        ("math.GT/0309136 hep-th/9901001", "math/0309136 hep-th/9901001"),
    ],
)
def test_arxiv_ids_are_found_between_blanks_and_commas(text, ids):
    assert arxiv_ids(text) == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at least one"),
        (" ,; arXiv: ", "at least one"),
        ("2604.00001 https://example.org/paper", "'https://example.org/paper' is not an arXiv ID"),
        ("x" * 500, "…' is not an arXiv ID"),
        (" ".join(f"2604.{number:05}" for number in range(MOST_IDS + 1)), "at most 500"),
    ],
)
def test_anything_else_is_named(text, said):
    with pytest.raises(SubscriptionError, match="arXiv ID") as caught:
        arxiv_ids(text)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text", ["example_a_1", " Example_A_1 ", "https://arxiv.org/a/example_a_1", "arxiv.org/a/example_a_1.atom"]
)
def test_an_arxiv_author_is_found(text):
    assert arxiv_author(text) == "example_a_1"


@pytest.mark.parametrize("text", ["", "Ada Example", "example_a", "https://arxiv.org/abs/2604.00001", "a_1/../x", "_1"])
def test_no_arxiv_author_is_refused(text):
    with pytest.raises(SubscriptionError, match="not an arXiv author identifier"):
        arxiv_author(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000-0002-1825-0097",
        "0000000218250097",
        " https://orcid.org/0000-0002-1825-0097/",
        "orcid.org/0000-0002-1825-0097",
    ],
)
def test_an_orcid_is_found(text):
    assert orcid(text) == "0000-0002-1825-0097"


def test_the_last_character_of_an_orcid_may_be_an_x():
    assert orcid("0000-0002-1694-233x") == "0000-0002-1694-233X"


@pytest.mark.parametrize(
    "text", ["", "0000-0002-1825-0079", "0000-0002-1825-009X", "0000-0002-1825", "x" * 16, "\u0661" * 16]
)
def test_a_mistyped_orcid_is_refused(text):
    with pytest.raises(SubscriptionError, match="not an ORCID iD"):
        orcid(text)


@pytest.mark.parametrize(
    ("text", "library"),
    [
        ("users/123", "users/123"),
        (" Groups/456/ ", "groups/456"),
        ("https://www.zotero.org/groups/456/a_lab/library", "groups/456"),
        ("https://api.zotero.org/users/123/items?v=3", "users/123"),
    ],
)
def test_a_zotero_library_is_found(text, library):
    assert zotero_library(text) == library


@pytest.mark.parametrize(
    "text", ["", "123", "users/", "users/0", "https://www.zotero.org/ada", "users/../groups/1", "users/12a"]
)
def test_no_zotero_library_is_refused(text):
    with pytest.raises(SubscriptionError, match="not a Zotero library"):
        zotero_library(text)
