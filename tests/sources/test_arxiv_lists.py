"""arXiv's author feeds, and papers by their arXiv ids."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from fetching import Request as Fetched
from fetching import ScriptedFetcher, in_order
from loopback import FakeHostLimits, client
from werkzeug import Request, Response

from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.model.papers import PaperId
from digestmail.sources.arxiv_author import ArxivAuthors, parse_author_feed
from digestmail.sources.arxiv_ids import ArxivIdLists, ArxivPapers
from digestmail.sources.reading_list import ListedPaper, ListReading

AUTHOR = "example_a_1"


def entry(
    title: str = "Quiet rivers", summary: str = "  We listen\n  to rivers.", arxiv_id: str = "2604.00157v2"
) -> str:
    """Return an article as arXiv's author feeds have it: all authors in one name, a bare id."""
    return (
        f"<entry><id>{escape(arxiv_id)}</id><updated>2026-04-02 08:00:00+00:00</updated>"
        f"<published>2026-04-01 08:00:00+00:00</published><title>{escape(title)}</title>"
        f"<summary>{escape(summary)}</summary><author><name>Ada Example, Boris Sample</name></author>"
        f'<link href="http://arxiv.org/abs/{escape(arxiv_id)}" rel="alternate" type="text/html"/>'
        '<arxiv:primary_category term="cs.LG" scheme="http://arxiv.org/schemas/atom" label="Learning"/></entry>\n'
    )


def author_feed(*entries: str) -> bytes:
    return (
        '<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
        f"<title>Ada Example</title><link rel='describes' href='http://arxiv.org/a/{AUTHOR}'/>"
        f"<updated>2026-04-02 00:00:00</updated><id>http://arxiv.org/{AUTHOR}</id>{''.join(entries)}</feed>\n"
    ).encode()


def answer_of_the_api(*papers: tuple[str, str, str]) -> bytes:
    """Return an answer of the query API with (arXiv id, title, abstract)."""
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{arxiv_id}v1</id><published>2026-04-01T08:00:00Z</published>"
        f"<title>{title}</title><summary>{abstract}</summary><author><name>Ada Example</name></author></entry>"
        for arxiv_id, title, abstract in papers
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"><title>arXiv Query</title>'
        f"<opensearch:totalResults>{max(len(papers), 1)}</opensearch:totalResults>{entries}</feed>"
    ).encode()


def serve(httpserver, *answers: Response, path: str = f"/a/{AUTHOR}.atom2") -> list[Request]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    httpserver.expect_request(path).respond_with_handler(answer)
    return seen


def read(httpserver, validator: str = "", **options) -> ListReading:
    with client(**options) as http:
        return ArxivAuthors(fetcher=http, base_url=httpserver.url_for("")).read(AUTHOR, validator)


# -- authors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arxiv_id", ["2604.00157v2", "http://arxiv.org/abs/2604.00157v2"])
def test_the_articles_of_an_author_have_title_abstract_and_id(httpserver, arxiv_id):
    serve(httpserver, Response(author_feed(entry(arxiv_id=arxiv_id), entry("Loud rivers", "", "math/0309136v1"))))
    assert read(httpserver).papers == (
        ListedPaper(title="Quiet rivers", abstract="We listen to rivers.", ids=("arxiv:2604.00157",)),
        ListedPaper(title="Loud rivers", ids=("arxiv:math/0309136",)),
    )


def test_the_crawl_delay_of_the_web_site_is_kept():
    fetcher = ScriptedFetcher(lambda _request: author_feed(entry()))
    ArxivAuthors(fetcher=fetcher).read(AUTHOR)
    (request,) = fetcher.requests
    assert request.url == f"https://arxiv.org/a/{AUTHOR}.atom2"
    assert request.min_interval == 15.0
    assert request.headers == {}


def test_tex_becomes_text_and_signs_that_look_like_markup_stay(httpserver):
    serve(httpserver, Response(author_feed(entry('Na\\"ive $x^{2}$ for a<b>c', "L\\'evy & <think> $\\alpha$"))))
    (paper,) = read(httpserver).papers
    assert paper.title == "Naïve x² for a<b>c"
    assert paper.abstract == "Lévy & <think> α"


def test_an_author_without_articles_has_none(httpserver):
    serve(httpserver, Response(author_feed()))
    assert read(httpserver) == ListReading()


def test_an_unchanged_feed_is_not_transferred(httpserver):
    seen = serve(httpserver, Response(author_feed(entry()), headers={"ETag": '"a"'}), Response(status=304))
    first = read(httpserver)
    assert first.validator == '"a"'
    assert read(httpserver, first.validator) == ListReading(unchanged=True, validator='"a"')
    assert seen[1].headers["If-None-Match"] == '"a"'


def test_the_first_five_hundred_articles_are_kept(httpserver):
    serve(httpserver, Response(author_feed(*[entry(f"Part {number}") for number in range(510)])))
    reading = read(httpserver)
    assert len(reading.papers) == 500
    assert len(reading.skipped) == 10


def test_an_article_without_a_title_is_set_aside(httpserver):
    serve(httpserver, Response(author_feed(entry(" "), entry())))
    reading = read(httpserver)
    assert len(reading.papers) == 1
    assert len(reading.skipped) == 1


@pytest.mark.parametrize("length", [300, 700, 1000])
def test_a_feed_that_is_cut_off_is_not_the_whole_list(length):
    with pytest.raises(SourceUnreadableError):
        list(parse_author_feed(author_feed(entry(), entry(), entry())[:length]))


