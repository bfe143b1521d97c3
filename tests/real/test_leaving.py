"""Mails to unsubscribe in the shapes real mail programs gave them, with tokens of ours in them."""

from __future__ import annotations

import re

import pytest
from replaying import SHARED, needs_shared

from digestmail.bounces.identify import Request, request_of
from digestmail.bounces.parsing.parse import read
from digestmail.mail.tokens import Tokens

pytestmark = needs_shared

TOKENS = Tokens("secret")
MAILS = sorted(SHARED.glob("*/*-mailto-unsubscribe/*.eml"))


def test_there_are_mails_to_read():
    assert len(MAILS) == 2


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_recorded_shape_with_our_token_unsubscribes_and_with_its_own_does_not(path):
    raw = path.read_text("utf-8")
    ours = re.sub(r"(?m)^(Subject: unsubscribe) \S+$", rf"\1 {TOKENS.unsubscribe(7, 'daily')}", raw)
    by_address = re.sub(r"(?m)^To: .*$", f"To: bounce+{TOKENS.mailto_token(7, 'daily')}@bounce.example.org", raw)
    assert raw not in {ours, by_address}

    for changed in (ours, by_address):
        returned = read(changed.encode())
        assert request_of(returned, TOKENS, ["daily"]) == Request(
            subscriber_id=7, digest="daily", report=returned.identity
        )
    assert request_of(read(raw.encode()), TOKENS, ["daily"]) is None


def test_no_recorded_bounce_or_auto_reply_asks_for_anything():
    asked = [
        path.name
        for path in (SHARED / "data" / "bounces").glob("*/*.*")
        if request_of(read(path.read_bytes()), TOKENS, ["daily"]) is not None
    ]
    assert asked == []
