from __future__ import annotations

import pytest

from digestmail.text.counts import counted


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "recipient", "0 recipients"),
        (1, "recipient", "1 recipient"),
        (2, "recipient", "2 recipients"),
        (1, "delivery", "1 delivery"),
        (3, "open delivery", "3 open deliveries"),
        (2, "entry", "2 entries"),
        (2, "day", "2 days"),
        (2, "person", "2 people"),
        (2, "address", "2 addresses"),
        (2, "mailbox", "2 mailboxes"),
    ],
)
def test_a_count_agrees_with_its_noun(count, noun, said):
    assert counted(count, noun) == said
