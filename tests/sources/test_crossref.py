"""Works at Crossref: which dates mean new, which works are papers, and how a list is read to its end."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta

import pytest
from fetching import Request, ScriptedFetcher, in_order
from hypothesis import given
from hypothesis import strategies as st

from digestmail.errors import SourceThrottledError, SourceUnavailableError, SourceUnreadableError
from digestmail.model.papers import Sighting
from digestmail.sources.crossref import Crossref, abstract_text, works_page

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
TODAY = [2026, 4, 2]


def when(*parts: object) -> dict[str, object]:
    return {"date-parts": [list(parts)]}


def work(doi: str = "10.26434/chemrxiv.15990001/v1", **fields: object) -> dict[str, object]:
    return {
        "DOI": doi,
        "URL": f"https://doi.org/{doi}",
        "title": ["Crystals that\n   remember <i>E. coli</i> &amp;amp; CO<sub>2</sub>"],
        "abstract": "<jats:title>Abstract</jats:title><jats:p>They do &lt;think&gt;.</jats:p>",
        "author": [
            {"given": "Ada", "family": "Example", "sequence": "first"},
            {"name": "The Crystal Consortium"},
            {"family": "Mononym"},
        ],
        "type": "posted-content",
        "created": when(*TODAY),
        "posted": when(*TODAY),
        "issued": when(*TODAY),
        **fields,
    }


def page(*items: object, total: int | None = None, cursor: str | None = "next+/=") -> bytes:
    message = {"total-results": len(items) if total is None else total, "items": items, "next-cursor": cursor}
    return json.dumps({"status": "ok", "message-type": "work-list", "message": message}).encode()


def read(*outcomes: bytes | Exception | None, **options):
    fetcher = ScriptedFetcher(in_order(*outcomes))
    options = options or {"prefixes": ("10.26434",)}
    return Crossref(name="chem", fetcher=fetcher, **options).read(NOW, None), fetcher.requests


def only(**fields: object) -> Sighting:
    (sighting,) = read(page(work(**fields)))[0].sightings
    return sighting


def reason(**fields: object) -> str:
    options = {"prefixes": ("10.26434",), "include_revisions": bool(fields.pop("include_revisions", False))}
    found, _ = read(page(work(**fields)), **options)
    return found.skipped[0].reason if found.skipped else ""


# -- one work ---------------------------------------------------------------------------------------------------------


def test_a_preprint_becomes_a_paper():
    found = only()
    assert found.paper.id == "doi:10.26434/chemrxiv.15990001/v1"
    assert found.paper.title == "Crystals that remember E. coli & CO₂"
    assert found.paper.abstract == "They do <think>."
    assert found.paper.authors == ("Ada Example", "The Crystal Consortium", "Mononym")
    assert found.paper.link == "https://doi.org/10.26434/chemrxiv.15990001/v1"
    assert found.day == date(2026, 4, 2)
    assert found.paper.published_at == datetime(2026, 4, 2, tzinfo=UTC)


def test_an_article_names_its_journal_and_keeps_its_subtitle():
    found = only(
        doi="10.1000/xyz", type="journal-article", **{"container-title": ["J. Cryst. &amp; Co"]}, subtitle=["A study"]
    )
    assert found.paper.organization == "J. Cryst. & Co"
    assert found.paper.title.endswith(": A study")


@pytest.mark.parametrize(
    ("fields", "published"),
    [
        ({"published-print": when(2026, 12), "issued": when(2026, 12)}, TODAY),
        ({"published-online": when(2026, 3, 30), "issued": when(2026)}, [2026, 3, 30]),
        ({"published-online": when(2027, 1, 1), "issued": when(2027, 1, 1)}, TODAY),
        ({"issued": when(None)}, TODAY),
        ({"issued": {"date-parts": []}}, TODAY),
    ],
)
def test_an_article_is_new_when_it_is_registered_however_its_issue_is_dated(fields, published):
    found = only(**{"type": "journal-article", "posted": None, **fields})
    assert found.day == date(*TODAY)
    assert found.paper.published_at == datetime.combine(date(*published), time(), UTC)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"created": when(2026)}, "no date"),
        ({"created": None}, "no date"),
        ({"type": "peer-review"}, "no paper but a peer-review"),
        ({"type": None}, "no paper but a work without a type"),
        ({"author": []}, "no authors: a cover, an index or an announcement"),
        ({"author": [{"ORCID": "x"}, None, 7]}, "no authors: a cover, an index or an announcement"),
        ({"posted": when(1987), "issued": when(1987)}, "an older paper that was registered late"),
        ({"posted": None, "published-print": when(2025, 12)}, "an older paper that was registered late"),
        ({"update-to": [{"type": "correction", "DOI": "10.1/x"}]}, "a notice about another paper: correction"),
        ({"update-to": [{"type": "retraction"}]}, "a notice about another paper: retraction"),
        ({"update-to": [{"type": "new_version"}]}, "a new version of an earlier paper"),
        ({"doi": "10.26434/chemrxiv.15990001/v2"}, "a new version of an earlier paper"),
        ({"doi": "10.26434/chemrxiv-2024-abcde-v3"}, "a new version of an earlier paper"),
        ({"doi": "10.31234/osf.io/abcde_v2"}, "a new version of an earlier paper"),
        ({"title": []}, "no title"),
        ({"title": [None, ""]}, "no title"),
    ],
)
def test_what_is_no_new_paper_is_skipped_and_says_why(fields, said):
    assert reason(**fields) == said


@pytest.mark.parametrize("issued", [when(2026), when(2026, 3), when(2026, 2, 10), when("2026", "4", "2")])
def test_a_date_without_day_or_month_counts_as_its_last_day(issued):
    assert reason(posted=None, issued=issued) == ""


def test_a_revision_is_the_paper_of_the_first_version_if_it_is_wanted():
    wanted = {"prefixes": ("10.26434",), "include_revisions": True}
    (found,) = read(page(work("10.26434/chemrxiv.15990001/v2")), **wanted)[0].sightings
    assert found.paper.id == "doi:10.26434/chemrxiv.15990001/v1"
    assert found.paper.published_at is None
    assert found.paper.link.endswith("/v2")
    assert reason(include_revisions=True, **{"update-to": [{"type": "new_version"}]}) == ""


def test_a_bad_record_costs_nothing_but_itself():
    bad = [None, 7, "x", [], {}, {"DOI": None}, {"title": ["no DOI"]}, work(title="not a list", abstract=3, author="x")]
    found, _ = read(page(*bad, work()))
    assert len(found.sightings) == 1
    assert found.entries == len(bad) + 1


def test_a_formula_that_is_there_twice_is_read_once():
    jats = (
        "<jats:p>We bound <jats:inline-formula><jats:alternatives><jats:tex-math>\\documentclass[12pt]{minimal}\n"
        "\\begin{document}$$\\alpha &lt; 1$$\\end{document}</jats:tex-math>"
        '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mi>α</mml:mi><mml:mo>&lt;</mml:mo><mml:mn>1</mml:mn>'
        "</mml:math></jats:alternatives></jats:inline-formula> here.</jats:p>"
    )
    assert abstract_text(jats) == "We bound α<1 here."
    alone = "<![CDATA[\\documentclass{x}\\begin{document}$$x<y$$\\end{document}]]>"
    assert abstract_text(f"<jats:p>A <jats:tex-math>{alone}</jats:tex-math></jats:p>") == "A $$x<y$$"


# -- the list ---------------------------------------------------------------------------------------------------------


def test_it_asks_for_what_was_registered_in_the_last_days():
    _, (request,) = read(page(), issns=("1234-5679", "0378-5955"))
    assert request.query["filter"].split(",") == [
        "from-created-date:2026-03-30",
        "issn:1234-5679",
        "issn:0378-5955",
        "type:journal-article",
        "type:posted-content",
        "type:proceedings-article",
    ]
    assert request.query["cursor"] == "*"
    assert request.min_interval == 1.0
    assert not request.conditional


@pytest.mark.parametrize(("missed", "first"), [(5, "2026-03-27"), (20, "2026-03-12"), (400, "2026-03-03")])
def test_what_was_missed_is_read_back_to_a_month(missed, first):
    fetcher = ScriptedFetcher(lambda _request: page())
    Crossref(name="chem", fetcher=fetcher, prefixes=("10.1",)).read(NOW, NOW - timedelta(days=missed))
    assert fetcher.requests[0].query["filter"].startswith(f"from-created-date:{first},")


def test_a_list_ends_when_all_works_came_even_if_the_cursor_stays_the_same():
    def script(request: Request) -> bytes:
        first = 0 if request.query["cursor"] == "*" else 2 if len(fetcher.requests) == 2 else 4
        return page(*(work(f"10.1000/{n}") for n in range(first, min(first + 2, 5))), total=5)

    fetcher = ScriptedFetcher(script)
    found = Crossref(name="x", fetcher=fetcher, prefixes=("10.1000",)).read(NOW, None)
    assert len(found.sightings) == 5
    assert found.partial is None
    assert [request.query["cursor"] for request in fetcher.requests] == ["*", "next+/=", "next+/="]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (page(total=3), "1 of 3 works and then an empty page"),
        (SourceUnavailableError("500"), "500"),
        (SourceThrottledError("429"), "429"),
        (b'{"message": {"items": [', "not JSON"),
        (b"<html><title>Down</title></html>", "Down"),
    ],
)
def test_pages_that_came_are_kept_when_a_later_one_fails(second, said):
    found, _ = read(page(work(), total=3), second)
    assert len(found.sightings) == 1
    assert found.partial is not None
    assert said in found.partial


def test_a_page_without_a_cursor_does_not_end_the_list_silently():
    found, _ = read(page(work(), total=3, cursor=None))
    assert "no cursor" in (found.partial or "")


def test_a_list_without_an_end_is_given_up():
    fetcher = ScriptedFetcher(lambda _request: page(work("10.1000/same"), total=10**9))
    found = Crossref(name="x", fetcher=fetcher, prefixes=("10.1000",)).read(NOW, None)
    assert "more than 200 pages" in (found.partial or "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b"[]", "not a list of works"),
        (b'{"status":"failed","message":[{"type":"x","message":"Filter frm is unknown"}]}', "Filter frm is unknown"),
        (b'{"status":"error","message":"Resource not found."}', "Resource not found."),
        (b'{"message":{"items":[],"total-results":"many"}}', "how many there are"),
        (b'{"message":{"items":{}}}', "not a list of works"),
    ],
)
def test_an_answer_that_is_no_list_of_works_is_an_error_that_says_so(body, said):
    with pytest.raises(SourceUnreadableError, match=said.replace(".", r"\.")):
        works_page(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["date-parts", "family", "given", "name", "type", "DOI"]), inner, max_size=4
    ),
    max_leaves=8,
)  # fmt: skip
_FIELDS = st.sampled_from(
    ["DOI", "URL", "title", "abstract", "author", "created", "posted", "issued", "type", "update-to"]
)


@given(st.dictionaries(_FIELDS, _JSON, max_size=5))
def test_any_json_in_a_record_is_a_paper_or_skipped(fields):
    found, _ = read(page({**work(), **fields}))
    assert len(found.sightings) + len(found.skipped) == 1
