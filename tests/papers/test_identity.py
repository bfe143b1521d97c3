from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestmail.model.papers import Origin, Paper, PaperId
from digestmail.papers.identity import (
    canonical_link,
    find_arxiv_id,
    find_doi,
    guid_id,
    identify,
    told_apart,
    union,
    without_link,
)

# -- arXiv ids -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2604.00157", "2604.00157"),
        (" 2604.00157v12\n", "2604.00157"),
        ("0704.0001", "0704.0001"),
        ("hep-th/9901001v3", "hep-th/9901001"),
        ("math.GT/0309136", "math/0309136"),
        ("https://arxiv.org/abs/2604.00157v1", "2604.00157"),
        ("http://arxiv.org/pdf/2604.00157v1.pdf", "2604.00157"),
        ("https://arxiv.org/html/2604.00157", "2604.00157"),
        ("http://arxiv.org/abs/astro-ph/0601001v1", "astro-ph/0601001"),
        ("https://huggingface.co/papers/2604.26238", "2604.26238"),
        ("https://www.alphaxiv.org/abs/2604.26238v1?view=1", "2604.26238"),
        ("https://tldr.example.org/p/2604.26238#top", "2604.26238"),
        ("https://scirate.com/arxiv/2604.26238", "2604.26238"),
        ("https://example.org/show?lang=en&id=2604.26238", "2604.26238"),
        ("oai:arXiv.org:2604.00157v2", "2604.00157"),
        ("oai:arXiv.org:cs/0501001v1", "cs/0501001"),
        ("arXiv:2604.00157v1 Announce Type: new", "2604.00157"),
        ("Preprint (ARXIV: 2604.00157), to appear.", "2604.00157"),
        ("see arXiv 2604.00157.", "2604.00157"),
        ("https://doi.org/10.48550/arXiv.2301.00001", "2301.00001"),
    ],
)
def test_it_finds_an_arxiv_id_where_one_is_named(text, found):
    assert find_arxiv_id(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "see 2604.00157 for more",
        "10.1234/2301.12345",
        "https://doi.org/10.1101/2024.01.02.573884",
        "$2604.00157",
        "2613.00157",
        "2600.00157",
        "12604.00157",
        "2604.001577",
        "2604.00157.5",
        "arXiv:2604.00157.5",
        "arXiv:2604.0015712",
        "2024.01.02",
        "https://example.org/2024/01/02.html",
        "https://example.org/news/2604.00157",
        "cs/0513001",
        "nonsense/0501001",
        "https://arxiv.org/list/cs.LG/recent",
        "larxiv:x",
        "\u0662\u0666\u0660\u0664.\u0660\u0660\u0661\u0665\u0667",
    ],
)
def test_it_takes_nothing_else_for_an_arxiv_id(text):
    assert find_arxiv_id(text) is None


NEW_IDS = st.builds(
    "{:02d}{:02d}.{:05d}".format, st.integers(7, 99), st.integers(1, 12), st.integers(1, 99_999)
)  # fmt: skip


@given(NEW_IDS, st.integers(1, 30), st.sampled_from(["abs", "pdf", "html"]))
def test_every_id_is_found_in_every_form_arxiv_gives_it(arxiv_id, version, kind):
    forms = (
        arxiv_id,
        f"{arxiv_id}v{version}",
        f"https://arxiv.org/{kind}/{arxiv_id}v{version}",
        f"oai:arXiv.org:{arxiv_id}v{version}",
        f"arXiv:{arxiv_id}v{version} Announce Type: cross",
        f"10.48550/arXiv.{arxiv_id}",
    )
    assert {find_arxiv_id(form) for form in forms} == {arxiv_id}


