"""Refusals that are about us: the run stops, everything stays in the outbox, and no reader is held to blame."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import FakeClock
from worker_fixture import fill, smtp, standing, until_empty, worker

from digestmail.delivery.common_refusal import Suspicion
from digestmail.storage import claims, delivery_admin, rates

sys.path.append(str(Path(__file__).parents[1] / "transports"))
from scripted import Farewell, scripted

PEOPLE = 12
EACH_ITS_OWN = [f"d{number}.example" for number in range(PEOPLE)]


def deliver_some(database, tmp_path, step, reply, *, good=4, domains=EACH_ITS_OWN):
    """Deliver to a server that takes `good` messages and then says `reply` to everything; then the day after."""
    fill(database, PEOPLE, domains=domains)
    clock = FakeClock()
    usual = {"RCPT": "250 ok", "END": "250 queued"}[step]
    with scripted({step: [usual] * good + [reply] * 99}) as server:
        relay = smtp(server.port, connections=2)
        report = worker(database, [relay], clock, tmp_path / "epoch").deliver()
        again = worker(database, [relay], clock, tmp_path / "epoch").deliver()
        after = standing(database)
        server.answers.clear()
        clock.time = max(clock.time, report.next_due_at)
        until_empty(database, [relay], tmp_path / "epoch", clock)
    return report, again, after, clock


@pytest.mark.parametrize(
    ("step", "reply", "hours"),
    [
        ("END", "550 5.4.5 Daily sending quota exceeded", 24),
        ("RCPT", "550 5.1.90 You have reached your daily limit for message recipients", 24),
        ("END", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", 24),
        ("END", "552 this message would take you over your relay quota", 24),
        ("RCPT", "554 5.7.1 <p@d.example>: Recipient address rejected: quota exceeded", 24),
        ("END", "454 Throttling failure: Daily message quota exceeded.", 24),
        ("RCPT", "550 Domain example.org has exceeded the max emails per hour (4/4 (100%)) allowed", 1),
        ("RCPT", "550 5.1.8 Access denied, bad outbound sender", 1),
        ("END", "554 5.2.252 SendAsDenied; a not allowed to send as b", 0),
        ("RCPT", "504 5.5.2 <4f1c9e>: Helo command rejected: need fully-qualified hostname", 0),
        ("RCPT", "450 4.7.1 <4f1c9e>: Helo command rejected: Host not found", 0),
        ("END", "554 Transaction failed: Duplicate header 'DKIM-Signature'.", 0),
        ("END", "554 Message rejected: Email address is not verified.", 0),
        # words nobody has a row for
        ("END", "550 5.0.0 we would rather not, d7.example 4711", 0),
        ("RCPT", "571 not today", 0),
    ],
)
def test_a_refusal_of_ours_keeps_everybody_in_the_outbox(sqlite, tmp_path, step, reply, hours):
    begun = FakeClock().now()
    report, again, after, clock = deliver_some(sqlite, tmp_path, step, reply)
    assert reply[:20] in report.stopped
    assert "paused until" in again.stopped
    assert (report.sent, report.failed) == (4, 0)
    assert sum(after.values()) == PEOPLE
    assert set(after) <= {"sent", "queued", "deferred"}
    assert standing(sqlite) == {"sent": PEOPLE}
    assert clock.now() - begun >= timedelta(hours=hours)


def test_the_same_words_at_three_domains_fail_nobody_on_either_database(database, tmp_path):
    report, _, after, _ = deliver_some(database, tmp_path, "RCPT", "550 rather not", good=0)
    assert "3 domains" in report.stopped
    assert "failed" not in after
    assert standing(database) == {"sent": PEOPLE}


def test_recipients_that_are_gone_stop_nothing_however_many(sqlite, tmp_path):
    fill(sqlite, PEOPLE, domains=EACH_ITS_OWN)
    with scripted({"RCPT": ["550 5.1.1 no such user"] * 6 + ["550 Unrouteable address"] * 4}) as server:
        report = worker(sqlite, [smtp(server.port, connections=2)], FakeClock(), tmp_path / "epoch").deliver()
    assert report.stopped == ""
    assert standing(sqlite) == {"failed": 10, "sent": 2}


def test_odd_words_at_two_domains_are_about_two_recipients(sqlite, tmp_path):
    fill(sqlite, PEOPLE, domains=EACH_ITS_OWN)
    with scripted({"RCPT": ["550 rather not", "550 rather not"]}) as server:
        report = worker(sqlite, [smtp(server.port, connections=1)], FakeClock(), tmp_path / "epoch").deliver()
    assert report.stopped == ""
    assert standing(sqlite) == {"failed": 2, "sent": 10}


def test_odd_words_for_ever_end_after_the_time_to_give_up(sqlite, tmp_path):
    fill(sqlite, 3, domains=EACH_ITS_OWN)
    clock = FakeClock()
    begun = clock.now()
    with scripted({"RCPT": ["550 rather not"] * 9999}) as server:
        for _ in range(40):
            worker(sqlite, [smtp(server.port)], clock, tmp_path / "epoch").deliver()
            if standing(sqlite) == {"failed": 3}:
                break
            clock.sleep(4 * 3600)
    assert standing(sqlite) == {"failed": 3}
    assert clock.now() - begun >= timedelta(days=4)


def test_resume_tries_at_once_also_what_was_never_begun(database, tmp_path):
    fill(database, PEOPLE)
    clock = FakeClock()
    with scripted({"GREETING": [Farewell("554 5.7.1 not you")] * 9}) as server:
        relay = smtp(server.port)
        report = worker(database, [relay], clock, tmp_path / "epoch").deliver()
        assert standing(database) == {"queued": PEOPLE}
        assert "not you" in report.stopped
        server.answers.clear()
        with database.begin() as connection:
            assert rates.resume(connection) == 1
            assert delivery_admin.make_due(connection, clock.now()) == PEOPLE
        assert worker(database, [relay], clock, tmp_path / "epoch").deliver().sent == PEOPLE


def test_a_throttled_message_is_tried_again_in_the_same_run(sqlite, tmp_path):
    fill(sqlite, PEOPLE)
    replies = ["454 4.3.0 later", "432 4.3.2 Concurrent connections limit exceeded", "432 4.3.2 busy"]
    with scripted({"END": ["250 ok", *replies]}, extensions=["PIPELINING"]) as server:
        report = worker(sqlite, [smtp(server.port)], FakeClock(), tmp_path / "epoch").deliver()
        assert len(server.messages) == PEOPLE
    assert (report.sent, report.failed, report.stopped) == (PEOPLE, 0, "")


def test_suspicion_counts_first_recipients_though_others_are_accepted_in_between(sqlite):
    from digestmail.errors import DeliveryError

    fill(sqlite, PEOPLE, domains=EACH_ITS_OWN)
    with sqlite.begin() as connection:
        claimed = claims.claim(connection, FakeClock().now(), timedelta(minutes=5), PEOPLE)
    refusal = DeliveryError("RCPT TO was answered with 550 rather not", code=550, permanent=True)
    now = FakeClock().now()
    one = Suspicion(timedelta(days=4))
    for delivery in claimed[:2]:
        assert one.refuse(delivery, refusal, now) == []
        one.accept("somebody@local.example")
    assert [found for found, _ in one.refuse(claimed[2], refusal, now)] == list(claimed[:3])
    many = Suspicion(timedelta(days=4))
    for number, delivery in enumerate(claimed):
        many.accept(f"somebody@other{number}.example")
        assert many.refuse(delivery, refusal, now) == []
        many.accept(f"somebody@more{number}.example")
