from __future__ import annotations

from dataclasses import replace

import pytest
from editions import cast, full_edition

from digestmail.mail.encoding import LARGEST_MESSAGE
from digestmail.mail.lint.rules import RULES, lint
from digestmail.mail.render import Renderer

OF = full_edition()
RENDERED = Renderer().render(OF, OF.sections, base_url="https://digest.example.org")
GOOD = cast(RENDERED)


def failed(raw: bytes) -> set[str]:
    return {result.name for result in lint(raw) if not result.passed}


def with_html(old: str, new: str) -> bytes:
    assert old in RENDERED.html
    return cast(replace(RENDERED, html=RENDERED.html.replace(old, new, 1)))


def test_a_full_edition_passes_every_rule():
    results = lint(GOOD)

    assert [result.name for result in results] == [rule.name for rule in RULES]
    assert all(result.passed and result.detail == "" for result in results)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_text_part_counts_towards_the_size_of_a_message_too():
    text = RENDERED.text
    rest = LARGEST_MESSAGE - len(GOOD) - 500
    filler = "x" * 69 + "\n"
    fits = replace(RENDERED, subject="s", text=text + filler * (rest // 71))
    over = replace(RENDERED, subject="s", text=text + filler * (rest // 71 + 20))

    assert failed(cast(fits)) == set()
    assert failed(cast(over)) == {"byte-budget"}


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b"List-Unsubscribe: <https", b"List-Unsubscribe: <http", "unsubscribe-header"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b"", "one-click"),
        (b"List-Id: ", b"X-Id: ", "headers-once"),
        (b"Precedence: bulk", b"Precedence: list", "bulk"),
        (b"Feedback-ID: daily:", b"Feedback-ID: ", "feedback-id"),
        (b"To: reader@example.net", b"To: a@example.net, b@example.net", "one-mailbox"),
        (b"Date: ", b"Date: some day, ", "date"),
        (b"Message-ID: <", b"Message-ID: <UPPER", "message-id"),
        (b"Content-Type: text/plain", b"Content-Type: text/csv", "alternative"),
        (b"\r\nMIME-Version", b"\nMIME-Version", "line-ends"),
        (b"Precedence: bulk", b"Precedence: bulk" + b" " * 990, "line-lengths"),
        (b"Subject: ", b"Subject: \xc3\xa9 ", "seven-bit"),
        (b"Subject: ", b"Bcc: other@example.org\r\nSubject: ", "headers-once"),
    ],
)
def test_a_fault_of_the_message_is_found_by_its_rule(old: bytes, new: bytes, name: str):
    assert old in GOOD

    assert name in failed(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("</h1>", "</h1>" + "x" * LARGEST_MESSAGE, "byte-budget"),
        ("</h1>", '</h1><a href="javascript:1">run</a>', "links"),
        ("</h1>", "</h1><script>1</script>", "no-active-content"),
        ("</h1>", '</h1><b onclick="x()">x</b>', "no-active-content"),
        ("</h1>", "</h1><mj-text>x</mj-text>", "compiled"),
        ("</h1>", '</h1><p style="display:none">x</p>', "nothing-hidden"),
        ("</h1>", '</h1><p style="color:red;font-size:0">x</p>', "nothing-hidden"),
        ("</h1>", '</h1><p style="font-size: 0px;">&nbsp;</p>', "nothing-hidden"),
        ("</h1>", '</h1><p style="font:0/8px serif">x</p>', "nothing-hidden"),
        ("</h1>", '</h1><p style="opacity:0">x</p>', "nothing-hidden"),
        ("</h1>", '</h1><p style="visibility:hidden">x</p>', "nothing-hidden"),
        ("</h1>", "</h1><style>@import url(https://example.org/x.css)</style>", "no-remote-styles"),
        ("</h1>", '</h1><img src="https://example.org/x.png" width="9" height="9">', "images"),
        ("</h1>", '</h1><img src="http://example.org/x.png" alt="" width="9" height="9">', "images"),
        ("</h1>", '</h1><img src="https://example.org/x.png" alt="" width="1" height="1">', "images"),
        ('lang="en"', "", "language"),
        ("<h1", "<h2", "outline"),
        ("</h1>", "</h1><h4>x</h4>", "outline"),
        ("</h1>", "</h1><table></table>", "layout-tables"),
        ("</h1>", '</h1><a href="https://example.org">Click here</a>', "link-texts"),
        ('name="color-scheme"', 'name="colour"', "color-schemes"),
        ("</h1>", '</h1><table role="presentation" width="700"></table>', "one-column"),
        ("</h1>", '</h1><p style="display:flex">x</p>', "plain-layout"),
        ("</h1>", '</h1><p style="position: fixed">x</p>', "plain-layout"),
    ],
)
def test_a_fault_of_the_html_is_found_by_its_rule(old: str, new: str, name: str):
    assert failed(with_html(old, new)) == {name}


def test_paper_text_is_not_mistaken_for_a_style():
    assert failed(with_html("</h1>", "</h1><p>We use url(x), position: fixed and display:flex.</p>")) == set()


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"x", b"Subject: x\r\n\r\n\xff\x00", b"From: \r\nTo: <>\r\n\r\n"])
def test_any_bytes_get_a_result_for_every_rule(raw: bytes):
    assert len(lint(raw)) == len(RULES)
    assert "alternative" in failed(raw)


@pytest.mark.parametrize(
    "style", ["font:10px/20px serif", "font-size:10px", "font:700 30px/36px Georgia", "opacity:0.5"]
)
def test_small_and_pale_texts_are_not_hidden_ones(style: str):
    assert failed(with_html("</h1>", f'</h1><p style="{style}">x</p>')) == set()


def test_a_zero_size_container_with_sized_children_hides_nothing():
    assert failed(with_html("</h1>", '</h1><div style="font-size:0"> <p style="font-size:12px">x</p> y</div>')) == set()


def test_many_faults_of_one_rule_are_counted():
    raw = with_html("</h1>", "</h1>" + "".join(f'<a href="ftp://example.org/{n}">x{n}</a>' for n in range(9)))

    (links,) = [result for result in lint(raw) if result.name == "links"]

    assert links.detail.endswith("; and 4 more")
