"""How well topics find papers: mean average precision on recorded days, against arXiv's own categories, and the cost.

The topics and the days are in the data directory beside the project: `DIGESTMAIL_BENCH_DATA` names another. The topics
are given as a few keywords and a sentence, one for a category of arXiv each. A paper is about a topic if arXiv lists it
in the category; digestmail sees no categories here. "held out" are the papers of the last ten days, judged by what was
learned from the days before.
"""

from __future__ import annotations

import ast
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, figure, tell
from digestmail.model.digests import Topic
from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.model.selection import Candidate
from digestmail.selection.select import select
from digestmail.selection.similarity import compare
from digestmail.selection.terms import frequencies, terms_of
from digestmail.selection.tokenize import Text, read
from digestmail.selection.topic_model import TopicModel, judge
from digestmail.selection.topics import compile_rule, match
from digestmail.testing import example_digest

SHARED = Path(os.environ.get("DIGESTMAIL_BENCH_DATA", "../shared"))
HELD_OUT_DAYS = 10
DAY = 1000
"""The papers of a busy day."""
