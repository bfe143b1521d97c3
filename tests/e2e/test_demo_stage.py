"""The stage of the demo: the sample, the services that give it, the server that receives the mail."""

from __future__ import annotations

import gzip
import json
import mailbox
import smtplib
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feedparser
import pytest

from digestmail.demo.receiver import receiving
from digestmail.demo.services import SAMPLE_CATEGORIES, SAMPLE_DAY, sample, serving
from digestmail.model.deliveries import Envelope
from digestmail.transports.single import send_one
from digestmail.transports.smtp.client import SmtpTransport

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
needs_captures = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here: captured days are needed")


def daily_papers() -> list[dict[str, Any]]:
    return json.loads(sample("daily_papers.json"))


def arxiv_id(link: str) -> str:
    return link.rpartition("/")[2]


# -- the sample ----------------------------------------------------------------------------------------------------


def test_the_sample_is_small() -> None:
    assert sum(len(sample(name)) for name in ("daily_papers.json", "arxiv.rss", "feed.atom")) < 60_000


def test_every_paper_of_the_day_has_what_the_service_always_gives() -> None:
    items = daily_papers()
    assert len(items) == 14
    for item in items:
        assert {"id", "title", "summary", "authors", "upvotes", "publishedAt"} <= item["paper"].keys()
        assert item["paper"]["submittedOnDailyAt"].startswith(SAMPLE_DAY.isoformat())
        assert item["title"] == item["paper"]["title"]


def test_the_feeds_parse_without_complaint() -> None:
    for name, entries in (("arxiv.rss", 12), ("feed.atom", 3)):
        feed = feedparser.parse(sample(name))
        assert not feed.bozo
        assert len(feed.entries) == entries


def test_the_arxiv_feed_announces_relative_to_the_categories_asked_for() -> None:
    for entry in feedparser.parse(sample("arxiv.rss")).entries:
        primary = entry.tags[0].term
        assert entry.arxiv_announce_type == ("new" if primary in SAMPLE_CATEGORIES else "cross")
        assert entry.id == f"oai:arXiv.org:{arxiv_id(entry.link)}v1"
        assert entry.summary.startswith(
            f"arXiv:{arxiv_id(entry.link)}v1 Announce Type: {entry.arxiv_announce_type} \nAbs"
        )


def test_the_sources_share_papers_so_that_merging_shows() -> None:
    hugging_face = {item["paper"]["id"] for item in daily_papers()}
    arxiv = {arxiv_id(entry.link) for entry in feedparser.parse(sample("arxiv.rss")).entries}
    blog = {arxiv_id(entry.link) for entry in feedparser.parse(sample("feed.atom")).entries}
    assert len(hugging_face & arxiv) == 2
    assert len(hugging_face & arxiv & blog) == 1


def test_the_sample_holds_tex_in_titles_abstracts_and_names() -> None:
    entries = feedparser.parse(sample("arxiv.rss")).entries
    assert any("$" in entry.title for entry in entries)
    assert sum("$" in entry.summary for entry in entries) >= 3
    assert any("\\" in entry.author for entry in entries)


@needs_captures
def test_the_facts_of_the_sample_are_those_of_the_day_and_the_texts_are_not() -> None:
    captured = json.loads(gzip.decompress((SHARED / "data/hf_daily" / f"{SAMPLE_DAY}.json.gz").read_bytes()))
    by_id = {item["paper"]["id"]: item["paper"] for item in captured}
    for item in daily_papers():
        ours, theirs = item["paper"], by_id[item["paper"]["id"]]
        for fact in ours.keys() - {"summary", "ai_summary", "ai_keywords", "authors", "organization"}:
            assert ours[fact] == theirs[fact]
        assert [author["name"] for author in ours["authors"]] == [author["name"] for author in theirs["authors"]]
        assert ours["summary"] != theirs["summary"]


# -- the services --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def services() -> Iterator[str]:
    with serving() as url:
        yield url


