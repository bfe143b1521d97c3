#!/usr/bin/env bash
# pybtex 0.26.1 and bibtexparser 1.4.3, "and others" at the end of a BibTeX author list.
# Expected: both know the words as BibTeX does (btxdoc, section 4: they stand for "et al.") and report them apart from the names.
# Seen: both return a person whose last name is "others".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pybtex==0.26.1" "bibtexparser==1.4.3"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import bibtexparser
from bibtexparser.customization import author
from pybtex.database import parse_string

entry = "@article{lee2026, title = {A Title}, author = {Ann Lee and others}, year = 2026}"
by_pybtex = [" ".join(person.last_names) for person in parse_string(entry, "bibtex").entries["lee2026"].persons["author"]]
by_bibtexparser = author(dict(bibtexparser.loads(entry).entries[0]))["author"]
print("pybtex", version("pybtex"), by_pybtex)
print("bibtexparser", version("bibtexparser"), by_bibtexparser)
assert by_pybtex == ["Lee", "others"]
assert [name.strip(", ") for name in by_bibtexparser] == ["Lee, Ann", "others"]
PYTHON
