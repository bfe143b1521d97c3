"""Every page can be reached from the index, and what pages name exists: files, classes, layers."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs/README.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
FOREIGN_CLASSES = {"CronTrigger"}
"""Classes of other packages that pages compare with."""
SOURCE = "\n".join(path.read_text("utf-8") for path in (ROOT / "digestmail").rglob("*.py"))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> set[Path]:
    """Return the pages of this repository that `page` links to."""
    found = re.findall(r"\]\((?!https?://|mailto:|#)([^)#]+)", page.read_text("utf-8"))
    return {(page.parent / target).resolve() for target in found}


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and GitLab write them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, waiting = set[Path](), {INDEX}
    while waiting:
        page = waiting.pop()
        seen.add(page)
        waiting |= {target for target in links(page) if target.suffix == ".md"} - seen

    assert sorted(set((ROOT / "docs").rglob("*.md")) - seen) == []


def test_every_page_is_one_step_from_the_index() -> None:
    assert sorted(set((ROOT / "docs").glob("*.md")) - links(INDEX) - {INDEX}) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", page.read_text("utf-8")):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_file_and_directory_that_is_named_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(r"(?<![\w/])(?:digestmail|tests|templates|docs|benchmarks)/[\w./-]*\w/?", text):
        if "NAME" in name or "LANGUAGE" in name:  # to be replaced by the reader
            continue
        assert (ROOT / name).exists() or (page.parent / name).exists(), name
    rooms = [path.name for path in (ROOT / "digestmail").iterdir() if path.is_dir()]
    for name in re.findall(rf"`((?:{'|'.join(rooms)})/[\w/]*\.py)`", text):
        assert (ROOT / "digestmail" / name).exists(), name


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_class_and_method_of_ours_that_is_named_exists(page: Path) -> None:
    for name, attribute in re.findall(r"`([A-Z][a-z]+(?:[A-Z]\w*)+)(?:\.(\w+))?(?:\(\))?`", page.read_text("utf-8")):
        if name not in FOREIGN_CLASSES:
            assert re.search(rf"\b{name}\b", SOURCE), name
            assert not attribute or re.search(rf"\b{attribute}\b", SOURCE), f"{name}.{attribute}"


def test_the_drawing_of_the_packages_is_the_contract_of_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = project["tool"]["importlinter"]["contracts"]
    architecture = (ROOT / "docs/architecture.md").read_text("utf-8")
    drawing = re.findall(r"^```\n(.*?)^```$", architecture, re.MULTILINE | re.DOTALL)[0]
    # A row names a group in the first 13 columns, then packages; three spaces and more divide them from an explanation.
    rows = [re.split(r" {3,}", row[13:].strip())[0].split() for row in drawing.splitlines()]
    drawn = [row for row in rows if row not in ([], ["|"])]

    assert drawn == [layer.split(" | ") for layer in contract["layers"]]


def test_the_messages_that_troubleshooting_quotes_are_said_by_the_program():
    source = re.sub(r'"\n\s*f?"', "", SOURCE)
    table = (ROOT / "docs" / "operations.md").read_text("utf-8").partition("## Troubleshooting")[2]
    symptoms = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    quoted = [words.strip(". ") for symptom in symptoms for words in re.findall(r'"([^"]+)"', symptom)]
    assert len(quoted) >= 5
    assert [words for words in quoted if words not in source] == []
