"""Tables that name several places: each becomes a source of its own, and no bad one stops the others."""

from __future__ import annotations

import pytest

from digestmail.config.load import load
from digestmail.config.source_tables import as_toml, new_sources
from digestmail.errors import ConfigError

HEAD = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["first", "many"]
[[sources]]
name = "first"
kind = "feed"
url = "https://first.example/feed"
[[sources]]
name = "many"
"""
OPML = """<opml version="2.0"><body><outline text="A folder">
<outline text="One" type="rss" xmlUrl="https://one.example/feed?key=hush&amp;x=1"/>
<outline text="One again" type="rss" xmlUrl="http://ONE.example/feed?key=hush&amp;x=1#top"/></outline>
<outline text="Two" xmlUrl="feed://two.example/rss"/>
<outline text="Bad" xmlUrl="mailto:someone@example.org"/>
<outline text="Worse" xmlUrl="http://[::1/feed"/></body></opml>"""


@pytest.fixture
def configure(tmp_path):
    def write(keys: str, **files: str):
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, "utf-8")
        (tmp_path / "config.toml").write_text(HEAD + keys, "utf-8")
        return load(tmp_path / "config.toml", {})

    return write


def test_a_digest_that_waits_for_a_list_waits_for_it_as_for_one_source(configure):
    lists = 'kind = "feed"\nurls = ["https://a.example/x", "https://b.example/y"]\n'
    config = configure(
        f'{lists}[[digests]]\nname = "w"\ntitle = "W"\nschedule = "0 7 * * *"\nsources = ["many"]\nwait_for = ["many"]'
    )
    digest = config.digest_values()[-1]
    assert [name for name, _ in digest.wait.sources] == ["many"]
    assert len(digest.sources) == 2


def problems(configure, keys: str, **files: str) -> str:
    with pytest.raises(ConfigError) as caught:
        configure(keys, **files)
    return str(caught.value)


def test_each_address_is_a_source_that_its_digest_reads(configure):
    urls = '["https://a.example/x", "https://a.example/y?token=hush", "http://A.example/x"]'
    config = configure(f'kind = "feed"\nurls = {urls}\nblock = {{ words = ["job"] }}')
    names = [table.name for table in config.sources]
    assert names[0] == "first"
    assert [name.partition("-")[0] for name in names[1:]] == ["many/a.example", "many/a.example"]
    assert len(set(names)) == 3
    assert [table.address for table in config.sources[1:]] == ["https://a.example/x", "https://a.example/y?token=hush"]
    assert "hush" not in "".join(names)
    (digest,) = config.digest_values()
    assert digest.sources == digest.curated == tuple(names)
    assert [name for name, _ in digest.source_rules] == names[1:]


def test_a_name_stays_when_others_come_or_the_scheme_changes(configure):
    before = configure('kind = "feed"\nurls = ["https://b.example/x"]').sources[1].name
    after = configure('kind = "feed"\nurls = ["https://a.example/x", "http://b.example/x"]').sources
    assert [table.name for table in after][2] == before


def test_a_list_is_read_from_opml_beside_the_configuration_however_it_was_written(configure):
    config = configure('kind = "feed"\nopml = "feeds.opml"', feeds_opml=OPML)
    assert [table.address for table in config.sources[1:]] == [
        "https://one.example/feed?key=hush&x=1",
        "http://two.example/rss",
        # Reading these fails, and says why, while the others are read.
        "mailto:someone@example.org",
        "http://[::1/feed",
    ]
    assert {table.name for table in config.sources} == set(config.digests[0].sources)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no file feeds.opml"),
        ("<html></html>", "not OPML"),
        ("", "not OPML"),
        ('<opml version="2.0"><body><outline text="x"/></body></opml>', "names no feed"),
        ('<!DOCTYPE opml [<!ENTITY x "y">]><opml><body/></opml>', "declares entities"),
    ],
)
def test_a_list_that_cannot_be_read_is_a_problem_that_names_its_key(configure, text, said):
    files = {} if text is None else {"feeds_opml": text}
    found = problems(configure, 'kind = "feed"\nopml = "feeds.opml"', **files)
    assert 'sources["many"].opml: ' in found
    assert said in found


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('kind = "feed"', 'sources["many"]: needs exactly one of url, urls or opml, but none is set'),
        (
            'kind = "feed"\nurl = "https://a.example/"\nopml = "x"',
            'sources["many"]: needs exactly one of url, urls or opml, but url and opml are set',
        ),
        (
            'kind = "feed"\nurls = ["https://a.example/"]\nusername = "x"\npassword = "long enough"',
            'sources["many"]: a login is for one feed',
        ),
        (
            'kind = "feed"\nopml = "x"\nheaders = { Authorization = "made-up-token" }',
            'sources["many"]: a login is for one feed',
        ),
        ('kind = "feed"\nurls = ["https://a.example/", "ftp://b"]', 'sources["many"].urls[1]: not a web address'),
        ('kind = "feed"\nurl = ["https://a.example/"]', "is one address: write several as urls = ["),
        ('kind = "feed"\nopml = "https://a.example/x"', 'sources["many"].opml: is a file, not an address'),
        ('kind = "github"\nrepositories = []', 'sources["many"].repositories: at least one is needed'),
        ('kind = "github"\nrepositories = ["one"]', "write OWNER/NAME"),
        ('kind = "crossref"', 'sources["many"]: needs exactly one of prefixes or issns, but none is set'),
        ('kind = "crossref"\nprefixes = ["10.1"]', "the prefix of a DOI is what stands before its slash"),
        ('kind = "crossref"\nissns = ["1234-5678"]', "one of them is mistyped"),
        ('kind = "crossref"\nissns = ["12345"]', "not an ISSN, which is made like"),
        ('kind = "zotero"\nlibrary = "my group"', "is not a Zotero library"),
        ('kind = "zotero"\nlibrary = "groups/1"\ncollection = "x"', "a collection is called by the 8 capital letters"),
        ('kind = "zotero"\nlibrary = "groups/1"\napi_key_file = "x"', 'sources["many"].api_key_file: cannot be used'),
        ('kind = "huggingface"\nlist = "weekly"', "'daily' or 'trending'"),
        ('kind = "huggingface"\nlist = "trending"\nquery = "x"', "a search has no list"),
        (
            'kind = "zotero"\nlibrary = "groups/1"\napi_key = "made-up-key"\nbase_url = "http://zotero.example"',
            "in clear text",
        ),
    ],
)  # fmt: skip
def test_a_wrong_table_says_what_is_wrong(configure, keys, said):
    found = problems(configure, keys)
    assert said in found
    assert "made-up" not in found


def test_each_repository_is_a_source(configure):
    given = '["example/one", "https://github.com/example/two.git", "example/one"]'
    config = configure(f'kind = "github"\nrepositories = {given}')
    assert [table.name for table in config.sources[1:]] == ["many/example/one", "many/example/two"]
    assert config.sources[2].address == "https://github.com/example/two/releases.atom"


def test_an_issn_and_a_library_are_brought_into_one_spelling(configure):
    assert configure('kind = "crossref"\nissns = ["2434561x"]').sources[1].issns == ("2434-561X",)
    config = configure('kind = "zotero"\nlibrary = "https://www.zotero.org/groups/4711/rivers/library"')
    assert config.sources[1].library == "groups/4711"


def test_a_key_of_a_library_comes_from_its_file_and_is_sent_in_a_header(configure):
    config = configure('kind = "zotero"\nlibrary = "groups/1"\napi_key_file = "key"', key="made-up-key\n")
    assert config.sources[1].sent_headers() == {"Zotero-API-Key": "made-up-key"}


def test_a_new_source_takes_no_name_and_no_address_of_a_list(configure):
    config = configure('kind = "feed"\nurls = ["https://a.example/x"]')
    found = new_sources([("Many", "https://b.example/"), ("", "http://a.example/x")], config.sources)
    assert [table.name for table in found.tables] == ["many-2"]
    assert found.duplicates == ("http://a.example/x",)
    assert 'url = "https://b.example/"' in as_toml(found.tables)
