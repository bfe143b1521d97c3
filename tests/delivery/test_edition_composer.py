"""The envelope of a delivery."""

from __future__ import annotations

import pytest
from fakes import THURSDAY

from digestmail.delivery.edition_composer import EditionComposer, _Prepared
from digestmail.mail.tokens import Tokens
from digestmail.model.deliveries import Delivery

TOKENS = Tokens("secret")


class FakeTemplate:
    def personalize(self, **fields) -> bytes:
        return b"the message"


def envelope(bounce_address: str | None):
    composer = EditionComposer(
        None, None, None, TOKENS, sender="digest@example.org", domain="example.org", bounce_address=bounce_address
    )
    composer._prepared[1, None] = _Prepared(
        message_template=FakeTemplate(), digest="daily", base="daily", slot="2026-04-02"
    )
    delivery = Delivery(
        edition_id=3, subscriber_id=7, segment_id=1, address="r@example.net", attempts=1, queued_at=THURSDAY, fence=1,
        wanted=True,
    )  # fmt: skip
    return composer.write(delivery, THURSDAY)[0]


def test_each_delivery_has_a_return_path_of_its_own():
    sender = envelope("bounce@bounce.example.org").sender

    assert sender.startswith("bounce+")
    assert sender.endswith("@bounce.example.org")
    assert TOKENS.read_verp(sender.partition("+")[2].partition("@")[0]) == (3, 7)


@pytest.mark.parametrize("address", [None])
def test_without_an_address_for_bounces_the_sender_gets_them(address):
    assert envelope(address).sender == "digest@example.org"
