"""Two `up`, one `web` and runs as cron starts them on one database; one `up` is killed while it sends."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clirun import digestmail
from holding import HoldingServer, holding
from loopback import answering, listening, ok
from sqlalchemy import select
from uprun import configure, get, running

from digestmail.model.deliveries import DeliveryState
from digestmail.storage import deliveries, schema
from digestmail.storage.database import Database

READERS = 300
UPS = ("one.example.org", "two.example.org")
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Findings</title><link>https://feed.example.org/</link>
<item><title>A made-up finding</title><link>https://feed.example.org/1</link><guid>https://feed.example.org/1</guid>
<description>Plain words.</description><pubDate>{:%a, %d %b %Y %H:%M:%S} +0000</pubDate></item></channel></rss>"""


def ehlo(name: str) -> dict[str, str]:
    return {"DIGESTMAIL_MAIL__SMTP__EHLO_NAME": name}


def addresses(database_url: str) -> tuple[Counter[str], Counter[str]]:
    """Return the states of all deliveries, and how many attempts at each address are listed as ambiguous."""
    subscriber, attempt = schema.subscribers.c, schema.attempts.c
    database = Database.open(database_url, base=Path("/"))
    try:
        with database.connect() as connection:
            states = Counter(connection.execute(select(schema.deliveries.c.state)).scalars())
            unsure = connection.execute(
                select(subscriber.address)
                .join(schema.attempts, attempt.subscriber_id == subscriber.id)
                .where(attempt.state == DeliveryState.AMBIGUOUS)
            ).scalars()
            doubted = Counter(unsure)
            assert deliveries.unbalanced(connection) == ()
            return states, doubted
    finally:
        database.close()


def deliver_the_rest(site: Path, server: HoldingServer) -> None:
    """Run as cron does, until every reader has an email."""
    for _ in range(20):
        with running(site, "run", "--quiet", environment=ehlo("cron.example.org")) as run:
            said, complaints = run.process.communicate(timeout=120)
            assert run.process.returncode in {0, 1}, said + complaints
            assert "Traceback" not in complaints
        if len(server.arrived) == READERS:
            return
    raise AssertionError(f"only {len(server.arrived)} of {READERS} readers have an email")


@pytest.mark.slow
def test_a_kill_of_one_of_four_processes_loses_nothing_and_repeats_only_what_is_ambiguous(tmp_path, database_url):
    begun = datetime.now(UTC) - timedelta(minutes=5)  # these processes have the machine's clock
    feed = answering(*[ok(FEED.format(begun).encode(), "Content-Type: application/rss+xml")] * 40)
    with ExitStack() as stack:
        source = stack.enter_context(listening(feed))
        server = stack.enter_context(holding(frozenset(UPS), turn=40))
        configure(
            tmp_path,
            f'kind = "feed"\nurl = "http://127.0.0.1:{source.port}/feed.xml"',
            mail=f'[mail.smtp]\nhost = "127.0.0.1"\nport = {server.port}\nconnections = 4\n',
            top=f'database = "{database_url}"',
            schedule=f"{begun.minute} {begun.hour} * * *",
        )
        lines = ["address,digest", *(f"reader{number}@d{number % 20}.example.org,daily" for number in range(READERS))]
        (tmp_path / "people.csv").write_text("\n".join(lines), "ascii")
        consent = ("--consent-source", "a test", "--consent-at", "2026-04-02")
        digestmail(tmp_path, "subscribers", "import", "people.csv", *consent)
        ups = {name: stack.enter_context(running(tmp_path, "up", environment=ehlo(name))) for name in UPS}
        web = stack.enter_context(running(tmp_path, "web", environment=ehlo("web.example.org")))
        page = web.page()
        assert server.reached.wait(120), "no `up` sent enough"
        ups[server.holds].process.send_signal(signal.SIGKILL)
        assert ups[server.holds].process.wait(60) == -signal.SIGKILL
        assert get(f"{page}healthz") == "ok\n"
        deliver_the_rest(tmp_path, server)
        (other,) = [up for name, up in ups.items() if name != server.holds]
        assert other.end() == 0
        assert "Traceback" not in other.log
        assert "A made-up finding" in get(f"{page}daily/{begun.date()}")
        assert web.end() == 0
        deliver_the_rest(tmp_path, server)
    states, doubted = addresses(database_url)
    assert states == {DeliveryState.SENT: READERS}
    assert sum(doubted.values()) >= 1, "the message that was held is ambiguous"
    for address, messages in server.arrived.items():
        assert len(messages) == 1, "one Message-ID for each reader"
        assert messages.total() <= 1 + doubted[address], f"{address} got it twice, and it is not listed as ambiguous"
