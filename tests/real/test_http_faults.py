"""Every fault of the replay server through the HTTP client: the right error, in time, within memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from loopback import client
from replaying import Replay, needs_shared, replaying

from digestmail.clock import SystemClock
from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.model.papers import Validators
from digestmail.sources.xml import xml_text

pytestmark = needs_shared

TIMEOUT = 1.5
SLACK = 1.0
MAX_BODY_BYTES = 4_000_000
ROUTE = "/rss/cs.CL"
XML = "application/rss+xml"

ERRORS: dict[str, tuple[type[SourceError], int | None]] = {
    "403": (SourceRefusedError, 403),
    "404": (SourceRefusedError, 404),
    "406": (SourceRefusedError, 406),
    "429": (SourceThrottledError, 429),
    "503": (SourceThrottledError, 503),
    "500": (SourceUnavailableError, 500),
    "stall": (SourceUnavailableError, None),
    "slow": (SourceUnavailableError, None),
    "gzip-bomb": (SourceUnreadableError, 200),
    "redirect-private": (SourceRefusedError, None),
    "redirect-loop": (SourceRefusedError, None),
}
# The client cannot interpret bodies, so these are returned unchanged for the sources.
BODIES = {
    "rate-exceeded": b"Rate exceeded.",
    "empty": b"",
    "truncate": b"<?xml",
    "garbage": b"\x00\xff<html>",
    "stale": b"<?xml",
    "entity-bomb": b"<!DOCTYPE rss",
}


@pytest.fixture(scope="module")
def server():
    with replaying("2026-04-02") as running:
        yield running


@pytest.fixture
def broken(server):
    def break_route(fault: str) -> Replay:
        server.control(faults={ROUTE: fault})
        return server

    yield break_route
    server.control(faults={ROUTE: None})


def hurried():
    return client(clock=SystemClock(), timeout=TIMEOUT, max_body_bytes=MAX_BODY_BYTES)


@pytest.mark.parametrize("fault", ERRORS)
def test_a_fault_is_the_right_error_in_time_and_within_memory(broken, fault):
    replay = broken(fault)
    if fault == "gzip-bomb":
        # The server needs seconds to pack its gigabyte: that time is its own, not the client's.
        http, limit = client(clock=SystemClock(), timeout=60.0, max_body_bytes=MAX_BODY_BYTES), 60.0
    else:
        http, limit = hurried(), TIMEOUT
    kind, status = ERRORS[fault]
    tracemalloc.start()
    began = time.monotonic()
    try:
        with http, pytest.raises(SourceError) as caught:
            http.fetch(replay.url + ROUTE, accept=XML, min_interval=0.0)
        seconds = time.monotonic() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(caught.value, kind)
    assert caught.value.status == status
    assert seconds < limit + SLACK
    assert peak < 2 * MAX_BODY_BYTES


@pytest.mark.parametrize("fault", BODIES)
def test_a_body_nobody_can_read_is_still_a_body(broken, fault):
    replay = broken(fault)
    with hurried() as http:
        body = http.fetch(replay.url + ROUTE, accept=XML, min_interval=0.0).body
    assert body is not None
    assert body[: len(BODIES[fault])] == BODIES[fault]


def test_the_entity_bomb_does_not_reach_a_parser(broken):
    replay = broken("entity-bomb")
    with hurried() as http:
        body = http.fetch(replay.url + ROUTE, accept=XML).body
    with pytest.raises(SourceUnreadableError):
        xml_text(body or b"")


def test_the_throttled_server_is_asked_once_when_there_is_no_time_to_wait(broken):
    replay = broken("429")
    before = len(replay.log())
    with hurried() as http, pytest.raises(SourceThrottledError) as caught:
        http.fetch(replay.url + ROUTE, accept=XML)
    assert caught.value.retry_after == 2.0
    assert len(replay.log()) == before + 1


def test_a_second_fetch_learns_that_nothing_changed(server):
    url = server.url + ROUTE
    with hurried() as http:
        first = http.fetch(url, accept=XML)
    with client(known={url: first.validators}) as http:
        second = http.fetch(url, accept=XML)
    assert first.body
    assert first.validators != Validators()
    assert second.body is None
    assert second.validators == first.validators
