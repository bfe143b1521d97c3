"""Zotero, against a server that behaves like Zotero's: no paper is ever there twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from fakes import THURSDAY, FakeClock, paper
from output_receiving import http_settings, message
from werkzeug import Response
from zotero_api import KEY, ZoteroApi

from digestmail.errors import OutputError
from digestmail.model.papers import PaperId
from digestmail.outputs.zotero import ZoteroCollection
from digestmail.outputs.zotero_items import is_key, item, object_key

TITLES = ("A Cache That Forgets", "Notes on Naïve Baselines")


@pytest.fixture
def api() -> ZoteroApi:
    return ZoteroApi()


@pytest.fixture
def start(httpserver, api):
    address = api.listen(httpserver)

    def start(
        collection: str = "Digest", *, api_key: str = api.api_key, clock: FakeClock | None = None
    ) -> ZoteroCollection:
        return ZoteroCollection(
            http_settings(clock), url=address, library="users/12", collection=collection, api_key=api_key, timeout=5.0
        )

    return start


def titles(api: ZoteroApi) -> list[str]:
    return sorted(one["title"] for one in api.items.values())


def test_the_papers_of_an_edition_are_added_to_a_collection_that_is_created_for_them(api, start):
    assert start().send(message(*TITLES)) == "2 new, 0 known"

    ((key, collection),) = api.collections.items()
    assert collection["name"] == "Digest"
    assert titles(api) == sorted(TITLES)
    first = next(one for one in api.items.values() if one["title"] == TITLES[0])
    assert first["itemType"] == "preprint"
    assert first["collections"] == [key]
    assert first["archiveID"] == "arXiv:2604.00001"
    assert first["repository"] == "arXiv"
    assert first["creators"][0] == {"creatorType": "author", "firstName": "Ada", "lastName": "Example"}


def test_a_repeated_edition_adds_nothing_even_if_the_library_changed_meanwhile(api, start):
    start().send(message(*TITLES))
    before = json.dumps(api.items, sort_keys=True)
    api.version += 100

    assert start().send(message(*TITLES)) == "0 new, 2 known"
    assert json.dumps(api.items, sort_keys=True) == before
    assert len(api.collections) == 1


def test_a_write_whose_response_was_lost_is_repeated_without_a_second_item(api, start):
    start().send(message(TITLES[0]))
    api.lost = 1
    with pytest.raises(OutputError, match="502"):
        start().send(message(*TITLES))

    assert start().send(message(*TITLES)) == "0 new, 2 known"
    assert titles(api) == sorted(TITLES)


def test_a_paper_that_another_output_added_is_put_into_the_second_collection_too(api, start):
    start("First").send(message(*TITLES))
    start("Second").send(message(TITLES[0]))

    assert titles(api) == sorted(TITLES)
    both = next(one for one in api.items.values() if one["title"] == TITLES[0])
    assert len(both["collections"]) == 2
    assert both["abstractNote"]


def test_a_collection_is_found_by_its_name_on_any_page_or_by_its_key(api, start):
    for number in range(130):
        key = object_key("users/12", str(number))
        api.collections[key] = {"key": key, "version": 1, "name": f"Collection {number}"}
    wanted = object_key("users/12", "129")

    start("Collection 129").send(message(TITLES[0]))
    start(wanted).send(message(TITLES[1]))

    assert {tuple(one["collections"]) for one in api.items.values()} == {(wanted,)}
    assert len(api.collections) == 130


def test_a_name_that_two_collections_have_is_refused_with_their_keys(api, start):
    keys = [object_key("users/12", str(number)) for number in range(2)]
    api.collections = {key: {"key": key, "version": 1, "name": "Digest"} for key in keys}

    with pytest.raises(OutputError, match="2 collections are called") as raised:
        start().send(message(TITLES[0]))
    assert all(key in str(raised.value) for key in keys)


def test_a_key_of_no_collection_is_an_error_that_says_where_to_look(start):
    with pytest.raises(OutputError, match="404; look at library and collection"):
        start("ABCD2345").send(message(TITLES[0]))


def test_no_request_has_more_than_fifty_items(api, start):
    many = message(*(f"Paper {number}" for number in range(120)))
    edition = replace(many.edition, limits=replace(many.edition.limits, max_papers=200, max_per_topic=200))

    assert start().send(replace(many, edition=edition)) == "120 new, 0 known"
    assert [count for method, path, count in api.requests if method == "POST" and "items" in path] == [50, 50, 20]
    assert len(api.items) == 120


def test_a_request_that_is_too_large_is_sent_in_halves(api, start):
    start().send(message("Paper 0"))
    api.most = 2

    assert start().send(message(*(f"Paper {number}" for number in range(5)))) == "4 new, 1 known"
    assert len(api.items) == 5


def test_one_refused_item_leaves_the_others_in_and_is_reported(api, start):
    api.refused = {"Forgets": (400, "title is <too> odd\x1b")}

    with pytest.raises(OutputError, match="refused 1 of the papers: 400 title is") as raised:
        start().send(message(*TITLES))
    assert raised.value.permanent
    assert titles(api) == [TITLES[1]]
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("code", [409, 429, 500, 503])
def test_an_item_that_the_server_could_not_take_now_is_tried_again(api, start, code):
    api.refused = {"Forgets": (code, "later")}
    with pytest.raises(OutputError) as raised:
        start().send(message(*TITLES))
    assert not raised.value.permanent

    api.refused = {}
    assert start().send(message(*TITLES)) == "1 new, 1 known"


@pytest.mark.parametrize("status", [429, 503])
def test_a_throttled_request_waits_as_long_as_the_server_asks(api, start, status):
    api.answers = [Response(status=status, headers={"Retry-After": "77"})]

    with pytest.raises(OutputError) as raised:
        start().send(message(TITLES[0]))
    assert raised.value.retry_after == 77


def test_a_short_backoff_is_waited_for_and_a_long_one_ends_the_attempt(api, start):
    clock = FakeClock()
    api.headers = {"Backoff": "2"}
    start(clock=clock).send(message(TITLES[0]))
    assert (clock.now() - THURSDAY).total_seconds() == 4  # between three requests

    api.headers = {"Backoff": "600"}
    with pytest.raises(OutputError, match="pause of 600 seconds") as raised:
        start().send(message(*TITLES))
    assert raised.value.retry_after == 600


def test_a_key_that_may_not_write_is_named_and_never_shown(api, start):
    api.may_write = False
    with pytest.raises(OutputError, match="may not write") as raised:
        start().send(message(TITLES[0]))
    assert api.api_key not in str(raised.value)
    with pytest.raises(OutputError, match="may not write"):
        start().send(message(TITLES[0], test=True))


def test_a_key_that_a_server_repeats_is_hidden(api, start):
    api.answers = [Response(f"no access for {api.api_key}", status=403)]
    with pytest.raises(OutputError) as raised:
        start().send(message(TITLES[0]))
    assert api.api_key not in str(raised.value)


def test_a_test_changes_nothing(api, start):
    assert start().send(message("x", test=True)) == "the key may write; the collection will be created"
    assert api.items == api.collections == {}


@pytest.mark.parametrize(
    "body", ["", "[]", "null", '{"failed": []}', '{"successful": {}}', "[" * 100_000, '{"failed": {"x": 1}}']
)
def test_a_report_that_is_none_counts_as_no_success(api, start, body):
    start().send(message(TITLES[0]))
    api.answers = [
        Response(json.dumps([{"data": next(iter(api.collections.values()))}]), mimetype="application/json"),
        Response(body, mimetype="application/json"),
    ]

    with pytest.raises(OutputError):
        start().send(message(*TITLES))


def test_keys_are_those_of_zotero_and_differ_between_libraries_and_papers():
    keys = {object_key(library, str(n)) for library in ("users/1", "groups/1") for n in range(500)}

    assert len(keys) == 1000
    assert all(KEY.fullmatch(key) and is_key(key) for key in keys)
    assert not is_key("Digest10")


@pytest.mark.parametrize(
    ("paper_id", "kind"),
    [("arxiv:2604.00001", "preprint"), ("doi:10.1101/2026.04.02", "preprint"), ("doi:10.1038/x", "journalArticle"),
     ("url:https://example.org/x", "webpage")],
)  # fmt: skip
def test_the_type_of_an_item_follows_the_identifier(paper_id, kind):
    made = item(
        replace(paper(1), id=PaperId(paper_id)), library="users/1", collection="ABCD2345", today=date(2026, 4, 2)
    )

    assert made["itemType"] == kind
    assert made["version"] == 0


def test_a_huge_paper_stays_within_what_zotero_takes():
    huge = replace(
        paper(1), title="T" * 100_000, abstract="a" * 1_000_000, authors=("A B",) * 9000, keywords=("k" * 900,) * 99
    )
    made = item(huge, library="users/1", collection="ABCD2345", today=date(2026, 4, 2))

    assert len(json.dumps(made)) < 100_000
