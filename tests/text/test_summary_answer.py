"""The summary is found in what models write around it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from chat import POINTS, SENTENCE, summary
from hypothesis import given
from hypothesis import strategies as st

from digestmail.text.summary_answer import read_summary


@pytest.mark.parametrize(
    "answer",
    [
        summary(),
        f"  \n{summary()}\n",
        f"```json\n{summary()}\n```",
        f"Here is the summary:\n\n{summary()}\n\nI hope this helps {{a bit}}!",
        f"<think>A sentence {{so}} is needed: {summary('Not this one, a draft')}</think>\n{summary()}",
        f"the template began the thought\n</think>\n\n{summary()}",
        f"<|channel|>analysis<|message|>Let me think<|end|><|start|>assistant<|message|>{summary()}<|return|>",
        f"For example {summary('An example of the format')} gives:\n{summary()}",
        f"[{summary()}]",
        json.dumps({"Sentence": f"**{SENTENCE}**", "key_points": [f"- {one}" for one in POINTS]}),
        json.dumps({"summary": SENTENCE, "points": "\n".join(f"{n}. {one}" for n, one in enumerate(POINTS, 1))}),
        json.dumps({"sentence": SENTENCE, "points": [{"point": f"\u2022 {one}"} for one in POINTS]}),
        json.dumps({"sentence": SENTENCE, "points": [*POINTS, "A fourth one."]}),
        summary().replace("method finds", "method\n  finds"),
    ],
)
def test_a_summary_is_found_in_whatever_surrounds_it(answer):
    assert read_summary(answer) == (SENTENCE, POINTS)


@pytest.mark.parametrize("points", [[], [POINTS[0]], [*POINTS[:2], ""], None, 3, [[1]], [None] * 3])
def test_without_three_points_there_are_none(points):
    assert read_summary(json.dumps({"sentence": SENTENCE, "points": points})) == (SENTENCE, ())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "no JSON object"),
        (SENTENCE, "no JSON object"),
        ('{"sentence": ""}', "no JSON object"),
        ('{"sentence": ["x"]}', "no JSON object"),
        ('{"points": ["x"]}', "no JSON object"),
        (summary()[:-20], "no JSON object"),
        ("{" * 100_000, "no JSON object"),
        ('{"a":' * 100_000, "no JSON object"),
        (f"<think>I wonder {summary()}", "only thoughts"),
    ],
)
def test_an_answer_without_a_summary_says_so(answer, said):
    with pytest.raises(ValueError, match=said):
        read_summary(answer)


@given(
    st.text()
    | st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(lambda value: json.dumps({"sentence": value, "points": value}))
)
def test_any_answer_is_single_lines_or_a_value_error(answer):
    with suppress(ValueError):
        sentence, points = read_summary(answer)
        assert sentence
        assert len(points) in {0, 3}
        assert all(" ".join(one.split()) == one for one in (sentence, *points))
