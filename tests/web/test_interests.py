"""The page "For you": interests and reading lists, over real HTTP."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from fakes import FakeSource, reading, sighting
from site_fixture import Answer, Site, opened

from digestmail.collect.collector import collect
from digestmail.model.personal import Profile, ReadingListKind
from digestmail.model.subscribers import Subscription
from digestmail.sources.reference_file import MOST_BYTES
from digestmail.storage import subscribers
from digestmail.subscribers import interests
from digestmail.web.body_limit import MOST_UPLOADED_BYTES

BIB = b"@misc{a, title = {First <b>paper</b>}, abstract = {Words}}\n@misc{b, title = {Second}}\n@misc{c}\n"
RIS = b"TY  - JOUR\r\nTI  - Third\r\nER  - \r\n"
SAID = {"interests": "protein folding", "authors": "Ada Example", "blocked_words": "survey", "exploration": "0.2"}


@pytest.fixture
def site(tmp_path, database_url):
    with opened(tmp_path, database_url) as site:
        yield site


@pytest.fixture
def reader(site) -> int:
    with site.app.database.begin() as connection:
        found = [subscribers.add(connection, f"{name}@example.org", site.clock.now()) for name in ("ada", "ben")]
        for one in found:
            subscribers.subscribe(connection, one, Subscription(digest="daily"), site.clock.now())
    return found[0]


@pytest.fixture
def target(site, reader) -> str:
    return f"/preferences/{site.app.tokens.unsubscribe(reader, '')}/interests"


def form_token(site: Site, target: str) -> str:
    return re.search(r'name="token" value="([^"]+)"', site.get(target).body)[1]


def upload(
    site: Site, target: str, content: bytes = b"", name: str = "my.bib", token: str = "", **fields: str
) -> Answer:
    """Send the form of a file as browsers do (RFC 7578)."""
    fields = {"token": token or form_token(site, target), **fields}
    parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}'.encode() for key, value in fields.items()]
    head = (
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/x-bibtex\r\n\r\n'
    )
    parts.append(head.encode() + content)
    body = b"".join(b"--line\r\n" + part + b"\r\n" for part in parts) + b"--line--\r\n"
    return site.ask("POST", f"{target}/file", body, {"Content-Type": "multipart/form-data; boundary=line"})


def found(site: Site, reader: int) -> interests.Interests:
    return interests.find(site.app.database, reader)


def lists(site: Site, reader: int) -> list[tuple[str, str, int]]:
    return [(one.kind, one.reference, one.papers) for one in found(site, reader).reading_lists]


def written(body: str, name: str) -> str:
    return unescape(re.search(rf'<textarea id="{name}"[^>]*>\n([^<]*)</textarea>', body)[1])


def test_the_preferences_link_to_the_page_and_what_is_saved_is_shown_again(site, reader, target):
    assert f'href="{target}"' in site.get(target.removesuffix("/interests")).body
    assert "Remove everything here" not in site.get(target).body
    said = {
        "interests": " <b>Folding</b>\r\nof proteins ",
        "authors": "Ada  Example\r\n\r\nExample, Ben\r\nada example",
        "blocked_words": "survey\r\nC++",
        "exploration": "0.0",
    }
    saved = site.fill_in(target, **said)
    assert (saved.status, "Your interests were saved." in saved.body) == (200, True)
    assert found(site, reader).profile == Profile(
        interests="<b>Folding</b>\nof proteins",
        authors=("Ada Example", "Example, Ben"),
        blocked_words=("survey", "C++"),
        exploration=0.0,
    )
    for body in (saved.body, site.get(target).body):
        assert written(body, "interests") == "<b>Folding</b>\nof proteins"
        assert written(body, "authors") == "Ada Example\nExample, Ben"
        assert '<option value="0.0" selected>' in body
        assert "Remove everything here" in body
    assert found(site, reader + 1).profile == Profile()


def test_an_empty_form_removes_the_profile(site, reader, target):
    site.fill_in(target, **SAID)
    assert found(site, reader).profile != Profile()
    site.fill_in(target, exploration="0.2")
    assert found(site, reader).profile == Profile()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"interests": "x" * 2001}, "at most 2000 characters"),
        ({"authors": "Ada Example\n---"}, "is not a name"),
        ({"authors": "\n".join(f"Ada Example{number}" for number in range(101))}, "at most 100 lines"),
        ({"authors": "x" * 101}, "at most 100 characters"),
        ({"blocked_words": "-"}, "No paper contains"),
        ({"exploration": "0.7"}, "Choose one of the answers"),
        ({"exploration": "nan"}, "Choose one of the answers"),
    ],
)
def test_a_problem_is_shown_above_its_form_and_nothing_is_lost(site, reader, target, changed, says):
    site.fill_in(target, **SAID)
    refused = site.fill_in(target, **{**SAID, "interests": "new", **changed})
    body = unescape(refused.body)
    assert refused.status == 422
    assert body.index('role="alert"') < body.index(says) < body.index('id="interests"')
    for name, value in changed.items():
        if name != "exploration":
            assert written(refused.body, name) == value
    assert found(site, reader).profile.interests == "protein folding"


def test_a_file_is_read_and_its_list_can_be_replaced_and_removed(site, reader, target):
    first = upload(site, target, BIB)
    assert first.status == 200
    assert "Papers: 2. Entries that could not be read: 1. Entries over the limit: 0." in first.body
    assert lists(site, reader) == [("file", "my.bib", 2)]
    assert upload(site, target, RIS).status == 200
    assert lists(site, reader) == [("file", "my.bib", 1)]
    assert upload(site, target, RIS, name='C:\\"x"/<b>.ris').status == 200
    kind, name, papers = lists(site, reader)[1]
    assert (kind, papers) == ("file", 1)
    page = site.get(target).body
    assert "<b>.ris" not in page
    number = re.findall(r'name="list" value="(\d+)"', page)[0]
    theirs = f"/preferences/{site.app.tokens.unsubscribe(reader + 1, '')}/interests"
    assert site.fill_in(theirs, f"{theirs}/remove", list=number).status == 200
    assert len(lists(site, reader)) == 2, "another reader cannot remove it"
    for _ in range(2):
        assert "was removed" in site.fill_in(target, f"{target}/remove", list=number).body
        assert lists(site, reader) == [("file", name, 1)]
    assert site.fill_in(target, f"{target}/remove", list="9" * 40).status == 200


def test_pasted_entries_are_a_list_too(site, reader, target):
    assert upload(site, target, text=BIB.decode()).status == 200
    assert lists(site, reader) == [("file", "Pasted entries", 2)]


@pytest.mark.parametrize(
    ("content", "text", "says"),
    [
        (b"", "", "Choose a file, or paste its content"),
        (b"%PDF-1.7 \0\xff", "", "neither BibTeX nor RIS"),
        (b"", "<b>Some text", "neither BibTeX nor RIS"),
        (b"@misc{a, author = {Ada Example}}", "", "no entry with a title"),
        (BIB.ljust(MOST_BYTES + 1), "", "at most 1 MB"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_beside_its_form(site, reader, target, content, text, says):
    refused = upload(site, target, content, text=text)
    assert refused.status == 422
    assert refused.body.index('role="alert"') < refused.body.index(says) < refused.body.index('type="file"')
    assert written(refused.body, "text") == text
    assert lists(site, reader) == []


def test_the_largest_file_is_read_and_a_larger_one_is_answered_after_it_was_sent(site, reader, target):
    assert upload(site, target, BIB.ljust(MOST_BYTES)).status == 200
    token = form_token(site, target)
    larger = upload(site, target, BIB.ljust(5 * MOST_BYTES), token=token)
    assert (larger.status, "at most 1 MB" in larger.body) == (413, True)
    huge = upload(site, target, b" " * MOST_UPLOADED_BYTES, token=token)
    assert (huge.status, "at most 1 MB" in huge.body) == (413, False)
    assert lists(site, reader) == [("file", "my.bib", 2)]


def test_too_many_files_are_refused(site, reader, target):
    token = form_token(site, target)
    answers = [upload(site, target, RIS, token=token) for _ in range(21)]
    assert [one.status for one in answers] == [200] * 20 + [422]
    assert "too many files" in answers[-1].body
    site.clock.sleep(600)
    assert upload(site, target, RIS).status == 200


@pytest.mark.parametrize(
    ("kind", "text", "reference"),
    [
        ("arxiv-author", "https://arxiv.org/a/example_a_1", "example_a_1"),
        ("orcid", "https://orcid.org/0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("zotero", "https://www.zotero.org/groups/456/lab", "groups/456"),
    ],
)
def test_a_list_from_elsewhere_waits_to_be_read(site, reader, target, kind, text, reference):
    added = site.fill_in(target, f"{target}/list", kind=kind, reference=text)
    assert (added.status, "was added" in added.body, "not read yet" in added.body) == (200, True, True)
    assert lists(site, reader) == [(kind, reference, 0)]
    again = site.fill_in(target, f"{target}/list", kind=kind, reference=reference)
    assert (again.status, "already there" in again.body) == (422, True)
    assert written(again.body, "reference") == reference


def test_arxiv_papers_that_are_stored_are_known_at_once(site, reader, target):
    collect(site.app.database, [FakeSource("hf", reading(sighting(1), sighting(2)))], site.clock.now())
    known = [sighting(number).paper.id.removeprefix("arxiv:") for number in (1, 2)]
    some = site.fill_in(target, f"{target}/list", kind="arxiv-ids", reference=f"{known[0]}\n2604.99999")
    assert "not read yet" in some.body
    every = site.fill_in(target, f"{target}/list", kind="arxiv-ids", reference=" ".join(known))
    assert every.status == 200
    assert [one.papers for one in found(site, reader).reading_lists] == [1, 2]
    assert [one.read_at is not None for one in found(site, reader).reading_lists] == [False, True]


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("arxiv-ids", "2604.00001 <b>", "'<b>' is not an arXiv ID"),
        ("orcid", "0000-0002-1825-0098", "check its 16 digits"),
        ("zotero", "ada", "is not a Zotero library"),
        ("arxiv-author", "Ada Example", "is not an arXiv author identifier"),
        ("file", "a.bib", "Choose one of the answers"),
        ("", "", "Choose one of the answers"),
    ],
)
def test_a_list_that_is_mistyped_is_refused_beside_its_form(site, reader, target, kind, text, says):
    refused = site.fill_in(target, f"{target}/list", kind=kind, reference=text)
    body = unescape(refused.body)
    assert refused.status == 422
    assert body.index('role="alert"') < body.index(says) < body.index('id="reference"')
    assert written(refused.body, "reference") == text
    assert lists(site, reader) == []


def test_a_reader_has_at_most_five_lists(site, reader, target):
    for number in range(5):
        assert upload(site, target, RIS, name=f"{number}.ris").status == 200
    refused = upload(site, target, RIS, name="6.ris")
    assert (refused.status, "at most 5 reading lists" in refused.body) == (422, True)
    assert upload(site, target, RIS, name="4.ris").status == 200, "a file can be replaced"
    assert len(lists(site, reader)) == 5


def test_everything_is_removed_at_once(site, reader, target):
    site.fill_in(target, **SAID)
    upload(site, target, BIB)
    removed = site.fill_in(target, f"{target}/clear")
    assert "were removed" in removed.body
    assert (found(site, reader).profile, lists(site, reader)) == (Profile(), [])


def test_a_scanner_and_other_sites_change_nothing(site, reader, target):
    token = form_token(site, target)
    for path in ("", "/file", "/list", "/remove", "/clear"):
        assert site.get(target + path).status in {200, 405}
        fields = {**SAID, "kind": "orcid", "reference": "0000-0002-1825-0097", "text": BIB.decode()}
        assert site.post(target + path, fields).status == 404
        assert site.post(target + path, {**fields, "token": "made-up"}).status == 404
        sent = site.post(target + path, {**fields, "token": token}, {"Sec-Fetch-Site": "cross-site"})
        assert sent.status == 404
    assert (found(site, reader).profile, lists(site, reader)) == (Profile(), [])
    assert site.get("/preferences/made-up/interests").status == 404


def test_a_reader_who_left_can_only_remove_what_is_stored(site, reader, target):
    upload(site, target, BIB)
    token = form_token(site, target)
    with site.app.database.begin() as connection:
        subscribers.leave(connection, reader, "daily", site.clock.now())
    page = site.get(target).body
    assert "This address is not subscribed" in page
    assert 'id="interests"' not in page
    refused = site.post(target, {**SAID, "token": token})
    assert (refused.status, "not subscribed" in refused.body) == (422, True)
    assert upload(site, target, RIS, token=token).status == 422
    assert site.fill_in(target, f"{target}/clear").status == 200
    assert lists(site, reader) == []


def test_your_data_shows_interests_and_erasing_removes_them(site, reader, target):
    preferences = target.removesuffix("/interests")
    assert "Authors you follow" not in site.get(f"{preferences}/data").body
    site.fill_in(target, **SAID)
    upload(site, target, BIB)
    page = site.get(f"{preferences}/data").body
    for text in ("protein folding", "Ada Example", "survey", "20 %", "my.bib"):
        assert text in page
    exported = json.loads(site.get(f"{preferences}/data.json").body)
    assert exported["profile"]["authors"] == ["Ada Example"]
    assert [one["title"] for one in exported["profile"]["papers"]] == ["First paper", "Second"]
    assert [one["reference"] for one in exported["reading_lists"]] == ["my.bib"]
    with site.app.database.begin() as connection:
        subscribers.leave(connection, reader, "daily", site.clock.now())
    assert site.fill_in(f"{preferences}/data", f"{preferences}/erase", sure="yes").status == 200
    assert site.get(target).status == 404


def test_the_page_is_in_the_language_of_the_reader(site, reader, target):
    for language, title in (("de", "Für dich"), ("fr", "Pour vous"), ("he", "בשבילך")):
        answer = site.ask("GET", target, headers={"Accept-Language": language})
        assert title in answer.body


def test_a_link_that_was_changed_on_the_way_still_works(site, reader, target):
    token = target.split("/")[2]
    for changed in (f"{target}.", f"{target}%3E", target.replace(token, f"{token[:9]}%0D%0A{token[9:]}")):
        assert 'id="interests"' in site.get(changed).body, changed


def test_kinds_have_names(site, reader, target):
    body = site.get(target).body
    assert re.findall(r'<option value="([a-z-]+)"', body) == [
        str(kind) for kind in ReadingListKind if kind is not ReadingListKind.FILE
    ]
