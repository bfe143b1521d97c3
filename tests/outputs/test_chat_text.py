"""The text for chats is short enough for every service, and nothing in it is taken for a mention."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from output_receiving import published

from digestmail.outputs.chat_text import MOST_BYTES, chat_message, inert
from digestmail.outputs.content import content_of

BASE = "https://digest.example.org"


def test_a_message_names_the_papers_with_their_links_and_leads_to_the_edition():
    title, body = chat_message(content_of(published("A Cache", "B"), BASE), body_limit=2000, title_limit=250)

    assert title == "Trending papers"
    assert body == (
        "2026-04-02\n1. A Cache\nhttps://arxiv.org/abs/2604.00001\n2. B\nhttps://arxiv.org/abs/2604.00002\n"
        "https://digest.example.org/daily/2026-04-02"
    )


def test_papers_without_room_are_counted():
    edition = published(*(f"Paper {number} {'with a long title ' * 6}" for number in range(10)))
    _, body = chat_message(content_of(edition, BASE), body_limit=1000, title_limit=250)

    shown = len(re.findall(r"^\d+\. ", body, re.MULTILINE))
    assert 0 < shown < 10
    assert f"… and {10 - shown} more" in body


@given(
    st.lists(st.text(max_size=400), min_size=1, max_size=30),
    st.integers(min_value=0, max_value=50_000),
    st.integers(min_value=0, max_value=300),
)
def test_a_message_is_within_the_limits_of_the_service(titles, body_limit, title_limit):
    content = content_of(published(*titles), BASE)
    content = replace(content, title=titles[0])
    title, body = chat_message(content, body_limit=body_limit, title_limit=title_limit, test=True)

    assert len(body.encode()) <= min(body_limit, MOST_BYTES)
    assert len(title.encode()) <= (title_limit or body_limit)
    if not title_limit and body:
        assert len(f"{title}\n\n{body}".encode()) <= body_limit


@pytest.mark.parametrize(
    "text",
    [
        "@everyone look",
        "<!channel>",
        "<@U123>",
        "<#C1|general>",
        "hi @here",
        "<https://evil.example|x>",
        "www.evil.example",
    ],
)
def test_a_mention_or_link_in_a_title_is_only_text(text):
    made = inert(text)

    assert made.replace("\N{ZERO WIDTH SPACE}", "") == text
    assert not re.search(r"@\w|<[!@#h]|://\w|www\.", made.replace("\N{ZERO WIDTH SPACE}", " "))


def test_a_plain_title_stays_as_it_is():
    assert inert("C# & F#: 3 < 4, mail us @ home") == "C# & F#: 3 < 4, mail us @ home"