# -- DOIs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.1145/1234567.1234568", "10.1145/1234567.1234568"),
        ("https://doi.org/10.1145/ABC.Def", "10.1145/abc.def"),
        ("http://dx.doi.org/10.1145%2Fabc.def", "10.1145/abc.def"),
        ("doi: 10.1016/S0140-6736(05)67889-0).", "10.1016/s0140-6736(05)67889-0"),
        ("(see 10.1000/xyz123, page 4)", "10.1000/xyz123"),
        ("https://doi.org/10.1101/2024.01.02.573884v2", "10.1101/2024.01.02.573884"),
        ("https://www.biorxiv.org/content/10.1101/2024.01.02.573884v1.full.pdf?rss=1", "10.1101/2024.01.02.573884"),
        ("http://www.biorxiv.org/content/10.1101/573884v1.abstract", "10.1101/573884"),
        ("10.64898/2025.12.01.691234v3", "10.64898/2025.12.01.691234"),
        ("10.48550/arXiv.2301.00001v2", "10.48550/arxiv.2301.00001"),
        ("10.26434/chemrxiv-2024-abc12-v2", "10.26434/chemrxiv-2024-abc12"),
        ("10.26434/chemrxiv-2024-abc12", "10.26434/chemrxiv-2024-abc12"),
        ("10.26434/chemrxiv-2024-v2abc", "10.26434/chemrxiv-2024-v2abc"),
        ("10.26434/chemrxiv.9990001.v3", "10.26434/chemrxiv.9990001"),
        # Nothing but versions has a DOI there, so the first one stands for the paper.
        ("10.26434/chemrxiv.15990001/v2", "10.26434/chemrxiv.15990001/v1"),
        ("10.26434/chemrxiv.15990001/v1.pdf", "10.26434/chemrxiv.15990001/v1"),
        ("10.21203/rs.3.rs-9990001/v12", "10.21203/rs.3.rs-9990001/v1"),
        ("10.20944/preprints202604.0001.v3", "10.20944/preprints202604.0001.v1"),
        ("10.31234/osf.io/abcd1_v2", "10.31234/osf.io/abcd1_v1"),
        ("10.36227/techrxiv.170000001.10000001/v2", "10.36227/techrxiv.170000001.10000001/v1"),
        ("10.36227/techrxiv.19990001.v2", "10.36227/techrxiv.19990001"),
        ("10.22541/essoar.170000001.10000001/v3", "10.22541/essoar.170000001.10000001/v1"),
        ("10.22541/au.170000001.10000001/v2", "10.22541/au.170000001.10000001/v1"),
        ("10.12688/f1000research.99901.2", "10.12688/f1000research.99901.1"),
        ("10.7554/eLife.99901.2", "10.7554/elife.99901"),
        ("10.7554/eLife.99901.003", "10.7554/elife.99901.003"),
        ("10.32388/AB12CD.2", "10.32388/ab12cd"),
        ("10.1000/model-v2", "10.1000/model-v2"),
        ("https://www.frontiersin.org/articles/10.3389/fnins.2020.00001/full", "10.3389/fnins.2020.00001"),
    ],
)
def test_it_finds_a_doi_bare_of_resolver_version_and_punctuation(text, found):
    assert find_doi(text) == found


@pytest.mark.parametrize(
    "text", ["", "10.5/x", "210.1000/abc", "v10.1000/abc", "10.1000/", "costs 10.1000 / year", "10.1/ab"]
)
def test_it_takes_nothing_else_for_a_doi(text):
    assert find_doi(text) is None


DOI_PIECES = [
    "10.1101/",
    "10.48550/arXiv.",
    "10.1000/x",
    "2024.01.02.1",
    "v2",
    "(",
    ")",
    ".",
    "/full",
    "%2F",
    "?",
    " ",
    "É",
]


@given(st.lists(st.sampled_from(DOI_PIECES), max_size=10).map("".join) | st.text(max_size=60))
def test_a_found_doi_is_found_again_as_it_is(text):
    doi = find_doi(text)
    assert doi is None or (find_doi(doi) == doi == doi.lower() and not set(doi) & set(' \n<>"'))