def get(services: str, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(urlsplit(services).netloc, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_the_day_of_the_sample_is_served_page_by_page(services: str) -> None:
    pages = [get(services, f"/api/daily_papers?date={SAMPLE_DAY}&limit=10&p={page}")[1] for page in range(3)]
    first, second, third = (json.loads(page) for page in pages)
    assert (len(first), len(second), third) == (10, 4, [])
    assert first + second == daily_papers()


def test_other_days_are_empty(services: str) -> None:
    assert get(services, "/api/daily_papers?date=2026-04-03&limit=100&p=0")[1] == b"[]"


def test_a_bad_date_is_a_bad_request(services: str) -> None:
    assert get(services, "/api/daily_papers?date=tomorrow")[0].status == 400


@pytest.mark.parametrize("path", ["/rss/cs.LG+cs.CL+cs.AI", "/rss/cs.AI+cs.LG+cs.CL", "/rss/cs.LG%2Bcs.CL%2Bcs.AI"])
def test_the_arxiv_feed_is_served_as_it_is(services: str, path: str) -> None:
    response, body = get(services, path)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("application/xml")
    assert body == sample("arxiv.rss")


def test_the_blog_is_served_as_it_is(services: str) -> None:
    assert get(services, "/feed.atom")[1] == sample("feed.atom")


@pytest.mark.parametrize("path", ["/", "/rss/math.NT", "/sample/feed.atom", "/feed.atom/../arxiv.rss"])
def test_nothing_else_is_served(services: str, path: str) -> None:
    assert get(services, path)[0].status == 404


@pytest.mark.parametrize(
    "path", ["/feed.atom", "/rss/cs.LG+cs.CL+cs.AI", f"/api/daily_papers?date={SAMPLE_DAY}&limit=100&p=0"]
)
def test_what_the_client_has_already_is_not_sent_again(services: str, path: str) -> None:
    response, _ = get(services, path)
    again, body = get(services, path, **{"If-None-Match": response.headers["ETag"]})
    assert (again.status, body) == (304, b"")
    assert get(services, path, **{"If-None-Match": '"other"'})[0].status == 200


def test_the_services_leave_nothing_running() -> None:
    before = set(threading.enumerate())
    with serving() as url:
        get(url, "/feed.atom")
        assert set(threading.enumerate()) - before
    # Threads of earlier tests may end in the meantime, so only new ones count.
    assert not set(threading.enumerate()) - before
    with pytest.raises(ConnectionRefusedError):
        get(url, "/feed.atom")


# -- the receiver --------------------------------------------------------------------------------------------------

MESSAGE = (
    b"Message-ID: <1@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain\r\n\r\n"
    b".\r\n..\r\n. \r\nFrom here on\r\n\ttabs and trailing spaces  \r\n" + b"x" * 998 + b"\r\n\r\n\r\n"
)


def test_the_receiver_keeps_a_message_octet_for_octet(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mail"
    with receiving(path) as (host, port):
        transport = SmtpTransport(host=host, port=port, security="none", timeout=5, local_hostname="client")
        for recipient in ("one@example.org", "jürgen@example.org"):
            send_one(transport, Envelope(sender="bounce@example.org", recipient=recipient), MESSAGE)
    stored = sorted(file.read_bytes() for file in (path / "new").iterdir())
    assert stored == sorted(
        f"Return-Path: <bounce@example.org>\nDelivered-To: {recipient}\n".encode() + MESSAGE.replace(b"\r\n", b"\n")
        for recipient in ("one@example.org", "jürgen@example.org")
    )


def test_other_programs_can_read_what_the_receiver_kept(tmp_path: Path) -> None:
    with receiving(tmp_path / "mail") as (host, port), smtplib.SMTP(host, port, "client") as client:
        client.sendmail("", ["a@example.org", "b@example.org"], MESSAGE)
    (message,) = mailbox.Maildir(tmp_path / "mail", create=False)
    assert message["Return-Path"] == "<>"
    assert message.get_all("Delivered-To") == ["a@example.org", "b@example.org"]


def test_the_receiver_listens_on_loopback_and_only_as_long_as_asked(tmp_path: Path) -> None:
    with receiving(tmp_path / "mail") as address:
        assert address[0] == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=1)


def test_the_receiver_ends_while_a_client_is_still_there(tmp_path: Path) -> None:
    before = threading.active_count()
    with receiving(tmp_path / "mail") as address:
        client = socket.create_connection(address, timeout=5)
        greeting = client.makefile("rb")
        assert greeting.readline().startswith(b"220 ")
    with client, greeting:
        assert greeting.read() == b""
    assert threading.active_count() == before
