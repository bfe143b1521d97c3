"""Whether texts say that a paper was withdrawn. Pure."""

from __future__ import annotations

import re

_WORK = r"(?:paper|article|submission|manuscript|preprint|work|note|document|report)"
# "withdrawn from ICLR 2026" speaks of a conference, "withdrawn patients" of something else.
_GONE = (
    r"withdrawn\b(?=\s*(?:$|[.,;:!()\[\]]|(?:by|due|because|as|since|for|pending|until|in order|to)\b|"
    r"from (?:the )?arxiv\b))"
)
_SAYS_GONE = rf"this\s+(?:arxiv\s+)?{_WORK}\s+(?:has\s+been|is|was)\s+(?:\w+\s+)?{_GONE}"
_TITLE_OF_WITHDRAWN = re.compile(
    rf"\W*withdrawn\W*$|[\[(]withdrawn[\])]|withdrawn\s*:|.*[\[(](?:{_WORK}\s+)?withdrawn[\])]\W*$|.*{_SAYS_GONE}",
    re.IGNORECASE,
)
_ABSTRACT_OF_WITHDRAWN = re.compile(rf"\W*(?:{_SAYS_GONE}|(?:{_WORK}\s+)?withdrawn\b(?:\s+by\b|\W*$))", re.IGNORECASE)
_COMMENT_OF_WITHDRAWN = re.compile(
    rf"(?:.*\b{_SAYS_GONE}|\W*(?:(?:this|the)\s+)?(?:{_WORK}\s+(?:(?:has\s+been|is|was)\s+)?)?{_GONE})", re.IGNORECASE
)


def is_withdrawn(title: str, abstract: str, comment: str | None) -> bool:
    """Say whether arXiv's texts announce that the authors, or arXiv, took the paper back.

    arXiv has no field for it: the comment says so ("withdrawn by the author"), older papers say it in the abstract.
    A paper about withdrawal, or one withdrawn from a conference, is not meant.
    """
    return bool(
        _TITLE_OF_WITHDRAWN.match(title)
        or _ABSTRACT_OF_WITHDRAWN.match(abstract)
        or (comment and _COMMENT_OF_WITHDRAWN.match(comment))
    )