# -- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTPS://Example.ORG:443/Post/?b=2&a=1&utm_source=rss&utm_medium=x#frag", "https://example.org/Post/?a=1&b=2"),
        ("http://example.org", "http://example.org/"),
        ("http://example.org./a/../b?fbclid=1", "http://example.org/b"),
        ("http://biorxiv.org/content/early/x?rss=1", "http://biorxiv.org/content/early/x"),
        ("https://example.org:8443/a", "https://example.org:8443/a"),
        ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"),
        ("http://müller.example/ä b", "http://xn--mller-kva.example/%C3%A4%20b"),
    ],
)
def test_a_link_has_one_spelling(url, canonical):
    assert canonical_link(url) == canonical


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org/x", "//example.org/x", "mailto:a@example.org", "javascript:alert(1)", "ftp://example.org/",
        "http:///x", "http://", "http://[::1", "https://example.org:99999/", "https://user:word@example.org/",
        "https://example..org/", "https://exa\nmple.org/", "https://example.org/\u2028x", "https://example.org\\@evil.example/",
        "https://example.org/\ud800", "https://" + "a" * 3_000,
    ],
)  # fmt: skip
def test_it_refuses_what_nobody_should_follow(url):
    assert canonical_link(url) is None


URL_PIECES = [
    "%",
    "%2F",
    "/",
    "..",
    ".",
    "?",
    "&",
    "=",
    "utm_x=1",
    "#",
    ":",
    "[",
    "@",
    " ",
    "é",
    "rss=1",
    "b;c",
    "+",
    "%00",
    "%E9",
]


@given(st.lists(st.sampled_from(URL_PIECES), max_size=14).map(lambda pieces: "https://example.org" + "".join(pieces)))
def test_a_canonical_link_is_stable_and_plain(url):
    link = canonical_link(url)
    assert link is None or (canonical_link(link) == link and link.isascii() and link.isprintable() and " " not in link)


@given(st.text(max_size=80))
def test_no_text_is_too_strange(text):
    link = canonical_link(text)
    assert link is None or link.startswith(("http://", "https://"))
    identify(arxiv=text, doi=text, link=text)


# -- identity --------------------------------------------------------------------------------------------------------


def test_an_arxiv_id_comes_before_a_doi_and_a_doi_before_a_link():
    blog, doi = "https://blog.example/post", "10.1145/1.2345"
    assert identify(arxiv="2604.00157v2", doi=doi, link=blog) == (
        "arxiv:2604.00157",
        ("doi:10.1145/1.2345", "url:https://blog.example/post"),
    )
    assert identify(doi=doi, link=blog) == ("doi:10.1145/1.2345", ("url:https://blog.example/post",))
    assert identify(link=blog) == ("url:https://blog.example/post", ())
    assert identify() is None
    assert identify(arxiv="no", doi="no", link="no") is None


def test_a_doi_that_arxiv_gave_is_the_arxiv_id():
    assert identify(doi="10.48550/arXiv.2604.00157") == ("arxiv:2604.00157", ())
    assert identify(arxiv="2604.00157", doi="10.48550/arXiv.2604.00157") == ("arxiv:2604.00157", ())


@pytest.mark.parametrize(
    "link",
    [
        "https://arxiv.org/abs/2604.00157",
        "http://arxiv.org/pdf/2604.00157v3",
        "https://huggingface.co/papers/2604.00157",
    ],
)
def test_an_address_that_holds_the_id_is_no_alias(link):
    assert identify(arxiv="2604.00157", link=link) == identify(link=link) == ("arxiv:2604.00157", ())


def test_three_feeds_agree_on_one_paper():
    ids = {
        identify(arxiv="2604.00157"),
        identify(link="https://huggingface.co/papers/2604.00157"),
        identify(doi="10.48550/arxiv.2604.00157", link="https://doi.org/10.48550/arxiv.2604.00157"),
    }
    assert ids == {("arxiv:2604.00157", ())}


# -- union -----------------------------------------------------------------------------------------------------------


