#!/usr/bin/env bash
# pybtex 0.26.1, reading a .bib file and writing it with `to_string("bibtex")`.
# Expected: writing what was read gives the same values, so that a program can sort a file or add an entry to it.
# Seen: reading leaves TeX as it is, writing escapes it once more. `_` in url and doi becomes `\_`, which pybtex itself then puts
#   into a link; `5\%` becomes `5\\%`, a line break and a comment in TeX. Each round adds backslashes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pybtex==0.26.1"
"$folder/venv/bin/python" - <<'PYTHON'
import re
from importlib.metadata import version

from pybtex import format_from_string
from pybtex.database import parse_string

SOURCE = r"""
@misc{lovelace2026,
    author = {Lovelace, Ada},
    title = {Notes that are 5\% shorter},
    doi = {10.5555/978-3-031-00000-0_7},
    url = {https://papers.example.org/a_b?page=1&size=2},
    year = {2026}
}
"""
once = parse_string(SOURCE, "bibtex")
twice = parse_string(once.to_string("bibtex"), "bibtex")
thrice = parse_string(twice.to_string("bibtex"), "bibtex")
print("pybtex", version("pybtex"))
for name in ("title", "doi", "url"):
    print(f" {name}:", *(read.entries["lovelace2026"].fields[name] for read in (once, twice, thrice)), sep="\n    ")
page = format_from_string(once.to_string("bibtex"), "plain", output_backend="html")
print(" link in HTML:", re.findall(r'href="([^"]*)"', page)[0])
fields = twice.entries["lovelace2026"].fields
assert fields["title"] == r"Notes that are 5\\% shorter"
assert fields["doi"] == r"10.5555/978-3-031-00000-0\_7"
assert fields["url"] == r"https://papers.example.org/a\_b?page=1\&size=2"
assert r'href="https://papers.example.org/a\_b' in page
assert thrice.entries["lovelace2026"].fields["doi"] == r"10.5555/978-3-031-00000-0\\_7"
PYTHON
