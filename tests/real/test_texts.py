from __future__ import annotations

import gzip
import json
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import feedparser
import pytest

from digestmail.papers.identity import find_arxiv_id
from digestmail.papers.withdrawal import is_withdrawn
from digestmail.sources.authors import clean_names, split_authors
from digestmail.text.tex import readable

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
DATA = SHARED / "data"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here: no real texts to read")

MACRO = re.compile(r"\\[A-Za-z]+")


def arxiv_papers() -> Iterator[dict]:
    papers = {}
    for path in sorted((DATA / "arxiv_daily").glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).decode("utf-8").splitlines():
            paper = json.loads(line)
            papers.setdefault(paper["id"], paper)
    yield from papers.values()


def hugging_face_papers() -> Iterator[dict]:
    papers = {}
    for path in sorted((DATA / "hf_daily").glob("*.json.gz")):
        for item in json.loads(gzip.decompress(path.read_bytes())):
            papers.setdefault(item["paper"]["id"], item["paper"])
    yield from papers.values()


def seeds() -> list[dict]:
    return json.loads((DATA / "seed_papers.json").read_text("utf-8"))


def titles() -> list[str]:
    lines = gzip.decompress((DATA / "other" / "arxiv_titles_74728.tsv.gz").read_bytes()).decode("utf-8").split("\n")
    return [line.split("\t")[-1] for line in lines[1:] if line]


def left(texts: list[str]) -> tuple[int, int, int]:
    """Return how many texts there are, and how many of them still contain a macro or a dollar sign."""
    read = [readable(text) for text in texts]
    for line in read:
        assert line == " ".join(line.split())
        assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in line)
    return len(read), sum(bool(MACRO.search(line)) for line in read), sum("$" in line for line in read)


def test_the_77_seed_titles_come_out_to_the_letter():
    changed = {title: read for paper in seeds() if (read := readable(title := paper["title"])) != title}
    assert len(seeds()) == 77
    assert changed == {
        "S^{2}FT: Efficient, Scalable and Generalizable LLM Fine-tuning by Structured Sparsity": (
            "S²FT: Efficient, Scalable and Generalizable LLM Fine-tuning by Structured Sparsity"
        )
    }


# The rest are the authors' own macros (\method, \ours), which cannot be converted, and prices.
@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        (lambda: [paper["title"] for paper in arxiv_papers()], (6_423, 0, 0)),
        (lambda: [paper["summary"] for paper in arxiv_papers()], (6_423, 33, 22)),
        (lambda: [paper["title"] for paper in hugging_face_papers()], (4_261, 0, 2)),
        (lambda: [paper["summary"] for paper in hugging_face_papers()], (4_261, 12, 13)),
        (titles, (74_728, 1, 2)),
        (lambda: [paper["abstract"] for paper in seeds()], (77, 0, 0)),
    ],
    ids=["arXiv titles", "arXiv abstracts", "HF titles", "HF abstracts", "more arXiv titles", "seed abstracts"],
)
def test_hardly_any_tex_is_left(texts, counts):
    assert left(texts()) == counts


def test_what_was_read_reads_the_same_again():
    texts = [paper[key] for paper in arxiv_papers() for key in ("title", "summary")]
    again = [(once, twice) for text in texts if (twice := readable(once := readable(text))) != once]
    assert again == []


@pytest.mark.parametrize(
    ("title", "read"),
    [
        (r"$\mathcal{S}^2$IT", "S²IT"),
        (
            r"Explicit Factorization of $x^{p+1}-1$ over $\mathbb{Z}_{p^e}$",
            "Explicit Factorization of xᵖ⁺¹-1 over ℤ_(pᵉ)",
        ),
        (r"over $\mathbb{F}_2 \times (\mathbb{F}_2+v\mathbb{F}_2)$", "over F₂ × (F₂+vF₂)"),
        (r"$\textrm{ODE}_t \left(\textrm{ODE}_l \right)$", "ODE_t (ODE_l)"),
        (r"${D}^{3}${ETOR}: ${D}$ebate-Enhanced", "D³ETOR: Debate-Enhanced"),
        (r"via $\mathbf{\texttt{D}}$ual-$\mathbf{\texttt{H}}$ead", "via Dual-Head"),
        (r"Casual 360$^\circ$ Captures", "Casual 360° Captures"),
        (r"$\bf{D^3}$QE", "D³QE"),
        (r"EFX; $n \ge 3$ Agents, $m \ge n + 5$ Items", "EFX; n ≥ 3 Agents, m ≥ n + 5 Items"),
        (r"\(X\)-evolve", "X-evolve"),
        ("Allo{SR}$^2$", "AlloSR²"),
        ("DiM\\textsuperscript{3}", "DiM³"),
        (r"Knowledge Acquisition with \$100 Budget", "Knowledge Acquisition with $100 Budget"),
        ("Dr.~RTL", "Dr. RTL"),
    ],
)
def test_titles_that_were_met_read_well(title, read):
    assert readable(title) == read


def test_a_thousand_abstracts_cost_little():
    abstracts = [paper["summary"] for paper in arxiv_papers()][:1_000]
    started = time.process_time()
    for abstract in abstracts:
        readable(abstract)
    # About 0.1 s on the machine this was written on.
    assert time.process_time() - started < 1.0


def test_authors_in_lists_stay_who_they_are():
    papers = [*arxiv_papers(), *([author["name"] for author in paper["authors"]] for paper in hugging_face_papers())]
    lists = [paper["authors"] if isinstance(paper, dict) else paper for paper in papers]
    changed = Counter()
    for names in lists:
        known = [" ".join(name.split()) for name in names]
        kept = clean_names(names)
        changed["gone"] += len(known) - len(kept)
        changed["new"] += len(set(kept) - set(known))
    assert len(lists) == 10_684
    # One name on arXiv begins with the "and" before it.
    assert changed == {"gone": 2, "new": 1}


def test_the_authors_of_the_captured_feeds_are_the_names_between_the_commas():
    creators = [
        entry.author
        for path in sorted((DATA / "arxiv_feeds").glob("*.xml"))
        for entry in feedparser.parse(path.read_bytes()).entries
    ]
    assert len(creators) == 16
    assert sum(len(split_authors(creator)) for creator in creators) == 90
    # None of the captured ones has an affiliation.
    assert [split_authors(creator) for creator in creators] == [
        tuple(dict.fromkeys(name.strip() for name in creator.split(","))) for creator in creators
    ]


def test_every_id_is_an_id_and_no_paper_is_taken_for_withdrawn():
    papers = list(arxiv_papers())
    assert [paper["id"] for paper in papers if find_arxiv_id(paper["id"]) != paper["id"]] == []
    assert [paper["id"] for paper in papers if find_arxiv_id(paper["abs"]) != paper["id"]] == []
    assert [paper["id"] for paper in hugging_face_papers() if find_arxiv_id(paper["id"]) != paper["id"]] == []
    assert [paper["id"] for paper in papers if is_withdrawn(paper["title"], paper["summary"], paper["comment"])] == []
    # In running text, only named ids count.
    assert sum(find_arxiv_id(title) is not None for title in titles()) == 0
