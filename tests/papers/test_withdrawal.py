"""Withdrawn papers, and papers about withdrawal."""

from __future__ import annotations

import pytest

from digestmail.papers.withdrawal import is_withdrawn


@pytest.mark.parametrize(
    ("title", "abstract", "comment"),
    [
        ("A Title", "This paper has been withdrawn by the author due to an error in lemma 2.", None),
        ("A Title", "This submission was temporarily withdrawn, a new version follows.", None),
        ("A Title", "Withdrawn.", None),
        ("A Title", "An abstract.", "Withdrawn"),
        ("A Title", "An abstract.", "withdrawn due to a crucial error in equation 3"),
        ("A Title", "An abstract.", "Paper withdrawn by the authors"),
        ("A Title", "An abstract.", "12 pages. This submission has been withdrawn by arXiv administrators"),
        ("A Title", "An abstract.", "The paper has been withdrawn because of errors"),
        ("WITHDRAWN: A Title", "An abstract.", None),
        ("[Withdrawn] A Title", "An abstract.", ""),
        ("A Title (withdrawn)", "An abstract.", None),
    ],
)
def test_it_hears_that_a_paper_was_taken_back(title, abstract, comment):
    assert is_withdrawn(title, abstract, comment)


@pytest.mark.parametrize(
    ("title", "abstract", "comment"),
    [
        ("Withdrawal symptoms", "We study withdrawn patients. The drug was withdrawn from the market.", None),
        ("Why papers are withdrawn: a study", "A paper that has been withdrawn by its author is still cited.", None),
        ("Withdrawn youth and social media", "They withdraw.", None),
        ("A Title", "The drug has been withdrawn by the agency.", None),
        ("A Title", "An abstract.", "Withdrawn from ICLR 2026"),
        ("A Title", "An abstract.", "ICLR 2026 withdrawn submission"),
        ("A Title", "An abstract.", "10 pages, 3 figures"),
    ],
)
def test_it_does_not_mistake_a_paper_about_withdrawal(title, abstract, comment):
    assert not is_withdrawn(title, abstract, comment)
