"""For any body, a parser returns events or raises EventsError."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import deepcopy

import pytest
from fakes import THURSDAY
from hooks import generic, mailgun_event, postmark, sendgrid, sendgrid_bounce, ses_bounce, ses_complaint, sns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digestmail.bounces.parsing.report import Kind
from digestmail.bounces.webhooks.events import EventBatch
from digestmail.bounces.webhooks.mailgun import is_signed
from digestmail.bounces.webhooks.payload import Provider, read
from digestmail.errors import EventsError

TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["\ud800", "\0", "5.1.1", "+" + "a" * 32 + "@", "<a.b.c@d>"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
GOOD = [
    (Provider.SES, ses_bounce()),
    (Provider.SES, ses_complaint()),
    (Provider.SES, json.loads(sns(ses_bounce()))),
    (
        Provider.MAILGUN,
        {"signature": {"timestamp": "1", "token": "t", "signature": "s"}, "event-data": mailgun_event()},
    ),
    (Provider.SENDGRID, [sendgrid_bounce(), sendgrid("spamreport")]),
    (Provider.POSTMARK, postmark()),
    (Provider.GENERIC, [generic(), generic("complaint")]),
]


def read_it(provider: Provider, raw: bytes) -> None:
    is_signed(raw, "key", THURSDAY)
    with suppress(EventsError):
        told = read(provider, raw)
        assert isinstance(told, EventBatch)
        for event in told.events:
            assert isinstance(event.kind, Kind)
            assert event.identity
            event.detail.encode()


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(Provider), st.binary(max_size=200))
def test_any_octets_are_read(provider, raw):
    read_it(provider, raw)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(Provider), ANY)
def test_any_json_is_read(provider, found):
    read_it(provider, json.dumps(found).encode())


def places(found, way=()):
    """Yield the way to every value inside."""
    for key, value in found.items() if isinstance(found, dict) else enumerate(found):
        yield (*way, key)
        if isinstance(value, dict | list):
            yield from places(value, (*way, key))


@pytest.mark.parametrize(("provider", "good"), GOOD, ids=lambda value: str(value) if isinstance(value, str) else "")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_event_with_a_damaged_field_is_read(provider, good, data):
    found = deepcopy(good)
    *way, last = data.draw(st.sampled_from(list(places(found))))
    inside = found
    for key in way:
        inside = inside[key]
    inside[last] = data.draw(ANY)
    read_it(provider, json.dumps(found).encode())
