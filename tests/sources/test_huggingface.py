from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from fetching import ScriptedFetcher, in_order
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.errors import SourceThrottledError, SourceUnavailableError, SourceUnreadableError
from digestmail.model.papers import Origin, Signals
from digestmail.sources.huggingface import HuggingFace, days_to_read
from digestmail.sources.huggingface_items import parse_daily_papers
from digestmail.sources.repositories import repository_address

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
TODAY = date(2026, 4, 2)


def item(arxiv_id: str = "2604.00157", **paper: object) -> dict[str, object]:
    """Return an item with the six fields every paper has, and what is given."""
    return {
        "paper": {
            "id": arxiv_id,
            "title": "Sparse routes through dense models",
            "summary": "We take the shorter way.",
            "authors": [{"name": "Ada Lovelace", "hidden": False}],
            "upvotes": 12,
            "publishedAt": "2026-03-20T10:24:50.000Z",
            **paper,
        },
        "publishedAt": "2026-04-01T05:24:50.000Z",
        "numComments": 3,
    }


def page(*items: object) -> bytes:
    return json.dumps(items).encode()


def only(*items: object, day: date = TODAY):
    (sighting,) = parse_daily_papers(page(*items), source="hf", day=day).sightings
    return sighting


def source(*outcomes: bytes | Exception | None, limit: int = 100) -> tuple[HuggingFace, ScriptedFetcher]:
    fetcher = ScriptedFetcher(in_order(*outcomes))
    return HuggingFace(name="hf", fetcher=fetcher, limit=limit), fetcher


# -- one item ---------------------------------------------------------------------------------------------------------


def test_it_needs_nothing_but_the_six_fields_every_paper_has():
    bare = item()
    del bare["numComments"], bare["publishedAt"]
    sighting = only(bare)
    assert sighting.paper.id == "arxiv:2604.00157"
    assert sighting.paper.origin is Origin.HUGGING_FACE
    assert sighting.paper.link == "https://arxiv.org/abs/2604.00157"
    assert sighting.paper.discussion_url == "https://huggingface.co/papers/2604.00157"
    assert sighting.signals == Signals(upvotes=12)
    assert sighting.day == TODAY


def test_the_digest_day_is_when_it_was_submitted_to_the_daily_page():
    sighting = only(item(submittedOnDailyAt="2026-04-01T01:58:49.295Z"))
    assert sighting.day == date(2026, 4, 1)
    assert sighting.paper.published_at == datetime(2026, 3, 20, 10, 24, 50, tzinfo=UTC)


def test_times_are_in_utc_whatever_zone_they_come_in():
    sighting = only(item(submittedOnDailyAt="2026-04-02T03:00:00+09:00", publishedAt="2026-03-20T22:00:00-05:00"))
    assert sighting.day == date(2026, 4, 1)
    assert sighting.paper.published_at == datetime(2026, 3, 21, 3, 0, tzinfo=UTC)
    assert sighting.paper.published_at.tzinfo is UTC


def test_upvotes_come_from_the_paper_and_comments_from_the_item():
    odd = {**item(githubStars=7), "upvotes": 999}
    assert only(odd).signals == Signals(upvotes=12, comments=3, stars=7)


def test_hidden_authors_are_left_out_and_two_people_of_one_name_stay_two():
    authors = [
        {"name": "Ada Lovelace"},
        {"name": "Nobody Known", "hidden": True},
        {"name": "Ada  Lovelace", "hidden": False, "user": {"avatarUrl": "/avatars/1.svg"}},
        {"name": "Kurt Gödel", "hidden": None},
    ]
    assert only(item(authors=authors)).paper.authors == ("Ada Lovelace", "Ada Lovelace", "Kurt Gödel")


def test_hundreds_of_authors_are_authors():
    authors = [{"name": f"Person Number{number}"} for number in range(664)]
    assert len(only(item(authors=authors)).paper.authors) == 664


def test_hard_wrapped_texts_are_folded_and_kept_raw():
    paper = only(item(title="Sparse\n  routes", summary="We take\n  the shorter\n  way.")).paper
    assert (paper.title, paper.abstract) == ("Sparse routes", "We take the shorter way.")
    assert (paper.raw_title, paper.raw_abstract) == ("Sparse\n  routes", "We take\n  the shorter\n  way.")


