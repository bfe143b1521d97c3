"""Announcements: what a Markdown file may contain, and the email that it becomes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from announcements import EXAMPLE, rendered
from editions import cast
from hypothesis import example, given, settings
from hypothesis import strategies as st
from message_rules import broken_rules, part, visible

from digestmail.errors import AnnouncementError, RenderError
from digestmail.mail.announcement_files import load_announcement
from digestmail.mail.announcements import LONGEST, read_announcement
from digestmail.mail.lint.html import read_page
from digestmail.model.theme import Appearance

TEXT = """From 1 August, this newsletter comes from new@example.org. Add it to
your address book, or read what changes
<https://example.org/move?a=1&b=2>.

What to do
----------

- Nothing, _mostly_
- Tell *your filter*:
  1. open it
  2. add `new@example.org`

7. seven

   and more

> Somebody said this, in so many words that the line has to be wrapped
> in the text part of the email.

    keep   this
      as it is

* * *

The end

One line
and another & more
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(AnnouncementError) as raised:
        read_announcement(text)
    return raised.value.problems


@pytest.mark.parametrize("language", ["en", "de", "fr", "he"])
def test_a_file_becomes_a_mail_that_breaks_no_rule(language):
    mail = rendered(EXAMPLE, language=language)
    raw = cast(mail, title="Trending papers")

    assert broken_rules(raw) == []
    assert mail.subject == "We move to a new address"
    assert TEXT in mail.text.replace("\r\n", "\n")
    page = read_page(mail.html)
    assert page.headings == ["h1", "h2", "h3"]
    assert "https://example.org/move?a=1&b=2" in {link.href for link in page.links}
    assert "mailto:new@example.org" in {link.href for link in page.links}
    assert "keep   this\n  as it is" in mail.html
    assert '<ol start="7"' in mail.html
    assert "a title" not in mail.html
    assert f'<html lang="{language}"' in mail.html
    assert '<div class="t" lang="en"' in mail.html, "the operator's text has the language of the digest"
    assert "Example Labs" in part(raw, "plain")
    assert "Example Labs" in part(raw, "html")
    assert all(len(line) <= 72 for line in mail.text.splitlines() if "://" not in line)


def test_the_web_has_no_copy_so_nothing_links_to_one():
    assert "https://digest.example.org/daily" not in rendered(EXAMPLE).html


def test_what_a_mailbox_shows_behind_the_subject_is_the_first_paragraph():
    assert "From 1 August" in rendered(EXAMPLE).html.partition("<h1")[0]
    assert broken_rules(cast(rendered("# A\n\n- b"), title="x")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the file must begin with the subject: `# Subject`"),
        ("Hello\n\n# Subject\n\nx", "line 1: the file must begin with the subject: `# Subject`"),
        ("## Subject\n\nx", "line 1: the file must begin with the subject: `# Subject`"),
        ("---\ntitle: x\n---\n\n# A\n\nb", "line 1: the file must begin with the subject: `# Subject`"),
        ("# A\n", "line 1: there is no text below the subject"),
        ("#\n\nb", "line 1: the subject is empty: write it after the #"),
        ("# <!-- -->\n\nb", "line 1: HTML is not allowed"),
        (f"# {'x' * 151}\n\nb", "line 1: the subject has 151 characters, 150 are allowed: shorten it"),
        ("# [A](https://a.org)\n\nb", "line 1: the subject cannot contain a link: move it into the text"),
        ("# A\n\nb\n\n# C", "line 5: only the subject can begin with one #: write ## for a heading"),
        ("# A\n\nb\n\n#### C", "line 5: a heading can have two or three #: write ## or ###"),
        ("# A\n\n### C", "line 3: ### needs a heading with ## above it"),
        ("# A\n\nb\n<b>c</b>", "line 4: HTML is not allowed: write Markdown"),
        ("# A\n\n<div>\nc\n</div>", "line 3: HTML is not allowed: write Markdown"),
        ("# A\n\nb `c\nd` e\nf <i>", "line 5: HTML is not allowed: write Markdown"),
        ("# A\n\n- b\n- c\n\n  ![x](https://a.org/x.png)", "line 6: images are not allowed: write [text](https://...)"),
        ("# A\n\nb | c\n--|--\n1 | 2", "line 3: tables are not allowed: write a list instead"),
        ("# A\n\nb ~~c~~", "line 3: ~~strikethrough~~ is not allowed: leave the text out instead"),
        ("# A\n\nb\nhttps://a.org/x.", "line 4: https://a.org/x would not be a link: write it in angle brackets"),
        ("# A\n\n[b] (https://a.org)", "line 3: https://a.org would not be a link"),
        ("# A\n\nb[^1]\n\n[^1]: c d", "line 3: footnotes are not allowed: write the note into the text"),
        ("# A\n\n[b][c]", "line 3: [b][c] is not defined: write [text](https://...)"),
        ("# A\n\n[b](/c)", "line 3: the link /c is not absolute: write https://... or mailto:name@example.org"),
        ("# A\n\n[b](https:///c)", "line 3: the link https:///c is not absolute"),
        ("# A\n\n[b](<https://[c>)", "line 3: the link https://%5Bc is not absolute"),
        ("# A\n\n[b](mailto:c)", "line 3: the link mailto:c is not absolute"),
        ("# A\n\n[b]()", "line 3: a link has no target: write [text](https://...)"),
        ("# A\n\n[b][c]\n\n[c]: <javascript:alert(1)>", "line 3: the link javascript:alert(1) is not allowed"),
        ("# A\n\n[b](data:text/html,x)", "line 3: the link data:text/html,x is not allowed"),
        ("# A\n\nb\n[click\nhere](https://a.org)", "line 4: the link text 'click here' does not say what"),
        ("# A\n\n[](https://a.org)", "line 3: the link text '' does not say what https://a.org is"),
        ("# A\n\nb\nc \u202e d", "line 4: the character U+202E is not allowed in emails: remove it"),
        ("# A\n\nb &#x202e; c", "line 3: the character U+202E is not allowed in emails: remove it"),
        ("# A\n\n```\n\x1b\n```", "line 3: the character U+001B is not allowed in emails: remove it"),
        ("# A\n\n" + "> " * 30 + "b", "line 3: lists and quotations are nested too deeply"),
        ("# A\n\n" + "- " * 30 + "b", "line 3: lists and quotations are nested too deeply"),
        ("# A\n\n" + "b" * LONGEST, "the announcement has 20,005 characters, 20,000 are allowed"),
    ],
)
def test_what_a_mail_cannot_show_is_refused_with_its_line_and_what_to_write(text, said):
    assert any(problem.startswith(said) for problem in problems(text)), problems(text)


