"""What a person asks for on a page is kept until it worked, or the page says that it did not."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager

import pytest
from fakes import FakeTransport
from site_fixture import Site, link, opened
from sqlalchemy import select, text

from digestmail.errors import StorageError, TransportError
from digestmail.model.deliveries import NoticeKind
from digestmail.model.reports import DeliverReport
from digestmail.model.subscribers import Subscription, SuppressionReason
from digestmail.storage import notices, schema, subscribers, suppressions
from digestmail.subscribers import admin, data_export
from digestmail.web.app import create_app
from digestmail.web.notice_queue import CHECK_SECONDS, NoticeQueue


@pytest.fixture
def site(tmp_path, database_url):
    with opened(tmp_path, database_url) as site:
        yield site


@contextmanager
def missing(site: Site, table: str):
    """Let every statement on a table fail meanwhile."""
    for old, new in ((table, f"{table}_away"), (f"{table}_away", table)):
        with site.app.database.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        if old == table:
            yield


def form_of(site: Site, target: str) -> dict[str, str]:
    token = re.search(r'name="token" value="([^"]+)"', site.get(target).body)
    assert token
    site.clock.sleep(5)
    return {"token": token[1]}


def sign_up(site: Site, address: str, language: str = "en", **fields: object):
    form = form_of(site, "/subscribe")
    return site.post(
        "/subscribe", {"address": address, "digest": "daily"} | form | fields, {"Accept-Language": language}
    )


def contents(site: Site) -> dict[str, list[str]]:
    """Return every row of every table."""
    with site.app.database.connect() as connection:
        return {
            table.name: sorted(str(row) for row in connection.execute(select(table)).all())
            for table in schema.metadata.sorted_tables
        }


def waiting(site: Site) -> int:
    with site.app.database.connect() as connection:
        return len(connection.execute(select(schema.address_requests.c.id)).all())


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "Nothing was saved"), ("de", "Es wurde nichts gespeichert"), ("fr", "Rien n’a été enregistré")],
)
def test_a_sign_up_that_cannot_be_stored_is_a_503_in_the_reader_s_language(site, language, says):
    before = contents(site)
    with missing(site, "address_requests"):
        for _ in range(4):  # tries that failed do not count against the address
            answer = sign_up(site, "reader@example.org", language)
            assert (answer.status, answer.headers["retry-after"], says in answer.body) == (503, "60", True)
            assert answer.headers["cache-control"] == "no-store"
    assert contents(site) == before
    assert "Check your email" in sign_up(site, "reader@example.org").body
    assert site.wait_for_mails(1)[0]["To"] == "reader@example.org"


@contextmanager
def locked(site: Site):
    """Hold the lock of the database meanwhile: of the file with SQLite, of every table with PostgreSQL."""
    database = site.app.database
    with database.begin() as connection:
        if database.dialect == "postgresql":
            names = ", ".join(table.name for table in schema.metadata.sorted_tables)
            connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        yield


def test_a_locked_database_is_a_503_that_says_so_and_nothing_is_lost(tmp_path, database_url):
    with opened(tmp_path, database_url, busy_seconds=0.02) as site:
        with site.app.database.begin() as connection:
            person = admin.add_within(connection, site.app.digests, "known@example.org", "daily", (), site.clock.now())
        token = site.app.tokens.unsubscribe(person.id, "")
        preferences = form_of(site, f"/preferences/{token}") | {"digest": "weekly"}
        before = contents(site)
        with locked(site):
            answers = [
                sign_up(site, "reader@example.org"),
                site.post(f"/unsubscribe/{token}", {"List-Unsubscribe": "One-Click"}),
                site.post(f"/preferences/{token}", preferences),
            ]
            site.clock.sleep(120)  # nothing that was kept in memory helps
            assert [site.get(page).status for page in ("/", "/subscribe", "/readyz")] == [200] * 3, "reading goes on"
        for answer in answers:
            assert (answer.status, answer.headers["retry-after"]) == (503, "60")
            assert "Nothing was saved" in answer.body
        assert contents(site) == before
        assert sign_up(site, "reader@example.org").status == 200
        assert link(site.wait_for_mails(1)[0], "confirm")
        assert len(site.mails()) == 1


def test_a_page_waits_five_seconds_for_a_lock_and_what_is_sent_behind_it_waits_longer(site):
    web = create_app(site.app)
    limits = {}
    for name, app in (("pages", web.state.digestmail), ("notices", web.state.web_state.notice_queue._notices)):
        with app.database.begin() as connection:
            if app.database.dialect == "sqlite":
                limits[name] = int(connection.execute(text("PRAGMA busy_timeout")).scalar_one())
            else:
                limits[name] = connection.execute(text("SHOW lock_timeout")).scalar_one()
    sqlite = site.app.database.dialect == "sqlite"
    assert limits == ({"pages": 5_000, "notices": 30_000} if sqlite else {"pages": "5s", "notices": "0"})


def test_a_sign_up_that_cannot_be_processed_is_kept_and_tried_again(site, caplog):
    with missing(site, "notices"):
        assert "Check your email" in sign_up(site, "reader@example.org").body
        for _ in range(2):
            with pytest.raises(StorageError):
                site.app.send_notices()
        assert waiting(site) == 1
        with site.app.database.connect() as connection:
            assert subscribers.find(connection, "reader@example.org") is None, "nothing is half-written"
    assert site.app.has_notices()
    site.app.send_notices()
    assert "/confirm/" in str(site.wait_for_mails(1)[0])
    assert waiting(site) == 0
    assert not site.app.has_notices()
    assert "reader@" not in caplog.text


def test_a_sign_up_while_the_mail_server_is_down_is_confirmed_when_it_is_back(site):
    transports, send_notices = site.app.transports, site.app.send_notices
    down = FakeTransport()
    down.refuses = TransportError("connection refused")
    site.app.transports = lambda: (down,)
    answered = threading.Event()

    def hold_back(**_) -> DeliverReport:
        """Leave what comes after the answer to this test."""
        answered.set()
        return DeliverReport()

    site.app.send_notices = hold_back
    assert "Check your email" in sign_up(site, "reader@example.org").body
    assert answered.wait(20)
    site.app.send_notices = send_notices
    assert site.app.send_notices().stopped == "connection refused"
    assert site.mails() == []
    site.app.transports = transports
    site.clock.sleep(3600)
    site.app.send_notices()
    (mail,) = site.wait_for_mails(1)
    assert (mail["To"], "/confirm/" in str(mail)) == ("reader@example.org", True)


def test_the_main_job_processes_what_a_dead_web_process_left(site):
    from digestmail.model.subscribers import Preferences
    from digestmail.subscribers.address_requests import store_signup

    choices = Preferences(subscriptions=(Subscription(digest="daily"),))
    store_signup(site.app.database, "reader@example.org", choices, site.clock.now())
    site.app.deliver()
    assert site.wait_for_mails(1)[0]["To"] == "reader@example.org"


def test_a_request_that_no_longer_fits_is_dropped_and_the_next_is_processed(site, caplog):
    from digestmail.model.subscribers import Preferences
    from digestmail.subscribers.address_requests import store_signup

    for name, address in (("closed", "one@example.org"), ("daily", "two@example.org")):
        choices = Preferences(subscriptions=(Subscription(digest=name),))
        store_signup(site.app.database, address, choices, site.clock.now())
    site.app.send_notices()
    assert [mail["To"] for mail in site.wait_for_mails(1)] == ["two@example.org"]
    assert waiting(site) == 0
    assert "the configuration has changed" in caplog.text
    assert "one@" not in caplog.text


def test_a_request_that_meets_a_bug_does_not_stop_the_next(site, monkeypatch, caplog):
    from digestmail.model.subscribers import Preferences
    from digestmail.subscribers import address_requests

    real = address_requests.request_signup_within

    def fail(connection, digests, address, *args, **kwargs):
        if address.startswith("one"):
            raise ZeroDivisionError
        return real(connection, digests, address, *args, **kwargs)

    monkeypatch.setattr(address_requests, "request_signup_within", fail)
    for address in ("one@example.org", "two@example.org"):
        choices = Preferences(subscriptions=(Subscription(digest="daily"),))
        address_requests.store_signup(site.app.database, address, choices, site.clock.now())
    site.app.send_notices()
    assert [mail["To"] for mail in site.wait_for_mails(1)] == ["two@example.org"]
    assert waiting(site) == 1
    assert "could not be processed" in caplog.text


def test_an_address_change_is_kept_too_and_forgotten_when_the_person_is_erased(site):
    with site.app.database.begin() as connection:
        now = site.clock.now()
        person = admin.add_within(connection, site.app.digests, "reader@example.org", "daily", (), now)
    target = f"/preferences/{site.app.tokens.unsubscribe(person.id, '')}"
    with missing(site, "address_requests"):
        form = form_of(site, target) | {"address": "new@example.org"}
        assert site.post(f"{target}/address", form).status == 503
    with missing(site, "notices"):
        assert site.post(f"{target}/address", form_of(site, target) | {"address": "new@example.org"}).status == 200
        assert waiting(site) == 1
    data_export.erase(site.app.database, person.id, site.clock.now(), random_token=lambda: "key")
    assert waiting(site) == 0


def test_every_kind_of_address_is_answered_after_the_same_statements(site):
    """Known, unknown, suppressed, erased: one insert before the answer; what differs comes afterwards."""
    from sqlalchemy import event

    now = site.clock.now()
    with site.app.database.begin() as connection:
        for number, address in enumerate(("known@example.org", "erased@example.org")):
            person = admin.add_within(connection, site.app.digests, address, "daily", (), now)
            assert number or person
        suppressions.add(connection, "gone@example.org", SuppressionReason.COMPLAINED, "", now)
    data_export.erase(site.app.database, person.id, now, random_token=lambda: "key")
    seen: list[list[str]] = []
    bodies = set()
    queue = site.app.send_notices
    for address in ("known@example.org", "gone@example.org", "erased@example.org", "unknown@example.org"):
        form = {"address": address, "digest": "daily"} | form_of(site, "/subscribe")
        statements: list[str] = []

        def note(_connection, _cursor, statement, *_rest, into=statements):
            into.append(statement)

        site.app.send_notices = lambda **_: DeliverReport()  # what comes after the answer is held back
        event.listen(site.app.database.engine, "before_cursor_execute", note)
        answer = site.post("/subscribe", form)
        event.remove(site.app.database.engine, "before_cursor_execute", note)
        bodies.add((answer.status, re.sub(r'value="[^"]+"', "", answer.body)))
        seen.append([one for one in statements if "INSERT" in one or "SELECT" in one])
    site.app.send_notices = queue
    assert len(bodies) == 1
    assert all(one == seen[0] for one in seen)
    assert sum("INSERT INTO address_requests" in one for one in seen[0]) == 1
    site.app.send_notices()
    assert sorted(mail["To"] for mail in site.wait_for_mails(3)) == [
        "erased@example.org",
        "known@example.org",
        "unknown@example.org",
    ]


class FakeNotices:
    """Has a notice for the next checks."""

    def __init__(self, *due: bool | Exception):
        self.due = list(due)
        self.sent = 0
        self.checks = 0

    def has_notices(self):
        self.checks += 1
        due = self.due.pop(0)
        if isinstance(due, Exception):
            raise due
        return due

    def send_notices(self, *, stop=None):
        assert stop is not None
        assert not stop()
        self.sent += 1
        return DeliverReport(stopped="smtp: connection refused")


def test_notices_that_are_due_are_sent_between_requests(caplog):
    app = FakeNotices(False, True, StorageError("locked"), StorageError("locked"), True, False)
    ends = iter([False] * 5 + [True])
    waits = []
    NoticeQueue(app).check_until(lambda seconds: waits.append(seconds) or next(ends))
    assert (app.checks, app.sent) == (6, 2)
    assert waits == [CHECK_SECONDS] * 6
    reasons = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert reasons == ["connection refused", "locked", "connection refused"], "each reason once until it changes"


def test_the_thread_ends_with_the_server():
    app = FakeNotices(True)
    before = threading.active_count()
    with NoticeQueue(app).checked():
        pass
    assert threading.active_count() == before
    assert app.checks <= 1


def test_the_web_process_sends_a_notice_that_no_request_queued(site):
    with site.app.database.begin() as connection:
        now = site.clock.now()
        person = admin.add_within(connection, site.app.digests, "reader@example.org", "daily", (), now)
        notices.enqueue(connection, person.id, NoticeKind.WELCOME, {}, now)
    queue = NoticeQueue(site.app)
    with queue.checked():
        assert site.wait_for_mails(1)[0]["To"] == "reader@example.org"
        with site.app.database.begin() as connection:
            notices.enqueue(connection, person.id, NoticeKind.ALREADY, {}, site.clock.now())
        queue.flush()  # as a request does: it wakes the thread
        site.wait_for_mails(2)
        site.settle()


def test_an_idle_check_reads_indexes_only(sqlite):
    from fakes import THURSDAY
    from sqlalchemy import event

    from digestmail.storage import address_requests, due_times

    plans = []

    def explain(connection, _cursor, statement, parameters, *_):
        if statement.startswith("SELECT"):
            plans.extend(connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    event.listen(sqlite.engine, "before_cursor_execute", explain)
    with sqlite.connect() as connection:
        assert not due_times.has_notices(connection, THURSDAY)
        assert not address_requests.is_waiting(connection)
    details = [plan[3] for plan in plans]
    assert any("USING" in one and "INDEX" in one and "notices" in one for one in details), details
    assert not any(one == "SCAN notices" for one in details), details