def test_texts_that_look_like_tags_are_text():
    paper = only(item(title="Stop at <think>", summary="Until <EOS> or <b>, whichever & comes first.")).paper
    assert paper.title == "Stop at <think>"
    assert paper.abstract == "Until <EOS> or <b>, whichever & comes first."


def test_keywords_may_come_without_a_summary():
    paper = only(item(ai_keywords=["routing ", "sparsity", "routing", ""])).paper
    assert paper.summary is None
    assert paper.keywords == ("routing", "sparsity")


def test_the_machine_summary_and_the_organization_are_kept():
    paper = only(item(ai_summary="A shorter\nway.", organization={"name": "lab", "fullname": "The Lab"})).paper
    assert paper.summary == "A shorter way."
    assert paper.organization == "The Lab"


def test_the_organization_may_stand_beside_the_paper_and_lack_a_full_name():
    assert only({**item(), "organization": {"name": "lab"}}).paper.organization == "lab"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://github.com/ada/engine", "https://github.com/ada/engine"),
        ("https://github.com/ada/engine/", "https://github.com/ada/engine"),
        ("https://github.com/ada/engine/tree/main", "https://github.com/ada/engine"),
        ("https://github.com/ada/engine.git", "https://github.com/ada/engine"),
        ("http://www.github.com/ada/engine?tab=readme#top", "https://github.com/ada/engine"),
        ("github.com/ada/engine", "https://github.com/ada/engine"),
        ("ada/engine", "https://github.com/ada/engine"),
        (" ada/engine_2.0 ", "https://github.com/ada/engine_2.0"),
        ("https://github.com/ada/\nengine.git", "https://github.com/ada/engine"),
        ("https://gitlab.com/ada/engine", "https://gitlab.com/ada/engine"),
        ("https://github.com/ada", "https://github.com/ada"),
        ("javascript:alert(1)", None),
        ("ada/..", None),
        ("engine", None),
        ("", None),
        (None, None),
    ],
)
def test_code_is_found_however_it_is_written(written, meant):
    assert repository_address(written) == meant
    assert only(item(githubRepo=written)).paper.code_url == meant


def test_only_web_addresses_become_links():
    odd = {**item(projectPage="javascript:alert(1)"), "thumbnail": "http://cdn.example.org/1.png"}
    assert only(odd).paper.project_url is None
    assert only(odd).paper.thumbnail_url is None
    good = {**item(projectPage="http://lab.example.org/#demo"), "thumbnail": "https://cdn.example.org/1.png"}
    assert only(good).paper.project_url == "http://lab.example.org/#demo"
    assert only(good).paper.thumbnail_url == "https://cdn.example.org/1.png"


def test_a_withdrawn_paper_says_so():
    assert only(item(withdrawnAt="2026-04-01T00:00:00.000Z")).paper.withdrawn
    assert not only(item(withdrawnAt=None)).paper.withdrawn


def test_an_optional_field_of_a_wrong_kind_does_not_cost_the_paper():
    wrong = item(
        githubStars="many",
        ai_keywords="routing",
        ai_summary=7,
        organization="The Lab",
        submittedOnDailyAt="yesterday",
        projectPage=[],
        githubRepo={},
    )
    sighting = only({**wrong, "numComments": -1, "thumbnail": 5})
    assert sighting.signals == Signals(upvotes=12)
    assert sighting.day == TODAY
    assert sighting.paper.organization is None


@pytest.mark.parametrize(
    ("odd", "field", "value"),
    [
        ({"summary": None}, "abstract", ""),
        ({"summary": ["A", "list"]}, "abstract", ""),
        ({"authors": None}, "authors", ()),
        ({"authors": "Ada Lovelace"}, "authors", ()),
        ({"authors": [{"name": "Ada"}, {}, {"name": None}, {"name": "Emmy", "hidden": True}, 5]}, "authors", ("Ada",)),
        ({"publishedAt": None}, "published_at", None),
        ({"publishedAt": "2026-03-20"}, "published_at", None),
        ({"publishedAt": "0001-01-01T00:00:00+14:00"}, "published_at", None),
    ],
)
def test_a_field_that_is_missing_or_odd_does_not_cost_the_paper(odd, field, value):
    paper = only(item(**odd)).paper
    assert (paper.id, getattr(paper, field)) == ("arxiv:2604.00157", value)
    assert paper.title


