"""The stored data about mail servers, and when a trial is repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY

from digestmail.model.deliveries import Manner
from digestmail.storage import servers
from digestmail.storage.servers import ServerObservation

DAY = timedelta(days=1)
FACE = "Haraka 3.1.0 PIPELINING SIZE"


def seen(manner: Manner, face: str = FACE, server: str = "mail.example.org:587") -> ServerObservation:
    return ServerObservation(server=server, face=face, manner=manner)


@pytest.fixture
def connection(database):
    with database.begin() as connection:
        yield connection


def known(connection, now=THURSDAY) -> Manner | None:
    return servers.known(connection, "mail.example.org:587", now).get(FACE)


def learn(connection, manner: Manner, now=THURSDAY) -> None:
    assert not servers.note(connection, seen(manner), now)


def tries(connection, now=THURSDAY, face: str = FACE) -> bool:
    return servers.note(connection, seen(Manner.TRIAL, face), now)


def wait(connection, now) -> int:
    """Return after how many days the server is tried again."""
    return next(days for days in range(1, 1000) if known(connection, now + days * DAY) is None)


def test_one_worker_gets_the_trial_and_the_others_see_it(connection):
    assert tries(connection)
    assert known(connection) is Manner.TRIAL
    assert not tries(connection)


def test_a_trial_whose_worker_died_may_begin_again_after_a_day(connection):
    assert tries(connection)
    assert not tries(connection, THURSDAY + 0.9 * DAY)
    assert tries(connection, THURSDAY + DAY)


def test_a_server_with_many_faces_is_tried_once_a_day(connection):
    assert tries(connection, face="one")
    assert not tries(connection, face="two")
    servers.note(connection, seen(Manner.WITHIN, "one"), THURSDAY)
    assert not tries(connection, face="two")
    assert tries(connection, THURSDAY + DAY, face="two")
    assert not tries(connection, THURSDAY + DAY, face="three")


def test_another_server_is_tried_all_the_same(connection):
    assert tries(connection)
    assert servers.note(connection, seen(Manner.TRIAL, server="other.example.org:25"), THURSDAY)


def test_a_server_that_passed_is_not_tried_again(connection):
    assert tries(connection)
    learn(connection, Manner.BEHIND_DOT)
    assert known(connection, THURSDAY + 10_000 * DAY) is Manner.BEHIND_DOT
    assert not tries(connection, THURSDAY + 400 * DAY)


def test_a_server_that_failed_is_tried_after_a_month_and_then_ever_more_rarely(connection):
    now, waits = THURSDAY, []
    for _ in range(6):
        assert tries(connection, now)
        learn(connection, Manner.WITHIN, now)
        waits.append(wait(connection, now))
        assert not tries(connection, now + (waits[-1] - 1) * DAY)
        now += waits[-1] * DAY
    assert waits == [32, 64, 128, 256, 256, 256]


def test_a_server_that_pipelines_less_is_tried_again_the_next_day_with_backoff(connection):
    now, waits = THURSDAY, []
    for _ in range(4):
        tries(connection, now)
        learn(connection, Manner.BEHIND_DOT, now)
        learn(connection, Manner.WITHIN, now)
        waits.append(wait(connection, now))
        now += waits[-1] * DAY
    assert waits == [1, 2, 4, 8]
    tries(connection, now)
    learn(connection, Manner.BEHIND_DOT, now)
    now += timedelta(days=60)
    learn(connection, Manner.WITHIN, now)
    assert wait(connection, now) == 1


def test_a_server_that_takes_one_command_at_a_time_is_tried_the_next_day(connection):
    learn(connection, Manner.NEVER)
    assert known(connection) is Manner.NEVER
    assert wait(connection, THURSDAY) == 1


@pytest.mark.parametrize("manner", [Manner.BEHIND_DOT, Manner.WITHIN, Manner.NEVER])
def test_a_result_that_is_written_twice_counts_once(connection, manner):
    tries(connection)
    for _ in range(3):
        learn(connection, manner)
    once = {Manner.WITHIN: 32, Manner.NEVER: 1}
    assert manner not in once or wait(connection, THURSDAY) == once[manner]


def test_a_face_that_was_not_seen_for_long_is_deleted(connection):
    assert tries(connection, face="old")
    assert tries(connection, THURSDAY + 600 * DAY)
    later = servers.known(connection, "mail.example.org:587", THURSDAY - DAY)
    assert "old" not in later
