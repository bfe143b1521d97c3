"""For any octets, configuration, CSV and reference files are read, or every problem is a sentence."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fuzzing import Target, attack, check_texts
from hypothesis import strategies as st

from digestmail.config.load import load
from digestmail.errors import ConfigError, SourceUnreadableError, SubscriptionError
from digestmail.model.digests import Digest, Schedule, Topic
from digestmail.model.subscribers import Consent
from digestmail.sources.reference_file import MOST_BYTES, MOST_PAPERS, read_references
from digestmail.subscribers.csv_dialect import open_table
from digestmail.subscribers.csv_import import ImportRow, Reader, RowError

CONFIG = b"""base_url = "https://digest.example.org/papers"
database = "sqlite:///digestmail.db"
[mail]
sender = "M\xc3\xbcller, Papers <digest@example.org>"
reply_to = "desk@example.org"
bounce_address = "bounce@example.org"
give_up_hours = 96.0
ambiguous = "resend"
[mail.smtp]
host = "smtp.example.org"
port = 587
security = "starttls"
username = "digest"
password = "made-up"
messages_per_second = 5
[mail.fallback]
host = "localhost"
[[mail.domains]]
name = "example.com"
connections = 2
[network]
timeout = 30
allow_private_hosts = ["feeds.internal:8080"]
proxy = "http://proxy.example.org:3128"
[bounces]
kind = "maildir"
path = "bounces"
[web]
port = 8000
trusted_proxies = ["127.0.0.1", "2001:db8::/32"]
[[sources]]
name = "hf"
kind = "huggingface"
[[sources]]
name = "arxiv"
kind = "arxiv-feed"
categories = ["cs.LG", "cs.CL"]
[[sources]]
name = "api"
kind = "arxiv-api"
categories = ["stat.ML"]
query = "all:routes"
[[sources]]
name = "blog"
kind = "feed"
url = "https://blog.example.org/feed.xml"
headers = { X-Key = "made-up" }
[[topics]]
name = "Agents"
keywords = ["agent", "tool use"]
authors = ["Ada Lovelace"]
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * 1-5"
timezone = "Europe/Berlin"
language = "de"
sources = ["hf", "arxiv"]
topics = ["Agents"]
max_papers = 25
allow_repeats_of = ["daily"]
theme = { accent = "#0055aa", dark = { accent = "#99ccff" } }
"""
CSV = b"""\xef\xbb\xbfaddress,digest,topics,hour,language,timezone,state,paused_until,consent_source,consent_at,created_at\r
Reader <reader@example.org>,daily,Agents; Vision,7,de,Europe/Berlin,active,2026-05-01,"a desk, or ""two\""",2026-01-02T03:04:05Z,2026-01-02\r
'=x@example.org,weekly,,,,,unsubscribed,,,,\r
"""
SPREADSHEET = "sep=;\nE-Mail;digest;;\nj\xfcrgen@example.org;daily;;\n;;;\n".encode("utf-16")
WESTERN = "address\tdigest\tconsent_source\tconsent_at\nreader@b\xfccher.example\tdaily\tcaf\xe9\t2026-03-01\n".encode(
    "cp1252"
)
BIBTEX = rb"""@string{lab = "A {L}ab"}
@comment{jabref-meta: x;}
@preamble{"\newcommand{\x}{y}"}
@Article{one, Title = {The {BERT} of {\"U}ber \& {CO}$_2$}, abstract = "We {"}study{"} <i>it</i>.", year = 2020,}
@inproceedings(two, title = lab # { of } # "Strings", subtitle = {S}, date = {2021-05-01}, title = {Again})
"""
RIS = b"""TY  - JOUR\r\nAU  - Example, Ada\r\nTI  - A title that\r\nis wrapped\r\nPY  - 2020/03//\r
AB  - <jats:p>An abstract &lt; two.</jats:p>\r\nER  -\r\nTY  - CHAP\nT1  - Caf\xe9\nN2  - Old\nER\n"""
NOW = datetime(2026, 4, 2, 8, tzinfo=UTC)
TOPICS = (Topic(name="Agents", keywords=("agent",)), Topic(name="Vision", keywords=("image",)))
READER = Reader(
    digests=tuple(
        Digest(
            name=name, title=name, schedule=Schedule(cron="0 7 * * *", timezone="UTC"), sources=("hf",), topics=topics
        )
        for name, topics in (("daily", TOPICS), ("weekly", ()))
    ),
    languages=("de", "en"),
    consent=Consent(source="conference desk", at=NOW - timedelta(days=30)),
    now=NOW,
)
VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.dates(),
        st.datetimes(),
        st.text(max_size=9),
        st.sampled_from(["", " ", "0 7 * * *", "\0", "https://[", "https://x.org", "@", "localhost", "a" * 300]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=4,
)


def check_config(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        config = load(path, None)
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - a correct file raises nothing
        for problem in error.problems:
            assert problem.strip()
            assert problem.isprintable()
        check_texts(error.problems, most=100 * len(data) + 100_000)
        return
    assert config.digest_values()


def check_csv(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    lines = 0
    with open_table(path) as table, suppress(SubscriptionError):
        for row in READER.read(table):
            lines += 1
            assert isinstance(row, ImportRow | RowError)
            assert row.line > 0
            if isinstance(row, RowError):
                assert row.why.strip()
                assert not row.why.startswith("unexpected")
            else:
                check_texts([row], most=10 * len(data) + 1_000)
    assert lines <= len(data) + 1


def check_references(data: bytes) -> None:
    try:
        found = read_references(data)
    except SourceUnreadableError as error:
        check_texts([str(error)], most=1_000)
        return
    assert len(data) <= MOST_BYTES
    assert len(found.papers) <= MOST_PAPERS
    assert found.broken >= 0
    assert found.over >= 0
    for paper in found.papers:
        assert paper.title.strip()
        assert len(paper.title) <= 500
        assert len(paper.abstract) <= 2_000
    check_texts(found.papers, most=20 * len(data) + 1_000)


def toml(value: object) -> str:
    """Write a value as TOML 1.0, tables inline."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(str(key))} = {toml(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int):
        return str(value).lower()
    return str(value).replace(" ", "T") if not isinstance(value, float) else repr(value)


def with_changes(changes: list[tuple[int, object]]) -> bytes:
    """Return the configuration with other values in some places, counted in the order of the file."""
    wanted, places = dict(changes), iter(range(10_000))

    def walk(value: object) -> object:
        place = next(places)
        if place in wanted:
            return wanted[place]
        if isinstance(value, dict):
            return {key: walk(one) for key, one in value.items()}
        return [walk(one) for one in value] if isinstance(value, list) else value

    found = {key: walk(value) for key, value in tomllib.loads(CONFIG.decode()).items()}
    return "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in found.items()).encode("utf-8", "replace")


CONFIGS = st.lists(st.tuples(st.integers(0, 120), VALUES), min_size=1, max_size=3).map(with_changes)


def test_any_configuration_is_read_or_every_problem_is_a_sentence(tmp_path):
    assert load(_written(tmp_path / "config.toml", CONFIG), None).digests
    attack(
        Target(
            name="configuration",
            check=lambda data: check_config(tmp_path / "config.toml", data),
            seeds=[CONFIG],
            documents=CONFIGS,
        )
    )


@pytest.mark.parametrize("value", [[], {}, 7, "\0"], ids=["list", "table", "number", "text"])
def test_a_value_of_any_type_in_any_place_is_read_or_a_sentence(tmp_path, value):
    place = 0
    while (text := with_changes([(place, value)])) != with_changes([]):
        check_config(tmp_path / "config.toml", text)
        place += 1
    assert place > 70, "every table, list and value of the file was replaced"


def test_any_csv_is_read_or_every_problem_is_a_sentence(tmp_path):
    attack(
        Target(
            name="csv", check=lambda data: check_csv(tmp_path / "people.csv", data), seeds=[CSV, SPREADSHEET, WESTERN]
        )
    )


def test_any_reference_file_is_read_or_the_problem_is_a_sentence():
    assert [len(read_references(one).papers) for one in (BIBTEX, RIS)] == [2, 2]
    attack(Target(name="reference-file", check=check_references, seeds=[BIBTEX, RIS]))


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
