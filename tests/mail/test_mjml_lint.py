from __future__ import annotations

import pytest

from digestmail.mail.mjml_lint import mjml_problems

WHOLE = (
    '<mjml lang="en" dir="ltr"><mj-head><mj-attributes><mj-all font-family="x"/><mj-text padding="0"/></mj-attributes>'
    '</mj-head>\n<mj-body width="600px"><mj-section><mj-column>\n{}\n</mj-column></mj-section></mj-body></mjml>'
)
TEXT = WHOLE.format("<mj-text>{}</mj-text>")


def test_correct_mjml_passes():
    source = TEXT.format(
        '<a href="https://example.org/?a=1&amp;b">x</a> <a href="#topic-1">y</a> &lt;mj-odd&gt;'
        '<img src="https://example.org/x.png" width="1" height="1" alt="A picture">'
    )
    assert mjml_problems(source) == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (TEXT.format("<mj-odd>x</mj-odd>"), "line 3: <mj-odd> is not an MJML tag"),
        (WHOLE.format('<mj-text colour="red">x</mj-text>'), "line 3: <mj-text> has no attribute colour"),
        (WHOLE.format("<mj-section>x</mj-section>"), "line 3: <mj-section> is not allowed in <mj-column>"),
        ("<mj-text>x</mj-text>", "line 1: <mj-text> must be inside another tag"),
        (TEXT.format("x</mj-column>"), "line 3: </mj-column> has no opening tag"),
        ("<mjml><mj-body>", "<mj-body> is not closed"),
        (TEXT.format('<a href="javascript:x">x</a>'), "line 3: <a> leads to 'javascript:'"),
        (TEXT.format('<a class="a">x</a>'), "line 3: <a> leads to 'nothing'"),
        (TEXT.format('<a href="/x">x</a>'), "line 3: <a> leads to '/x'"),
        (TEXT.format('<img src="https://x/y" width="1" height="1" alt="">'), "line 3: <img> has no alt"),
        (TEXT.format('<img src="http://x/y" width="1" height="1" alt="x">'), "line 3: <img> has no https URL"),
        (WHOLE.format('<mj-image src="https://x/y" alt="x" width="1"/>'), "line 3: <mj-image> has no height"),
        (WHOLE.format('<mj-button href="data:x">x</mj-button>'), "line 3: <mj-button> leads to 'data:'"),
    ],
)
def test_errors_are_reported_with_their_line(source: str, problem: str):
    assert problem in mjml_problems(source)
