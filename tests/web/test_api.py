from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

import pytest
from websites import TOKEN, ask, create_app, open_app, publish

from digestmail.errors import SubscriptionError
from digestmail.storage.database import Database
from digestmail.subscribers import admin

ADMIN = {"authorization": f"Bearer {TOKEN}"}


def two_days(database):
    for day in range(2):
        publish(database, day)


@pytest.fixture
def site(filled_url):
    with open_app(filled_url(two_days)) as app:
        yield create_app(app)


def test_papers_come_page_by_page_until_there_are_none(site):
    seen, path = [], "/api/v1/papers?limit=5"
    while path:
        found = ask(site, path).json
        seen += [item["id"] for item in found["items"]]
        path = (found["next"] or "").removeprefix("https://papers.example.org")
    assert len(seen) == len(set(seen)) == 14


def test_editions_are_listed_and_read(site):
    found = ask(site, "/api/v1/editions?digest=daily&limit=1").json
    assert [item["slot"] for item in found["items"]] == ["2026-04-02"]
    assert "offset=1" in found["next"]
    edition = ask(site, "/api/v1/editions/daily/2026-04-02").json
    assert edition["sections"][0]["entries"][0]["counts"]["upvotes"] == 187
    assert ask(site, "/api/v1/editions?digest=nobody").status == 404


def test_a_paper_is_read_by_any_of_its_names(site):
    found = ask(site, "/api/v1/papers/https://arxiv.org/abs/2601.00001v3").json
    assert found["paper"]["id"] == "arxiv:2601.00001"
    assert found["editions"] == [{"digest": "daily", "slot": "2026-04-02"}]
    assert len(found["sightings"]) == 3


def test_the_search_is_the_page_s(site):
    found = ask(site, "/api/v1/search?q=cache&limit=1").json
    assert (found["total"], len(found["items"])) == (2, 1)
    assert "offset=1" in found["next"]
    assert ask(site, "/api/v1/search?q=cache&from=2030-01-01").json["total"] == 0


def test_errors_are_problem_documents(site):
    for path, status in (("/api/v1/papers/none", 404), ("/api/v1/papers?limit=0", 422), ("/api/v1/statistics", 401)):
        found = ask(site, path)
        assert found.headers["content-type"] == "application/problem+json"
        assert (found.status, found.json["status"], found.json["type"]) == (status, status, "about:blank")
    assert ask(site, "/api/v1/papers", method="POST").status == 405


@pytest.mark.parametrize(
    "said", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"authorization": "Bearer é"}]
)
@pytest.mark.parametrize("path", ["subscribers", "suppressions", "statistics"])
def test_only_the_admin_token_opens_the_operator_s_half(site, path, said):
    said = {name: value.encode().decode("latin-1") for name, value in said.items()}
    assert ask(site, f"/api/v1/{path}", headers={k: v for k, v in said.items() if v.isascii()}).status == 401


def test_without_a_configured_token_all_admin_requests_are_refused(database_url):
    with open_app(database_url, admin_token=None) as app:
        assert ask(create_app(app), "/api/v1/statistics", headers={"authorization": "Bearer "}).status == 401


def test_a_write_with_the_same_key_is_answered_and_not_done_again(site):
    body = {"address": "reader@example.net", "digest": "daily", "topics": ["Agents"]}
    headers = ADMIN | {"idempotency-key": "first-write-1"}
    first = ask(site, "/api/v1/subscribers", method="POST", headers=headers, json_body=body)
    assert first.status == 200
    assert ask(site, "/api/v1/subscribers/reader@example.net", method="DELETE", headers=ADMIN).status == 204
    again = ask(site, "/api/v1/subscribers", method="POST", headers=headers, json_body=body)
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")
    found = ask(site, "/api/v1/subscribers", headers=ADMIN).json["items"]
    assert [one["state"] for one in found] == ["unsubscribed"]
    other = ask(site, "/api/v1/subscribers", method="POST", headers=headers, json_body=body | {"topics": []})
    assert other.status == 422


def at_once(site, monkeypatch, *, fail_first: bool = False):
    """Ask twice at the same moment: the second comes while the first is at work. Return both answers, and how often."""
    headers = ADMIN | {"idempotency-key": "same-moment-1"}
    body = {"address": "reader@example.net", "digest": "daily"}
    arrivals, works = count(1), count(1)
    at_work, second_is_there = Event(), Event()
    begin, add = Database.begin, admin.add_within

    def watched_begin(database):
        if next(arrivals) == 2:
            second_is_there.set()
        return begin(database)

    def slow_add(*args):
        if next(works) == 1:
            at_work.set()
            assert second_is_there.wait(20)
            if fail_first:
                raise SubscriptionError("not now")
        return add(*args)

    monkeypatch.setattr(Database, "begin", watched_begin)
    monkeypatch.setattr(admin, "add_within", slow_add)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, site, "/api/v1/subscribers", method="POST", headers=headers, json_body=body)
        assert at_work.wait(20)
        second = pool.submit(ask, site, "/api/v1/subscribers", method="POST", headers=headers, json_body=body)
        return first.result(), second.result(), next(works) - 1


def test_of_two_requests_with_one_key_at_once_the_second_waits_for_the_answer(site, monkeypatch):
    first, second, works = at_once(site, monkeypatch)
    assert (first.status, second.status, works) == (200, 200, 1)
    assert (second.body, second.headers["idempotency-replayed"]) == (first.body, "true")


def test_when_the_first_of_two_fails_the_second_does_the_work(site, monkeypatch):
    first, second, works = at_once(site, monkeypatch, fail_first=True)
    assert (first.status, second.status, works) == (422, 200, 2)
    assert "idempotency-replayed" not in second.headers


def test_suppressions_are_added_listed_and_lifted(site):
    body = {"address": "Angry@Example.net", "detail": "asked by phone"}
    made = ask(site, "/api/v1/suppressions", method="POST", headers=ADMIN, json_body=body).json
    assert made["key"] == "angry@example.net"
    assert ask(site, "/api/v1/suppressions", headers=ADMIN).json["items"] == [made]
    assert ask(site, "/api/v1/suppressions/angry@example.net", method="DELETE", headers=ADMIN).status == 204
    assert ask(site, "/api/v1/suppressions/angry@example.net", method="DELETE", headers=ADMIN).status == 404


def test_a_bad_address_or_digest_is_refused(site):
    for body in ({"address": "no address", "digest": "daily"}, {"address": "a@example.net", "digest": "nope"}):
        assert ask(site, "/api/v1/subscribers", method="POST", headers=ADMIN, json_body=body).status == 422
    assert ask(site, "/api/v1/suppressions", method="POST", headers=ADMIN, json_body={"address": "nope"}).status == 422


def test_statistics_count(site):
    found = ask(site, "/api/v1/statistics", headers=ADMIN)
    assert found.json["papers"] == 14
    assert found.json["editions"] == {"daily": 2}
    assert found.headers["cache-control"] == "no-store"
