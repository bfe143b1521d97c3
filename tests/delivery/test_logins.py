"""Mail over secured lines to a server that wants to know who we are, from the outbox to its last record."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from fakes import FakeClock
from sqlalchemy import select
from worker_fixture import fill, smtp, standing, until_empty, worker

from digestmail.oauth.local import FileTokens
from digestmail.storage import schema
from digestmail.transports.smtp.login import Login

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import Account, scripted

PEOPLE = 12
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER")
pytestmark = pytest.mark.usefixtures("trusted")


@pytest.fixture
def login(tmp_path):
    """Say who we are, by password or by token."""

    def login(mechanism: str, secret: str) -> Login:
        if mechanism not in {"XOAUTH2", "OAUTHBEARER"}:
            return Login(username="me", password=secret)
        (tmp_path / "token").write_text(f"{secret}\n")
        return Login(username="me", tokens=FileTokens(tmp_path / "token"))

    return login


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_all_is_delivered_over_secured_lines_by_who_has_logged_in(sqlite, tmp_path, tls, login, mechanism, security):
    fill(sqlite, PEOPLE)
    with scripted(
        extensions=["PIPELINING", f"AUTH {mechanism}"],
        tls=tls,
        immediate_tls=security == "tls",
        account=Account("me", "hunter2"),
    ) as server:
        relay = smtp(server.port, security=security, login=login(mechanism, "hunter2"), messages_per_connection=3)
        report = worker(sqlite, [relay], FakeClock(), tmp_path / "epoch").deliver()
    verbs = Counter(server.verbs())
    assert (report.sent, report.stopped) == (PEOPLE, "")
    assert len({one.recipients for one in server.messages}) == len(server.messages) == PEOPLE
    assert verbs["AUTH"] == server.connections >= PEOPLE / 3
    assert verbs["STARTTLS"] == (server.connections if security == "starttls" else 0)
    assert any(command.startswith(f"AUTH {mechanism}") for command in server.commands)
    assert standing(sqlite) == {"sent": PEOPLE}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_refused_login_pauses_the_relay_blames_nobody_and_tells_no_secret(
    sqlite, tmp_path, tls, login, mechanism, caplog
):
    fill(sqlite, PEOPLE)
    clock = FakeClock()
    caplog.set_level("DEBUG", "digestmail")
    with scripted(extensions=["PIPELINING", f"AUTH {mechanism}"], tls=tls, account=Account("me", "another")) as server:
        relay = smtp(server.port, security="starttls", login=login(mechanism, "hunter2"))
        report = worker(sqlite, [relay], clock, tmp_path / "epoch").deliver()
        assert "535 5.7.8 bad credentials" in report.stopped
        assert (report.sent, report.failed, server.messages) == (0, 0, [])
        assert server.connections == 1, "a wrong password is tried once, not once for each connection"
        assert "MAIL" not in server.verbs()
        with sqlite.connect() as connection:
            (reason,) = connection.execute(select(schema.rates.c.reason)).scalars()
        assert "535" in reason
        assert "hunter2" not in caplog.text + reason + str(report)
        server.account = Account("me", "hunter2")
        until_empty(sqlite, [relay], tmp_path / "epoch", clock)
    assert standing(sqlite) == {"sent": PEOPLE}


def test_a_token_that_is_changed_during_a_run_is_read_anew_for_the_next_connection(sqlite, tmp_path, tls, login):
    fill(sqlite, PEOPLE)
    with scripted(extensions=["AUTH XOAUTH2"], tls=tls, account=Account("me", "first")) as server:
        relay = smtp(
            server.port,
            security="starttls",
            login=login("XOAUTH2", "first"),
            connections=1,
            messages_per_connection=3,
        )

        def progress(finished: int) -> None:
            token = f"token-{finished}"
            (tmp_path / "token").write_text(token)
            server.account = Account("me", token)

        report = worker(sqlite, [relay], FakeClock(), tmp_path / "epoch", progress=progress).deliver()
    assert (report.sent, report.stopped) == (PEOPLE, "")
    assert standing(sqlite) == {"sent": PEOPLE}


def test_a_server_that_takes_one_way_to_log_in_of_those_it_offers_is_logged_in_to(sqlite, tmp_path, tls, login):
    """Some advertise what they do not support."""
    fill(sqlite, PEOPLE)
    refused = "504 5.5.4 unrecognized authentication type"
    with scripted(
        {"AUTH": [refused, refused]},
        extensions=["AUTH CRAM-MD5 PLAIN LOGIN"],
        tls=tls,
        account=Account("me", "hunter2"),
    ) as server:
        relay = smtp(server.port, security="starttls", login=login("LOGIN", "hunter2"), connections=1)
        report = worker(sqlite, [relay], FakeClock(), tmp_path / "epoch").deliver()
    assert (report.sent, report.stopped) == (PEOPLE, "")
    assert [one.split(" ")[1] for one in server.commands if one.startswith("AUTH")] == ["CRAM-MD5", "PLAIN", "LOGIN"]
