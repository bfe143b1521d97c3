"""Access tokens in the database: renewed in time, by one worker at a time, and never lost."""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeClock
from loopback import listening
from sqlalchemy import select
from tokenserver import TokenServer, application, endpoint, issued

from digestmail.errors import StorageError, TransportError
from digestmail.oauth.answers import OAuthError, TokenGrant
from digestmail.oauth.presets import GrantType
from digestmail.oauth.tokens import EndpointTokens, account_of
from digestmail.storage import oauth_tokens, schema

MINUTE = timedelta(minutes=1)


class StandingClock(FakeClock):
    """Sleeping lets other threads run, and moves nothing: threads that share a clock would move it for each other."""

    def sleep(self, seconds: float) -> None:
        del seconds
        os.sched_yield()


def all_at_once(workers: list[EndpointTokens]) -> list[str]:
    """Return the token that each of the workers gets, each in its own thread."""
    found: list[str] = []
    threads = [threading.Thread(target=lambda one=one: found.append(one.get())) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.fixture
def clock():
    return FakeClock()


def tokens(database, url: str, clock, **changes) -> EndpointTokens:
    fields = {"server": "mail.smtp", "username": "digest@example.org"}
    kept = {name: changes.pop(name) for name in ("server", "username", "patience") if name in changes}
    return EndpointTokens(application(url, **changes), endpoint(clock), database, clock, **(fields | kept))


def signed_in(database, url: str, clock, refresh: str = "refresh-0", **changes) -> EndpointTokens:
    """Return tokens of an account that signed in a day ago."""
    found = tokens(database, url, FakeClock(THURSDAY - timedelta(days=1)), **changes)
    found.accept(TokenGrant(access_token="access-0", refresh_token=refresh, lifetime=timedelta(hours=1)))
    return tokens(database, url, clock, **changes)


def stored_refresh_token(database) -> str | None:
    with database.connect() as connection:
        return connection.execute(select(schema.oauth_tokens.c.refresh_token)).scalar()


def test_client_credentials_need_no_one_to_sign_in(database, clock):
    with TokenServer(issued(1)).running() as server:
        found = tokens(database, server.url, clock, grant=GrantType.CLIENT_CREDENTIALS)
        assert [found.get(), found.get()] == ["access-1", "access-1"]
    assert server.forms == [
        {
            "client_id": "me",
            "client_secret": "client-secret",
            "grant_type": "client_credentials",
            "scope": "mail offline_access",
        }
    ]
    assert stored_refresh_token(database) is None


def test_a_token_is_renewed_five_minutes_before_it_ends(database, clock):
    with TokenServer(issued(1), issued(2)).running() as server:
        found = signed_in(database, server.url, clock)
        assert found.get() == "access-1"
        clock.time += 54 * MINUTE
        assert found.get() == "access-1"
        clock.time += 1 * MINUTE
        assert found.get() == "access-2"
    assert [form["refresh_token"] for form in server.forms] == ["refresh-0", "refresh-0"]


def test_a_token_with_a_short_life_is_used_for_half_of_it(database, clock):
    with TokenServer(issued(1, expires_in=60), issued(2)).running() as server:
        found = signed_in(database, server.url, clock)
        assert found.get() == "access-1"
        clock.time += timedelta(seconds=29)
        assert found.get() == "access-1"
        clock.time += timedelta(seconds=1)
        assert found.get() == "access-2"


def test_a_token_that_was_stored_by_a_clock_that_was_ahead_is_not_believed(database, clock):
    with TokenServer(issued(1), issued(2)).running() as server:
        clock.time += timedelta(days=300)
        found = signed_in(database, server.url, clock)
        assert found.get() == "access-1"
        clock.time -= timedelta(days=300)
        assert found.get() == "access-2"


def test_a_new_refresh_token_is_stored_and_used_from_then_on(database, clock):
    with TokenServer(issued(1, refresh="refresh-1"), issued(2), issued(3)).running() as server:
        found = signed_in(database, server.url, clock)
        assert found.get() == "access-1"
        assert stored_refresh_token(database) == "refresh-1"
        clock.time += 60 * MINUTE
        assert found.get() == "access-2"
        assert stored_refresh_token(database) == "refresh-1", "a response without one keeps it"
        clock.time += 60 * MINUTE
        tokens(database, server.url, clock).get()
    assert [form["refresh_token"] for form in server.forms] == ["refresh-0", "refresh-1", "refresh-1"]


def test_a_refused_token_is_replaced_but_not_one_that_was_just_issued(database, clock):
    with TokenServer(issued(1), issued(2)).running() as server:
        found = signed_in(database, server.url, clock)
        assert found.get() == "access-1"
        assert found.renew("access-1") is None, "too young to be the reason"
        clock.time += 2 * MINUTE
        assert found.renew("access-1") == "access-2"
        assert found.renew("access-1") == "access-2", "replaced by another connection"
        assert found.get() == "access-2"


def test_tokens_of_another_account_are_not_used(database, clock):
    with TokenServer(issued(1)).running() as server:
        signed_in(database, server.url, clock)
        for changes in (
            {"username": "other@example.org"},
            {"client_id": "you"},
            {"scope": "more"},
            {"server": "bounces"},
            {"token_url": f"{server.url}/other"},
        ):
            url = changes.pop("token_url", server.url)
            with pytest.raises(TransportError, match="no one has signed in"):
                tokens(database, url, clock, **changes).get()
        assert server.forms == []


def test_no_sign_in_names_the_command_for_this_server(database, clock):
    with pytest.raises(TransportError, match=r"for mail\.fallback: run `digestmail oauth login --server fallback`"):
        tokens(database, "http://127.0.0.1:1/", clock, server="mail.fallback").get()


def test_many_workers_request_one_token(database):
    """Sixteen threads of four workers, each of which has its own database connections."""
    clock = StandingClock()
    with TokenServer(respond=lambda _: issued(1)).running() as server:
        signed_in(database, server.url, clock)
        workers = [tokens(database, server.url, clock) for _ in range(4)]
        assert Counter(all_at_once(workers * 4)) == {"access-1": 16}
    assert len(server.forms) == 1


def test_refresh_tokens_that_are_valid_once_survive_many_workers(database):
    """A server that revokes everything if a refresh token is used twice (RFC 9700 section 4.14)."""
    clock = StandingClock()
    valid = ["refresh-0"]

    def rotate(form):
        if form["refresh_token"] != valid[-1]:
            return 400, {"error": "invalid_grant"}
        valid.append(f"refresh-{len(valid)}")
        return issued(len(valid) - 1, refresh=valid[-1])

    with TokenServer(respond=rotate).running() as server:
        signed_in(database, server.url, clock)
        workers = [tokens(database, server.url, clock) for _ in range(4)]
        for turn in range(1, 6):
            assert all_at_once(workers) == [f"access-{turn}"] * 4
            clock.time += 60 * MINUTE
    assert len(server.forms) == 5


def test_a_worker_waits_for_another_one_only_for_so_long(database, clock):
    with TokenServer().running() as server:
        found = signed_in(database, server.url, clock, patience=10.0)
        with database.lock("oauth-mail.smtp") as held:
            assert held
            with pytest.raises(TransportError, match="another worker has been requesting"):
                found.get()
        assert server.forms == []


def failing(database, monkeypatch):
    """Make the next write of the database fail, as if the disk was full."""

    @contextmanager
    def begin():
        raise StorageError("database or disk is full")
        yield

    monkeypatch.setattr(database, "begin", begin)


def test_a_rotated_refresh_token_survives_a_database_that_cannot_be_written(database, clock, monkeypatch):
    with TokenServer(issued(1, refresh="refresh-1")).running() as server:
        found = signed_in(database, server.url, clock)
        with monkeypatch.context() as broken:
            failing(database, broken)
            with pytest.raises(TransportError, match="disk is full"):
                found.get()
        assert stored_refresh_token(database) == "refresh-0"
        assert found.get() == "access-1"
        assert stored_refresh_token(database) == "refresh-1"
    assert len(server.forms) == 1, "the response was kept"


def test_after_a_crash_before_the_commit_the_old_refresh_token_is_used_once_more(database, clock, monkeypatch):
    """Microsoft and Google accept it; a stricter server says invalid_grant."""
    with TokenServer(
        issued(1, refresh="refresh-1"), (400, {"error": "invalid_grant", "error_description": "revoked"})
    ).running() as server:
        with monkeypatch.context() as broken:
            failing(database, broken)
            signed = tokens(database, server.url, clock)
            broken.undo()
            signed_in(database, server.url, clock)
            failing(database, broken)
            with pytest.raises(TransportError):
                signed.get()
        with pytest.raises(OAuthError, match=r"invalid_grant: revoked\); .*`digestmail oauth login`") as caught:
            tokens(database, server.url, clock).get()
    assert [form["refresh_token"] for form in server.forms] == ["refresh-0", "refresh-0"]
    assert "refresh-0" not in str(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_in_trouble_changes_nothing(database, clock, status):
    with TokenServer((status, b"busy"), issued(1)).running() as server:
        found = signed_in(database, server.url, clock)
        with pytest.raises(OAuthError, match=str(status)):
            found.get()
        clock.sleep(10)
        assert found.get() == "access-1"


def test_connections_that_wait_for_the_same_failure_get_it_at_once(database, clock):
    with TokenServer((503, b"busy")).running() as server:
        found = signed_in(database, server.url, clock)
        for _ in range(16):
            with pytest.raises(TransportError, match="503"):
                found.get()
    assert len(server.forms) == 1


def test_a_server_that_hangs_up_is_an_error_of_the_transport(database, clock):
    with listening(lambda connection, _: connection.recv(10)) as listener:
        found = signed_in(database, f"http://127.0.0.1:{listener.port}/token", clock)
        with pytest.raises(TransportError, match=r"no access token: .*cannot be reached"):
            found.get()
    assert stored_refresh_token(database) == "refresh-0"


def test_a_redirect_is_not_followed_because_it_would_carry_the_secret_elsewhere(database, clock):
    with TokenServer((302, b"")).running() as server:
        with pytest.raises(OAuthError, match="302"):
            signed_in(database, server.url, clock).get()
        assert len(server.forms) == 1


def test_a_server_that_quotes_the_secrets_is_not_quoted(database, clock):
    quote = {"error": "invalid_client", "error_description": "not client-secret, nor refresh-0"}
    with TokenServer((401, quote)).running() as server, pytest.raises(OAuthError) as caught:
        signed_in(database, server.url, clock).get()
    assert "client-secret" not in str(caught.value)
    assert "refresh-0" not in str(caught.value)


def test_no_value_shows_a_token(database, clock):
    grant = TokenGrant(access_token="access-9", refresh_token="refresh-9", lifetime=MINUTE)
    app = application("http://127.0.0.1/")
    found = tokens(database, app.token_url, clock)
    found.accept(grant)
    with database.connect() as connection:
        stored = oauth_tokens.find(connection, "mail.smtp", account_of(app, "digest@example.org"))
    assert stored is not None
    assert stored.access_token == "access-9"
    for text in (repr(grant), repr(app), repr(stored), str(stored)):
        assert "-9" not in text
        assert "client-secret" not in text
    with database.connect() as connection:
        row = connection.execute(select(schema.oauth_tokens)).one()
    assert "client-secret" not in str(row)
    assert "digest@example.org" not in str(row)
