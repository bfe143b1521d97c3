"""Deliveries whose relay wants access tokens: trouble with tokens is never held against a reader."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import FakeClock
from tokenserver import TokenServer, application, endpoint, issued
from worker_fixture import fill, smtp, standing, worker

from digestmail.oauth.answers import TokenGrant
from digestmail.oauth.tokens import EndpointTokens
from digestmail.transports.smtp.login import Login

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import Account, scripted

PEOPLE = 6
REVOKED = 400, {"error": "invalid_grant", "error_description": "AADSTS700082: The refresh token has expired."}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((503, b""), "refused to issue a token (503)"),
        (REVOKED, "sign in again with `digestmail oauth login`"),
        ((200, b"<html>"), "something other than a JSON object"),
    ],
)
def test_without_a_token_the_run_stops_and_everything_is_sent_once_there_is_one(sqlite, tmp_path, answer, said):
    fill(sqlite, PEOPLE)
    clock = FakeClock()
    with (
        TokenServer(answer, issued(1)).running() as tokens,
        scripted(extensions=["AUTH XOAUTH2"], account=Account("me", "access-1")) as server,
    ):
        provider = EndpointTokens(
            application(tokens.url), endpoint(clock), sqlite, clock, server="mail.smtp", username="me"
        )
        provider.accept(TokenGrant(access_token="a", refresh_token="refresh-0", lifetime=timedelta(0)))
        relay = smtp(server.port, login=Login(username="me", tokens=provider))
        report = worker(sqlite, [relay], clock, tmp_path / "epoch").deliver()
        assert said in report.stopped
        assert (report.sent, report.failed, server.connections) == (0, 0, 0)
        assert set(standing(sqlite)) <= {"queued", "deferred"}
        assert "refresh-0" not in str(report)
        clock.time += timedelta(minutes=6)
        assert worker(sqlite, [relay], clock, tmp_path / "epoch").deliver().sent == PEOPLE
    assert standing(sqlite) == {"sent": PEOPLE}
    assert len(tokens.forms) == 2


def test_a_token_that_is_revoked_early_is_replaced_within_the_run(sqlite, tmp_path):
    fill(sqlite, PEOPLE)
    clock = FakeClock()
    with (
        TokenServer(issued(2)).running() as tokens,
        scripted(extensions=["AUTH XOAUTH2"], account=Account("me", "access-2")) as server,
    ):
        early = FakeClock(clock.time - timedelta(minutes=10))
        for moment in (early, clock):
            provider = EndpointTokens(
                application(tokens.url), endpoint(moment), sqlite, moment, server="mail.smtp", username="me"
            )
            if moment is early:
                provider.accept(
                    TokenGrant(access_token="access-1", refresh_token="refresh-0", lifetime=timedelta(hours=1))
                )
        relay = smtp(server.port, login=Login(username="me", tokens=provider))
        assert worker(sqlite, [relay], clock, tmp_path / "epoch").deliver().sent == PEOPLE
    assert len(tokens.forms) == 1
    assert standing(sqlite) == {"sent": PEOPLE}
