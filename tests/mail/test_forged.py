"""Forged tokens: none of 100,000 is accepted. Also the limits of links and addresses."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from digestmail.errors import SubscriptionError, TokenError
from digestmail.mail.link_tokens import CONFIRM_WITHIN, FORM_WITHIN, LinkTokens
from digestmail.mail.tokens import Tokens
from digestmail.text.addresses import domain_of, key_of, normalize_address

NOW = datetime(2026, 4, 2, 8, 0, tzinfo=UTC)
LINKS, OTHERS = LinkTokens(["a secret"]), LinkTokens(["another secret"])
LASTING, OTHERS_LASTING = Tokens("a secret"), Tokens("another secret")
ALPHABET = string.ascii_letters + string.digits + "-_."
EACH = 25_000
Reader = Callable[[str], object]
DOORS: dict[str, tuple[str, str, Reader]] = {
    # Preferences, pause, data and erasing use the unsubscribe token of the empty digest.
    "unsubscribe": (LASTING.unsubscribe(7, "daily"), OTHERS_LASTING.unsubscribe(7, "daily"), LASTING.read_unsubscribe),
    "preferences": (LASTING.unsubscribe(7, ""), OTHERS_LASTING.unsubscribe(7, ""), LASTING.read_unsubscribe),
    "for-you": (LASTING.feed(7, NOW), OTHERS_LASTING.feed(7, NOW), LASTING.read_feed),
    "confirm": (
        LINKS.confirm(7, "nonce", NOW),
        OTHERS.confirm(7, "nonce", NOW),
        lambda token: LINKS.read_confirm(token, NOW),
    ),
    "address": (
        LINKS.address(7, "nonce", NOW),
        OTHERS.address(7, "nonce", NOW),
        lambda token: LINKS.read_address(token, NOW),
    ),
    "erase": (LINKS.erase(7, NOW), OTHERS.erase(7, NOW), lambda token: LINKS.read_erase(token, NOW)),
    "undo": (LINKS.undo(7, NOW), OTHERS.undo(7, NOW), lambda token: LINKS.read_undo(token, NOW)),
    "form": (
        LINKS.form("subscribe", NOW),
        OTHERS.form("subscribe", NOW),
        lambda token: LINKS.check_form("subscribe", token, NOW),
    ),
}


def forged(door: str, random: Random) -> Iterator[str]:
    """Yield tokens that this door must refuse, without end."""
    ours, foreign, read = DOORS[door]
    yield foreign
    yield from (token for token, _, other in DOORS.values() if other != read)
    yield from (ours[:length] for length in range(len(ours)))
    while True:
        yield "".join(random.choices(ALPHABET, k=random.randrange(1, 120)))
        # The last character carries bits that are no part of the signature: it is left alone.
        place = random.randrange(len(ours) - 1)
        flipped = ours[:place] + chr(ord(ours[place]) ^ 1 << random.randrange(7)) + ours[place + 1 :]
        yield flipped
        cut = random.randrange(len(ours) - 1)
        yield ours[:cut] + foreign[cut:] if ours[:cut] + foreign[cut:] != ours else foreign


@pytest.mark.parametrize("door", DOORS)
def test_no_forged_token_opens_anything(door: str):
    ours, _, read = DOORS[door]
    read(ours)
    let_in = []
    made = forged(door, Random(f"forged {door}"))
    for _ in range(EACH):
        token = next(made)
        with suppress(TokenError):
            read(token)
            let_in.append(token)
    assert let_in == []


@given(st.integers(1, 2**53), st.text(max_size=40), st.integers(0, int(CONFIRM_WITHIN.total_seconds())))
def test_a_confirmation_token_can_be_read_until_it_expires(subscriber_id: int, nonce: str, later: int):
    assume(nonce.isprintable())
    token = LINKS.confirm(subscriber_id, nonce, NOW)
    assert LINKS.read_confirm(token, NOW + timedelta(seconds=later)) == (subscriber_id, nonce)
    with pytest.raises(TokenError):
        LINKS.read_confirm(token, NOW + CONFIRM_WITHIN + timedelta(seconds=1))


@given(st.text(string.ascii_lowercase, max_size=40), st.text(string.ascii_lowercase, max_size=40))
def test_a_form_serves_its_own_purpose_for_a_day_only(purpose: str, other: str):
    assume(purpose != other)
    token = LINKS.form(purpose, NOW)
    LINKS.check_form(purpose, token, NOW + FORM_WITHIN)
    for wrong, at in ((other, NOW), (purpose, NOW + FORM_WITHIN + timedelta(seconds=1)), (purpose, NOW - FORM_WITHIN)):
        with pytest.raises(TokenError):
            LINKS.check_form(wrong, token, at)


@given(st.text(max_size=400))
def test_any_text_is_refused_as_a_link(token: str):
    for _, _, read in DOORS.values():
        with pytest.raises(TokenError):
            read(token)


@given(st.emails() | st.text(max_size=80).map(lambda text: f"{text}@example.org"))
def test_a_normalized_address_stays_as_it_is(address: str):
    try:
        once = normalize_address(address)
    except SubscriptionError:
        assume(False)
    assert normalize_address(once) == once
    assert key_of(key_of(once)) == key_of(once)
    assert domain_of(once) == once.rpartition("@")[2].lower()
    assert once.strip() == once