def test_all_problems_are_reported_at_once_in_the_order_of_their_lines():
    assert [problem.partition(":")[0] for problem in problems("# A\n\n<i>\n\n[b](c)\n\n# D")] == [
        "line 3", "line 5", "line 7"
    ]  # fmt: skip


def test_a_byte_order_mark_and_kinds_of_line_ends_make_no_difference():
    plain = read_announcement("# A\n\nb\nc\n")
    assert read_announcement("\ufeff\r\n# A\r\n\r\nb\r\nc\r\n\r\n") == plain
    assert read_announcement("# A\r\rb\rc") == plain
    assert read_announcement("# A\n\nb\nd\n") != plain


def test_signs_of_html_and_of_templates_are_text():
    hostile = "# <3 & {{ 1 }}\n\n1 < 2 && `<script>` {% raw %} {{ nonce }} \\<b> &lt;i> </mj-text\n"
    mail = rendered(hostile)
    raw = cast(mail, title="Trending papers")

    assert broken_rules(raw) == []
    assert mail.subject == "<3 & {{ 1 }}"
    assert "1 < 2 && <script> {% raw %} {{ nonce }} <b> <i> </mj-text" in visible(mail.html)
    assert "1 < 2 && `<script>` {% raw %} {{ nonce }} <b> <i> </mj-text" in mail.text


def test_links_with_international_names_become_ascii_in_both_parts():
    mail = rendered("# A\n\n<https://bücher.example/ü> and [the ü](https://bücher.example/ü?q=a)")
    assert read_page(mail.html).links[0].href == "https://xn--bcher-kva.example/%C3%BC"
    assert "https://xn--bcher-kva.example/%C3%BC and" in mail.text


def test_a_message_over_the_limit_is_refused():
    with pytest.raises(RenderError, match=r"^the email has [\d,]+ of 100,000 octets: shorten the announcement$"):
        rendered("# A\n\n" + "界" * (LONGEST - 10))


def test_direction_follows_the_text():
    mail = rendered("# \u05e9\u05dc\u05d5\u05dd\n\n\u05e9\u05dc\u05d5\u05dd\n\n- one", look=Appearance(language="he"))
    assert broken_rules(cast(mail, title="x")) == []
    assert '<p dir="auto"' in mail.html
    assert '<ul dir="auto"' in mail.html


WORDS = st.sampled_from(
    (
        *(
            "# ",
            "## ",
            "### ",
            "> ",
            "- ",
            "1. ",
            "***",
            "`",
            "```",
            "    ",
            "\n",
            "\n\n",
            "\\",
            "[",
            "](",
            ")",
            "<",
            ">",
        ),
        *("https://a.org/x", "mailto:a@b.org", "one two", "&amp;", "&#0;", "&#x202e;", "|", "--|--", "\t", "~~", "!"),
        *("a\u00a0b", "<b>", "</mj-text>", "{{", ".", "From "),
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=40).map("".join))
@example("1. \n2. a")
@example("- \n\n      a")
@example(">")
@example("`a\n\n    b")
def test_any_file_is_refused_or_becomes_a_mail_that_breaks_no_rule(body):
    found: tuple[str, ...] = ()
    try:
        mail = rendered(f"# Subject\n\n{body}")
    except AnnouncementError as error:
        found = error.problems
    if found:
        assert all(re.match(r"line \d+: ", problem) for problem in found)
        return
    assert broken_rules(cast(mail, title="Trending papers")) == []


def test_a_file_that_is_no_text_is_named(tmp_path: Path):
    file = tmp_path / "a.md"
    file.write_bytes("# A\n\nb\nü".encode("latin-1"))
    with pytest.raises(AnnouncementError, match=r"^a\.md, line 4: is not UTF-8: save the file as UTF-8$"):
        load_announcement(file)
    file.write_bytes(b"x" * 200_001)
    with pytest.raises(AnnouncementError, match=r"^a\.md has more than 200,000 bytes: is it a Markdown file\?$"):
        load_announcement(file)
    file.write_text("# A\n\n<b>", "utf-8")
    with pytest.raises(AnnouncementError, match=r"^a\.md, line 3: HTML is not allowed"):
        load_announcement(file)