@pytest.mark.parametrize("name", ["summary", "authors", "upvotes", "publishedAt"])
def test_a_field_that_hugging_face_leaves_out_does_not_cost_the_paper(name):
    without = json.loads(json.dumps(item()))
    del without["paper"][name]
    assert only(without).paper.id == "arxiv:2604.00157"


@pytest.mark.parametrize("count", [None, "a lot", -1, 2**70])
def test_upvotes_that_are_no_number_are_unknown(count):
    assert only(item(upvotes=count)).signals.upvotes is None


def test_a_title_or_summary_beside_the_paper_stands_in_for_a_missing_one():
    paper = only({**item(title=None, summary=None), "title": "On routes", "summary": "Shorter ones."}).paper
    assert (paper.title, paper.abstract) == ("On routes", "Shorter ones.")


@pytest.mark.parametrize(
    ("given", "paper_id", "link"),
    [
        ("10.1101/2026.03.01.7", "doi:10.1101/2026.03.01.7", "https://doi.org/10.1101/2026.03.01.7"),
        (
            "openreview-Xy7",
            "url:https://huggingface.co/papers/openreview-Xy7",
            "https://huggingface.co/papers/openreview-Xy7",
        ),
        ("a b?", "url:https://huggingface.co/papers/a%20b%3F", "https://huggingface.co/papers/a%20b%3F"),
    ],
)
def test_a_paper_that_is_not_on_arxiv_is_known_by_its_doi_or_its_page(given, paper_id, link):
    paper = only(item(given)).paper
    assert (paper.id, paper.link) == (paper_id, link)
    assert (paper.discussion_url or "").startswith("https://huggingface.co/papers/")


def test_a_challenge_page_is_called_one():
    with pytest.raises(SourceUnreadableError, match="challenge page of Anubis"):
        parse_daily_papers(b"<!doctype html><html><script src='/.within.website/x.js'>", source="hf", day=TODAY)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (item(title="\u200b \n"), "no id or no title"),
        (item(" \n"), "no id or no title"),
        (item(id=7), "paper.id: "),
        ({"title": "no paper"}, "paper: "),
        ("no object", "item: "),
        (None, "item: "),
    ],
)
def test_one_bad_item_is_skipped_with_its_reason_and_the_rest_is_kept(broken, reason):
    parsed = parse_daily_papers(page(broken, item("2604.00158")), source="hf", day=TODAY)
    assert [sighting.paper.id for sighting in parsed.sightings] == ["arxiv:2604.00158"]
    (skip,) = parsed.skipped
    assert skip.reason.startswith(reason)
    assert skip.entry
    assert parsed.entries == 2


def test_what_no_database_takes_is_not_handed_on():
    paper = only(item(title="Nul\x00, half a \ud83d", summary="A \x00 \udc00", ai_keywords=["\ud800 key"])).paper
    texts = [paper.title, paper.raw_title, paper.abstract, paper.raw_abstract, *paper.keywords]
    assert "\x00" not in "".join(texts)
    assert "".join(texts).encode()
    (skip,) = parse_daily_papers(page(item("\ud800")), source="hf", day=TODAY).skipped
    assert skip.entry.isprintable()


@pytest.mark.parametrize(
    "body", [b"", b"<html>maintenance", b'{"error":"x"}', b"[" * 100_000, b"[1", b"null", b"\xff\xfe"]
)
def test_an_answer_that_is_no_list_is_unreadable(body):
    with pytest.raises(SourceUnreadableError):
        parse_daily_papers(body, source="hf", day=TODAY)


def test_no_papers_are_no_trouble():
    assert parse_daily_papers(b"[]", source="hf", day=TODAY).entries == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*sorted(item()["paper"]), "githubRepo", "organization", "withdrawnAt"]), JSON))
def test_whatever_stands_in_an_item_it_is_counted_and_nothing_is_raised(fields):
    parsed = parse_daily_papers(page(item(**fields), item("2604.00158")), source="hf", day=TODAY)
    assert parsed.entries == 2
    assert "arxiv:2604.00158" in [sighting.paper.id for sighting in parsed.sightings]