def paper(paper_id: str = "arxiv:2604.00157", origin: Origin = Origin.ARXIV, **known: object) -> Paper:
    given = {"title": "A Title", "link": "https://example.org/"} | known
    return Paper(id=PaperId(paper_id), origin=origin, **given)


def test_the_text_nearest_the_author_stays_and_gaps_are_filled():
    arxiv = paper(title="As Typed", raw_title="As $Typed$", abstract="", categories=("cs.LG", "stat.ML"))
    hf = paper(
        origin=Origin.HUGGING_FACE,
        title="As Cleaned",
        raw_title="As Cleaned",
        abstract="What it says.",
        raw_abstract="What it\nsays.",
        authors=("Ann Lee",),
        categories=("cs.AI", "cs.LG"),
        summary="In short.",
        code_url="https://example.org/code",
    )

    both = union(hf, arxiv)

    assert (both.title, both.raw_title, both.origin) == ("As Typed", "As $Typed$", Origin.ARXIV)
    assert (both.abstract, both.raw_abstract) == ("What it says.", "What it\nsays.")
    assert both.authors == ("Ann Lee",)
    assert both.categories == ("cs.LG", "stat.ML", "cs.AI")
    assert (both.summary, both.code_url) == ("In short.", "https://example.org/code")


def test_of_two_mentions_from_one_origin_the_newer_speaks():
    old = paper(title="First", abstract="Kept.", keywords=("old",))
    new = paper(title="Second", abstract="", keywords=("new",))
    assert union(old, new) == paper(title="Second", abstract="Kept.", keywords=("new",))


def test_the_strongest_id_names_the_paper_and_the_others_become_aliases():
    blog = paper("url:https://blog.example/post", Origin.FEED)
    journal = paper("doi:10.1145/1.2345", Origin.FEED, aliases=("url:https://journal.example/1",))
    arxiv = paper("arxiv:2604.00157")

    both = union(union(blog, journal), arxiv)

    assert both.id == "arxiv:2604.00157"
    assert both.aliases == ("doi:10.1145/1.2345", "url:https://blog.example/post", "url:https://journal.example/1")


def test_the_earliest_date_counts_and_withdrawn_stays_withdrawn():
    early, late = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 9, tzinfo=UTC)
    known = paper(published_at=late, withdrawn=True)
    new = paper(origin=Origin.FEED, published_at=early)
    assert union(known, new).published_at == union(new, known).published_at == early
    assert union(known, new).withdrawn
    assert union(known, paper(withdrawn=False)).withdrawn


IDS = st.sampled_from(["arxiv:2604.00157", "arxiv:2604.00158", "doi:10.1145/1.2345", "url:https://a.example/"]).map(
    PaperId
)
NAMES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True).map(tuple)
OPTIONAL = st.none() | st.sampled_from(["one", "two"])
DATES = st.none() | st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 9, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants its bounds naive


@st.composite
def papers(draw: st.DrawFn) -> Paper:
    optional = ("summary", "organization", "comment", "discussion_url", "code_url", "project_url", "thumbnail_url")
    paper_id = draw(IDS)
    return Paper(
        id=paper_id,
        origin=draw(st.sampled_from(Origin)),
        title=draw(st.sampled_from(["T", "U"])),
        raw_title=draw(st.sampled_from(["t", "u"])),
        abstract=draw(st.sampled_from(["", "A"])),
        raw_abstract=draw(st.sampled_from(["", "r"])),
        link=draw(st.sampled_from(["https://a.example/", "https://b.example/"])),
        aliases=tuple(sorted(set(draw(st.lists(IDS, max_size=2))) - {paper_id})),
        authors=draw(NAMES),
        categories=draw(NAMES),
        keywords=draw(NAMES),
        published_at=draw(DATES),
        withdrawn=draw(st.booleans()),
        **{name: draw(OPTIONAL) for name in optional},
    )


@given(papers(), papers())
def test_the_order_of_two_mentions_makes_no_difference_between_origins(one, other):
    other = other if one.origin != other.origin else replace(other, origin=Origin(one.origin % 3 + 1))
    assert union(one, other) == union(other, one)


