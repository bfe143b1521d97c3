"""The clock is wrong for one run, and right again: a day or a year ahead or behind, over every table with a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random

import pytest
from fakes import THURSDAY, FakeClock, FakeSource, FakeTransport, digest, paper, reading, render, sighting
from outbox import edition
from sqlalchemy import func, select
from worker_fixture import fill, standing, worker

from digestmail.bounces.counting import Recorded
from digestmail.bounces.processor import record_event
from digestmail.bounces.score import Scoring, score
from digestmail.collect.collector import collect
from digestmail.delivery.backoff import next_attempt
from digestmail.editions.publish import publish
from digestmail.errors import DeliveryError, OutputError, TransportError
from digestmail.mail.link_tokens import LinkTokens
from digestmail.model.deliveries import Attempted, DeliveryState, Manner, NoticeKind
from digestmail.model.digests import Cadence, OutputTarget
from digestmail.model.literature import IndexName, PaperIds
from digestmail.model.papers import Sighting, Signals, Validators
from digestmail.model.personal import ReadingListKind
from digestmail.model.subscribers import BounceEvent, BounceKind, Preferences, SubscriberState, Subscription
from digestmail.oauth.answers import TokenGrant
from digestmail.oauth.tokens import grant_row, is_valid
from digestmail.outputs.outcomes import OutputRules, after_failure, not_attempted
from digestmail.schedule.moments import LONGEST_DELIVERY, LONGEST_PAUSE
from digestmail.storage import (
    audience,
    bounces,
    claims,
    due_times,
    editions,
    future_moments,
    host_limits,
    idempotency,
    notices,
    oauth_tokens,
    outputs,
    paper_records,
    papers,
    rates,
    reading_lists,
    schema,
    servers,
    settings,
    sources,
    subscribers,
)
from digestmail.storage.database import Database
from digestmail.subscribers import address_change, preferences, signup
from digestmail.subscribers.address_requests import store_signup
from digestmail.subscribers.signup import SignupReply
from digestmail.wiring import requests

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
RIGHT = THURSDAY
LINKS = LinkTokens(["secret"])
DAILY = Preferences(subscriptions=(Subscription(digest="daily"),))

Wrong = datetime
Play = Callable[[Database, Wrong, Path], None]
PLAYS: dict[str, tuple[Play, tuple[str, ...]]] = {}


def over(*columns: str) -> Callable[[Play], Play]:
    """Mark a play by the columns it is about."""

    def marked(play: Play) -> Play:
        PLAYS[play.__name__] = play, columns
        return play

    return marked


NOT_PLAYED = {
    "papers.published_at": "a source names it, and it is only shown",
    "papers.updated_at": "the site map shows it",
    "source_health.absent_since": "counts as now if it lies ahead: tests/collect/test_parking.py",
    "source_health.reported_at": "the failure is said once more: tests/collect/test_parking.py",
    "subscribers.consent_at": "kept as evidence, and shown",
    "subscribers.created_at": "only shown",
    "subscribers.updated_at": "says when somebody nobody knows is forgotten, later at most",
    "subscriptions.created_at": "only shown",
    "suppressions.created_at": "the list is ordered by it",
    "deliveries.ended_at": "only shown",
    "attempts.at": "only shown",
    "notice_attempts.at": "only shown",
    "incidents.began_at": "one of the future is announced at once",
    "incidents.announced_at": "only shown",
    "incidents.ended_at": "only shown",
    "runs.started_at": "the list of the last runs is ordered by it",
    "runs.ended_at": "only shown",
    "output_deliveries.ended_at": "says whether check still names a failure",
    "output_attempts.at": "only shown",
    "stopped_outputs.at": "only shown",
    "workers.seen_at": "a worker of the future counts as silent; its process decides",
    "notices.ended_at": "only shown",
    "changes.made_at": "says when a change is forgotten, later at most",
    "changes.undone_at": "only shown",
    "unsubscribe_mails.at": "only shown",
    "profiles.updated_at": "only shown",
    "reading_lists.added_at": "only shown",
    "reading_lists.read_at": "only shown",
    "feedback.given_at": "a new answer replaces any other; of two papers that are merged, the later answer stays",
}


@pytest.fixture(params=[DAY, YEAR, 10 * YEAR, -DAY, -YEAR], ids=["+day", "+year", "+10years", "-day", "-year"])
def wrong(request) -> datetime:
    """Return what the clock says while it is wrong."""
    return RIGHT + request.param


def test_every_column_with_a_moment_is_played_or_harms_nobody():
    columns = {name for name, _ in future_moments.columns()}
    played = {name for _, names in PLAYS.values() for name in names}
    assert played | set(NOT_PLAYED) == columns
    assert not played & set(NOT_PLAYED)
    assert set(future_moments.LIMITS) == columns


@pytest.mark.parametrize("name", ["_host_limits", "_rates", "_connections", "_deliveries", "_refused", "_dead",
                                  "_notices", "_signing_up", "_asking", "_told", "_pauses", "_sources", "_papers",
                                  "_editions", "_cadences", "_outputs",
                                  "_keys", "_bounces", "_leaving", "_addresses", "_servers", "_oauth",
                                  "_reading_lists", "_records"])  # fmt: skip
def test_what_a_wrong_clock_wrote_stops_nothing_once_it_is_right(database, wrong, tmp_path, name):
    play, _ = PLAYS[name]
    play(database, wrong, tmp_path)


def test_no_play_is_left_out():
    found = next(
        mark.args[1]
        for mark in test_what_a_wrong_clock_wrote_stops_nothing_once_it_is_right.pytestmark
        if mark.name == "parametrize"
    )
    assert set(found) == set(PLAYS)


# -- throttles ---------------------------------------------------------------------------------------------------------


@over("host_limits.next_at", "host_limits.blocked_until")
def _host_limits(database, wrong, _):
    stored = host_limits.StoredHostLimits(database)
    stored.reserve("a.example.org", wrong, 3)
    stored.block("b.example.org", wrong + DAY)
    stored.block("c.example.org", wrong + DAY)
    assert stored.reserve("a.example.org", RIGHT, 3) == RIGHT
    assert RIGHT <= stored.reserve("b.example.org", RIGHT, 3) <= RIGHT + host_limits.LONGEST
    stored.block("c.example.org", RIGHT + HOUR)
    assert RIGHT + HOUR <= stored.reserve("c.example.org", RIGHT, 3) <= RIGHT + host_limits.LONGEST


@over("rates.next_at", "rates.slowed_at", "rates.paused_until")
def _rates(database, wrong, _):
    second = timedelta(seconds=1)
    with database.begin() as connection:
        for turn in range(4):
            rates.reserve(connection, "domain:a", 1.0, 5, wrong, second)
            rates.slow_down(connection, "domain:a", wrong + turn * 3 * second)
        rates.pause(connection, "relay:a", wrong + timedelta(minutes=5), "broken", wrong)
    with database.begin() as connection:
        assert all(pause.until <= RIGHT + LONGEST_PAUSE for pause in rates.pauses(connection, RIGHT))
        share = rates.factors(connection, RIGHT).get("domain:a", 1.0)
        assert share == 1.0
        booked, next_at = rates.reserve(connection, "domain:a", share, 1, RIGHT, second)
        assert (booked, next_at <= RIGHT + timedelta(minutes=1)) == (1, True)
        assert rates.slow_down(connection, "domain:a", RIGHT) == 0.5
        assert rates.factors(connection, RIGHT + HOUR) == {}


@over("connection_leases.until")
def _connections(database, wrong, _):
    with database.begin() as connection:
        rates.lease_connections(connection, "dead", {"relay:a": 8}, wrong, timedelta(minutes=5))
    with database.begin() as connection:
        assert rates.lease_connections(connection, "me", {"relay:a": 8}, RIGHT, timedelta(minutes=5)) == {"relay:a": 8}
        rates.release_connections(connection, "me", RIGHT + LONGEST_PAUSE)
        held = connection.execute(select(func.count()).select_from(schema.connection_leases)).scalar_one()
        assert held == 0


# -- outputs -----------------------------------------------------------------------------------------------------------


@over("output_deliveries.due_at", "output_deliveries.queued_at")
def _outputs(database, wrong, _):
    target = OutputTarget(output="hook")
    rules = OutputRules(give_up=96 * HOUR, max_lateness=48 * HOUR)
    with database.begin() as connection:
        edition_id = editions.add(connection, edition(reason="a test"))
        outputs.enqueue(connection, edition_id, [target], wrong)
    claimed, now = None, RIGHT
    while claimed is None and now <= RIGHT + LONGEST_DELIVERY:
        with database.begin() as connection:
            claimed = outputs.claim(connection, now, HOUR)
        now += HOUR
    assert claimed is not None
    late = not_attempted(claimed, rules, now, repeatable=True)
    assert (late is not None) == (wrong < RIGHT - 48 * HOUR)
    again = after_failure(claimed, OutputError("busy"), rules, now, Random(1), 1)
    assert again.state is (DeliveryState.FAILED if wrong < RIGHT - 96 * HOUR else DeliveryState.DEFERRED)


# -- the outbox --------------------------------------------------------------------------------------------------------


def _deliver(database, transport, epoch, begin: datetime, *, hours: int = 0) -> FakeClock:
    """Deliver at `begin`, and then every hour for so many hours."""
    clock = FakeClock(begin)
    for _ in range(hours + 1):
        worker(database, [transport], clock, epoch).deliver()
        clock.time += HOUR
    return clock


def _ends_well(wrong: datetime) -> dict[str, int]:
    """What was queued a year ago is not sent any more, whether it slept or the clock was behind: nobody can tell."""
    return {"cancelled": 3} if wrong < RIGHT - 30 * DAY else {"sent": 3}


_LONGEST = int(LONGEST_DELIVERY / HOUR)


@over("deliveries.due_at", "deliveries.queued_at")
def _deliveries(database, wrong, tmp_path):
    """Some are due at an hour their readers chose."""
    fill(database, 3)
    with database.begin() as connection:
        d = schema.deliveries
        connection.execute(d.update().values(due_at=wrong, queued_at=wrong))
        chosen = wrong + 20 * HOUR
        connection.execute(d.update().where(d.c.subscriber_id == 1).values(due_at=chosen, queued_at=chosen))
    _deliver(database, FakeTransport(), tmp_path / "epoch", RIGHT, hours=_LONGEST)
    assert standing(database) == _ends_well(wrong)


@over()
def _refused(database, wrong, tmp_path):
    """The first attempt is made while the clock is wrong, and refused."""

    def busy(_: str) -> None:
        raise DeliveryError("451 4.3.0 later", code=451, permanent=False)

    fill(database, 3)
    with database.begin() as connection:
        connection.execute(schema.deliveries.update().values(due_at=wrong, queued_at=wrong))
    transport = FakeTransport(busy)
    _deliver(database, transport, tmp_path / "epoch", wrong)
    assert standing(database) == {"deferred": 3}
    transport.verdict = lambda _: None
    _deliver(database, transport, tmp_path / "epoch", RIGHT, hours=_LONGEST)
    assert standing(database) == {"sent": 3}


@over()
def _dead(database, wrong, tmp_path):
    """A worker dies while the clock is wrong: one of its deliveries may be on the wire."""
    fill(database, 3)
    with database.begin() as connection:
        connection.execute(schema.deliveries.update().values(due_at=wrong, queued_at=wrong))
        held = claims.claim(connection, wrong, timedelta(minutes=30), 2)
        claims.record_intent(connection, held[:1], wrong)
    transport = FakeTransport()
    clock = _deliver(database, transport, tmp_path / "epoch", RIGHT)
    if wrong > RIGHT + LONGEST_DELIVERY:
        assert held[0].address not in transport.recipients, "its worker may live"
    _deliver(database, transport, tmp_path / "epoch", clock.time, hours=_LONGEST)
    found = standing(database)
    assert found.pop("sent") >= 1
    assert found == {name: 2 for name in _ends_well(wrong) if name != "sent"}


@over("notices.due_at", "notices.queued_at")
def _notices(database, wrong, _):
    with database.begin() as connection:
        for number in range(3):
            one = subscribers.add(connection, f"p{number}@example.org", wrong)
            notices.enqueue(connection, one, NoticeKind.WELCOME, {}, wrong)
        claims.claim(connection, wrong, timedelta(minutes=15), 1, only_notices=True)
    got = 0
    for hour in range(_LONGEST + 1):
        now = RIGHT + hour * HOUR
        with database.begin() as connection:
            if due_times.has_notices(connection, now):
                due_times.reset_beyond(connection, now, timedelta(minutes=15))
                held = claims.claim(connection, now, timedelta(minutes=15), 10, only_notices=True)
                lost = claims.record(connection, [(one, Attempted(state=DeliveryState.SENT)) for one in held], now)
                got += len(held) - len(lost)
    assert got == 3


# -- people ------------------------------------------------------------------------------------------------------------


def _ask(database, now: datetime, address: str = "a@example.org") -> SignupReply:
    numbers = count(int(now.timestamp()))
    return signup.request_signup(
        database, (digest(),), address, DAILY, now, random_token=lambda: f"nonce-{next(numbers)}"
    )


def _confirm(database, now: datetime) -> int:
    with database.connect() as connection:
        found = subscribers.find(connection, "a@example.org")
        pending = signup.confirmations.find(connection, found.id)
    token = LINKS.confirm(found.id, pending.nonce, pending.asked_at)
    return signup.confirm(database, LINKS, token, now).subscriber.id


@over("confirmations.asked_at")
def _signing_up(database, wrong, _):
    assert _ask(database, wrong) is SignupReply.CONFIRM
    signup.forget_unconfirmed(database, RIGHT)
    assert _ask(database, RIGHT) is SignupReply.CONFIRM
    assert _ask(database, RIGHT + HOUR) is SignupReply.NOTHING, "one mail a day"
    _confirm(database, RIGHT + HOUR)


@over("address_requests.asked_at")
def _asking(database, wrong, _):
    """A sign-up that a page stored is processed, whenever it seems to have been made."""
    store_signup(database, "a@example.org", DAILY, wrong)
    requests.process_all(database, (digest(),), RIGHT)
    with database.connect() as connection:
        found = subscribers.find(connection, "a@example.org")
        assert [one.subscriber_id for one in _notices_of(connection)] == [found.id]
    assert not requests.are_waiting(database, RIGHT - HOUR)


def _notices_of(connection):
    return connection.execute(select(schema.notices.c.subscriber_id)).all()


@over()
def _told(database, wrong, _):
    """Who is told once a day that they are subscribed, or that their choices changed."""
    _ask(database, RIGHT - 2 * DAY)
    person = _confirm(database, RIGHT - 2 * DAY)
    assert _ask(database, wrong) is SignupReply.ALREADY
    assert _ask(database, RIGHT) is SignupReply.ALREADY
    assert _ask(database, RIGHT + HOUR) is SignupReply.NOTHING
    for number, now in enumerate((wrong, RIGHT, RIGHT + HOUR)):
        chosen = Preferences(subscriptions=(Subscription(digest="daily", hour=number),))
        preferences.change(database, (digest(),), person, chosen, now)
    with database.connect() as connection:
        changed = schema.notices.c.kind == NoticeKind.CHANGED
        assert connection.execute(select(func.count()).where(changed)).scalar_one() == 1, "one notice tells of all"
    with database.begin() as connection:
        due_times.reset_beyond(connection, RIGHT, HOUR)
        due_at = connection.execute(select(schema.notices.c.due_at).where(changed)).scalar_one()
        assert due_at <= RIGHT + LONGEST_DELIVERY


@over("subscriptions.cadence_at")
def _cadences(database, wrong, _):
    with database.begin() as connection:
        one = subscribers.add(connection, "a@example.org", wrong)
        subscribers.subscribe(connection, one, Subscription(digest="daily", cadence=Cadence.WEEKLY), wrong)
        readers = audience.Audience(digest="daily", cadence=Cadence.WEEKLY, slot_at=RIGHT - 2 * DAY)
        waits = wrong == RIGHT - DAY
        assert bool([*audience.wanted_by(connection, readers, RIGHT)]) is not waits
        assert [*audience.wanted_by(connection, replace(readers, slot_at=RIGHT - HOUR), RIGHT)]


@over("subscribers.paused_from", "subscribers.paused_until")
def _pauses(database, wrong, _):
    with database.begin() as connection:
        one = subscribers.add(connection, "a@example.org", wrong)
        subscribers.subscribe(connection, one, Subscription(digest="daily"), wrong)
    preferences.pause(database, one, wrong + 30 * DAY, wrong)
    with database.connect() as connection:
        paused = wrong in {RIGHT + DAY, RIGHT - DAY}
        assert bool([*audience.wanted_by(connection, audience.Audience(digest="daily"), RIGHT)]) is not paused
        assert [*audience.wanted_by(connection, audience.Audience(digest="daily"), RIGHT + 400 * DAY)]


@over("opt_outs.opted_out_at")
def _leaving(database, wrong, _):
    _ask(database, RIGHT - 2 * DAY)
    person = _confirm(database, RIGHT - 2 * DAY)
    preferences.unsubscribe(database, person, None, wrong)
    assert _ask(database, RIGHT) is SignupReply.CONFIRM
    _confirm(database, RIGHT)
    assert preferences.get(database, person).state is SubscriberState.ACTIVE


@over("bounces.at")
def _bounces(database, wrong, _):
    with database.begin() as connection:
        one = subscribers.add(connection, "a@example.org", RIGHT)
    event = BounceEvent(report="r", subscriber_id=one, edition_id=None, kind=BounceKind.SOFT, status=None, detail="")
    record_event(database, event, wrong)
    with database.connect() as connection:
        counted = bounces.of_subscriber(connection, one)
    assert score(counted, RIGHT, Scoring()) <= Scoring().soft


@over("servers.since")
def _servers(database, wrong, _):
    with database.begin() as connection:
        assert servers.begin_trial(connection, "mail.example.org:25", "face", wrong)
        seen = servers.ServerObservation(server="mail.example.org:25", face="face", manner=Manner.WITHIN)
        servers.learn(connection, seen, wrong)
        assert servers.begin_trial(connection, "mail.example.org:25", "face", RIGHT) is (
            abs(wrong - RIGHT) > DAY or wrong > RIGHT
        )


@over("oauth_tokens.obtained_at", "oauth_tokens.expires_at")
def _oauth(database, wrong, _):
    grant = TokenGrant(access_token="access", refresh_token="refresh", lifetime=timedelta(hours=1))
    with database.begin() as connection:
        oauth_tokens.put(connection, "mail.smtp", "account", grant_row(grant, wrong))
        stored = oauth_tokens.find(connection, "mail.smtp", "account")
    assert stored is not None
    assert is_valid(stored, wrong)
    assert not is_valid(stored, RIGHT), "so a new one is requested"


@over("address_changes.asked_at", "subscribers.address_changed_at")
def _addresses(database, wrong, tmp_path):
    edition_id = fill(database, 1)
    tokens = count()
    asked = address_change.request_change(
        database, 1, "new@example.org", wrong, random_token=lambda: f"token{next(tokens)}"
    )
    again = address_change.request_change(
        database, 1, "new@example.org", RIGHT, random_token=lambda: f"token{next(tokens)}"
    )
    assert (asked, again) == (SignupReply.CONFIRM, SignupReply.CONFIRM)
    worker(database, [FakeTransport(name="relay")], FakeClock(RIGHT), tmp_path / "epoch").deliver()
    with database.begin() as connection:
        subscribers.readdress(connection, 1, "new@example.org", wrong)
    event = BounceEvent(
        report="r", subscriber_id=1, edition_id=edition_id, kind=BounceKind.SOFT, status=None, detail=""
    )
    kept = record_event(database, event, RIGHT + DAY)
    assert kept is (Recorded.UNKNOWN if RIGHT < wrong <= RIGHT + DAY else Recorded.COUNTED)


@over("idempotency_keys.at")
def _keys(database, wrong, _):
    with database.begin() as connection:
        assert idempotency.claim(connection, "key-of-mine", "request", wrong) is None
        idempotency.store(connection, "key-of-mine", 200, "{}")
    with database.begin() as connection:
        again = idempotency.claim(connection, "key-of-mine", "request", RIGHT)
        assert (again is None) == (wrong < RIGHT - idempotency.KEPT_FOR)
        assert idempotency.claim(connection, "another-key", "request", RIGHT) is None


# -- sources and editions ----------------------------------------------------------------------------------------------


@over("sources.read_at", "sources.complete_at", "source_health.read_at", "source_health.fresh_at",
      "validators.stored_at", "validators.received_at")  # fmt: skip
def _sources(database, wrong, _):
    source = FakeSource("hf", reading(sighting(1)))
    collect(database, [source], wrong, horizon=wrong)
    with database.connect() as connection:
        given = sources.find_validators(connection, "hf", "https://example.org/hf", RIGHT)
        assert (given == Validators()) == (wrong > RIGHT or wrong < RIGHT - 60 * DAY)
    collect(database, [source], RIGHT, horizon=RIGHT)
    assert source.asked[-1] is None or source.asked[-1] <= RIGHT
    with database.connect() as connection:
        assert sources.read_state(connection, "hf", RIGHT) == sources.SourceState(read_at=RIGHT, complete_at=RIGHT)
        assert all(row.fresh_at <= RIGHT for row in sources.list_health(connection))
        assert sources.find_validators(connection, "hf", "https://example.org/hf", RIGHT) != Validators()


def _titles(database, now: datetime, real_now: datetime | None = None) -> tuple[str, list[str]]:
    """Publish, and return how that went and which papers it brought."""
    (report,) = publish(database, [digest()], render, now, queued_at=real_now or now).digests
    with database.connect() as connection:
        rows = connection.execute(
            select(schema.papers.c.title)
            .join(schema.edition_papers, schema.edition_papers.c.paper_id == schema.papers.c.id)
            .join(schema.editions, schema.editions.c.id == schema.edition_papers.c.edition_id)
            .where(schema.editions.c.slot == report.slot)
            .order_by(schema.papers.c.title)
        )
        return report.status, list(rows.scalars())


def _undated(number: int, now: datetime) -> Sighting:
    """A mention of an undated paper: it counts as of the day it was read."""
    return Sighting(source="hf", paper=paper(number), day=now.date(), signals=Signals(upvotes=1))


@over("sightings.seen_at", "papers.first_seen_at")
def _papers(database, wrong, _):
    """What was read while the clock was wrong is in the first edition after it, if only its source still shows it."""
    dated = sighting(1, day=RIGHT.date() - DAY)
    collect(database, [FakeSource("hf", reading(dated, _undated(2, wrong)))], wrong, horizon=wrong)
    collect(database, [FakeSource("hf", reading(dated, _undated(2, RIGHT)))], RIGHT, horizon=RIGHT)
    status, titles = _titles(database, RIGHT)
    # An undated paper that a clock behind has dated looks as old as that clock said.
    expected = ["Paper 1"] if wrong < RIGHT - 2 * DAY else ["Paper 1", "Paper 2"]
    assert (status, titles) == ("published", expected)
    with database.connect() as connection:
        seen = [*connection.execute(select(schema.sightings.c.seen_at)).scalars()]
        assert all(moment <= RIGHT for moment in seen)


@over("editions.slot_at", "editions.composed_at")
def _editions(database, wrong, _):
    collect(database, [FakeSource("hf", reading(sighting(1, day=wrong.date())))], wrong, horizon=wrong)
    assert _titles(database, wrong)[0] == "published"
    now = RIGHT
    for number in (2, 3, 4):
        collect(database, [FakeSource("hf", reading(sighting(number, day=now.date())))], now, horizon=now)
        # A slot the wrong clock took is lost; no other is.
        taken = now.date() == wrong.date()
        assert _titles(database, now)[0] == ("already-published" if taken else "published")
        now += DAY


def test_papers_read_by_a_clock_ahead_are_published_though_their_source_shows_them_no_more(database):
    collect(
        database,
        [FakeSource("hf", reading(sighting(1, day=RIGHT.date())))],
        RIGHT + 10 * YEAR,
        horizon=RIGHT + 10 * YEAR,
    )
    assert _titles(database, RIGHT) == ("published", ["Paper 1"])


def test_a_replay_is_no_clock_that_was_wrong(database):
    """With `--now` in the past, what was seen since is not seen yet, and what is out stays out."""
    collect(database, [FakeSource("hf", reading(sighting(1)))], RIGHT - HOUR, horizon=RIGHT - HOUR)
    assert _titles(database, RIGHT)[0] == "published"
    collect(database, [FakeSource("hf", reading(sighting(2, day=RIGHT.date() - DAY)))], RIGHT, horizon=RIGHT)
    assert _titles(database, RIGHT - DAY, RIGHT)[0] == "already-published"
    collect(database, [FakeSource("hf", reading(sighting(2)))], RIGHT - 30 * DAY, horizon=RIGHT)
    with database.connect() as connection:
        state = sources.read_state(connection, "hf", RIGHT)
        assert state is not None
        assert state.read_at == RIGHT
        assert RIGHT in set(connection.execute(select(schema.sightings.c.seen_at)).scalars())


def test_a_database_taken_over_while_the_clock_was_wrong_publishes_again(database, wrong):
    with database.begin() as connection:
        settings.mark_restored(connection, wrong)
    for number in (1, 2):
        now = RIGHT + number * DAY
        collect(
            database,
            [FakeSource("hf", reading(sighting(number, day=now.date())))],
            now - 2 * HOUR,
            horizon=now - 2 * HOUR,
        )
        status, _ = _titles(database, now)
    assert status == "published"


# -- deciding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queued_at", [RIGHT, RIGHT + 10 * YEAR], ids=["right", "ahead"])
def test_a_delivery_that_is_refused_for_ever_is_given_up_whatever_it_was_dated(queued_at):
    now, attempts = RIGHT, 0
    due_at: datetime | None = RIGHT
    while due_at is not None:
        now, attempts = due_at, attempts + 1
        due_at = next_attempt(attempts, queued_at, now, timedelta(hours=96), Random(1))
        assert attempts < 100
    assert timedelta(hours=90) <= now - RIGHT <= timedelta(hours=125)


class SetBack(FakeClock):
    """The time of day is set back by a year as soon as somebody waits; the other clock goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self.naps = 0

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.naps += 1
        assert self.naps < 200, "it waits for a time of day that does not come"
        self.passed += seconds
        self.time = RIGHT - YEAR + timedelta(seconds=self.passed)


