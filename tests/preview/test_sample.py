from __future__ import annotations

from fakes import digest

from digestmail.demo.sample import sample_edition
from digestmail.model.digests import Conditions, FilterRules


def test_the_sample_shows_the_layout_of_a_digest_whose_rules_keep_none_of_its_papers():
    keep = Conditions(words=("no paper contains this",))
    ruled = sample_edition(digest(rules=FilterRules(keep=keep)))
    assert ruled.entries == sample_edition(digest()).entries != ()
