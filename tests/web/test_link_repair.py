"""Links from mails, as they are handed on."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from fakes import THURSDAY
from hypothesis import given
from hypothesis import strategies as st

from digestmail.mail.link_tokens import LinkTokens
from digestmail.mail.tokens import Tokens
from digestmail.web.link_repair import PERSONAL, repair_link

TOKENS = Tokens("secret")
TOKEN = TOKENS.unsubscribe(7, "daily")
LINKS = LinkTokens(["secret"])

BEHIND = [
    ".",
    ">",
    "/",
    "//",
    ",",
    ")",
    "]",
    "}",
    ";",
    ":",
    "!",
    "?",
    "'",
    '"',
    "*",
    "**",
    "_",
    "__",
    "-",
    "\\",
    "|",
    "=",
    "=3D",
    "%3E",
    "%2E",
    "%22",
    "%20",
    " ",
    "\t",
    "\r\n",
    "\N{RIGHT DOUBLE QUOTATION MARK}",
    "\N{HORIZONTAL ELLIPSIS}",
    "\N{NO-BREAK SPACE}",
    "\N{ZERO WIDTH SPACE}",
    ">.",
    ").",
    '">',
    "</a>",
    "&utm_source=mail",
    ";utm=1",
    "#x",
    "&gt;",
    "/index.html",
    "%0D%0A",
    "\N{REPLACEMENT CHARACTER}",
]


@pytest.mark.parametrize("behind", BEHIND, ids=repr)
@pytest.mark.parametrize("kind", PERSONAL)
def test_characters_after_a_token_are_removed(kind, behind):
    assert repair_link(f"/{kind}/{TOKEN}{behind}") == f"/{kind}/{TOKEN}"


@pytest.mark.parametrize("before", ["<", '"', "%3C", " ", "/", "//", "(", "=\r\n"], ids=repr)
def test_characters_before_a_token_are_removed(before):
    assert repair_link(f"/unsubscribe/{before}{TOKEN}") == f"/unsubscribe/{TOKEN}"


@pytest.mark.parametrize(
    "broken", ["=\r\n", "=", "\r\n", "\n", " ", "\r\n ", "%0A", "=%0D%0A", "\N{SOFT HYPHEN}"], ids=repr
)
@pytest.mark.parametrize("at", [1, 5, len(TOKEN) - 27, len(TOKEN) - 3])
def test_what_a_broken_line_put_into_a_token_is_taken_out(broken, at):
    assert repair_link(f"/unsubscribe/{TOKEN[:at]}{broken}{TOKEN[at:]}") == f"/unsubscribe/{TOKEN}"


def test_percent_encoding_done_over_and_over_is_undone():
    once = "".join(f"%{ord(sign):02X}" for sign in TOKEN)
    for path in (once, quote(once), quote(quote(once)), quote(TOKEN + ">", safe="")):
        assert repair_link(f"/unsubscribe/{path}") == f"/unsubscribe/{TOKEN}"


@pytest.mark.parametrize(
    "page", ["address", "cadence", "data", "data.json", "erase", "feedback", "pause", "interests", "interests/file"]
)
@pytest.mark.parametrize("behind", ["", "/", ".", ">", "%20"])
def test_the_pages_behind_a_link_are_kept(page, behind):
    assert repair_link(f"/preferences/{TOKEN}/{page}{behind}") == f"/preferences/{TOKEN}/{page}"


@pytest.mark.parametrize(
    "paper", ["2026-04-02/3", "2026-04-02/12/more", "2026-04-02T07:30/1/less", "2026-04-06.weekly/2/more"]
)
@pytest.mark.parametrize("behind", ["", "/", ".", ">", "%20", "&utm_source=mail"])
def test_the_paper_and_the_answer_of_a_feedback_link_are_kept(paper, behind):
    assert repair_link(f"/feedback/{TOKEN}/{paper}{behind}") == f"/feedback/{TOKEN}/{paper}"
    assert repair_link(f"/feedback/{TOKEN}/{quote(paper, safe='')}{behind}") == f"/feedback/{TOKEN}/{paper}"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/daily",
        "/unsubscribe",
        "/unsubscribe/",
        "/unsubscribe/x",
        "/daily/unsubscribe",
        "/search",
        "/unsubscribe/a.b",
        f"/daily/{TOKEN}",
        "/undo/" + "a" * 5000,
    ],
)
def test_any_other_path_is_left_alone(path):
    assert repair_link(path) == path


@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        TOKENS.unsubscribe(2**40, "a" * 40),
        LINKS.confirm(1, "n" * 43, THURSDAY),
        LINKS.address(1, "n" * 43, THURSDAY),
        LINKS.erase(1, THURSDAY),
        LINKS.undo(1, THURSDAY),
    ],
)
def test_every_token_of_ours_is_found(token):
    for kind in PERSONAL:
        assert repair_link(f"/{kind}/{token}") == f"/{kind}/{token}"
        assert repair_link(f"//{kind.upper()}//{token}/.") == f"/{kind}/{token}"


@given(st.text(max_size=60), st.text(max_size=60))
def test_repairing_a_link_never_raises_and_is_idempotent(before, behind):
    once = repair_link(f"/unsubscribe/{before}{TOKEN}{behind}")
    assert repair_link(once) == once
    assert unquote(once).isascii() or once.startswith("/unsubscribe/")
