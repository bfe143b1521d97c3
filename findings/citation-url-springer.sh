#!/usr/bin/env bash
# citation-url 0.2.2, the addresses of pages on Springer Link and PubMed.
# Expected: the DOI 10.1007/s00000-026-00001-2 and the PubMed identifier 12345678; its documentation names DOIs and PubMed.
# Seen: the DOI becomes "article/10.1007/...", which is no DOI but counts as a success. The address of PubMed is unknown, although its
# older form (www.ncbi.nlm.nih.gov/pubmed/) is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "citation-url==0.2.2"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from citation_url import FailureReason, parse

springer = parse("https://link.springer.com/article/10.1007/s00000-026-00001-2")
older = parse("https://www.ncbi.nlm.nih.gov/pubmed/12345678")
pubmed = parse("https://pubmed.ncbi.nlm.nih.gov/12345678/")
for found in (springer, older, pubmed):
    print("citation-url", version("citation-url"), found)
assert (springer.prefix, springer.identifier) == ("doi", "article/10.1007/s00000-026-00001-2"), springer
assert (older.prefix, older.identifier) == ("pubmed", "12345678"), older
assert pubmed is FailureReason.unknown, pubmed
PYTHON
