"""Citations in BibTeX, biber and pandoc. Where one is missing, its tests are skipped and say so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes import paper

from digestmail.papers.citations.formats import CitationFormat, cite

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
PAPERS = (
    paper(
        1,
        title="BERT & GPT-4: {Pre-training} on 50% of $x_1$ <think> #Tag",
        authors=(
            "Ada Example", "Kimi Team", "Jan van der Sample", "Luc Van Sample", "Sammy Sample Jr.",
            "José Ortega y Sample", "And Sample", "Doe and Sons", "OpenAI",
        ),
        categories=("cs.LG",),
        published_at=APRIL,
    ),
    paper(2, title="A lone { brace and a lone } too }", authors=("et al.",), published_at=APRIL),
    paper(3, title="An Ünusual title\\with~signs^", authors=("Zoë Étude", "and others"), published_at=APRIL),
)  # fmt: skip
KEYS = ["arxiv-2604.00001", "arxiv-2604.00002", "arxiv-2604.00003"]
AUTHORS = [
    {"family": "Example", "given": "Ada"},
    {"literal": "Kimi Team"},
    {"family": "Sample", "given": "Jan", "particle": "van der"},
    {"family": "Van Sample", "given": "Luc"},
    {"family": "Sample", "given": "Sammy", "suffix": "Jr."},
    {"family": "Ortega y Sample", "given": "José"},
    {"family": "Sample", "given": "And"},
    {"literal": "Doe and Sons"},
    {"literal": "OpenAI"},
]


def run(program: str, *arguments: str, cwd: Path) -> str:
    """Return what a program prints; skip loudly where it is missing. Anything on standard error fails the test."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine: citations were not tried in it")
    found = subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert (found.returncode, found.stderr) == (0, ""), found.stdout + found.stderr
    return found.stdout


def written(directory: Path, wanted: CitationFormat) -> str:
    """Write all papers in a format; return the name of the file."""
    name = f"papers.{wanted.extension}"
    (directory / name).write_bytes(cite(PAPERS, wanted).encode())
    return name


def authors(items: list[dict]) -> list[dict]:
    """Return the first paper's authors; pandoc calls a particle dropping or not, depending on the format."""
    return [{name.rpartition("-")[2]: part for name, part in one.items()} for one in items[0]["author"]]


def test_biber_reads_every_entry_without_a_warning(tmp_path):
    name = written(tmp_path, CitationFormat.BIBTEX)
    said = run("biber", "--tool", "--validate-datamodel", "--output-file=out.bib", name, cwd=tmp_path)

    assert "WARN" not in said
    assert "ERROR" not in said
    made = (tmp_path / "out.bib").read_text("utf-8")
    assert re.findall(r"(?m)^@MISC\{(.*),$", made) == KEYS
    assert "EPRINTTYPE = {arXiv}" in made
    assert "Sample, Jr., Sammy" in made


def test_bibtex_itself_writes_a_bibliography_with_every_capital(tmp_path):
    written(tmp_path, CitationFormat.BIBTEX)
    (tmp_path / "text.aux").write_text("\\citation{*}\n\\bibstyle{plain}\n\\bibdata{papers}\n", "ascii")
    finder = shutil.which("kpsewhich")
    if finder is None or subprocess.run([finder, "plain.bst"], capture_output=True, check=False).returncode:
        pytest.skip("BibTeX with its style plain.bst is not on this machine: citations were not tried in it")

    said = run("bibtex", "text", cwd=tmp_path)

    # The second paper has no author.
    assert re.findall(r"Warning--(.*)", said) == ["to sort, need author or key in arxiv-2604.00002"]
    made = " ".join((tmp_path / "text.bbl").read_text("utf-8").split())
    assert (
        "Ada Example, {Kimi Team}, Jan van~der Sample, Luc Van~Sample, Sammy Sample, Jr., José {Ortega y Sample}, "
        "{And} Sample, {Doe and Sons}, and {OpenAI}."
    ) in made
    assert r"{BERT} \& {GPT-4}: \{{Pre-training}\} on 50\% of \$x\_1\$ <think> \#{Tag}, 2026." in made
    assert "Zoë Étude et~al." in made


@pytest.mark.parametrize("dialect", ["bibtex", "biblatex"])
def test_pandoc_reads_bibtex_as_meant(tmp_path, dialect):
    items = json.loads(
        run("pandoc", "-f", dialect, "-t", "csljson", written(tmp_path, CitationFormat.BIBTEX), cwd=tmp_path)
    )

    assert [item["id"] for item in items] == KEYS
    assert authors(items) == AUTHORS
    assert items[0]["title"] == "BERT & GPT-4: {Pre-training} on 50% of $x_1$ <think> #Tag"
    assert items[2]["title"] == "An Ünusual title\\with~signs^"
    assert items[0]["URL"] == "https://arxiv.org/abs/2604.00001"


def test_pandoc_reads_csl_json_as_meant(tmp_path):
    items = json.loads(
        run("pandoc", "-f", "csljson", "-t", "csljson", written(tmp_path, CitationFormat.CSL_JSON), cwd=tmp_path)
    )
    assert [item["id"] for item in items] == KEYS
    assert authors(items) == AUTHORS
    assert items[0]["title"] == PAPERS[0].title


@pytest.mark.parametrize("wanted", [CitationFormat.BIBTEX, CitationFormat.CSL_JSON])
def test_pandoc_writes_a_bibliography_from_each_format(tmp_path, wanted):
    name = written(tmp_path, wanted)
    cited = " ".join(f"@{key}" for key in KEYS)
    (tmp_path / "text.md").write_text(f"---\nbibliography: {name}\n---\n\n{cited}\n", "utf-8")

    made = run("pandoc", "--citeproc", "-t", "plain", "--wrap=none", "text.md", cwd=tmp_path)

    assert "Example, Ada, Kimi Team, Jan van der Sample, Luc Van Sample, Sammy Sample Jr." in made
    assert "https://arxiv.org/abs/2604.00003" in made
    assert "???" not in made