@given(papers(), papers())
def test_hearing_the_same_again_changes_nothing(known, new):
    both = union(known, new)
    assert union(known, known) == known
    assert union(both, new) == both


@given(papers(), papers())
def test_nothing_known_is_lost(known, new):
    both = union(known, new)
    for each in (known, new):
        assert {each.id, *each.aliases} <= {both.id, *both.aliases}
        assert set(each.categories) <= set(both.categories)
    # A raw text goes with the text that was made of it.
    names = [field.name for field in fields(Paper) if field.name not in {"aliases", "raw_title", "raw_abstract"}]
    assert [name for name in names if (getattr(known, name) or getattr(new, name)) and not getattr(both, name)] == []


# -- GUIDs -----------------------------------------------------------------------------------------------------------


def named(*keys: str, title: str = "On routes", link: str = "https://blog.example.org/routes") -> Paper:
    first, *others = keys
    aliases = tuple(sorted(PaperId(key) for key in others))
    return Paper(id=PaperId(first), aliases=aliases, title=title, origin=Origin.FEED, link=link)


@pytest.mark.parametrize(
    ("guid", "paper_id"),
    [
        ("", None),
        (" \n", None),
        ("7", "guid:blog:7"),
        (" tag:b.example,2026:\n7 ", "guid:blog:tag:b.example,2026: 7"),
        ("http://B.example/?p=7&utm_source=x", "guid:blog:https://b.example/?p=7"),
        ("https://b.example/list#7", "guid:blog:https://b.example/list#7"),
        ("http://b.example:8080/7", "guid:blog:http://b.example:8080/7"),
    ],
)
def test_a_guid_has_one_spelling(guid, paper_id):
    assert guid_id("blog", guid) == paper_id


@given(st.text(max_size=500))
def test_any_guid_fits_into_a_key(guid):
    paper_id = guid_id("blog", guid)
    assert paper_id is None or len(paper_id) <= 310
    assert paper_id == guid_id("blog", f" {guid} ")


def test_http_and_https_are_one_link_unless_a_port_is_named():
    assert identify(link="http://b.example/1") == identify(link="https://b.example/1")
    assert identify(link="http://[2001:db8::1]/1") == identify(link="https://[2001:db8::1]/1")
    assert identify(link="http://b.example:81/1") != identify(link="https://b.example:81/1")


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (named("url:u", "guid:f:1"), named("url:u", "guid:f:2", title="On roads"), True),
        (named("url:u", "guid:f:1"), named("url:u", "guid:f:2", link="https://blog.example.org/routes#2"), True),
        (named("url:u", "guid:f:1"), named("url:u", "guid:f:2"), False),
        (named("url:u", "guid:f:1"), named("url:u", "guid:g:2", title="On roads"), False),
        (named("url:u", "guid:f:1"), named("url:v", "guid:f:1", title="On roads"), False),
        (named("url:u", "guid:f:1"), named("url:u", title="On roads"), False),
        (named("arxiv:2604.00157", "url:u"), named("arxiv:2604.00158", "url:u"), True),
        (named("arxiv:2604.00157", "url:u"), named("doi:10.1000/x", "url:u"), False),
        (named("doi:10.1000/x", "url:u"), named("doi:10.1000/y", "url:u"), True),
        (named("arxiv:2604.00157", "doi:10.1000/x"), named("doi:10.1000/x", "doi:10.1000/y"), False),
    ],
)
def test_ids_of_one_kind_tell_papers_at_one_address_apart(one, other, apart):
    assert told_apart(one, other) is apart
    assert told_apart(other, one) is apart


def test_without_its_link_a_paper_keeps_its_other_names():
    assert without_link(named("url:u", "guid:f:1", "guid:g:2")) == named("guid:f:1", "guid:g:2")
    assert without_link(named("arxiv:2604.00157", "url:u")) == named("arxiv:2604.00157")
    assert without_link(named("url:u")) == named("url:u")
