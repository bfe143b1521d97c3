from __future__ import annotations

import base64
import re
import string
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import TokenError
from digestmail.mail.sealing import Sealer
from digestmail.mail.tokens import Tokens, digest_number

TOKENS = Tokens("a secret")
SAFE = set(string.ascii_letters + string.digits + "-_.")


@given(st.integers(min_value=1, max_value=2**63), st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True))
def test_it_reads_what_it_wrote(subscriber_id: int, digest: str):
    token = TOKENS.unsubscribe(subscriber_id, digest)

    assert TOKENS.read_unsubscribe(token) == (subscriber_id, digest)
    assert set(token) <= SAFE


def test_a_typical_token_fits_on_one_line():
    assert len(TOKENS.unsubscribe(1_234_567, "trending-daily")) <= 75


@given(st.text())
def test_it_refuses_forged_tokens(token: str):
    with pytest.raises(TokenError):
        TOKENS.read_unsubscribe(token)


@given(st.data())
def test_it_refuses_a_token_with_one_character_changed(data: st.DataObject):
    token = TOKENS.unsubscribe(7, "daily")
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(sorted(SAFE - {token[place]})))

    with pytest.raises(TokenError):
        TOKENS.read_unsubscribe(token[:place] + other + token[place + 1 :])


def test_it_refuses_tokens_of_another_instance():
    with pytest.raises(TokenError):
        TOKENS.read_unsubscribe(Tokens("another secret").unsubscribe(7, "daily"))


def test_it_refuses_an_empty_secret():
    with pytest.raises(ValueError, match="empty"):
        Tokens("")


@given(st.integers(0, 2**48 - 1), st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True))
def test_an_unsubscribe_address_names_the_digest_in_any_case(subscriber_id: int, digest: str):
    token = TOKENS.mailto_token(subscriber_id, digest)

    assert TOKENS.read_mailto_token(token.upper()) == (subscriber_id, digest_number(digest))
    assert digest_number(digest) != 0 == digest_number("")
    assert (len(token), set(token) <= set("0123456789abcdef")) == (40, True)


def test_unsubscribe_addresses_and_return_paths_have_keys_of_their_own():
    with pytest.raises(TokenError):
        TOKENS.read_verp(TOKENS.mailto_token(7, "daily"))
    with pytest.raises(TokenError):
        TOKENS.read_mailto_token(TOKENS.verp(3, 7))


def test_a_hundred_thousand_forged_unsubscribe_addresses_are_refused():
    random, ours, opened = Random("leave"), TOKENS.mailto_token(7, "daily"), 0
    for _ in range(50_000):
        place = random.randrange(40)
        changed = ours[:place] + random.choice("0123456789abcdef".replace(ours[place], "")) + ours[place + 1 :]
        for token in (f"{random.getrandbits(160):040x}", changed):
            with suppress(TokenError):
                TOKENS.read_mailto_token(token)
                opened += 1
    assert opened == 0


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


def test_a_message_id_contains_only_allowed_characters():
    message_id = TOKENS.message_id("daily", "2026-04-02T09:00", 7, "example.org")

    assert message_id.startswith("<daily.2026-04-02T09-00.")
    assert message_id.endswith("@example.org>")
    assert set(message_id[1:-1]) <= SAFE | {"@"}


# -- return paths ------------------------------------------------------------------------------------------------------

EDITIONS = st.integers(0, 2**32 - 1)
SUBSCRIBERS = st.integers(1, 2**48 - 1)


@given(EDITIONS, SUBSCRIBERS)
def test_a_return_path_names_its_delivery_and_fits_a_local_part(edition_id: int, subscriber_id: int):
    token = TOKENS.verp(edition_id, subscriber_id)

    assert TOKENS.read_verp(token) == TOKENS.read_verp(token.upper()) == (edition_id, subscriber_id)
    assert token == token.lower()
    assert set(token) <= SAFE
    assert len(f"bounce+{token}") <= 64
    assert token == TOKENS.verp(edition_id, subscriber_id)


def test_a_hundred_thousand_forged_return_paths_are_refused():
    random = Random(20)
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    read = 0
    for _ in range(100_000):
        try:
            TOKENS.read_verp("".join(random.choices(alphabet, k=32)))
        except TokenError:
            continue
        read += 1
    assert read == 0


@given(st.data())
def test_a_return_path_with_one_character_changed_is_refused(data: st.DataObject):
    token = TOKENS.verp(3, 7)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(sorted(set("abcdefghijklmnopqrstuvwxyz234567") - {token[place]})))

    with pytest.raises(TokenError):
        TOKENS.read_verp(token[:place] + other + token[place + 1 :])


@given(st.text())
def test_anything_but_a_token_is_refused(text: str):
    for read in (TOKENS.read_verp, TOKENS.read_message_id):
        with pytest.raises(TokenError):
            read(text)


def test_no_token_serves_for_another_purpose_or_instance():
    message_id = TOKENS.message_id("daily", "2026-04-02", 7, "example.org")
    for refused in (
        lambda: TOKENS.read_verp(message_id.split(".")[2][:32]),
        lambda: Tokens("b").read_verp(TOKENS.verp(1, 7)),
    ):
        with pytest.raises(TokenError):
            refused()


def test_return_paths_do_not_show_the_ids():
    tokens = [TOKENS.verp(1, subscriber_id) for subscriber_id in range(1, 200)]

    assert len({token[:16] for token in tokens}) == len({token[16:] for token in tokens}) == 199


# -- the rest ------------------------------------------------------------------------------------------------------


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True), SUBSCRIBERS)
def test_only_we_can_read_the_subscriber_from_a_message_id(digest: str, subscriber_id: int):
    message_id = TOKENS.message_id(digest, "2026-04-02T09:00", subscriber_id, "example.org")

    assert TOKENS.read_message_id(message_id) == subscriber_id
    with pytest.raises(TokenError):
        Tokens("another secret").read_message_id(message_id)


@given(st.integers(1, 2**40), st.integers(0, 1000))
def test_links_of_different_people_have_nothing_in_common(first: int, apart: int):
    """Nobody can count subscribers, or see who came first, from the links of their own emails."""
    tokens = [TOKENS.unsubscribe(first + apart + number, "daily") for number in (0, 1)]
    payloads = [token.partition(".")[0] for token in tokens]
    assert len({len(token) for token in tokens}) == 1
    assert payloads[0] != payloads[1]
    for token in payloads:
        shown = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        assert (first + apart).to_bytes(8) not in shown
        assert b"daily" not in shown


def test_the_link_of_a_person_is_always_the_same():
    assert TOKENS.unsubscribe(7, "daily") == Tokens("a secret").unsubscribe(7, "daily")


@given(st.binary(min_size=1, max_size=300), st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5))
def test_sealed_octets_are_read_with_each_key_of_the_ring_and_for_their_purpose_only(content, new, old):
    sealed = Sealer([old], "purpose").close(content)
    assert Sealer([new, old], "purpose").open(sealed) == content
    with pytest.raises(TokenError):
        Sealer([new, old], "other").open(sealed)
    assert re.fullmatch(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{27}", sealed)


def test_no_octet_of_a_sealed_text_can_be_changed_not_even_unused_bits():
    sealed = Sealer(["key"], "purpose").close(b"four")
    for place, old in enumerate(sealed):
        for new in SAFE - {old}:
            with pytest.raises(TokenError):
                Sealer(["key"], "purpose").open(sealed[:place] + new + sealed[place + 1 :])