def test_a_run_that_waits_for_a_delivery_ends_though_the_clock_is_set_back(database, tmp_path):
    fill(database, 2)
    with database.begin() as connection:
        connection.execute(schema.deliveries.update().values(due_at=RIGHT + timedelta(seconds=30)))
    clock = SetBack()
    worker(database, [FakeTransport()], clock, tmp_path / "epoch").deliver()
    assert 0 < clock.naps < 200


def test_a_relay_that_broke_while_the_clock_was_ahead_is_tried_again(database, tmp_path):
    fill(database, 2)
    transport = FakeTransport()
    transport.refuses = TransportError("no connection")
    _deliver(database, transport, tmp_path / "epoch", RIGHT + 10 * DAY)
    transport.refuses = None
    _deliver(database, transport, tmp_path / "epoch", RIGHT + HOUR)
    assert standing(database) == {"sent": 2}


# -- what is said of it ------------------------------------------------------------------------------------------------


@pytest.fixture
def ahead(database) -> None:
    fill(database, 2)
    with database.begin() as connection:
        connection.execute(schema.deliveries.update().values(due_at=RIGHT + YEAR))
        rates.pause(connection, "relay:a", RIGHT + YEAR, "broken", RIGHT)


@pytest.mark.usefixtures("ahead")
def test_moments_too_far_ahead_are_named_by_column(database):
    with database.connect() as connection:
        found = {one.column: (one.count, one.farthest) for one in future_moments.ahead(connection, RIGHT)}
        assert found == {"deliveries.due_at": (2, RIGHT + YEAR), "rates.paused_until": (1, RIGHT + YEAR)}
        late = future_moments.due_beyond(connection, RIGHT, timedelta(hours=96))
        assert late is not None
        assert (late.count, late.farthest) == (2, RIGHT + YEAR)
        assert future_moments.ahead(connection, RIGHT + YEAR) == ()


# -- reading lists -----------------------------------------------------------------------------------------------------


@over("reading_lists.tried_at")
def _reading_lists(database, wrong, _):
    with database.begin() as connection:
        list_id = reading_lists.add(connection, None, ReadingListKind.ORCID, "0000-0002-1825-0097", (), wrong)
        reading_lists.record_failure(connection, list_id, "no answer", wrong)
        (due,) = reading_lists.due(connection, RIGHT - HOUR, 1, now=RIGHT)
        assert due.id == list_id
        reading_lists.record_reading(connection, list_id, (), RIGHT)
        assert not reading_lists.due(connection, RIGHT - HOUR, 1, now=RIGHT)


# -- indexes of the literature -----------------------------------------------------------------------------------------


@over("paper_records.read_at")
def _records(database, wrong, _):
    def due() -> list[PaperIds]:
        return paper_records.due(
            connection, IndexName.OPENALEX, since=RIGHT - DAY, read_before=RIGHT - HOUR, now=RIGHT, most=9
        )

    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], RIGHT)
        paper_records.store(connection, IndexName.OPENALEX, due(), {}, wrong)
        assert len(due()) == 1
        paper_records.store(connection, IndexName.OPENALEX, due(), {}, RIGHT)
        assert due() == []
