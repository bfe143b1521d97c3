#!/usr/bin/env bash
# bibtexparser 2.1.0 with its default options.
# Expected: as in BibTeX, the names of fields are read in any case, so that entry["title"] finds `Title`, and
#   "A " # "B" is one text.
# Seen: names keep their case, so that entry["title"] is a KeyError for half of all files, and `#` stays in the value,
#   quotes included. bibtexparser 1.4.3 writes names in lower case.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 1.4.3 2.1.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "bibtexparser==$version" "pyparsing==3.2.5"
done
cat > "$folder/entry.bib" <<'BIBTEX'
@article{example2026, Title = {Quiet rivers}, note = "A " # "B", year = 2026}
BIBTEX
"$folder/1.4.3/bin/python" - "$folder/entry.bib" <<'PYTHON'
import sys

import bibtexparser

with open(sys.argv[1]) as file:
    (entry,) = bibtexparser.load(file).entries
print("bibtexparser", bibtexparser.__version__, sorted(entry))
assert entry["title"] == "Quiet rivers"
PYTHON
"$folder/2.1.0/bin/python" - "$folder/entry.bib" <<'PYTHON'
import sys
from importlib.metadata import version

import bibtexparser

(entry,) = bibtexparser.parse_file(sys.argv[1]).entries
fields = {name: field.value for name, field in entry.fields_dict.items()}
print("bibtexparser", version("bibtexparser"), fields)
assert "Title" in fields and "title" not in fields
assert fields["note"] == '"A " # "B"'
PYTHON
