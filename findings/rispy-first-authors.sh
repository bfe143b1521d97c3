#!/usr/bin/env bash
# rispy 0.10.0 with its default options.
# Expected: the tags that RIS has had for title, authors and abstract since the beginning (T1, A1, N2) and the later ones
#   (TI, AU, AB) mean the same, so that `title`, `authors` and `abstract` have them.
# Seen: they become other keys (`primary_title`, `first_authors`, `notes_abstract`), and a record written with the old
#   tags has neither title nor authors nor abstract under the usual keys.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "rispy==0.10.0"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import rispy

old = "TY  - JOUR\nT1  - Quiet rivers\nA1  - Example, Ada\nN2  - We listened.\nPY  - 2026\nER  - \n"
new = old.replace("T1  -", "TI  -").replace("A1  -", "AU  -").replace("N2  -", "AB  -")
for name, text in (("new tags", new), ("old tags", old)):
    (record,) = rispy.loads(text)
    print("rispy", version("rispy"), name, sorted(record))
(record,) = rispy.loads(old)
assert not {"title", "authors", "abstract"} & set(record)
assert {"primary_title", "first_authors", "notes_abstract"} <= set(record)
PYTHON
