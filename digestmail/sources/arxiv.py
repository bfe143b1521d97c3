"""What both doors of arXiv, feed and API, have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from digestmail.model.papers import Origin, Paper
from digestmail.papers.identity import find_doi, identify
from digestmail.papers.withdrawal import is_withdrawn
from digestmail.sources.parsed import storable
from digestmail.text.tex import readable

# https://arxiv.org/category_taxonomy, and the archives that were subsumed before 2008. MSC and ACM classes
# ("62M10 (Primary); 68T05 (Secondary)", "I.2.6") come in the same place and are no categories.
_CATEGORY = re.compile(
    r"(?:astro-ph|cond-mat|cs|econ|eess|gr-qc|hep-(?:ex|lat|ph|th)|math|math-ph|nlin|nucl-(?:ex|th)|physics|q-bio|q-fin|"
    r"quant-ph|stat|acc-phys|adap-org|alg-geom|ao-sci|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|dg-ga|"
    r"funct-an|mtrl-th|patt-sol|plasm-ph|q-alg|solv-int|supr-con)(?:\.[A-Za-z-]{2,20})?"
)

ANNOUNCEMENT = re.compile(r"\s*arXiv:(?P<id>\S+)\s+Announce Type:\s*(?P<type>[a-z-]+)\s+(?:Abstract:\s*)?")
"""What stands before the abstract in arXiv's feeds, and in lists that are made of them."""

_ARCHIVES_WITH_SUBJECTS = frozenset(
    ("astro-ph", "cond-mat", "cs", "econ", "eess", "math", "nlin", "physics", "q-bio", "q-fin", "stat")
)


def subject_pattern(category: str) -> str:
    """Return what the API's `cat:` wants: a whole archive has to be asked for as `cs.*`."""
    return f"{category}.*" if category in _ARCHIVES_WITH_SUBJECTS else category


def arxiv_categories(terms: Iterable[str], primary: str = "") -> tuple[str, ...]:
    """Return the arXiv categories among `terms`, each once, `primary` first."""
    wanted = [term for term in (primary, *terms) if _CATEGORY.fullmatch(term)]
    return tuple(dict.fromkeys(wanted))


def arxiv_paper(
    *,
    arxiv_id: str,
    title: str,
    abstract: str,
    authors: tuple[str, ...],
    categories: tuple[str, ...],
    doi: str = "",
    comment: str = "",
    published_at: datetime | None = None,
) -> Paper | None:
    """Return the paper `arxiv_id` (without version) with its texts made readable, or None without a title."""
    identity = identify(arxiv=arxiv_id, doi=find_doi(doi) if doi else None)
    readable_title = readable(title)
    if identity is None or not readable_title:
        return None
    paper_id, aliases = identity
    readable_abstract = readable(abstract)
    readable_comment = readable(comment) or None
    return Paper(
        id=paper_id,
        aliases=aliases,
        title=readable_title,
        raw_title=storable(title),
        abstract=readable_abstract,
        raw_abstract=storable(abstract),
        origin=Origin.ARXIV,
        link=f"https://arxiv.org/abs/{arxiv_id}",
        authors=authors,
        categories=categories,
        published_at=published_at,
        comment=readable_comment,
        withdrawn=is_withdrawn(readable_title, readable_abstract, readable_comment),
    )
