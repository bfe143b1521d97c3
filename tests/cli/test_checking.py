"""What `check` reports: weak secrets, and data written with a wrong clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeClock
from pydantic import SecretStr
from websites import open_app
from worker_fixture import fill

from digestmail.cli import check as checking
from digestmail.storage import rates, schema

YEAR = timedelta(days=365)
GOOD = "5f8d0c1be7a94c0f"


@pytest.fixture
def check(sqlite, tmp_path):
    def check(smtp: dict[str, object] | None = None, **web: str) -> checking.CheckReport:
        with open_app(f"sqlite:///{tmp_path / 'test.db'}", **({"admin_token": GOOD} | web)) as app:
            app.wall_clock = FakeClock(THURSDAY)
            mail = app.config.mail
            changed = mail.smtp.model_copy(update=smtp or {})
            app.config = app.config.model_copy(update={"mail": mail.model_copy(update={"smtp": changed})})
            app.base = tmp_path
            return checking.check(app, connect=False)

    return check


def test_nothing_is_said_of_good_secrets_and_a_right_clock(check):
    report = check()
    assert (report.problems, report.notes) == ((), ())


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


def test_a_secret_that_is_never_sent_and_an_empty_token_file_are_named(check, tmp_path):
    (tmp_path / "token").write_text("\n")
    said = "\n".join(check({"oauth_token_file": tmp_path / "token"}).problems)
    assert "mail.smtp.username is missing" in said
    assert "mail.smtp.oauth_token_file: there is no access token" in said


def test_what_lies_too_far_ahead_is_named_and_only_deliveries_are_a_problem(check, sqlite):
    fill(sqlite, 2)
    with sqlite.begin() as connection:
        connection.execute(schema.deliveries.update().values(due_at=THURSDAY + YEAR))
        rates.pause(connection, "relay:a", THURSDAY + YEAR, "broken", THURSDAY)
    report = check()
    (late,) = [problem for problem in report.problems if "give_up_hours" in problem]
    assert late.startswith("2 deliveries are due later than give_up_hours allows, up to 2027-04-02")
    assert {note.split()[0] for note in report.notes} == {"deliveries.due_at", "rates.paused_until"}