@pytest.mark.parametrize("body", [b"", b"<html><title>arXiv</title></html>", b"{}", b"\x00\xff", b"<feed"])
def test_what_is_no_feed_is_unreadable(httpserver, body):
    serve(httpserver, Response(body))
    with pytest.raises(SourceUnreadableError):
        read(httpserver)


def test_entities_are_refused(httpserver):
    bomb = b'<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + author_feed(entry("&b;"))
    serve(httpserver, Response(bomb))
    with pytest.raises(SourceUnreadableError):
        read(httpserver)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(status=400), SourceRefusedError),
        (Response(status=404), SourceRefusedError),
        (Response(status=403), SourceThrottledError),
        (Response(status=406), SourceThrottledError),
        (Response(status=429), SourceThrottledError),
        (Response(status=503), SourceThrottledError),
        (Response(b"Rate exceeded."), SourceThrottledError),
        (Response(status=502), SourceUnavailableError),
    ],
)
def test_each_answer_that_is_no_feed_has_its_error(httpserver, response, kind):
    serve(httpserver, response)
    with pytest.raises(SourceError) as caught:
        read(httpserver)
    assert isinstance(caught.value, kind)
    # Errors without a status are about requests that were not sent.
    assert caught.value.status == response.status_code


def test_a_redirect_into_a_private_network_is_refused(httpserver):
    serve(httpserver, Response(status=302, headers={"Location": "http://192.168.0.1/"}))
    with pytest.raises(SourceRefusedError):
        read(httpserver, allowed=(f"localhost:{httpserver.port}",))


# -- ids -------------------------------------------------------------------------------------------------------------


def ids_of(request: Fetched) -> list[str]:
    return request.query["id_list"].split(",")


def test_a_list_of_ids_is_its_reference():
    papers = ArxivIdLists().read("2604.00157 math/0309136").papers
    assert papers == (
        ListedPaper(title="", ids=("arxiv:2604.00157",)),
        ListedPaper(title="", ids=("arxiv:math/0309136",)),
    )


def test_papers_are_asked_for_by_the_hundred():
    wanted = [f"2604.{number:05d}" for number in range(250)]
    fetcher = ScriptedFetcher(lambda request: answer_of_the_api(*[(one, f"T {one}", "A") for one in ids_of(request)]))
    found = ArxivPapers(fetcher=fetcher).find(wanted)
    assert [len(ids_of(request)) for request in fetcher.requests] == [100, 100, 50]
    assert [request.query["max_results"] for request in fetcher.requests] == ["100", "100", "50"]
    assert all(request.url.startswith("https://export.arxiv.org/api/query?") for request in fetcher.requests)
    assert list(found) == [f"arxiv:{one}" for one in wanted]
    assert found[PaperId("arxiv:2604.00007")].title == "T 2604.00007"


def test_requests_to_the_api_are_three_seconds_apart(httpserver):
    serve(httpserver, Response(answer_of_the_api()), path="/api/query")
    limits = FakeHostLimits()
    with client(host_limits=limits) as http:
        ArxivPapers(fetcher=http, base_url=httpserver.url_for("/")).find(["2604.00001"])
    (_, first), (_, second) = limits.booked
    assert (second - first).total_seconds() == 3.0


def test_ids_that_arxiv_does_not_know_are_missing():
    fetcher = ScriptedFetcher(in_order(answer_of_the_api(("2604.00001", "One", "First")), answer_of_the_api()))
    assert set(ArxivPapers(fetcher=fetcher).find(["2604.00001", "2604.99999"])) == {"arxiv:2604.00001"}
    assert [ids_of(request) for request in fetcher.requests] == [["2604.00001", "2604.99999"], ["2604.99999"]]


def test_papers_that_a_short_or_cut_answer_left_out_are_asked_for_again():
    one, two = ("2604.00001", "One", "First"), ("2604.00002", "Two", "Second")
    cut = answer_of_the_api(one, two)[:-60]
    fetcher = ScriptedFetcher(in_order(cut, answer_of_the_api(two)))
    found = ArxivPapers(fetcher=fetcher).find(["2604.00001", "2604.00002"])
    assert set(found) == {"arxiv:2604.00001", "arxiv:2604.00002"}
    assert [ids_of(request) for request in fetcher.requests][1:] == [["2604.00002"]]


def test_papers_that_were_not_asked_for_are_ignored():
    fetcher = ScriptedFetcher(in_order(answer_of_the_api(("2604.00001", "One", "A"), ("2604.00002", "Two", "B"))))
    assert set(ArxivPapers(fetcher=fetcher).find(["2604.00001"])) == {"arxiv:2604.00001"}


def test_without_ids_nothing_is_asked():
    fetcher = ScriptedFetcher(in_order())
    assert ArxivPapers(fetcher=fetcher).find([]) == {}
    assert fetcher.requests == []


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (b"Rate exceeded.", SourceThrottledError),
        (SourceRefusedError("no", status=403), SourceThrottledError),
        (SourceRefusedError("no", status=400), SourceRefusedError),
        (b"<html></html>", SourceUnreadableError),
        (answer_of_the_api(("2604.00001", "One", "A"))[:60], SourceUnreadableError),
        (None, SourceUnreadableError),
    ],
)
def test_each_answer_that_is_no_papers_has_its_error(outcome, kind):
    with pytest.raises(SourceError) as caught:
        ArxivPapers(fetcher=ScriptedFetcher(in_order(outcome))).find(["2604.00001"])
    assert type(caught.value) is kind
