"""Every table has a stated rule: what adds rows to it, and what deletes them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from digestmail.storage import schema, search_index

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def rules() -> list[tuple[list[str], str, str]]:
    """Return the tables, what adds rows, and what deletes them, of each line under "What grows"."""
    section = PAGE.read_text("utf-8").partition("### What grows\n")[2].partition("\n## ")[0]
    cells = (line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `"))
    return [(re.findall(r"`(\w+)`", tables), grows, deleted) for tables, grows, deleted in cells]


def test_every_table_has_one_rule_for_what_deletes_its_rows():
    named = Counter(name for tables, _, _ in rules() for name in tables)
    assert set(named) == set(schema.metadata.tables) | {search_index.NAME}
    assert named.most_common(1)[0][1] == 1
    assert all(grows.strip() and deleted.strip() for _, grows, deleted in rules())