# -- which days, which pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "days"),
    [(None, 3), (NOW, 3), (NOW - timedelta(days=2), 3), (NOW - timedelta(days=5), 6), (NOW - timedelta(days=90), 8)],
)
def test_it_reads_today_the_two_days_before_and_what_was_missed(since, days):
    asked = days_to_read(NOW, since)
    assert asked == [TODAY - timedelta(days=back) for back in range(days)]


def test_it_asks_for_each_day_politely_until_a_page_is_short():
    hf, fetcher = source(page(item("2604.00001"), item("2604.00002")), page(item("2604.00003")), b"[]", b"[]", limit=2)
    reading = hf.read(NOW, None)
    assert [(request.query["date"], request.query["p"]) for request in fetcher.requests] == [
        ("2026-04-02", "0"),
        ("2026-04-02", "1"),
        ("2026-04-01", "0"),
        ("2026-03-31", "0"),
    ]
    assert {request.query["limit"] for request in fetcher.requests} == {"2"}
    assert all(request.url.startswith("https://huggingface.co/api/daily_papers?") for request in fetcher.requests)
    assert all(request.min_interval == 1.0 and request.accept == "application/json" for request in fetcher.requests)
    assert len(reading.sightings) == reading.entries == 3
    assert reading.partial is None
    assert set(reading.validators) == {request.url for request in fetcher.requests}


def test_links_for_people_never_lead_to_the_address_it_fetches_from():
    fetcher = ScriptedFetcher(lambda request: page(item()) if request.query["date"] == "2026-04-02" else b"[]")
    (sighting,) = HuggingFace(name="hf", fetcher=fetcher, base_url="http://127.0.0.1:8900/").read(NOW, None).sightings
    assert fetcher.requests[0].url.startswith("http://127.0.0.1:8900/api/daily_papers?")
    assert sighting.paper.discussion_url == "https://huggingface.co/papers/2604.00157"


def test_a_paper_on_two_days_is_one_sighting_of_the_later_day_with_the_higher_numbers():
    hf, _ = source(
        page(item(submittedOnDailyAt="2026-04-02T01:00:00Z", upvotes=4, title="New title")),
        page({**item(submittedOnDailyAt="2026-04-01T01:00:00Z", upvotes=9, githubStars=2), "numComments": None}),
        b"[]",
    )
    reading = hf.read(NOW, None)
    (sighting,) = reading.sightings
    assert (sighting.day, sighting.paper.title) == (TODAY, "New title")
    assert sighting.signals == Signals(upvotes=9, comments=3, stars=2)
    assert (reading.entries, [skip.reason for skip in reading.skipped]) == (2, ["listed more than once"])


def test_a_paper_twice_on_one_page_is_one_sighting():
    parsed = parse_daily_papers(page(item(upvotes=1), item(upvotes=5)), source="hf", day=TODAY)
    assert [sighting.signals.upvotes for sighting in parsed.sightings] == [5]
    assert parsed.entries == 2


def test_nothing_but_not_modified_is_an_unchanged_reading():
    hf, fetcher = source(*[None] * 6)
    reading = hf.read(NOW, None)
    assert reading.unchanged
    assert (reading.entries, reading.partial) == (0, None)
    assert len(fetcher.requests) == 6


def test_an_unchanged_page_does_not_hide_the_next_one():
    hf, fetcher = source(None, page(item()), b"[]", b"[]", b"[]", limit=1)
    reading = hf.read(NOW, None)
    assert [request.query["p"] for request in fetcher.requests] == ["0", "1", "2", "0", "0"]
    assert len(reading.sightings) == 1
    assert not reading.unchanged


def test_a_page_that_fails_after_others_makes_the_reading_partial():
    hf, _ = source(page(item()), SourceUnavailableError("nobody answers"))
    reading = hf.read(NOW, None)
    assert len(reading.sightings) == 1
    assert reading.partial == "page 1 of 2026-04-01 could not be read: nobody answers"
    assert len(reading.validators) == 1


def test_an_unreadable_page_leaves_no_validators_behind():
    hf, fetcher = source(page(item()), b"<html>")
    reading = hf.read(NOW, None)
    assert reading.partial
    assert set(reading.validators) == {fetcher.requests[0].url}


def test_when_nothing_could_be_read_the_error_is_the_answer():
    hf, _ = source(SourceThrottledError("not so often", retry_after=30))
    with pytest.raises(SourceThrottledError, match="not so often"):
        hf.read(NOW, None)
