"""Servers that offer PIPELINING and do not take all of it: no mail is lost, and at most one is at risk."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from fakes import THURSDAY, FakeClock
from outbox import edition
from sqlalchemy import select
from worker_fixture import fill, listed, smtp, standing, until_empty, worker

from digestmail.model.deliveries import AmbiguousPolicy
from digestmail.model.deliveries import Manner as Learned
from digestmail.storage import deliveries, editions, schema, servers
from digestmail.transports.smtp.manners import TRIAL_AFTER, Manners

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import Manner, scripted

PEOPLE = 80
WITHIN = {Manner.REFUSES_TOGETHER, Manner.DROPS_TOGETHER}
IN_DOUBT = {Manner.HANGS_UP, Manner.REFUSES_FIRST, Manner.REJECTS}
KEEPS_QUIET = {Manner.DROPS, Manner.DROPS_TOGETHER}


def relay(server, *, trial_after: int = 1, **options):
    timeout = 0.5 if server.manner in KEEPS_QUIET else 10
    return smtp(server.port, timeout=timeout, manners=Manners(trial_after=trial_after), **options)


def recipients(server) -> Counter[str]:
    return Counter(recipient for one in server.messages for recipient in one.recipients)


def known(database, server) -> dict[str, Learned]:
    with database.connect() as connection:
        return servers.known(connection, f"127.0.0.1:{server.port}", FakeClock().now())


@pytest.mark.parametrize("manner", [None, *Manner], ids=str)
def test_whatever_a_server_takes_a_run_of_eighty_reaches_everybody_once(sqlite, tmp_path, manner):
    fill(sqlite, PEOPLE)
    with scripted(extensions=["PIPELINING"], manner=manner) as server:
        one = relay(server, trial_after=TRIAL_AFTER)
        report = worker(sqlite, [one], FakeClock(), tmp_path / "epoch").deliver()
        assert sorted(recipients(server).values()) == [1] * PEOPLE
        assert server.behind == 0
    assert (report.sent, report.stopped, report.next_due_at) == (PEOPLE, "", None)
    assert (standing(sqlite), listed(sqlite)) == ({"sent": PEOPLE}, {})


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("manner", sorted(set(Manner) - IN_DOUBT - WITHIN, key=str))
def test_a_trial_that_fails_costs_nobody_anything_and_happens_once(database, tmp_path, manner, connections):
    fill(database, PEOPLE)
    with scripted(extensions=["PIPELINING"], manner=manner) as server:
        report = worker(database, [relay(server, connections=connections)], FakeClock(), tmp_path / "epoch").deliver()
        assert sorted(recipients(server).values()) == [1] * PEOPLE
        assert server.behind == 1
        assert set(known(database, server).values()) == {Learned.WITHIN}
        assert server.connections <= connections + 1
        # Later runs, and other workers, know.
        fill_again(database)
        worker(database, [relay(server, connections=connections)], FakeClock(), tmp_path / "epoch").deliver()
        assert server.behind == 1
    assert (report.sent, report.stopped, report.next_due_at) == (PEOPLE, "", None)
    assert (standing(database), listed(database)) == ({"sent": 2 * PEOPLE}, {})


def fill_again(database) -> None:
    """Queue another edition for the same people."""
    with database.begin() as connection:
        number = editions.add(connection, edition(reason="a test", key="again"))
        segment = editions.add_segment(connection, number, [], [])
        ids = connection.execute(select(schema.subscribers.c.id)).scalars().all()
        deliveries.enqueue(connection, [(one, segment, THURSDAY) for one in ids], number)


@pytest.mark.parametrize("policy", AmbiguousPolicy)
@pytest.mark.parametrize("manner", sorted(IN_DOUBT, key=str))
def test_a_trial_without_an_answer_puts_one_mail_in_doubt_and_the_run_goes_on(sqlite, tmp_path, manner, policy):
    fill(sqlite, PEOPLE)
    clock = FakeClock()
    with scripted(extensions=["PIPELINING"], manner=manner) as server:
        relays = [relay(server)]
        report = worker(sqlite, relays, clock, tmp_path / "epoch", policy=policy).deliver()
        assert (report.sent, report.stopped) == (PEOPLE - 1, "")
        at_first = 0 if manner is Manner.REJECTS else 1
        assert sorted(recipients(server).values()) == [1] * (PEOPLE - 1 + at_first)
        assert server.behind == 1
        (doubted,) = listed(sqlite)
        assert (report.ambiguous, report.deferred) == ((1, 0) if policy is AmbiguousPolicy.HOLD else (0, 1))
        until_empty(sqlite, relays, tmp_path / "epoch", clock)
        arrived = recipients(server)
        assert server.behind == 1
    assert {address for address, count in arrived.items() if count > 1} <= {doubted}
    assert arrived[doubted] == at_first + (policy is AmbiguousPolicy.RESEND)
    assert sum(standing(sqlite).values()) == PEOPLE


def test_a_server_that_greets_as_one_known_to_hang_up_is_never_tried(sqlite, tmp_path):
    fill(sqlite, PEOPLE)
    greeting = ["220 mail.example.org Dovecot ready."] * 9
    with scripted({"GREETING": greeting}, extensions=["PIPELINING"], manner=Manner.HANGS_UP) as server:
        report = worker(sqlite, [relay(server)], FakeClock(), tmp_path / "epoch").deliver()
        assert sorted(recipients(server).values()) == [1] * PEOPLE
        assert server.behind == 0
    assert (report.sent, listed(sqlite)) == (PEOPLE, {})


def test_a_server_that_takes_commands_behind_the_dot_gets_them(sqlite, tmp_path):
    fill(sqlite, PEOPLE)
    with scripted(extensions=["PIPELINING"]) as server:
        worker(sqlite, [relay(server, connections=1)], FakeClock(), tmp_path / "epoch").deliver()
        assert server.behind > PEOPLE / 2
        assert set(known(sqlite, server).values()) == {Learned.BEHIND_DOT}
        assert server.connections == 1
        tried = server.behind
        fill_again(sqlite)
        worker(sqlite, [relay(server, trial_after=10**6)], FakeClock(), tmp_path / "epoch").deliver()
        assert server.behind > tried
    assert (standing(sqlite), listed(sqlite)) == ({"sent": 2 * PEOPLE}, {})


@pytest.mark.parametrize("connections", [1, 6])
@pytest.mark.parametrize("manner", sorted(set(Manner) - WITHIN, key=str))
def test_a_server_that_takes_less_than_it_did_costs_one_mail_at_most(sqlite, tmp_path, manner, connections):
    """Another machine behind the same name, with the same face: every connection has to prove itself."""
    fill(sqlite, PEOPLE)
    with scripted(extensions=["PIPELINING"], manner=manner) as server:
        learned(sqlite, server, Learned.BEHIND_DOT)
        report = worker(sqlite, [relay(server, connections=connections)], FakeClock(), tmp_path / "epoch").deliver()
        assert sorted(recipients(server).values()) == [1] * (PEOPLE - (manner is Manner.REJECTS))
        at_risk = 1 if manner in IN_DOUBT else 0
        assert sum(listed(sqlite).values()) == at_risk
        assert server.behind == 1
        assert set(known(sqlite, server).values()) == {Learned.WITHIN}
    assert (report.sent, report.stopped) == (PEOPLE - at_risk, "")


def test_a_server_that_changes_its_manner_on_a_connection_in_use_is_believed_at_once(sqlite, tmp_path):
    fill(sqlite, PEOPLE)
    with scripted(extensions=["PIPELINING"]) as server:

        def progress(finished: int) -> None:
            if finished > PEOPLE / 2:
                server.manner = Manner.REFUSES

        report = worker(
            sqlite, [relay(server, connections=1)], FakeClock(), tmp_path / "epoch", progress=progress
        ).deliver()
        assert sorted(recipients(server).values()) == [1] * PEOPLE
        assert set(known(sqlite, server).values()) == {Learned.WITHIN}
    assert (report.sent, report.stopped, listed(sqlite)) == (PEOPLE, "", {})


@pytest.mark.parametrize("manner", sorted(WITHIN, key=str))
def test_a_server_that_takes_one_command_at_a_time_is_remembered(sqlite, tmp_path, manner):
    fill(sqlite, PEOPLE)
    with scripted(extensions=["PIPELINING"], manner=manner) as server:
        worker(sqlite, [relay(server, connections=1)], FakeClock(), tmp_path / "epoch").deliver()
        assert server.connections == 2
        fill_again(sqlite)
        worker(sqlite, [relay(server, connections=1)], FakeClock(), tmp_path / "epoch").deliver()
        assert server.connections == 3
        assert set(known(sqlite, server).values()) == {Learned.NEVER}
    assert (standing(sqlite), listed(sqlite)) == ({"sent": 2 * PEOPLE}, {})


def test_a_refusal_behind_the_dot_is_believed_of_a_recipient_and_of_a_proven_connection(sqlite, tmp_path):
    fill(sqlite, PEOPLE)
    answers = {"RCPT": ["250 2.1.5 ok", "550 5.1.1 no such user"] * (PEOPLE // 2)}
    with scripted(answers, extensions=["PIPELINING"]) as server:
        report = worker(sqlite, [relay(server, connections=1)], FakeClock(), tmp_path / "epoch").deliver()
        assert server.connections == 1
        assert len(server.messages) == PEOPLE // 2
    assert (report.sent, report.failed) == (PEOPLE // 2, PEOPLE // 2)


def learned(database, server, manner: Manner) -> None:
    """Put on record what a server takes, under the face of the scripted one."""
    seen = servers.ServerObservation(server=f"127.0.0.1:{server.port}", face="PIPELINING", manner=manner)
    with database.begin() as connection:
        servers.learn(connection, seen, FakeClock().now())
