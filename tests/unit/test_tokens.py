from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import TokenError
from digestmail.tokens import Tokens

TOKENS = Tokens("a secret")
SAFE = set(string.ascii_letters + string.digits + "-_.")


@given(st.integers(min_value=1, max_value=2**63), st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True))
def test_it_reads_what_it_wrote(subscriber_id: int, digest: str):
    token = TOKENS.unsubscribe(subscriber_id, digest)

    assert TOKENS.read_unsubscribe(token) == (subscriber_id, digest)
    assert set(token) <= SAFE


def test_a_usual_token_fits_one_line_of_a_mail():
    assert len(TOKENS.unsubscribe(1_234_567, "trending-daily")) <= 75


@given(st.text())
def test_it_refuses_made_up_tokens(token: str):
    with pytest.raises(TokenError):
        TOKENS.read_unsubscribe(token)


@given(st.data())
def test_it_refuses_a_token_with_one_character_changed(data: st.DataObject):
    token = TOKENS.unsubscribe(7, "daily")
    # The last character carries only four bits of the signature.
    place = data.draw(st.integers(0, len(token) - 2))
    other = data.draw(st.sampled_from(sorted(SAFE - {token[place]})))

    with pytest.raises(TokenError):
        TOKENS.read_unsubscribe(token[:place] + other + token[place + 1 :])


def test_it_refuses_tokens_of_another_instance():
    with pytest.raises(TokenError):
        TOKENS.read_unsubscribe(Tokens("another secret").unsubscribe(7, "daily"))


def test_it_refuses_an_empty_secret():
    with pytest.raises(ValueError, match="empty"):
        Tokens("")


def test_a_message_id_is_the_same_for_every_attempt():
    assert TOKENS.message_id("daily", "2026-04-02", 7, "example.org") == Tokens("a secret").message_id(
        "daily", "2026-04-02", 7, "example.org"
    )


def test_message_ids_differ_between_deliveries_and_instances():
    ids = {
        tokens.message_id(digest, slot, subscriber_id, "example.org")
        for tokens in (TOKENS, Tokens("another secret"))
        for digest in ("daily", "daily-2026", "weekly")
        for slot in ("2026-04-02", "04-02", "2026-04-02T09:00")
        for subscriber_id in range(1, 100)
    }

    assert len(ids) == 2 * 3 * 3 * 99


def test_a_message_id_holds_only_what_may_stand_in_one():
    message_id = TOKENS.message_id("daily", "2026-04-02T09:00", 7, "example.org")

    assert message_id.startswith("<daily.2026-04-02T09-00.")
    assert message_id.endswith("@example.org>")
    assert set(message_id[1:-1]) <= SAFE | {"@"}
