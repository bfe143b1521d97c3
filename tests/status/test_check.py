"""What `check` reports: weak secrets, and data written with a wrong clock."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import THURSDAY, FakeClock
from outbox import people
from pydantic import SecretStr
from websites import open_app, publish
from worker_fixture import fill

from digestmail.cli import check_text
from digestmail.collect.collector import list_health
from digestmail.config.bounces import BouncesTable
from digestmail.config.mail import MaildirTable
from digestmail.config.oauth import OAuthTable
from digestmail.config.sources import ArxivFeedTable
from digestmail.editions import topic_report
from digestmail.errors import TransportError
from digestmail.model.deliveries import Attempted, DeliveryState, NoticeKind, ProcessIdentity
from digestmail.model.digests import Cadence
from digestmail.model.papers import Health, SourceHealth
from digestmail.model.subscribers import Subscription
from digestmail.papers.arxiv_taxonomy import category_problem
from digestmail.selection.topic_model import fingerprint
from digestmail.status import check as checking
from digestmail.status import sources as check_sources
from digestmail.storage import claims, notices, rates, schema, sources, subscribers, topic_models, workers
from digestmail.storage.topic_models import Learned
from digestmail.subscribers import admin
from digestmail.text.credentials import weakness
from digestmail.wiring.places import ENOUGH_SPACE, disk_problem, place_problems

YEAR = timedelta(days=365)
HOUR = timedelta(hours=1)
GOOD = "5f8d0c1be7a94c0f"


@pytest.fixture
def check(sqlite, tmp_path):
    def check(
        smtp: dict[str, object] | None = None, *, readers: bool = True, at: datetime = THURSDAY, **web: str
    ) -> checking.CheckReport:
        with open_app(f"sqlite:///{tmp_path / 'test.db'}", **({"admin_token": GOOD} | web)) as app:
            app.clock = app.wall_clock = FakeClock(at)
            for digest in app.digests if readers else ():
                admin.add(app.database, app.digests, f"{digest.name}@example.org", digest.name, [], THURSDAY)
            mail = app.config.mail
            changed = mail.smtp.model_copy(update=smtp or {})
            app.config = app.config.model_copy(update={"mail": mail.model_copy(update={"smtp": changed})})
            app.base = tmp_path
            return checking.check(app, connect=False)

    return check


def test_nothing_is_said_of_good_secrets_and_a_right_clock(check):
    report = check()
    assert (report.problems, report.notes) == (
        (),
        ("not read yet: huggingface; `digestmail collect` reads all sources",),
    )


def test_a_digest_that_the_next_run_publishes_is_due_now(check, sqlite, capsys):
    report = check()
    assert "daily" in report.waiting
    check_text.show(report)
    assert re.search("digest daily +due +now, and ", capsys.readouterr().out)
    publish(sqlite, 0)
    assert "daily" not in check().waiting


def test_a_variant_is_shown_with_its_next_slot_when_someone_chose_it(check, sqlite, capsys):
    assert "daily@weekly" not in check().next_due
    with sqlite.begin() as connection:
        reader = subscribers.find(connection, "daily@example.org")
        subscribers.subscribe(connection, reader.id, Subscription(digest="daily", cadence=Cadence.WEEKLY), THURSDAY)
    report = check()
    assert "daily@weekly" not in report.waiting, "it was chosen after the slot of this week began"
    check_text.show(report)
    assert re.search(r"digest daily \(weekly\) +due +Mon 2026-04-06", capsys.readouterr().out)
    assert "daily@weekly" in check(at=THURSDAY + timedelta(days=5)).waiting


def test_weak_and_shared_secrets_are_named_and_not_shown(check):
    report = check(
        {"username": "me", "password": SecretStr("123456")},
        admin_token="change-me-please",
        webhook_secret="change-me-please",
    )
    said = "\n".join(report.problems)
    assert "mail.smtp.password has only 6 characters" in said
    assert "web.admin_token is made of words that everybody tries first" in said
    assert "web.webhook_secret is the same as web.admin_token" in said
    assert "change-me" not in said
    assert "123456" not in said


def test_a_secret_of_one_character_is_counted_in_the_singular():
    assert weakness("x") == "has only 1 character"
    assert weakness("x" * 12) == "is made of only 1 different character"


def test_a_secret_that_is_never_sent_and_an_empty_token_file_are_named(check, tmp_path):
    (tmp_path / "token").write_text("\n")
    said = "\n".join(check({"oauth": OAuthTable(token_file=tmp_path / "token")}).problems)
    assert "mail.smtp.username is missing" in said
    assert "mail.smtp.oauth.token_file: there is no access token" in said


def test_what_lies_too_far_ahead_is_named_and_only_deliveries_are_a_problem(check, sqlite):
    fill(sqlite, 2)
    with sqlite.begin() as connection:
        connection.execute(schema.deliveries.update().values(due_at=THURSDAY + YEAR))
        rates.pause(connection, "relay:a", THURSDAY + YEAR, "broken", THURSDAY)
    report = check()
    (late,) = [problem for problem in report.problems if "give_up_hours" in problem]
    assert late.startswith("2 deliveries due later than give_up_hours allows, up to Fri 2027-04-02")
    (ahead,) = [note for note in report.notes if "in the future" in note]
    assert ahead.startswith("times in the future, up to 2027-04-02")
    assert "deliveries.due_at (2 rows)" in ahead
    assert "rates.paused_until (1 row)" in ahead


# -- sources ---------------------------------------------------------------------------------------------------------


def health(sqlite, *, read: timedelta, fresh: timedelta | None, category: str = "", source: str = "huggingface"):
    """Record that a source was read without trouble so long ago, and showed a new paper so long ago."""
    row = SourceHealth(
        source=source,
        category=category,
        health=Health.STALE,
        detail="nothing new",
        read_at=THURSDAY - read,
        fresh_at=None if fresh is None else THURSDAY - fresh,
    )
    with sqlite.begin() as connection:
        sources.put_health(connection, [row])


@pytest.mark.parametrize(("days", "said"), [(0, False), (29, False), (31, True), (400, True)])
def test_a_source_that_fell_silent_is_a_problem_after_a_month(check, sqlite, days, said):
    health(sqlite, read=HOUR, fresh=timedelta(days=days))
    problems = check().problems
    assert any("has shown nothing new since" in problem for problem in problems) is said
    assert len(problems) == said


@pytest.mark.parametrize(("days", "said"), [(1, False), (7, False), (9, True)])
def test_a_source_that_is_not_read_any_more_is_a_problem_when_every_digest_should_have_read_it(
    check, sqlite, days, said
):
    health(sqlite, read=timedelta(days=days), fresh=timedelta(days=days))
    problems = check().problems
    assert [f"was last read {days} days ago" in problem for problem in problems] == [True] * said
    assert all("`digestmail up`" in problem for problem in problems)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cs.LG", None),
        ("cs", None),
        ("cond-mat.*", None),
        ("hep-th", None),
        ("cs.CLL", "did you mean 'cs.CL'?"),
        ("cs.lg", "did you mean 'cs.LG'?"),
        ("CS.CL", "did you mean 'cs.CL'?"),
        ("zoology", "category_taxonomy"),
    ],
)
def test_a_category_that_arxiv_does_not_list_is_named_with_the_nearest(name, said):
    problem = category_problem(name)
    assert (problem is None) if said is None else (problem is not None and said in problem)


def test_a_category_that_does_not_exist_is_a_problem_until_it_shows_a_paper(sqlite, tmp_path):
    table = ArxivFeedTable(name="arxiv", kind="arxiv-feed", categories=("cs.LG", "cs.LGG"))
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        app.clock = FakeClock(THURSDAY)
        app.config = app.config.model_copy(update={"sources": (table,)})
        health(sqlite, read=HOUR, fresh=HOUR, source="arxiv")
        (problem,) = check_sources.problems(app, list_health(app.database))
        assert problem.startswith("source arxiv: arXiv has no category 'cs.LGG'; did you mean 'cs.LG'?")
        health(sqlite, read=HOUR, fresh=HOUR, source="arxiv", category="cs.LGG")
        assert list(check_sources.problems(app, list_health(app.database))) == []


# -- readers and the outbox ------------------------------------------------------------------------------------------


def test_a_topic_that_could_not_be_learned_is_named_with_the_command(check, sqlite, tmp_path):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        topics = {fingerprint(topic): topic.name for topic in app.digests[0].topics}
    tried = Learned(model=None, papers=5000, learned_on=THURSDAY.date())
    with sqlite.begin() as connection:
        topic_models.replace_all(connection, dict.fromkeys(topics, tried))
    said = [note for note in check().notes if "could not be learned" in note]
    assert len(said) == len(topics) > 0
    assert all(f"topic {name} " in note for name, note in zip(sorted(topics.values()), said, strict=True))
    assert "`digestmail topics test " in said[0]


def test_topics_that_the_next_run_should_learn_are_named(check, monkeypatch):
    assert not any("not learned yet" in note for note in check().notes)
    monkeypatch.setattr(topic_report, "FEWEST_PAPERS", 0)
    (said,) = (note for note in check().notes if "not learned yet" in note)
    assert said == "not learned yet: Agents; `digestmail collect` learns them, or says why it cannot"


def test_a_digest_without_subscribers_is_a_problem_that_names_the_command(check):
    assert check(readers=False).problems == tuple(
        f"digest {name} has no subscribers: `digestmail subscribers add ADDRESS --digest {name}` adds one"
        for name in ("daily", "weekly")
    )


def claim(sqlite, count: int) -> None:
    """Let a worker claim everything that is due, begin with `count`, and die."""
    with sqlite.begin() as connection:
        workers.start(connection, "w", ProcessIdentity(machine="another", pid=1, started="1"), THURSDAY)
        claimed = claims.claim(connection, THURSDAY, timedelta(minutes=30), 100)
        claims.record_intent(connection, claimed[:count], THURSDAY)


def test_what_a_dead_worker_holds_is_a_problem_once_it_is_known_to_be_dead(check, sqlite):
    fill(sqlite, 5)
    claim(sqlite, 2)
    assert check(at=THURSDAY + timedelta(minutes=1)).problems == ()
    (problem,) = check(at=THURSDAY + timedelta(minutes=6)).problems
    assert problem.startswith("5 emails, of which 2 may have been sent, held by a process that is gone until ")
    assert "`digestmail deliveries release`" in problem


def test_what_is_due_and_not_sent_is_a_problem_after_two_hours(check, sqlite):
    fill(sqlite, 1)
    assert check(at=THURSDAY + HOUR).problems == ()
    (problem,) = check(at=THURSDAY + 3 * HOUR).problems
    assert problem.startswith("1 delivery due since ")
    assert "`digestmail deliver`" in problem


def test_what_waits_for_a_paused_server_is_said_once_with_the_command(check, sqlite):
    fill(sqlite, 3)
    with sqlite.begin() as connection:
        rates.pause(connection, "relay:a", THURSDAY + 5 * HOUR, "login refused", THURSDAY)
    (problem,) = check(at=THURSDAY + 3 * HOUR).problems
    assert problem.startswith("relay:a is paused until ")
    assert "login refused" in problem
    assert "`digestmail deliveries resume`" in problem


def test_a_sign_up_that_could_not_be_mailed_is_a_problem(check, sqlite):
    with sqlite.begin() as connection:
        (reader,) = people(connection, 1)
        for _ in range(2):
            notices.enqueue(connection, reader, NoticeKind.CONFIRM, {}, THURSDAY)
        claimed = claims.claim(connection, THURSDAY, timedelta(minutes=30), 10)
        deferred = Attempted(state=DeliveryState.DEFERRED, code=450, text="try later", due_at=THURSDAY + HOUR)
        claims.record(connection, [(one, deferred) for one in claimed], THURSDAY)
    (problem,) = check(at=THURSDAY + timedelta(minutes=20)).problems
    assert problem.startswith("2 emails to confirm a subscription not sent yet")
    assert "`digestmail deliveries resume`" in problem


def test_a_new_sign_up_is_no_problem_yet(check, sqlite):
    with sqlite.begin() as connection:
        (reader,) = people(connection, 1)
        notices.enqueue(connection, reader, NoticeKind.CONFIRM, {}, THURSDAY)
    assert check(at=THURSDAY + HOUR).problems == ()
    (problem,) = check(at=THURSDAY + 3 * HOUR).problems
    assert problem.startswith("1 email to confirm a subscription not sent yet")


def test_a_notice_that_failed_is_remembered_for_a_week(check, sqlite):
    with sqlite.begin() as connection:
        (reader,) = people(connection, 1)
        notices.enqueue(connection, reader, NoticeKind.CONFIRM, {}, THURSDAY)
        (claimed,) = claims.claim(connection, THURSDAY, timedelta(minutes=30), 10)
        refused = Attempted(state=DeliveryState.FAILED, code=550, text="no such user", begun=True)
        claims.record(connection, [(claimed, refused)], THURSDAY)
    (problem,) = check(at=THURSDAY + HOUR).problems
    assert problem.startswith("1 email to confirm a subscription failed in the last 7 days: no such user")
    assert check(at=THURSDAY + timedelta(days=8)).problems == ()


@pytest.mark.parametrize(
    ("said", "hinted"),
    [
        ("certificate verify failed: self-signed certificate", True),
        ("certificate verify failed: unable to get local issuer certificate", True),
        ("Connection refused", False),
    ],
)
def test_a_certificate_nobody_vouches_for_names_the_key_that_trusts_it(sqlite, tmp_path, monkeypatch, said, hinted):
    class Broken:
        def connect(self):
            raise TransportError(f"no connection to the mail server: {said}")

    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        monkeypatch.setattr(app, "transports", lambda: (Broken(),))
        (problem,) = [one for one in checking.check(app, connect=True).problems if one.startswith("transport: ")]
    assert said in problem
    assert ("ca_file" in problem) is hinted


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_a_mailbox_of_bounces_that_is_not_there_is_named_with_what_makes_it(sqlite, tmp_path, kind):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        table = BouncesTable(kind=kind, path=Path("returned"))
        config = app.config.model_copy(update={"bounces": table, "epoch_file": tmp_path / "digestmail.epoch"})
        (problem,) = place_problems(config, tmp_path)
        assert problem.startswith(f"bounces.path: {'there is no file ' * (kind == 'mbox')}{tmp_path / 'returned'}")
        if kind == "maildir":
            (tmp_path / "returned" / "new").mkdir(parents=True)
        else:
            (tmp_path / "returned").touch()
        assert list(place_problems(config, tmp_path)) == []


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_places_that_cannot_be_looked_at_are_named(sqlite, tmp_path, kind):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        mail = app.config.mail.model_copy(
            update={"transport": "maildir", "maildir": MaildirTable(path=Path("x" * 300, "mail"))}
        )
        table = BouncesTable(kind=kind, path=Path("y" * 300))
        config = app.config.model_copy(
            update={"bounces": table, "mail": mail, "epoch_file": tmp_path / "digestmail.epoch"}
        )
        (problem,) = place_problems(config, tmp_path)
    assert problem.startswith("bounces.path: ")
    assert problem.endswith("cannot be read: File name too long")


def test_places_that_cannot_be_written_are_named_before_a_run_has_to(sqlite, tmp_path):
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        config = app.config.model_copy(update={"epoch_file": tmp_path / "no" / "digestmail.epoch"})
        (problem,) = place_problems(config, tmp_path)
    assert problem.startswith(f"epoch_file: there is no folder {tmp_path / 'no'}: ")


@pytest.mark.parametrize("name", ["test.db", "test.db-wal"])
def test_a_database_that_can_only_be_read_is_a_problem(check, tmp_path, monkeypatch, name):
    access, refused = os.access, tmp_path / name
    check()
    (tmp_path / name).touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != refused and access(path, mode))
    (problem,) = check(readers=False).problems
    assert re.fullmatch(f"database: the user .* may not write the file {refused}: give it to this user", problem)


def test_a_disk_that_is_nearly_full_is_a_problem(monkeypatch, tmp_path):
    free = ENOUGH_SPACE
    monkeypatch.setattr("digestmail.wiring.places.shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    database = f"sqlite:///{tmp_path / 'd.db'}"
    assert list(disk_problem(database, tmp_path)) == []
    free -= 1
    (problem,) = disk_problem(database, tmp_path)
    assert f"99 MB are free in {tmp_path}" in problem
    assert list(disk_problem("postgresql://localhost/d", tmp_path)) == []
    assert list(disk_problem("sqlite:///absent/d.db", tmp_path)) == [], "which is said elsewhere"
