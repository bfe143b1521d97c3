"""The operator is told about problems: by email and webhook, once, and when they are over."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeClock, FakeTransport
from output_receiving import SECRET, Receiver
from werkzeug import Response

from digestmail.app import App
from digestmail.config.load import load
from digestmail.errors import ConfigError, TransportError
from digestmail.status.alerts import run_with_alerts, send_alerts
from digestmail.status.check import check
from digestmail.subscribers import admin

CONFIG = """
database = "sqlite:///digestmail.db"
[mail]
sender = "digest@example.org"
[network]
allow_private_hosts = ["localhost", "127.0.0.1"]
[[sources]]
name = "feed"
kind = "feed"
url = "{feed}"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["feed"]
[[outputs]]
name = "ops"
kind = "webhook"
url = "{hook}"
secret = "{secret}"
digests = []
[alerts]
to = "Operator <operator@example.org>"
outputs = ["ops"]
"""
FEED = """<rss version="2.0"><channel><title>A lab</title><link>https://example.org</link><description>x</description>
<item><title>On lakes</title><link>https://example.org/1</link><description>About lakes.</description>
<pubDate>Wed, 01 Apr 2026 12:00:00 GMT</pubDate></item></channel></rss>"""
HOUR = 3600.0


@pytest.fixture
def clock():
    return FakeClock(THURSDAY + timedelta(hours=2))


@pytest.fixture
def receiver(clock):
    return Receiver(now=clock.now())


@pytest.fixture
def servers() -> tuple[FakeTransport, FakeTransport]:
    """The mail server and the fallback."""
    return FakeTransport(name="first"), FakeTransport(name="fallback")


@pytest.fixture
def app(tmp_path: Path, httpserver, receiver, clock, servers, monkeypatch):
    """An app whose source fails."""
    hook = receiver.listen(httpserver)
    text = CONFIG.format(feed=httpserver.url_for("/feed"), hook=hook, secret=SECRET)
    (tmp_path / "config.toml").write_text(text, "utf-8")
    httpserver.expect_request("/feed").respond_with_data("gone", status=500)
    with App(load(tmp_path / "config.toml", {}), tmp_path, clock, wall_clock=clock) as app:
        monkeypatch.setattr(app, "transports", lambda: servers)
        admin.add(app.database, app.digests, "p@example.org", "daily", (), THURSDAY - timedelta(days=1))
        yield app


def alerts_of(server: FakeTransport) -> list[str]:
    """Return the subjects of the alerts that a mail server got."""
    return [
        str(message_from_bytes(message, policy=policy.default)["Subject"])
        for recipient, message in server.sent
        if recipient == "operator@example.org"
    ]


def an_hour_later(app: App, clock: FakeClock, receiver: Receiver) -> None:
    clock.sleep(HOUR)
    receiver.now = clock.now()
    run_with_alerts(app)


def test_a_failing_source_is_announced_once_and_again_when_it_is_read(app, servers, clock, receiver, httpserver):
    run_with_alerts(app)
    assert (receiver.accepted, alerts_of(servers[1])) == ([], [])
    an_hour_later(app, clock, receiver)
    an_hour_later(app, clock, receiver)
    (alert,) = receiver.accepted
    assert alert["type"] == "alert"
    assert alert["data"]["subject"] == "digestmail: 1 problem"
    assert alert["data"]["began"][0].startswith("source feed: unavailable")
    assert alerts_of(servers[1]) == ["digestmail: 1 problem"]
    assert alerts_of(servers[0]) == [], "the fallback is asked first"
    httpserver.clear()
    receiver.listen(httpserver)
    httpserver.expect_request("/feed").respond_with_data(FEED, content_type="text/xml")
    an_hour_later(app, clock, receiver)
    an_hour_later(app, clock, receiver)
    assert receiver.accepted[1]["data"]["subject"] == "digestmail: 1 problem solved"
    assert len(receiver.accepted) == 2
    assert alerts_of(servers[1])[1:] == ["digestmail: 1 problem solved"]


def test_the_email_says_what_is_wrong_and_answers_no_one(app, servers, clock, receiver):
    run_with_alerts(app)
    an_hour_later(app, clock, receiver)
    ((_, raw),) = servers[1].sent
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None
    assert "source feed: unavailable" in message.get_body(("plain",)).get_content()


def test_the_first_server_is_used_if_the_fallback_fails_and_one_way_is_enough(app, servers, clock, receiver, caplog):
    run_with_alerts(app)
    receiver.answers = [Response(status=500)]
    servers[1].refuses = TransportError("down")
    an_hour_later(app, clock, receiver)
    assert alerts_of(servers[0]) == ["digestmail: 1 problem"]
    assert "an alert was not sent by output ops" in caplog.text
    an_hour_later(app, clock, receiver)
    assert len(alerts_of(servers[0])) == 1


def test_an_alert_that_no_way_takes_is_sent_with_the_next_run(app, servers, clock, receiver):
    run_with_alerts(app)
    receiver.answers = [Response(status=500)]
    for server in servers:
        server.refuses = TransportError("down")
    an_hour_later(app, clock, receiver)
    assert receiver.accepted == []
    an_hour_later(app, clock, receiver)
    assert len(receiver.accepted) == 1


def test_a_run_that_an_error_ends_is_a_problem_until_the_next_one(app, clock, receiver, monkeypatch):
    def fail(**_options):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(app, "publish", fail)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                an_hour_later(app, clock, receiver)
    assert any("an error ended the last run: out of memory" in line for line in receiver.accepted[0]["data"]["began"])
    run_with_alerts(app)
    assert not any("last run" in problem for problem in check(app, connect=False).problems)


def test_without_the_table_nothing_is_looked_at(app, monkeypatch):
    app.config = app.config.model_copy(update={"alerts": None})
    monkeypatch.setattr("digestmail.status.check.check", lambda *_args, **_options: pytest.fail("looked"))
    send_alerts(app)


def test_an_output_for_alerts_only_can_be_tested(app, tmp_path, receiver):
    receiver.secret = "another"
    assert "ops: " in digestmail(tmp_path, "outputs", "test", "ops", status=1)
    assert receiver.requests == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('outputs = ["ops"]', 'outputs = ["other"]', "alerts.outputs: there is no 'other' in [[outputs]]"),
        ('outputs = ["ops"]', "", 'outputs["ops"].digests: is empty; name digests, or the output in [alerts] outputs'),
        ("[alerts]\nto", '[alerts]\ntimezone = "Mars/Olympus"\nto', "alerts.timezone: "),
        ("[alerts]\nto", '[alerts]\nquiet_hours = "22-25"\nto', "alerts.quiet_hours: "),
        ("[alerts]", '[[outputs]]\nname = "site"\nkind = "files"\npath = "site"\n[alerts]', None),
    ],
)
def test_alerts_that_would_go_nowhere_are_refused(tmp_path, old, new, said):
    text = CONFIG.format(feed="https://example.org/feed", hook="https://example.org/hook", secret=SECRET)
    (tmp_path / "config.toml").write_text(text.replace(old, new), "utf-8")
    if said is None:
        load(tmp_path / "config.toml", {})
        return
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.toml", {})
    assert said in str(caught.value)
