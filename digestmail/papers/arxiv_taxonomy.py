"""The categories of arXiv (https://arxiv.org/category_taxonomy, read in 2026). Pure."""

from __future__ import annotations

import difflib

_ARCHIVES = {
    "cs": "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS NA NE NI OH OS PF PL RO SC "
    "SD SE SI SY",
    "econ": "EM GN TH",
    "eess": "AS IV SP SY",
    "math": "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR QA RA RT SG SP ST",
    "astro-ph": "CO EP GA HE IM SR",
    "cond-mat": "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
    "gr-qc": "",
    "hep-ex": "",
    "hep-lat": "",
    "hep-ph": "",
    "hep-th": "",
    "math-ph": "",
    "nlin": "AO CD CG PS SI",
    "nucl-ex": "",
    "nucl-th": "",
    "physics": "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an ed-ph flu-dyn gen-ph "
    "geo-ph hist-ph ins-det med-ph optics plasm-ph pop-ph soc-ph space-ph",
    "quant-ph": "",
    "q-bio": "BM CB GN MN NC OT PE QM SC TO",
    "q-fin": "CP EC GN MF PM PR RM ST TR",
    "stat": "AP CO ME ML OT TH",
}
CATEGORIES = frozenset(
    {*_ARCHIVES, *(f"{archive}.{part}" for archive, parts in _ARCHIVES.items() for part in parts.split())}
)
"""Every archive and category."""


def category_problem(name: str) -> str | None:
    """Return a sentence if arXiv lists no archive or category `name` (`cs`, `cs.*` and `cs.LG` are some), or None."""
    if name.removesuffix(".*") in CATEGORIES:
        return None
    by_lower = {known.lower(): known for known in sorted(CATEGORIES)}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]!r}?" if near else "; see https://arxiv.org/category_taxonomy"
    return f"arXiv has no category {name!r}{hint}"
