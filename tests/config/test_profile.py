"""`[profile]`: the interests of readers without a profile of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from digestmail.config.load import load
from digestmail.errors import ConfigError
from digestmail.model.personal import Profile, ReadingListKind

SMALL = """
[mail]
sender = "digest@example.org"
[[sources]]
name = "hf"
kind = "huggingface"
[[digests]]
name = "daily"
title = "Daily"
schedule = "0 7 * * *"
sources = ["hf"]
"""


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return list(caught.value.problems)


@pytest.fixture
def write(tmp_path):
    def write(table: str):
        path = tmp_path / "config.toml"
        path.write_text(f"{SMALL}\n{table}", "utf-8")
        return path

    return write


def test_there_is_no_profile_unless_the_table_is_there(write):
    assert load(write(""), {}).profile is None
    table = load(write("[profile]"), {}).profile
    assert (table.value(), table.reading_lists()) == (Profile(), ())


def test_a_profile_and_its_reading_lists_are_read_in_one_spelling(write, tmp_path):
    (tmp_path / "key").write_text("made-up\n")
    table = load(
        write(
            """[profile]
interests = " protein folding "
authors = ["Ada Example"]
blocked_words = ["survey"]
exploration = 0
files = ["library.bib", "old.ris", "library.bib"]
arxiv_ids = ["https://arxiv.org/abs/2604.00001v2", "math.GT/0309136", "2604.00001"]
arxiv_author = "https://arxiv.org/a/example_a_1"
orcid = "https://orcid.org/0000000218250097"
zotero = "https://www.zotero.org/groups/456/reading"
zotero_key_file = "key"
"""
        ),
        {},
    ).profile
    assert table.value() == Profile(
        interests="protein folding", authors=("Ada Example",), blocked_words=("survey",), exploration=0.0
    )
    assert table.reading_lists() == (
        (ReadingListKind.FILE, "library.bib"),
        (ReadingListKind.FILE, "old.ris"),
        (ReadingListKind.ARXIV_IDS, "2604.00001 math/0309136"),
        (ReadingListKind.ARXIV_AUTHOR, "example_a_1"),
        (ReadingListKind.ORCID, "0000-0002-1825-0097"),
        (ReadingListKind.ZOTERO, "groups/456"),
    )
    assert table.zotero_key.get_secret_value() == "made-up"


def test_the_environment_can_give_the_key_and_lists(write, monkeypatch):
    monkeypatch.setenv("DIGESTMAIL_PROFILE__ZOTERO_KEY", "hush")
    monkeypatch.setenv("DIGESTMAIL_PROFILE__AUTHORS", "Ada Example, Ben Example")
    table = load(write('[profile]\nzotero = "users/1"')).profile
    assert (table.zotero_key.get_secret_value(), table.authors) == ("hush", ("Ada Example", "Ben Example"))


def test_everything_that_is_wrong_with_a_profile_is_named_at_once(write):
    found = problems(
        write(
            """[profile]
interests = "a\\u0007"
author = "Ada Example"
authors = ["-"]
blocked_words = [" "]
exploration = 1.5
arxiv_ids = ["2604.00001", "hello"]
arxiv_author = "Example, A."
orcid = "0000-0002-1825-0098"
zotero = "https://www.zotero.org/ada"
zotero_key = "hush\\nhush"
"""
        )
    )
    text = "\n".join(found)
    for said in (
        "profile.interests: contains a control character",
        "profile.author: unknown key; did you mean 'authors'?",
        "profile.authors[0]: not a name",
        "profile.blocked_words[0]: ",
        "profile.exploration: ",
        "profile.arxiv_ids[1]: 'hello' is not an arXiv ID; write each one as 2604.00001",
        "profile.arxiv_author: 'Example, A.' is not an arXiv author identifier",
        "profile.orcid: '0000-0002-1825-0098' is not an ORCID iD; check its 16 digits",
        "profile.zotero: 'https://www.zotero.org/ada' is not a Zotero library; write groups/",
        "profile.zotero_key: ",
    ):
        assert said in text
    assert len(found) == 10
    assert "hush" not in text


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('zotero = "users/1"\nzotero_key_file = "absent"', "profile.zotero_key_file: cannot be used"),
        ('zotero_key = "made-up"', "profile.zotero: is missing"),
        (f"authors = {['Ada Example'] * 101}", "profile.authors: "),
        (f'interests = "{"x" * 2001}"', "profile.interests: "),
        ('authors = "Ada Example"', "profile.authors: must be a list"),
    ],
)
def test_what_no_single_value_shows_is_named_too(write, table, said):
    assert any(one.startswith(said) for one in problems(write(f"[profile]\n{table}")))


def test_unknown_keys_of_every_optional_table_are_named(write):
    found = problems(write('[embeddings]\nurl = "https://a.example/v1"\nmodel = "small"\napi_ky = "hush"\n'))
    assert found == ["embeddings.api_ky: unknown key; did you mean 'api_key'?"]
